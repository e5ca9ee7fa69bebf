use std::path::Path;

use super::run::Prepared;
use crate::config::Config;

pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let prepared = Prepared::read(&config)?;
    for warning in prepared.warnings(&config) {
        println!("warning: {warning}");
    }
    println!(
        "{}: ok ({} listeners, {} peers, {} users, {})",
        path.display(),
        config.listen.len(),
        config.peers.len(),
        prepared.users.as_ref().map_or(0, |users| users.len()),
        config.mode().name()
    );
    Ok(())
}
