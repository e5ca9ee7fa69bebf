//! The `sbc` program.

use std::process::ExitCode;

use clap::Parser as _;
use sbc_user::cli::Cli;

#[expect(clippy::print_stderr, reason = "the one place where an error meets the user")]
fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sbc: {error:#}");
            ExitCode::FAILURE
        }
    }
}
