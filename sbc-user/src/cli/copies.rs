use anyhow::Context as _;

use crate::config::Config;
use crate::homer::Homer;

/// The way to the collector of copies, if there is one.
pub(super) fn copies(config: &Config) -> anyhow::Result<Option<Homer>> {
    let Some(export) = &config.homer else { return Ok(None) };
    let outside = config.listen.iter().map(|listen| listen.address);
    let inside = config.upstream.listeners().map(|(_, address)| address);
    let homer = Homer::start(export, outside.chain(inside).collect());
    homer.map(Some).context("sending copies to the collector of [homer]")
}
