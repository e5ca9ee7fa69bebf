//! Signals that would kill us, and leave what nobody else removes.

use std::thread;

use anyhow::{Context as _, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// What a shell expects of a program that ended because of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// From here on these signals make every wait fail, so that a command ends as it does after a failure:
/// the stack unwinds, and each thing on it removes what it stands for.
pub(crate) fn catch() -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("catching signals")?;
    let interrupt = move || signals.forever().for_each(|_| sbc_tests::interrupt());
    thread::Builder::new().name("signals".to_owned()).spawn(interrupt)?;
    Ok(())
}
