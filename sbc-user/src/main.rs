//! The `sbc` program.

use std::process::ExitCode;

use clap::Parser as _;
use sbc_user::cli::{Cli, whole_story};

#[expect(clippy::print_stderr, reason = "the one place where an error meets the user")]
fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.execute() {
        Ok(ending) => ending.into(),
        Err(error) => {
            eprintln!("sbc: {}", whole_story(&error));
            cli.ending_of_failure(&error).into()
        }
    }
}
