//! The command line.
#![expect(clippy::print_stdout, reason = "commands answer on standard output")]

mod capture;
mod certificates;
mod check;
mod directory;
mod explain;
mod filter;
mod ha1;
mod ipsec;
mod load;
mod log;
mod machine;
mod names;
mod password;
mod pki;
mod renewal;
mod replay;
mod run;
mod status;
mod trust;
mod unload;
mod upstream;
mod user;
mod users;
mod vouching;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Session border controller that keeps spoofed and unauthenticated SIP away from the telephone
/// system behind it.
#[derive(Debug, Parser)]
#[command(name = "sbc", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load the filter and relay SIP until SIGTERM or SIGINT. Without privileges, with the filter that
    /// `load` has left.
    Run(ConfigFile),
    /// Load the filter with the policy of the configuration, attach it, hand its tables to the user of
    /// `[kernel]`, and end.
    Load(ConfigFile),
    /// Read the configuration and all that it names, and say what is wrong with it.
    Check(ConfigFile),
    /// Show verdicts by reason, what became of messages, and who is trusted.
    Status {
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Tell verdicts by lane, address family and carrier as well.
        #[arg(long, short)]
        verbose: bool,
    },
    /// Say what the filter knows of a source and last did with its packets, and ask it what would happen
    /// to them now.
    Explain(explain::ExplainArguments),
    /// Write samples of dropped packets to a pcapng file, each with its verdict as a comment, as the
    /// daemon reads them. Ctrl-C ends it.
    Capture(capture::CaptureArguments),
    /// Run a capture through the filter's decision, offline, and print what becomes of each packet.
    Replay(replay::ReplayArguments),
    /// Detach the filter and remove its tables; everything passes from then on.
    Unload(ConfigFile),
    /// Show who is trusted and who is denied, and end bans before their time.
    Trust {
        #[command(subcommand)]
        command: trust::TrustCommand,
    },
    /// Add, remove, list and import the users of the users file or database, and change their passwords.
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// Print the entry of a user for the users file; the password is read from standard input, or asked for twice on a
    /// terminal.
    Ha1(ha1::Ha1Arguments),
    /// Be a small certificate authority, for a first installation: certificates for our listeners and for
    /// peers, and the list of those that are revoked.
    Pki {
        #[command(subcommand)]
        command: pki::PkiCommand,
    },
}

#[derive(Clone, Debug, Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/sbc/sbc.toml")]
    config: PathBuf,
}

impl Cli {
    /// Carries out the command.
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(file) => run::run(&file.config),
            Command::Load(file) => load::load(&file.config),
            Command::Check(file) => check::check(&file.config),
            Command::Status { config, json, verbose } => {
                status::status(&config.config, json, verbose)
            }
            Command::Explain(arguments) => explain::explain(&arguments),
            Command::Capture(arguments) => capture::capture(&arguments),
            Command::Replay(arguments) => replay::replay(&arguments),
            Command::Unload(file) => unload::unload(&file.config),
            Command::Trust { command } => trust::trust(&command),
            Command::User { command } => user::user(&command),
            Command::Ha1(arguments) => ha1::ha1(&arguments),
            Command::Pki { command } => pki::pki(&command),
        }
    }
}
