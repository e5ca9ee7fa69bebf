//! A certificate that somebody showed.

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::{Identity, identities};

/// Certificates between a peer's and its authority that are looked at, and kept while it is connected.
const MOST_BETWEEN: usize = 8;

/// The certificate of the other end of a connection, and what of it is asked again while the connection
/// lives.
#[derive(Clone, Debug)]
pub struct ShownCertificate {
    chain: Vec<CertificateDer<'static>>,
    identities: Vec<Identity>,
    common_name: Option<Identity>,
    not_after: u64,
}

impl ShownCertificate {
    /// Reads what was shown, the peer's own certificate first; `None` if that cannot be read. What is beyond the
    /// first eight others is not looked at: nobody needs as many.
    #[must_use]
    pub fn read(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let chain = chain.get(..chain.len().min(1 + MOST_BETWEEN))?;
        let (own, others) = chain.split_first()?;
        let (_, parsed) = X509Certificate::from_der(own).ok()?;
        Some(Self {
            chain: chain.iter().map(|it| it.clone().into_owned()).collect(),
            identities: identities(own),
            common_name: common_name(&parsed),
            not_after: last_second(&parsed, others),
        })
    }

    /// One that proves these, for ever, and nothing about its chain.
    #[cfg(test)]
    pub(crate) fn of(names: &[&str], not_after: u64) -> Self {
        let identities = names.iter().map(|name| name.parse().unwrap()).collect();
        Self { chain: Vec::new(), identities, common_name: None, not_after }
    }

    /// One with nothing but a common name.
    #[cfg(test)]
    pub(crate) fn of_common_name(name: &str) -> Self {
        Self { common_name: Some(name.parse().unwrap()), ..Self::of(&[], u64::MAX) }
    }

    /// The SIP domains that it proves by its alternative names.
    #[must_use]
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// Says whether it is for one of `expected`. The common name counts only where the caller says so, and
    /// only if there are no alternative names at all (RFC 5922 §7.1).
    pub fn is_for<'a>(
        &self,
        expected: impl IntoIterator<Item = &'a Identity>,
        by_common_name: bool,
    ) -> bool {
        let common_name = self.common_name.iter().filter(|_| by_common_name);
        let proved: Vec<&Identity> = self.identities.iter().chain(common_name).collect();
        expected.into_iter().any(|expected| proved.contains(&expected))
    }

    /// The last second that it is good in, since 1970: its own, or that of a certificate between it and its
    /// authority.
    #[must_use]
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Seconds for which it is still good; `None` if its time is over.
    #[must_use]
    pub fn seconds_left(&self, now: UnixTime) -> Option<u64> {
        self.not_after.checked_sub(now.as_secs())
    }

    pub(super) fn split(&self) -> Option<(&CertificateDer<'static>, &[CertificateDer<'static>])> {
        self.chain.split_first()
    }
}

/// The common name as a domain, where there is exactly one and nothing that stands before it.
fn common_name(certificate: &X509Certificate<'_>) -> Option<Identity> {
    if !matches!(certificate.subject_alternative_name(), Ok(None)) {
        return None;
    }
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?;
    if names.next().is_some() {
        return None;
    }
    name.as_str().ok()?.parse().ok()
}

fn last_second(own: &X509Certificate<'_>, others: &[CertificateDer<'_>]) -> u64 {
    let others: Vec<X509Certificate<'_>> = others
        .iter()
        .filter_map(|other| X509Certificate::from_der(other).ok())
        .map(|(_, other)| other)
        .collect();
    let mut last = seconds(own);
    let mut issuer = own.issuer().as_raw();
    for _ in 0..others.len() {
        // One that has issued itself is the authority, whose own time does not count.
        let is_between = |other: &&X509Certificate<'_>| {
            other.subject().as_raw() == issuer && other.issuer().as_raw() != issuer
        };
        let Some(between) = others.iter().find(is_between) else { break };
        last = last.min(seconds(between));
        issuer = between.issuer().as_raw();
    }
    last
}

fn seconds(certificate: &X509Certificate<'_>) -> u64 {
    u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0)
}
