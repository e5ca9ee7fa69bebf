//! Verification of the certificate that a peer shows.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext,
};

/// Whether a client has to show a certificate.
///
/// A certificate that is shown is verified either way: a bad one ends the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// The handshake fails without one.
    #[default]
    Require,
    /// A client without one is let in, and has no identity.
    Request,
}

/// Verifies the certificates of peers against the configured authorities.
///
/// Differs from the verifier of rustls in the extended key usage: public authorities no longer issue
/// certificates for clients, and a SIP peer shows the one it serves with.
#[derive(Debug)]
pub struct PeerVerifier {
    authorities: RootCertStore,
    hints: Vec<DistinguishedName>,
    client_certificate: ClientCertificate,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerVerifier {
    /// A verifier that believes `authorities`, with the signature algorithms of a provider.
    #[must_use]
    pub fn new(
        authorities: RootCertStore,
        client_certificate: ClientCertificate,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let hints = authorities.subjects();
        Self { authorities, hints, client_certificate, algorithms }
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        match self.client_certificate {
            ClientCertificate::Require => true,
            ClientCertificate::Request => false,
        }
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        EndEntityCert::try_from(end_entity)
            .map_err(refusal)?
            .verify_for_usage(
                self.algorithms.all,
                &self.authorities.roots,
                intermediates,
                now,
                SipPeerUsage,
                None,
                None,
            )
            .map_err(refusal)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Accepts a certificate without extended key usage, or for one that a SIP peer comes with.
#[derive(Clone, Copy)]
pub(super) struct SipPeerUsage;

impl SipPeerUsage {
    /// DER contents of 1.3.6.1.5.5.7.3: 1 serverAuth, 2 clientAuth (RFC 5280 §4.2.1.12), and
    /// 20 id-kp-sipDomain (RFC 5924 §3).
    const ACCEPTED: [KeyPurposeId<'static>; 3] = [
        KeyPurposeId::new(&[0x2b, 6, 1, 5, 5, 7, 3, 1]),
        KeyPurposeId::new(&[0x2b, 6, 1, 5, 5, 7, 3, 2]),
        KeyPurposeId::new(&[0x2b, 6, 1, 5, 5, 7, 3, 20]),
    ];
}

impl ExtendedKeyUsageValidator for SipPeerUsage {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?;
            if Self::ACCEPTED.contains(&purpose) {
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

/// Translates the verdict of webpki so that rustls sends the alert that tells the peer what is wrong.
#[expect(clippy::wildcard_enum_match_arm, reason = "errors of a library, which may add some")]
pub(super) fn refusal(error: webpki::Error) -> Error {
    let error = match error {
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
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    Error::InvalidCertificate(error)
}
