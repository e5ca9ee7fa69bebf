//! The `sbc` program.

use std::process::ExitCode;

use clap::Parser as _;
use sbc_user::cli::Cli;

#[expect(clippy::print_stderr, reason = "the one place where an error meets the user")]
fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sbc: {}", whole_story(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and what caused it, without causes that have been told already.
fn whole_story(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| {
        if told.is_empty() {
            cause
        } else if told.contains(&cause) {
            told
        } else {
            format!("{told}: {cause}")
        }
    })
}
