//! What runs on which core.

use anyhow::{Context as _, Result, bail};

use crate::cores;

/// How the work is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// The flood on one core, the receiver on another.
    Split,
    /// The flood and the receiver on one core.
    Same,
}

/// Where things run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) mode: Mode,
    pub(crate) flood: usize,
    pub(crate) receiver: usize,
}

impl Cores {
    /// Takes the first cores that this process may use.
    pub(crate) fn choose(mode: Mode) -> Result<Self> {
        let mut cores = cores::allowed()?.into_iter();
        let first = cores.next().context("no CPU is allowed")?;
        match (mode, cores.next()) {
            (Mode::Same, _) => Ok(Self { mode, flood: first, receiver: first }),
            (Mode::Split, Some(second)) => Ok(Self { mode, flood: first, receiver: second }),
            (Mode::Split, None) => {
                bail!("one CPU: the flood needs one of its own; try --mode same")
            }
        }
    }
}
