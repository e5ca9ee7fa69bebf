use std::io;
use std::net::IpAddr;

use clap::Subcommand;

use super::ConfigFile;
use super::status::write_grants;
use crate::config::Config;
use crate::control;

/// What can be done about who is trusted or denied.
#[derive(Debug, Subcommand)]
pub(super) enum TrustCommand {
    /// Show who is trusted, and who is denied, for how long.
    List(ConfigFile),
    /// End the ban that speaks for an address before its time; without an address, all of them.
    Lift {
        #[command(flatten)]
        config: ConfigFile,
        /// The address.
        address: Option<IpAddr>,
    },
}

pub(super) fn trust(command: &TrustCommand) -> anyhow::Result<()> {
    match command {
        TrustCommand::List(file) => {
            let config = Config::load(&file.config)?;
            let status = control::ask(&config.control.socket)?;
            let grants = status.daemon.map(|daemon| daemon.trust).unwrap_or_default();
            Ok(write_grants(&grants, &mut io::stdout().lock())?)
        }
        TrustCommand::Lift { config, address } => {
            let config = Config::load(&config.config)?;
            for lifted in control::lift(&config.control.socket, *address)? {
                println!("{lifted}");
            }
            Ok(())
        }
    }
}
