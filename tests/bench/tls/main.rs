//! The measuring half of `cargo xtask bench tls`, which makes a table of what this writes.
//!
//! Everything happens between hosts that end with this process.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program tells how far it is"
)]

mod accept;
mod case;
mod client;
#[path = "../common/cores.rs"]
mod cores;
mod files;
mod kamailio;
#[path = "../common/processes.rs"]
mod processes;
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
    /// Be the server that does nothing but handshakes, until killed
    Accept(accept::Options),
}

fn main() -> ExitCode {
    let done = match Options::parse().command {
        Command::Measure(options) => round::measure(&options),
        Command::Accept(options) => accept::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
