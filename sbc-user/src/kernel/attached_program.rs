use std::io;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::{TestRun as _, TestRunOptions, Xdp, loaded_programs};
use aya_obj::programs::XdpAttachType;
use sbc_common::{Action, Verdict};

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
    /// Asks what would happen to a frame. It counts like a received one, and spends the budgets that
    /// it falls under.
    pub fn ask(&self, tables: &KernelTables, frame: &[u8]) -> Result<Answer, KernelError> {
        let (action, mut verdicts) = self.ask_once(tables, frame)?;
        for _ in 1..ATTEMPTS {
            if verdicts.len() <= 1 {
                break;
            }
            let (_, again) = self.ask_once(tables, frame)?;
            verdicts.retain(|verdict| again.contains(verdict));
        }
        Ok(Answer { action, verdicts })
    }

    fn ask_once(
        &self,
        tables: &KernelTables,
        frame: &[u8],
    ) -> Result<(Action, Vec<Verdict>), KernelError> {
        let before = tables.counters()?;
        let run = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        let result = self.program.test_run(run)?;
        let action = if result.return_value == XDP_PASS { Action::Pass } else { Action::Drop };
        let counted = |verdict: Verdict| {
            let row = before.iter().find(|row| row.verdict == verdict);
            row.map_or((0, 0), |row| (row.counter.packets, row.counter.bytes))
        };
        let grown = tables.counters()?.into_iter().filter(|row| {
            let (packets, bytes) = counted(row.verdict);
            row.counter.packets > packets && row.counter.bytes >= bytes + frame.len() as u64
        });
        Ok((action, grown.map(|row| row.verdict).collect()))
    }
}
