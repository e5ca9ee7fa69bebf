//! The measuring half of `cargo xtask bench relay`, which makes a table of what this writes.
//!
//! Everything happens between hosts that end with this process.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program tells how far it is"
)]

#[path = "../common/batch.rs"]
mod batch;
mod callee;
mod caller;
mod case;
#[path = "../common/cores.rs"]
mod cores;
mod kamailio;
mod memory;
mod messages;
#[path = "../common/processes.rs"]
mod processes;
#[path = "../common/proof.rs"]
mod proof;
#[path = "../common/quiet.rs"]
mod quiet;
#[path = "../common/random.rs"]
mod random;
mod round;
#[path = "../common/rounds.rs"]
mod rounds;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::rounds::Rounds;

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
    Measure(Rounds),
}

fn main() -> ExitCode {
    let Command::Measure(rounds) = Options::parse().command;
    match round::measure(&rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
