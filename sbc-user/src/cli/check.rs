use std::path::Path;

use super::run::Prepared;
use crate::config::Config;

pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let prepared = Prepared::read(&config)?;
    for warning in prepared.warnings(&config) {
        println!("warning: {warning}");
    }
    let asks_upstream = config.users.as_ref().is_some_and(|users| users.upstream.is_some());
    let users = match &prepared.users {
        _ if asks_upstream => "users of the upstream".to_owned(),
        users => format!("{} users", users.as_ref().map_or(0, |users| users.len())),
    };
    println!(
        "{}: ok ({} listeners, {} peers, {users}, {})",
        path.display(),
        config.listen.len(),
        config.peers.len(),
        config.mode().name()
    );
    Ok(())
}
