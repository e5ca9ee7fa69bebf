//! The filter's decision without a kernel: tables in memory, made from a configuration, and the time
//! of a capture.

mod tables;

#[cfg(test)]
mod combinations;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::SocketAddr;

use sbc_common::{Action, MonotonicNanos, Packet, SliceFrame, Verdict, carry_out, decide_packet};

use crate::capture::CapturedFrame;
use crate::config::Config;
use crate::kernel::KernelError;
use crate::trust::Ledger;
use tables::MemoryTables;

/// The longest frame that is made up again where the capture kept its beginning only.
const LONGEST_FRAME: usize = 256 * 1024;

/// What the filter would decide under a configuration about packets that come one after the other.
/// Trust that is learned is not: sources are those of the configuration.
pub struct Rehearsal {
    ledger: Ledger<MemoryTables>,
}

/// What was decided about one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What happens to the packet; under `observe` it passes whatever the verdict.
    pub action: Action,
    /// Source and destination, where the headers can be read. Ports that are not known are zero.
    pub ends: Option<[SocketAddr; 2]>,
    /// The capture kept its beginning only, and the rest was taken to be zeros.
    pub is_cut: bool,
}

impl Rehearsal {
    /// Fills tables as the daemon would fill the kernel's when it starts.
    pub fn of(config: &Config) -> Result<Self, KernelError> {
        let tables = MemoryTables::of(config);
        Ok(Self { ledger: Ledger::begin(tables, config, MonotonicNanos(0))? })
    }

    /// Judges the next packet. The clock goes forward to its time, and never back.
    pub fn judge(&mut self, frame: &CapturedFrame) -> Judgement {
        let tables = self.ledger.table_mut();
        tables.advance(MonotonicNanos(frame.at));
        let length = (frame.length as usize).min(LONGEST_FRAME);
        let is_cut = frame.kept.len() < length;
        let mut bytes = Cow::Borrowed(&frame.kept[..]);
        if is_cut {
            // Lengths in the headers are right only for the whole.
            bytes.to_mut().resize(length, 0);
        }
        let mut rest = SliceFrame::new(&bytes);
        let (verdict, ends) = match Packet::read(&mut rest) {
            Ok(packet) => {
                let ends = [
                    SocketAddr::new(packet.source.into(), packet.source_port),
                    SocketAddr::new(packet.destination.into(), packet.destination_port),
                ];
                (decide_packet(&packet, &mut rest, tables), Some(ends))
            }
            Err(reason) => (Verdict::unread(reason), None),
        };
        Judgement { verdict, action: carry_out(verdict, tables), ends, is_cut }
    }
}
