//! The SIP domains that a certificate proves.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::{CertificateDer, DnsName};
use thiserror::Error;
use webpki::EndEntityCert;

/// Most identities that are taken from one certificate; further ones do not count.
pub const MAX_IDENTITIES: usize = 64;

/// A SIP domain, in lower case and without a trailing dot.
///
/// Two identities are the same exactly if they are equal: RFC 5922 §7.2 compares host names
/// without case and knows no wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(Box<str>);

/// A text is not a domain name; addresses and wildcards are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a domain name")]
pub struct NotADomain;

/// Returns the SIP domains that a certificate proves (RFC 5922 §7.1), at most [`MAX_IDENTITIES`].
///
/// Those are the domains of `sip:` URIs in the subject's alternative names, and only if there is
/// no such URI, its DNS names. The common name never counts. The caller has verified the
/// certificate: names in a certificate that is not are anyone's.
#[must_use]
pub fn identities(certificate: &CertificateDer<'_>) -> Vec<Identity> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };

    let mut domains = certificate.valid_uri_names().filter_map(sip_domain).peekable();
    if domains.peek().is_some() {
        distinct(domains)
    } else {
        distinct(certificate.valid_dns_names())
    }
}

/// All names in a certificate of ours that may be asked for: those of hosts and of SIP domains.
pub(super) fn certificate_names(certificate: &CertificateDer<'static>) -> Vec<Identity> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    distinct(
        certificate.valid_dns_names().chain(certificate.valid_uri_names().filter_map(sip_domain)),
    )
}

/// Returns the text between `sip:` and the end, unless it names a user instead of a domain.
///
/// A `sips` URI is no identity: the RFC accepts the scheme `sip` only. One with a port or
/// parameters is returned as it is; it is no identity either, but the certificate speaks of SIP
/// domains by URI, and its DNS names are for something else.
fn sip_domain(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    (scheme.eq_ignore_ascii_case("sip") && !rest.contains('@')).then_some(rest)
}

fn distinct<'a>(domains: impl Iterator<Item = &'a str>) -> Vec<Identity> {
    let mut identities = Vec::new();
    for identity in domains.filter_map(|domain| domain.parse::<Identity>().ok()) {
        if identities.len() == MAX_IDENTITIES {
            break;
        }
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    identities
}

impl Identity {
    /// The domain, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identity {
    type Err = NotADomain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let domain = text.strip_suffix('.').unwrap_or(text);
        // Takes letters, digits, hyphens and underscores; a wildcard's star and an address fail.
        DnsName::try_from(domain).map_err(|_| NotADomain)?;
        if domain.ends_with('.') {
            return Err(NotADomain);
        }
        Ok(Self(domain.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
