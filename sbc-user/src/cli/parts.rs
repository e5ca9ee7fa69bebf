//! What a border is made of, out of the configuration and the files that it names.

use std::sync::Arc;

use anyhow::Context as _;

use crate::border::{Clock, Stir};
use crate::config::{Config, StirSign};
use crate::identity::{CertificateStore, Signer, Verifier};
use crate::proof::digest::{DigestCheck, DigestSettings, Failures, Incarnation};
use crate::proof::users::Users;
use crate::session::{Forwarder, KeyFile, KeyRing, TokenSeal};
use crate::upstream::Pool;

pub(super) const NO_KEY: &str = "there is no routing key";

pub(super) fn digest_check(
    config: &Config,
    users: Option<&Arc<Users>>,
    ring: &KeyRing,
    clock: Clock,
) -> anyhow::Result<Option<DigestCheck>> {
    let (Some(settings), Some(users)) = (&config.users, users) else { return Ok(None) };
    let nonce_keys = ring.nonce_keys(clock.unix_seconds()).context(NO_KEY)?;
    let incarnation = Incarnation::new(getrandom::u64()?);
    let (digest, started) = (&config.digest, clock.wall());
    let (per_source, per_user) = (digest.failures_per_source(), digest.failures_per_user());
    let failures = Failures::new(per_source, per_user, settings.longest_grant(), started);
    let settings = DigestSettings {
        offered: settings.algorithms.clone(),
        qops: digest.qop,
        offers_userhash: digest.userhash,
        nonce_keys,
        incarnation,
        nonce_binding: digest.bind_nonce,
        nonce_lifetime: settings.nonce_lifetime(),
        replay_capacity: settings.remembered_nonces,
        failures,
    };
    Ok(Some(DigestCheck::new(settings, Arc::clone(users), started)))
}

/// The keys, and the time that they were read at, in seconds since 1970.
pub(super) fn current_keys(keys: &KeyFile, clock: Clock) -> anyhow::Result<(u64, KeyRing)> {
    let now = clock.unix_seconds();
    let ring = keys.turn(now)?;
    if ring.is_of_the_future(now) {
        tracing::warn!("every routing key begins in the future: is the clock right?");
    }
    Ok((now, ring))
}

pub(super) fn forwarder(
    config: &Config,
    upstream: Arc<Pool>,
    seal: TokenSeal,
) -> anyhow::Result<Forwarder> {
    let outside = config.listen.iter().map(|listen| (listen.transport, listen.address));
    let position = u8::try_from(config.listen.len()).context("at most 255 listeners")?;
    let listeners = outside.chain(config.upstream.listeners()).collect();
    let forwarder = Forwarder::new(seal, listeners, position, upstream);
    Ok(forwarder.hiding_inside(config.session.hide_topology))
}

/// Reads what calling numbers are verified and signed with.
pub(super) fn stir(config: &Config) -> anyhow::Result<Stir> {
    let Some(stir) = &config.stir else { return Ok(Stir::default()) };
    let mut verifier = None;
    if let Some(authorities) = &stir.authorities {
        let mut certificates = CertificateStore::believing(authorities)?;
        for certificate in &stir.certificate {
            certificates.add(&certificate.url, &certificate.file)?;
        }
        if let Some(directory) = &stir.certificates {
            certificates.add_directory(directory)?;
        }
        verifier = Some(Verifier::new(certificates, stir.freshness()));
    }
    let sign = |sign: &StirSign| Signer::load(&sign.key, &sign.certificate_url, &sign.origid);
    Ok(Stir { verifier, signer: stir.sign.as_ref().map(sign).transpose()? })
}
