use std::path::{Path, PathBuf};

use serde::Serialize;

use super::certificates::Earlier;
use super::run::Prepared;
use crate::config::{Changes, Config};
use crate::control::{self, ControlError};

/// What is found out about a configuration in which nothing is wrong.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Checked<'c> {
    file: &'c Path,
    listeners: usize,
    peers: usize,
    users: usize,
    mode: &'static str,
    warnings: Vec<String>,
    reload: Reload,
}

/// What a reload would change.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Reload {
    /// In the daemon that answers.
    Changes(Changes),
    /// Nothing is known of that: why.
    Unknown(String),
}

pub(super) fn check(path: &Path, json: bool) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let prepared = Prepared::read(&config, Earlier::default())?;
    let warnings = prepared.warnings(&config);
    let asks_upstream = config.users.as_ref().is_some_and(|users| users.upstream.is_some());
    let users = prepared.users.as_ref().map_or(0, |users| users.len());
    let reload = changes(&config);
    let (listeners, peers) = (config.listen.len(), config.peers.len());
    let mode = config.mode().name();
    if json {
        let checked = Checked { file: path, listeners, peers, users, mode, warnings, reload };
        println!("{}", serde_json::to_string(&checked)?);
        return Ok(());
    }
    for warning in warnings {
        println!("warning: {warning}");
    }
    let users =
        if asks_upstream { "users of the upstream".to_owned() } else { format!("{users} users") };
    println!("{}: ok ({listeners} listeners, {peers} peers, {users}, {mode})", path.display());
    match reload {
        Reload::Unknown(why) => println!("{why}"),
        Reload::Changes(changes) if changes.are_none() => {
            println!(
                "the running daemon has the same configuration; a reload reads the files that it names"
            );
        }
        Reload::Changes(changes) => tell(&changes),
    }
    Ok(())
}

fn changes(config: &Config) -> Reload {
    let socket: &PathBuf = &config.control.socket;
    match control::fingerprints(socket) {
        Ok(before) => Reload::Changes(config.changes_since(&before)),
        Err(error) if error.is_absence() => {
            Reload::Unknown(format!("no daemon answers at {}", socket.display()))
        }
        Err(error @ (ControlError::Refused(_) | ControlError::NoDaemon { .. })) => {
            Reload::Unknown(format!("what a reload would change is not known: {error}"))
        }
        Err(error) => Reload::Unknown(format!("another version of the daemon runs: {error}")),
    }
}

fn tell(changes: &Changes) {
    println!("a reload would change in the running daemon:");
    let Changes { added, removed, changed, need_restart } = changes;
    for (keys, what) in [(added, "added"), (removed, "removed"), (changed, "changed")] {
        for key in keys {
            let restart = if need_restart.contains(key) { " (needs a restart)" } else { "" };
            println!("  {what:<8} {key}{restart}");
        }
    }
    if !need_restart.is_empty() {
        println!("it will be refused: what needs a restart keeps all of it from being reloaded");
    }
}
