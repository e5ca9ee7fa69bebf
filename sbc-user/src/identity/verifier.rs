use std::sync::Arc;
use std::time::Duration;

use sbc_common::MonotonicNanos;

use super::memory::{Known, Memory, Sighting};
use super::number::{callee, caller};
use super::passport::SHAKEN;
use super::patience::Patience;
use super::{Attestation, CertificateStore, Failure, Finding, IdentityHeader, Passport};
use crate::sip::{HeaderKind, Message, TelephoneNumber};

/// Finds out whether the number that a call says to come from was signed by somebody who may.
#[derive(Debug)]
pub struct Verifier {
    certificates: CertificateStore,
    freshness: u64,
    memory: Arc<Memory>,
    patience: Arc<Patience>,
}

/// For whom, and when, something is verified.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The name of the peer whose call it is.
    pub peer: &'a str,
    /// Seconds since 1970.
    pub unix_seconds: u64,
    /// The time that budgets go by.
    pub monotonic: MonotonicNanos,
}

/// A finding, and what it was found by.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// The finding.
    pub finding: Finding,
    sighting: Option<Sighting>,
}

impl Verifier {
    /// A verifier that takes what was signed no longer ago than `freshness`.
    #[must_use]
    pub fn new(certificates: CertificateStore, freshness: Duration) -> Self {
        Self {
            certificates,
            freshness: freshness.as_secs(),
            memory: Arc::default(),
            patience: Arc::default(),
        }
    }

    /// The same, which remembers what `earlier` does.
    #[must_use]
    pub fn continuing(self, earlier: &Self) -> Self {
        let (memory, patience) = (Arc::clone(&earlier.memory), Arc::clone(&earlier.patience));
        Self { memory, patience, ..self }
    }

    /// Verifies a request, as whoever is told of it will see it.
    #[must_use]
    pub fn verify(&self, request: &Message<'_>, occasion: &Occasion<'_>) -> Verified {
        match self.judge(request, occasion) {
            Ok((attestation, sighting)) => {
                Verified { finding: Finding::Passed(attestation), sighting: Some(sighting) }
            }
            Err(failure) => Verified { finding: failure.into(), sighting: None },
        }
    }

    /// Takes note that a request which was verified has gone on: what was signed for it is good for few
    /// others.
    pub fn passed_on(&self, verified: &Verified) {
        if let Some(sighting) = &verified.sighting {
            self.memory.remember(sighting);
        }
    }

    /// What costs least is asked first.
    fn judge(
        &self,
        request: &Message<'_>,
        occasion: &Occasion<'_>,
    ) -> Result<(Attestation, Sighting), Failure> {
        let Occasion { peer, unix_seconds: now, monotonic } = *occasion;
        let identity = only_shaken(request)?;
        let passport = Passport::read(&identity)?;
        if now.abs_diff(passport.issued_at) > self.freshness {
            return Err(Failure::Stale);
        }
        let is = |signed: &str, number: Option<TelephoneNumber>| {
            let signed = TelephoneNumber::read(signed.bytes());
            signed.zip(number).is_some_and(|(signed, it)| signed.canonical() == it.canonical())
        };
        let number = caller(request);
        if !is(&passport.orig, number) {
            return Err(Failure::OtherCaller);
        }
        let called = callee(request);
        if !passport.dest.iter().any(|signed| is(signed, called)) {
            return Err(Failure::OtherCallee);
        }
        let certificate =
            self.certificates.at(&passport.certificate_url).ok_or(Failure::NoCertificate)?;
        if !certificate.leads_to(&self.certificates.authorities, now) {
            return Err(Failure::Untrusted);
        }
        if !number.is_some_and(|number| certificate.authorization().covers(number.canonical())) {
            return Err(Failure::NotAuthorized);
        }
        let until = passport.issued_at.saturating_add(self.freshness);
        let signed = (identity.signed, &*identity.signature);
        let sighting = self.memory.sighting(signed, request, (peer, [number, called]), until);
        match self.memory.knows(&sighting, now) {
            Known::Replayed => return Err(Failure::Replayed),
            Known::Verified => return Ok((passport.attestation, sighting)),
            Known::Unseen => {}
        }
        if !self.patience.is_left(peer, monotonic) {
            return Err(Failure::NotLookedAt);
        }
        if !certificate.has_signed(identity.signed, &identity.signature) {
            self.patience.spend(peer, monotonic);
            return Err(Failure::BadSignature);
        }
        Ok((passport.attestation, sighting))
    }
}

/// The Identity header of the kind `shaken`; those of other kinds are for others.
fn only_shaken<'m>(request: &Message<'m>) -> Result<IdentityHeader<'m>, Failure> {
    let mut found = None;
    for header in request.headers_of(HeaderKind::Identity) {
        let identity = IdentityHeader::parse(header.value).map_err(|_| Failure::Malformed)?;
        let is_shaken = identity.kind == Some(SHAKEN.as_bytes());
        if is_shaken && found.replace(identity).is_some() {
            return Err(Failure::Malformed);
        }
    }
    found.ok_or(Failure::Missing)
}
