//! How the certificates of one peer are judged.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, Error, OtherError, RootCertStore};
use thiserror::Error as ThisError;
use webpki::EndEntityCert;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::revocation::RevocationLists;
use super::{CertificateUsage, Identity, KeyPin, TlsError, TlsFiles};

/// What the certificate of a peer has to be, beyond being one of the authorities of [`TlsFiles`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerTrust {
    /// Whose certificates this is about: those for one of these.
    pub identities: Vec<Identity>,
    /// Whether the common name counts where there are no alternative names.
    pub by_common_name: bool,
    /// The authorities of this peer, in place of the common ones.
    pub authorities: Option<PathBuf>,
    /// The keys that it may have; any if there are none. Without authorities of its own, a pinned key is
    /// proof enough: nobody has to have signed for it.
    pub pins: Vec<KeyPin>,
    /// What it has to be for.
    pub usage: CertificateUsage,
    /// Revocation lists, which stand before those of [`TlsFiles`].
    pub revocation_lists: Vec<PathBuf>,
}

/// A certificate's key is none of those that its peer is pinned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("the key of the certificate is not one that the peer is pinned to")]
pub struct NotPinned;

/// The same, read.
#[derive(Debug)]
pub(super) struct Rule {
    /// `None` where a pinned key is proof enough.
    authorities: Option<RootCertStore>,
    pins: Vec<KeyPin>,
    usage: CertificateUsage,
    lists: RevocationLists,
}

impl Rule {
    pub(super) fn read(files: &TlsFiles, peer: &PeerTrust) -> Result<Self, TlsError> {
        let authorities = match &peer.authorities {
            Some(path) => Some(TlsFiles::authorities_of(path)?),
            None if peer.pins.is_empty() => Some(files.authorities()?),
            None => None,
        };
        let (own, common) = (&peer.revocation_lists, &files.revocation_lists);
        Ok(Self {
            authorities,
            pins: peer.pins.clone(),
            usage: peer.usage,
            lists: RevocationLists::read(own, common, files.expired_lists)?,
        })
    }

    /// The same for whom we connect to.
    pub(super) fn of_a_server(self) -> Self {
        Self { usage: self.usage.of_a_server(), ..self }
    }

    pub(super) const fn authorities(&self) -> Option<&RootCertStore> {
        self.authorities.as_ref()
    }

    pub(super) fn warnings(&self, now: UnixTime) -> Vec<String> {
        self.authorities
            .as_ref()
            .map_or_else(Vec::new, |authorities| self.lists.warnings(authorities, now))
    }

    /// Judges a certificate, not whom it is for.
    pub(super) fn judge(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let certificate = EndEntityCert::try_from(own).map_err(refusal)?;
        match &self.authorities {
            Some(authorities) => self.lists.with_options(|lists| {
                let (roots, usage) = (&authorities.roots, self.usage);
                certificate
                    .verify_for_usage(algorithms.all, roots, between, now, usage, lists, None)
                    .map(|_| ())
                    .map_err(refusal)
            })?,
            None => is_in_time(own, now)?,
        }
        if !self.pins.is_empty() && !self.pins.contains(&KeyPin::of(&certificate)) {
            return Err(invalid(CertificateError::Other(OtherError(Arc::new(NotPinned)))));
        }
        // With authorities webpki has asked already, but it does not tell the peer's own certificate from
        // those between, and lets one without the extension pass.
        if self.authorities.is_none() || self.usage == CertificateUsage::SipDomain {
            let (_, parsed) = X509Certificate::from_der(own)
                .map_err(|_| invalid(CertificateError::BadEncoding))?;
            if !self.usage.allows(&parsed) {
                return Err(invalid(CertificateError::InvalidPurpose));
            }
        }
        Ok(())
    }
}

fn is_in_time(own: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) =
        X509Certificate::from_der(own).map_err(|_| invalid(CertificateError::BadEncoding))?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if seconds < validity.not_before.timestamp() {
        return Err(invalid(CertificateError::NotValidYet));
    }
    if seconds > validity.not_after.timestamp() {
        return Err(invalid(CertificateError::Expired));
    }
    Ok(())
}

pub(super) const fn invalid(error: CertificateError) -> Error {
    Error::InvalidCertificate(error)
}

/// Translates the verdict of webpki so that rustls sends the alert that tells the peer what is wrong.
#[expect(clippy::wildcard_enum_match_arm, reason = "errors of a library, which may add some")]
fn refusal(error: webpki::Error) -> Error {
    invalid(match error {
        webpki::Error::BadDer | webpki::Error::BadDerTime | webpki::Error::TrailingData(_) => {
            CertificateError::BadEncoding
        }
        webpki::Error::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        webpki::Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        webpki::Error::InvalidCertValidity => CertificateError::Expired,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::CertRevoked => CertificateError::Revoked,
        webpki::Error::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }
        }
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}
