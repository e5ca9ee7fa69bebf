//! `cargo xtask demo`: the product's main job on real packets, told for somebody who sees it for the
//! first time. Every sentence that can be checked is.

mod actors;
mod address;
mod carrier;
mod dialogue;
mod ending;
mod gateway;
mod narrator;
mod office;
mod opening;
mod readings;
mod record;
mod scanner;
mod stage;
mod story;
mod strangers;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::Result;

use crate::{
    setup::{self, Scope},
    signals,
    tool::Tool,
};
use narrator::Narrator;
use record::Ending;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write what was checked and counted as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep the daemon's log
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    // Before the signals are caught: nothing of ours is there yet, and `apt-get` knows how to end.
    if let Err(error) = setup::ensure(Scope::Everything).and_then(|()| signals::catch()) {
        return crate::failure(&error);
    }
    let mut narrator = Narrator::new();
    let told = build().and_then(|()| {
        let start = Instant::now();
        story::tell(&mut narrator, options.log.as_deref())?;
        let (checks, seconds) = (narrator.record().checks(), start.elapsed().as_secs());
        narrator.say(&format!("{checks} checks in {seconds} s, all as expected."));
        Ok(())
    });
    // From here on nothing is left of the hosts and what ran on them.
    if sbc_tests::is_interrupted() {
        narrator.end("interrupted, everything removed");
        return ExitCode::from(signals::INTERRUPTED);
    }
    let ending = match &told {
        Ok(()) => Ending::Ok,
        Err(error) => {
            narrator.fail(error);
            Ending::Failed { step: narrator.record().last_step() }
        }
    };
    if let Some(path) = &options.json
        && let Err(error) = narrator.record().write(&ending, path)
    {
        return crate::failure(&error);
    }
    narrator.end(&ending.to_string());
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn build() -> Result<()> {
    println!("demo: building sbc");
    Tool::cargo()
        .args(["build", "--package", "sbc-user", "--bin", "sbc", "--locked"])
        .quiet_unless_on_terminal()
        .advice("The compiler's message is above.")
        .run_until_interrupted()
}
