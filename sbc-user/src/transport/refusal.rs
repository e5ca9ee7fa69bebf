//! Why a connection was not let in, or was ended because of what the peer did.

use std::fmt;
use std::io;

use rustls::CertificateError;

use crate::closed_list::closed_list;
use crate::proof::tls::NotPinned;

closed_list! {
    /// Why a connection was refused: the one closed list that names every counter and line of
    /// documentation about it. The transport finds most; who a good certificate belongs to, the
    /// receiver knows.
    pub enum Refusal {
        /// All connections that we allow are taken.
        TooManyConnections "too-many-connections",
        /// The source has all connections that we allow it.
        TooManyConnectionsOfSource "too-many-connections-of-source",
        /// The TLS handshake was not finished in time.
        HandshakeTimeout "handshake-timeout",
        /// The peer left during the TLS handshake.
        HandshakeAbandoned "handshake-abandoned",
        /// The TLS handshake failed: no common version or cipher, not TLS at all, refused by the peer.
        HandshakeFailed "handshake-failed",
        /// The listener requires a certificate, and the peer showed none.
        CertificateMissing "certificate-missing",
        /// The certificate's time is over.
        CertificateExpired "certificate-expired",
        /// The certificate's time has not begun.
        CertificateNotYetValid "certificate-not-yet-valid",
        /// The certificate chains to no configured authority.
        CertificateUnknownIssuer "certificate-unknown-issuer",
        /// The certificate is for another purpose.
        CertificatePurpose "certificate-purpose",
        /// The certificate was revoked by its authority.
        CertificateRevoked "certificate-revoked",
        /// The revocation list of the certificate's authority is past its next update.
        RevocationListExpired "revocation-list-expired",
        /// The certificate's key is none of those that its peer is pinned to.
        CertificateNotPinned "certificate-not-pinned",
        /// The certificate is wrong in another way.
        CertificateInvalid "certificate-invalid",
        /// A good certificate that proves no SIP domain, where one is required.
        IdentityMissing "identity-missing",
        /// A good certificate that is no configured peer's.
        IdentityUnknown "identity-unknown",
        /// A peer's certificate, shown from outside the peer's sources.
        IdentityElsewhere "identity-elsewhere",
        /// A connection to the inside that is not from a target of the upstream.
        NotUpstream "not-upstream",
        /// A connection without identity sent no complete message in time.
        FirstMessageTimeout "first-message-timeout",
        /// A message was begun and not finished in time.
        PartialMessageTimeout "partial-message-timeout",
        /// The stream cannot be cut into messages.
        MalformedStream "malformed-stream",
    }
}

impl Refusal {
    /// The reason behind the error that ended a TLS handshake.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        cause.map_or(Self::HandshakeAbandoned, Self::of_tls)
    }

    /// The reason behind an error of TLS.
    pub(super) fn of_tls(cause: &rustls::Error) -> Self {
        if let rustls::Error::InvalidCertificate(certificate) = cause {
            return Self::of_certificate(certificate);
        }
        if *cause == rustls::Error::NoCertificatesPresented {
            return Self::CertificateMissing;
        }
        Self::HandshakeFailed
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of a library, which may add some")]
    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::CertificateExpired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::CertificateNotYetValid
            }
            CertificateError::UnknownIssuer => Self::CertificateUnknownIssuer,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::CertificatePurpose
            }
            CertificateError::Revoked => Self::CertificateRevoked,
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::RevocationListExpired,
            CertificateError::Other(other) if other.0.is::<NotPinned>() => {
                Self::CertificateNotPinned
            }
            CertificateError::NotValidForName => Self::IdentityUnknown,
            _ => Self::CertificateInvalid,
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
