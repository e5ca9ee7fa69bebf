//! The command line.
#![expect(clippy::print_stdout, reason = "commands answer on standard output")]

mod background;
mod capture;
mod certificates;
mod check;
mod copies;
mod directory;
mod doctor;
mod ending;
mod explain;
mod filter;
mod ha1;
mod ipsec;
mod known_good;
mod load;
mod log;
mod machine;
pub mod manual;
mod mode;
mod names;
mod paint;
mod parts;
mod password;
mod pki;
mod progress;
mod reload;
mod replay;
mod run;
mod status;
mod supervisor;
mod top;
mod trust;
mod unload;
mod upstream;
mod user;
mod users;
mod vouching;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
pub use ending::Ending;

use crate::config::ConfigError;

use crate::config::LogFormat;

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
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// How lines of the log are written, instead of as `[log] format` says.
        #[arg(long, value_enum, value_name = "FORMAT")]
        log_format: Option<LogFormat>,
    },
    /// Load the filter with the policy of the configuration, attach it, hand its tables to the user of
    /// `[kernel]`, and end.
    Load(ConfigFile),
    /// Read the configuration and all that it names, and say what is wrong with it, and what a reload would change.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look at the machine, the configuration and the running daemon, and say what is wrong and what to do
    /// about it. Exits with 0, with 1 if there are warnings, and with 2 if something does not work.
    Doctor(doctor::DoctorArguments),
    /// Have the daemon read the configuration anew, and all that it names: all of it takes effect at once, or none if
    /// anything is wrong.
    Reload {
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have the filter that observes drop from now on what it has only counted, and write that into the
    /// configuration. Shows first who would be cut off.
    Enforce(mode::EnforceArguments),
    /// Have the filter pass everything and count what would be dropped, from now on, and write that into the
    /// configuration.
    Observe(ConfigFile),
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
    /// Watch what is going on: packets and drops by reason, peers, trusted sources, targets.
    Top(top::TopArguments),
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
    /// Print what a shell completes this command line with.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory.
    #[command(hide = true)]
    ManPages {
        /// The directory.
        directory: PathBuf,
    },
}

#[derive(Clone, Debug, Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/sbc/sbc.toml")]
    config: PathBuf,
}

impl Cli {
    /// Carries out the command; how it ended, if it did not fail.
    pub fn execute(&self) -> anyhow::Result<Ending> {
        let done = match &self.command {
            Command::Doctor(arguments) => return doctor::doctor(arguments),
            Command::Run { config, log_format } => run::run(&config.config, *log_format),
            Command::Load(file) => load::load(&file.config),
            Command::Check { config, json } => check::check(&config.config, *json),
            Command::Reload { config, json } => reload::reload(&config.config, *json),
            Command::Enforce(arguments) => mode::enforce(arguments),
            Command::Observe(file) => mode::observe(&file.config),
            Command::Status { config, json, verbose } => {
                status::status(&config.config, *json, *verbose)
            }
            Command::Top(arguments) => top::top(arguments),
            Command::Explain(arguments) => explain::explain(arguments),
            Command::Capture(arguments) => capture::capture(arguments),
            Command::Replay(arguments) => replay::replay(arguments),
            Command::Unload(file) => unload::unload(&file.config),
            Command::Trust { command } => return trust::trust(command),
            Command::User { command } => user::user(command),
            Command::Ha1(arguments) => ha1::ha1(arguments),
            Command::Pki { command } => pki::pki(command),
            Command::Completions { shell } => manual::completions(*shell),
            Command::ManPages { directory } => manual::write_pages(directory),
        };
        done.map(|()| Ending::Done)
    }

    /// How the command ends that failed: where a question was asked, that is an answer, unless nobody could look.
    #[must_use]
    pub fn ending_of_failure(&self, error: &anyhow::Error) -> Ending {
        let is_unread = matches!(error.downcast_ref(), Some(ConfigError::Unreadable { .. }));
        let is_answer = matches!(self.command, Command::Check { .. }) && !is_unread;
        if is_answer { Ending::Negative } else { Ending::Failed }
    }
}

/// The error and what caused it, without causes that have been told already.
#[must_use]
pub fn whole_story(error: &anyhow::Error) -> String {
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
