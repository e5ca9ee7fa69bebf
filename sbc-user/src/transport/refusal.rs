//! Why a connection was not let in, or was ended because of what the peer did.

use std::fmt;
use std::io;

use rustls::CertificateError;

/// The reasons, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// All connections that we allow are taken.
    TooManyConnections,
    /// The source has all connections that we allow it.
    TooManyConnectionsOfSource,
    /// The TLS handshake was not finished in time.
    HandshakeTimeout,
    /// The peer left during the TLS handshake.
    HandshakeAbandoned,
    /// The TLS handshake failed: no common version or cipher, not TLS at all, refused by the peer.
    HandshakeFailed,
    /// The listener requires a certificate, and the peer showed none.
    CertificateMissing,
    /// The certificate's time is over.
    CertificateExpired,
    /// The certificate's time has not begun.
    CertificateNotYetValid,
    /// The certificate chains to no configured authority.
    CertificateUnknownIssuer,
    /// The certificate was withdrawn by its authority.
    CertificateRevoked,
    /// The certificate is for another purpose.
    CertificatePurpose,
    /// The certificate is wrong in another way.
    CertificateInvalid,
    /// A connection without identity sent no complete message in time.
    FirstMessageTimeout,
    /// A message was begun and not finished in time.
    PartialMessageTimeout,
    /// The stream cannot be cut into messages.
    MalformedStream,
}

impl Refusal {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::TooManyConnections,
        Self::TooManyConnectionsOfSource,
        Self::HandshakeTimeout,
        Self::HandshakeAbandoned,
        Self::HandshakeFailed,
        Self::CertificateMissing,
        Self::CertificateExpired,
        Self::CertificateNotYetValid,
        Self::CertificateUnknownIssuer,
        Self::CertificateRevoked,
        Self::CertificatePurpose,
        Self::CertificateInvalid,
        Self::FirstMessageTimeout,
        Self::PartialMessageTimeout,
        Self::MalformedStream,
    ];

    /// The name in counters, logs and the manual.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyConnections => "too-many-connections",
            Self::TooManyConnectionsOfSource => "too-many-connections-of-source",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::HandshakeAbandoned => "handshake-abandoned",
            Self::HandshakeFailed => "handshake-failed",
            Self::CertificateMissing => "certificate-missing",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotYetValid => "certificate-not-yet-valid",
            Self::CertificateUnknownIssuer => "certificate-unknown-issuer",
            Self::CertificateRevoked => "certificate-revoked",
            Self::CertificatePurpose => "certificate-purpose",
            Self::CertificateInvalid => "certificate-invalid",
            Self::FirstMessageTimeout => "first-message-timeout",
            Self::PartialMessageTimeout => "partial-message-timeout",
            Self::MalformedStream => "malformed-stream",
        }
    }

    /// The reason behind the error that ended a TLS handshake.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        let Some(cause) = cause else {
            return Self::HandshakeAbandoned;
        };
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
            CertificateError::Revoked => Self::CertificateRevoked,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::CertificatePurpose
            }
            _ => Self::CertificateInvalid,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_is_listed_once_and_has_its_own_name() {
        for (position, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, position);
        }
        let names: HashSet<_> = Refusal::ALL.into_iter().map(Refusal::name).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
    }
}
