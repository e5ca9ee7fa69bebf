use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};

use crate::pki::{Authority, Made, ServerName, Subject};
use crate::proof::tls::Identity;

#[derive(Debug, Subcommand)]
pub(super) enum PkiCommand {
    /// Make the authority, and a revocation list that nobody is on.
    Init {
        #[command(flatten)]
        directory: DirectoryArgument,
        /// What it is called in certificates.
        #[arg(long, default_value = "SBC authority")]
        name: String,
        #[command(flatten)]
        list: ListArgument,
    },
    /// Issue a certificate for our own listeners, under these names or addresses.
    Server {
        #[command(flatten)]
        directory: DirectoryArgument,
        /// The names, and addresses, that peers connect to.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<ServerName>,
        #[command(flatten)]
        issue: IssueArguments,
    },
    /// Issue a certificate for a peer, under its SIP domain.
    Peer {
        #[command(flatten)]
        directory: DirectoryArgument,
        /// The SIP domain, as in the peer's `identities`.
        #[arg(value_name = "DOMAIN", value_parser = domain)]
        name: Identity,
        #[command(flatten)]
        issue: IssueArguments,
    },
    /// Revoke what was issued under a name, and write the revocation list anew.
    Revoke {
        #[command(flatten)]
        directory: DirectoryArgument,
        /// The first name of a server, or the domain of a peer.
        name: String,
        #[command(flatten)]
        list: ListArgument,
    },
    /// Write the revocation list anew, before its time is over.
    Crl {
        #[command(flatten)]
        directory: DirectoryArgument,
        #[command(flatten)]
        list: ListArgument,
    },
}

#[derive(Debug, Args)]
pub(super) struct DirectoryArgument {
    /// The directory of the authority. Its key in there makes peers: keep it off the gateway if you can.
    #[arg(long = "dir", value_name = "DIRECTORY", default_value = "/etc/sbc/pki")]
    path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct IssueArguments {
    /// How long it is good.
    #[arg(long, default_value_t = 397, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Put one of the same name out of the way; it stays good until it is revoked.
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgument {
    /// How long the revocation list is good; when it no longer is, every peer is refused.
    #[arg(long = "crl-days", value_name = "DAYS", default_value_t = 90)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

pub(super) fn pki(command: &PkiCommand) -> anyhow::Result<()> {
    match command {
        PkiCommand::Init { directory, name, list } => {
            let (authority, made, list) = Authority::init(&directory.path, name, days(list.days))?;
            tell("the authority", &made);
            tell("its revocation list, which nobody is on", &list);
            println!(
                "Write the list anew before its time is over: sbc pki crl --dir {}\n",
                directory.path.display()
            );
            println!(
                "Who has the authority's key can make himself any of its peers. For sbc.toml:\n"
            );
            let [certificate, list] = authority.files();
            let (certificate, list) = (quoted(&certificate), quoted(&list));
            println!("[tls]\nclient-ca = {certificate}\ncrls = [{list}]");
        }
        PkiCommand::Server { directory, names, issue } => {
            let made = issued(&directory.path, &Subject::Server(names.clone()), issue)?;
            tell("a certificate for our listeners", &made);
            println!("For sbc.toml:\n\n[tls]\ncertificate = {}", quoted(&made.certificate));
            if let Some(key) = &made.key {
                println!("key = {}", quoted(key));
            }
        }
        PkiCommand::Peer { directory, name, issue } => {
            let made = issued(&directory.path, &Subject::Peer(name.clone()), issue)?;
            tell("a certificate for the peer", &made);
            println!("Give it both, and ca.pem, on a safe way. For sbc.toml:\n");
            println!("[[peer]]\nname = {:?}\nrequire = [\"tls\"]", name.as_str());
            println!("identities = [{:?}]\nopens = [\"udp\"]", name.as_str());
            println!("may-assert = [{:?}]", format!("*@{name}"));
        }
        PkiCommand::Revoke { directory, name, list } => {
            let mut authority = Authority::open(&directory.path)?;
            let (count, list) = authority.revoke(name, days(list.days))?;
            println!("Revoked {count} of {name}.");
            tell("the revocation list anew", &list);
            println!("Have the daemon read it: sbc reload");
        }
        PkiCommand::Crl { directory, list } => {
            let list = Authority::open(&directory.path)?.write_list(days(list.days))?;
            tell("the revocation list anew", &list);
            println!("Have the daemon read it: sbc reload");
        }
    }
    Ok(())
}

fn issued(directory: &Path, subject: &Subject, issue: &IssueArguments) -> anyhow::Result<Made> {
    let mut authority = Authority::open(directory)?;
    Ok(authority.issue(subject, days(issue.days), issue.replace)?)
}

fn tell(what: &str, made: &Made) {
    println!("Wrote {what}, good until {}:", date(made.until));
    println!("  {}", made.certificate.display());
    if let Some(key) = &made.key {
        println!("  {} (its private key, for its owner alone)", key.display());
    }
}

/// As `sbc.toml` has it.
fn quoted(path: &Path) -> String {
    toml::Value::from(path.to_string_lossy().into_owned()).to_string()
}

fn date(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

fn days(days: u16) -> Duration {
    Duration::from_hours(24).saturating_mul(days.into())
}

fn domain(text: &str) -> Result<Identity, String> {
    text.parse().map_err(|_| format!("{text:?} is not a domain such as sip.carrier.example"))
}
