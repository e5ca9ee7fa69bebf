use anyhow::Context as _;

use super::parts::NO_KEY;
use crate::border::Clock;
use crate::config::Config;
use crate::proof::digest::{Failures, Incarnation, Vouching, VouchingSettings};
use crate::session::KeyRing;

/// What tells users whose passwords the upstream keeps.
pub(super) fn vouching(
    config: &Config,
    ring: &KeyRing,
    clock: Clock,
) -> anyhow::Result<Option<Vouching>> {
    let Some(users) = &config.users else { return Ok(None) };
    let Some(upstream) = &users.upstream else { return Ok(None) };
    let digest = &config.digest;
    let (per_source, per_user) = (digest.failures_per_source(), digest.failures_per_user());
    Ok(Some(Vouching::new(VouchingSettings {
        realm: upstream.realm().clone(),
        algorithm: upstream.algorithm,
        nonce_keys: ring.nonce_keys(clock.unix_seconds()).context(NO_KEY)?,
        incarnation: Incarnation::new(getrandom::u64()?),
        nonce_binding: digest.bind_nonce,
        nonce_lifetime: users.nonce_lifetime(),
        failures: Failures::new(per_source, per_user, users.longest_grant(), clock.wall()),
        budget: upstream.budget.budget(),
        budget_per_source: upstream.budget_per_source.budget(),
        unaccepted_per_source: per_source,
    })))
}
