//! `cargo xtask bench NAME`: one table side by side with what else there is, and the targets.

mod challenge;
mod drop;
mod machine;
mod measurement;
mod relay;
mod report;
mod statistics;
mod tls;

use std::process::ExitCode;

use anyhow::Result;

use crate::signals;

/// The benchmarks.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// What it costs to drop a stranger's packet
    Drop(drop::Options),
    /// What it costs to challenge a stranger, and to take somebody's proof
    Challenge(challenge::Options),
    /// What it costs to relay a call
    Relay(relay::Options),
    /// What it costs to shake hands, and how soon the kernel knows
    Tls(tls::Options),
}

pub(crate) fn run(bench: &Bench) -> ExitCode {
    let measured: Result<bool> = match bench {
        Bench::Drop(options) => drop::run(options),
        Bench::Challenge(options) => challenge::run(options),
        Bench::Relay(options) => relay::run(options),
        Bench::Tls(options) => tls::run(options),
    };
    if sbc_tests::is_interrupted() {
        println!("bench: interrupted, everything removed");
        return ExitCode::from(signals::INTERRUPTED);
    }
    match measured {
        // A missed target is a result, and no failure to measure.
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => crate::failure(&error),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::Bench;

    #[derive(Parser)]
    struct Command {
        #[command(subcommand)]
        _bench: Bench,
    }

    #[test]
    fn the_options_of_every_benchmark_go_together() {
        Command::command().debug_assert();
    }
}
