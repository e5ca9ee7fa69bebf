//! What a peer's certificate has to be for.

use webpki::{
    ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::Oid;

/// Which extended key usages (RFC 5280 §4.2.1.12) a peer's certificate may have. All but `sip-domain` take one
/// without the extension, which is for anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateUsage {
    /// For clients, or for SIP domains (RFC 5924).
    ClientAuth,
    /// For servers as well: public authorities no longer issue certificates for clients, and a SIP peer
    /// shows the one it serves with.
    #[default]
    ServerAuthToo,
    /// For SIP domains, and the certificate says so: RFC 5924 at its strictest.
    SipDomain,
    /// For whatever it says.
    Any,
}

/// Purposes, as DER contents of their object identifiers.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// id-kp-sipDomain (RFC 5924 §3).
const SIP_DOMAIN: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 20];
const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0];

impl CertificateUsage {
    /// One of these is enough; `None` if nothing is asked.
    const fn accepted(self) -> Option<&'static [&'static [u8]]> {
        match self {
            Self::ClientAuth => Some(&[CLIENT_AUTH, SIP_DOMAIN, ANY]),
            Self::ServerAuthToo => Some(&[SERVER_AUTH, CLIENT_AUTH, SIP_DOMAIN, ANY]),
            Self::SipDomain => Some(&[SIP_DOMAIN, ANY]),
            Self::Any => None,
        }
    }

    /// The same for whom we connect to, who is a server.
    #[must_use]
    pub const fn of_a_server(self) -> Self {
        match self {
            Self::ClientAuth | Self::ServerAuthToo => Self::ServerAuthToo,
            Self::SipDomain => Self::SipDomain,
            Self::Any => Self::Any,
        }
    }

    /// Says whether a peer's own certificate is for that; those between it and its authority are not asked.
    pub(super) fn allows(self, certificate: &X509Certificate<'_>) -> bool {
        let Some(accepted) = self.accepted() else { return true };
        let is_accepted = |purpose: &[u8]| accepted.contains(&purpose);
        match certificate.extended_key_usage() {
            Err(_) => false,
            Ok(None) => self != Self::SipDomain,
            Ok(Some(usage)) => {
                let usage = usage.value;
                let is_sip_domain = |other: &Oid<'_>| other.as_bytes() == SIP_DOMAIN;
                usage.any && is_accepted(ANY)
                    || usage.client_auth && is_accepted(CLIENT_AUTH)
                    || usage.server_auth && is_accepted(SERVER_AUTH)
                    || usage.other.iter().any(is_sip_domain) && is_accepted(SIP_DOMAIN)
            }
        }
    }
}

/// Asked for each certificate of a path.
impl ExtendedKeyUsageValidator for CertificateUsage {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let Some(accepted) = self.accepted() else { return Ok(()) };
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?;
            if accepted.iter().any(|accepted| purpose == KeyPurposeId::new(accepted)) {
                return Ok(());
            }
            present.push(purpose.to_decoded_oid());
        }
        // webpki asks with an empty list for a certificate without the extension; an extension
        // that lists nothing it refuses by itself.
        if present.is_empty() {
            return Ok(());
        }
        Err(webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
            required: KeyUsage::client_auth(),
            present,
        }))
    }
}
