use std::net::SocketAddr;

use sbc_common::{Event, MonotonicNanos, Packet, SliceFrame, Verdict};
use thiserror::Error;
use zerocopy::FromBytes as _;

use crate::probe;

/// One time by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since 1970.
    pub wall: u64,
    /// The clock of the kernel half.
    pub monotonic: MonotonicNanos,
}

/// A frame that the filter has judged: its verdict and its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was judged: nanoseconds since 1970, by the wall clock as it was when the sample was read.
    pub at: u64,
    /// When it was judged, by a clock that does not jump.
    pub monotonic: MonotonicNanos,
    /// What was decided.
    pub verdict: Verdict,
    /// The frame went on although the verdict says drop.
    pub passed: bool,
    /// The index of the interface that it arrived on.
    pub interface: u32,
    /// The length of the whole frame in bytes.
    pub length: u32,
    /// Source and destination, where the headers can be read. Ports that are not known are zero.
    pub ends: Option<[SocketAddr; 2]>,
    /// The beginning of the frame, Ethernet header first: at most [`Event::SNAPPED`] bytes.
    pub kept: Box<[u8]>,
}

/// Why a record of the kernel's ring is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadSample {
    /// It is shorter or longer than an [`Event`].
    #[error("a record of {0} bytes is no event")]
    Length(usize),
    /// Its verdict is none of this version's.
    #[error("there is no verdict {0}")]
    Verdict(u32),
    /// More of the frame is kept than there is, or than there is room for.
    #[error("{captured} of {length} bytes cannot have been kept")]
    Captured {
        /// What the record says is kept.
        captured: u32,
        /// What the record says the frame has.
        length: u32,
    },
}

/// Characters of the first line that are told.
const LONGEST_LINE: usize = 120;

/// The index of the loopback interface, the same in every network namespace. Frames that a program is
/// asked about seem to arrive there.
const LOOPBACK: u32 = 1;

impl Sample {
    /// Reads a record of the kernel's ring. `now` is the time of reading.
    pub fn read(record: &[u8], now: Moment) -> Result<Self, BadSample> {
        let event = Event::read_from_bytes(record).map_err(|_| BadSample::Length(record.len()))?;
        let verdict =
            Verdict::from_index(event.verdict).ok_or(BadSample::Verdict(event.verdict))?;
        let (captured, length) = (event.captured, event.length);
        let kept = event.frame.get(..captured as usize).filter(|_| captured <= length);
        let kept = kept.ok_or(BadSample::Captured { captured, length })?;
        let ends = Packet::read(&mut SliceFrame::beginning(kept, length)).ok().map(|packet| {
            [
                SocketAddr::new(packet.source.into(), packet.source_port),
                SocketAddr::new(packet.destination.into(), packet.destination_port),
            ]
        });
        Ok(Self {
            at: now.wall.saturating_sub(now.monotonic.0.saturating_sub(event.at)),
            monotonic: MonotonicNanos(event.at),
            verdict,
            passed: event.passed != 0,
            interface: event.interface,
            length,
            ends,
            kept: kept.into(),
        })
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        self.ends.map(|[source, _]| source)
    }

    /// The first line of what it carries over UDP, as far as it was kept: at most 120 characters, and none
    /// but those that ASCII can print. `None` where there is nothing that begins with a letter.
    #[must_use]
    pub fn first_line(&self) -> Option<String> {
        let mut frame = SliceFrame::beginning(&self.kept, self.length);
        let packet = Packet::read(&mut frame).ok()?;
        let payload = frame.rest().get(..frame.rest().len().min(packet.udp_payload.into()))?;
        let line = payload.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        let readable = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '\u{b7}',
        };
        let begins = line.first().is_some_and(u8::is_ascii_alphabetic);
        begins.then(|| line.iter().take(LONGEST_LINE).map(readable).collect())
    }

    /// Says whether this was no packet, but a question of `sbc explain`. Nothing that arrives on an
    /// interface of the outside is taken for one, whatever is in it.
    #[must_use]
    pub fn is_question(&self) -> bool {
        self.interface == LOOPBACK && probe::is_one(&self.kept)
    }
}
