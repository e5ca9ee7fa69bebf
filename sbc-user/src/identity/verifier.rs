use std::time::Duration;

use super::memory::Memory;
use super::number::{callee, caller};
use super::passport::SHAKEN;
use super::{Attestation, CertificateStore, Failure, Finding, IdentityHeader, Passport};
use crate::sip::{HeaderKind, Message, TelephoneNumber};

/// Finds out whether the number that a call says to come from was signed by somebody who may.
#[derive(Debug)]
pub struct Verifier {
    certificates: CertificateStore,
    freshness: u64,
    memory: Memory,
}

impl Verifier {
    /// A verifier that takes what was signed no longer ago than `freshness`.
    #[must_use]
    pub fn new(certificates: CertificateStore, freshness: Duration) -> Self {
        Self { certificates, freshness: freshness.as_secs(), memory: Memory::default() }
    }

    /// Verifies a request at a time in seconds since 1970.
    #[must_use]
    pub fn verify(&self, request: &Message<'_>, now: u64) -> Finding {
        match self.judge(request, now) {
            Ok(attestation) => Finding::Passed(attestation),
            Err(failure) => failure.into(),
        }
    }

    /// What costs least is asked first.
    fn judge(&self, request: &Message<'_>, now: u64) -> Result<Attestation, Failure> {
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
        if !certificate.has_signed(identity.signed, &identity.signature) {
            return Err(Failure::BadSignature);
        }
        let until = passport.issued_at.saturating_add(self.freshness);
        if self.memory.is_replay(identity.signed, request, (now, until)) {
            return Err(Failure::Replayed);
        }
        Ok(passport.attestation)
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
