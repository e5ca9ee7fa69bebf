//! The measuring half of `cargo xtask bench drop`, which makes a table of what this writes.
//!
//! Everything happens between hosts that end with this process. Only the thread that receives, which
//! is the kernel's, is pinned and given its priority; it ends with its interface.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program tells how far it is"
)]

mod case;
#[path = "../common/cores.rs"]
mod cores;
mod defence;
mod flood;
mod flooded;
mod frames;
mod placement;
#[path = "../common/quiet.rs"]
mod quiet;
#[path = "../common/random.rs"]
mod random;
mod receiver;
mod repeated;
mod round;
#[path = "../common/rounds.rs"]
mod rounds;
mod sources;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{placement::Mode, rounds::Rounds};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
    /// What Cargo adds to the arguments of every benchmark
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Measure, and write down every sample
    Measure(Measure),
    /// Be the flood, until killed
    Flood(flood::Options),
}

#[derive(clap::Args)]
struct Measure {
    /// The object with the benchmark's own programs
    #[arg(long)]
    object: PathBuf,
    #[command(flatten)]
    rounds: Rounds,
    #[arg(long, value_enum)]
    mode: Mode,
}

fn main() -> ExitCode {
    let done = match Options::parse().command {
        Command::Measure(options) => round::measure(&options),
        Command::Flood(options) => flood::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
