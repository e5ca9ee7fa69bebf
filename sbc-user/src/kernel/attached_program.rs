use std::io;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::{TestRun as _, TestRunOptions, Xdp, loaded_programs};
use aya_obj::programs::XdpAttachType;
use sbc_common::{Action, Carried, Carrier, Packet, SliceFrame, Verdict};

use super::object::XDP_PASS;
use super::{KernelError, KernelTables, Pins};

/// The program that judges an interface's packets at the moment, whoever loaded it.
#[derive(Debug)]
pub struct AttachedProgram {
    program: Xdp,
}

/// What the attached program said of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What would have happened to the frame.
    pub action: Action,
    /// The verdicts that were counted meanwhile: one, or more where real packets came in between.
    pub verdicts: Vec<Verdict>,
    /// How often the program was asked, and counted it.
    pub runs: usize,
}

/// How often a question is asked again when real packets hide its counter.
const ATTEMPTS: usize = 3;

impl Pins {
    /// The program behind the pinned link of `interface`.
    pub fn attached_program(&self, interface: &str) -> Result<AttachedProgram, KernelError> {
        let path = self.link(interface);
        if !path.exists() {
            return Err(KernelError::NotLoaded(path));
        }
        let failed = |cause| KernelError::Pin { action: "cannot open", path: path.clone(), cause };
        let pinned =
            PinnedLink::from_pin(&path).map_err(|error| failed(io::Error::other(error)))?;
        let link = FdLink::from(pinned).info().map_err(|error| failed(io::Error::other(error)))?;
        for program in loaded_programs() {
            let program = program?;
            if program.id() == link.program_id() {
                let program =
                    Xdp::from_program_info(program, "sbc".into(), XdpAttachType::Interface)?;
                return Ok(AttachedProgram { program });
            }
        }
        Err(KernelError::NotLoaded(path))
    }
}

impl AttachedProgram {
    /// Asks what would happen to a frame. It counts like a received one, spends the budgets that it falls
    /// under, and is sampled as one that arrived on the loopback interface.
    pub fn ask(&self, tables: &KernelTables, frame: &[u8]) -> Result<Answer, KernelError> {
        let likely = likely_verdicts(frame);
        let (mut action, mut verdicts) = self.ask_once(tables, frame, &likely)?;
        let mut runs = 1;
        while runs < ATTEMPTS && verdicts.len() != 1 {
            // None of those that were likely: it was another.
            let candidates = if verdicts.is_empty() { Verdict::all().collect() } else { verdicts };
            (action, verdicts) = self.ask_once(tables, frame, &candidates)?;
            runs += 1;
        }
        Ok(Answer { action, verdicts, runs })
    }

    /// Returns what happens to the frame, and those of the verdicts that were counted meanwhile.
    fn ask_once(
        &self,
        tables: &KernelTables,
        frame: &[u8],
        candidates: &[Verdict],
    ) -> Result<(Action, Vec<Verdict>), KernelError> {
        let read = |verdict: &Verdict| tables.counter(*verdict);
        let before = candidates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let run = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        let result = self.program.test_run(run)?;
        let action = if result.return_value == XDP_PASS { Action::Pass } else { Action::Drop };
        let mut grown = Vec::new();
        for (verdict, before) in candidates.iter().zip(before) {
            let after = tables.counter(*verdict)?;
            let bytes = before.bytes + frame.len() as u64;
            if after.packets > before.packets && after.bytes >= bytes {
                grown.push(*verdict);
            }
        }
        Ok((action, grown))
    }
}

/// The verdicts that a frame with these headers can have, as far as they depend on the headers alone: a
/// seventh of all of them or less. Each costs two system calls.
fn likely_verdicts(frame: &[u8]) -> Vec<Verdict> {
    let Ok(packet) = Packet::read(&mut SliceFrame::new(frame)) else {
        return Verdict::all().collect();
    };
    let carriers: &[Carrier] = match packet.carried {
        Carried::Udp => &[Carrier::Udp, Carrier::Ipsec],
        Carried::Tcp => &[Carrier::Tcp, Carrier::Tls],
        Carried::Esp => &[Carrier::Ipsec],
        Carried::Other | Carried::Tunnel => &Carrier::ALL,
    };
    let is_likely = |verdict: &Verdict| {
        verdict.family == packet.family() && carriers.contains(&verdict.carrier)
    };
    Verdict::all().filter(is_likely).collect()
}
