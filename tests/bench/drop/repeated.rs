//! A case that is no flood: one stranger's frame, given to the program again and again.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use sbc_common::Action;
use sbc_tests::DropSample;

use crate::{
    case::Case,
    cores,
    defence::Unattached,
    frames::Template,
    round::{Setting, Subject},
};

const RUNS: u32 = 1_000_000;
/// `XDP_DROP` of `enum xdp_action`.
const XDP_DROP: u32 = 1;

/// A program that is attached to nothing, and the frame it is given.
pub(crate) struct Repeated {
    program: Program,
    frame: Vec<u8>,
}

enum Program {
    Bare(Ebpf),
    Sbc(Box<Unattached>),
}

impl Repeated {
    pub(crate) fn bare(case: &Case, setting: &Setting<'_>) -> Result<Self> {
        let mut object =
            Ebpf::load_file(setting.object).context("loading the benchmark's object")?;
        bare(&mut object)?.load()?;
        Ok(Self { program: Program::Bare(object), frame: Template::of(case.traffic).of_one() })
    }

    pub(crate) fn sbc(case: &Case) -> Result<Self> {
        let program = Program::Sbc(Box::new(Unattached::load(case)?));
        Ok(Self { program, frame: Template::of(case.traffic).of_one() })
    }
}

impl Subject for Repeated {
    fn sample(&mut self, setting: &Setting<'_>) -> Result<DropSample> {
        let Self { program, frame } = self;
        let core = setting.cores.receiver;
        // The kernel runs it in the thread that asks.
        let ran = thread::scope(|scope| {
            scope.spawn(|| cores::pin(0, core).and_then(|()| program.run(frame))).join()
        });
        let each = ran.map_err(|_| anyhow::anyhow!("the measuring thread panicked"))??;
        let all = each * RUNS;
        Ok(DropSample {
            seconds: all.as_secs_f64(),
            packets: RUNS.into(),
            offered: RUNS.into(),
            cpu_nanos: u64::try_from(all.as_nanos())?,
        })
    }
}

impl Program {
    fn run(&mut self, frame: &[u8]) -> Result<Duration> {
        match self {
            Self::Bare(object) => {
                let result = bare(object)?.test_run(TestRunOptions {
                    data_in: Some(frame),
                    repeat: RUNS,
                    ..TestRunOptions::new()
                })?;
                ensure!(result.return_value == XDP_DROP, "the bare program did not drop");
                Ok(result.duration)
            }
            Self::Sbc(program) => {
                let before = program.dropped()?;
                let (action, each) = program.object.cost(frame, RUNS)?;
                let dropped = program.dropped()? - before;
                ensure!(action == Action::Drop, "the program let the frame pass");
                ensure!(
                    dropped == u64::from(RUNS),
                    "{dropped} of {RUNS} were dropped as strangers'"
                );
                Ok(each)
            }
        }
    }
}

fn bare(object: &mut Ebpf) -> Result<&mut Xdp> {
    Ok(object.program_mut("bare").context("no such program")?.try_into()?)
}
