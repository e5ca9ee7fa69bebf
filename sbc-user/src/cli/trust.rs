use std::io::{self, Write as _};
use std::net::IpAddr;

use clap::Subcommand;

use super::ConfigFile;
use super::ending::Ending;
use super::status::write_grants;
use crate::config::Config;
use crate::control;

/// What can be done about who is trusted or denied.
#[derive(Debug, Subcommand)]
pub(super) enum TrustCommand {
    /// Show who is trusted, and who is denied, for how long.
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON: the list `trust` of `sbc status --json`.
        #[arg(long)]
        json: bool,
    },
    /// End the ban that speaks for an address before its time; without an address, all of them. Exits with 1 if
    /// there was none.
    Lift {
        #[command(flatten)]
        config: ConfigFile,
        /// The address.
        address: Option<IpAddr>,
    },
}

pub(super) fn trust(command: &TrustCommand) -> anyhow::Result<Ending> {
    let mut out = io::stdout().lock();
    match command {
        TrustCommand::List { config, json } => {
            let config = Config::load(&config.config)?;
            let status = control::ask(&config.control.socket)?;
            let grants = status.daemon.map(|daemon| daemon.trust).unwrap_or_default();
            if *json {
                writeln!(out, "{}", serde_json::to_string_pretty(&grants)?)?;
            } else {
                write_grants(&grants, &mut out)?;
            }
            Ok(Ending::Done)
        }
        TrustCommand::Lift { config, address } => {
            let config = Config::load(&config.config)?;
            let lifted = control::lift(&config.control.socket, *address)?;
            for lifted in &lifted {
                writeln!(out, "{lifted}")?;
            }
            Ok(if lifted.is_empty() { Ending::Negative } else { Ending::Done })
        }
    }
}
