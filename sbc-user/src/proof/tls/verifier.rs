//! Verification of the certificate that a peer shows.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::rule::{Rule, invalid};
use super::{Identity, Judge, PeerTrust, ShownCertificate, TlsError, TlsFiles};

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

/// Verifies the certificates of peers: whom a certificate says that it is for tells by whose rule it is judged,
/// so that the authority of one peer cannot speak for another. One of nobody we know has to be of the common
/// authorities.
///
/// Differs from the verifier of rustls in the extended key usage as well, see [`super::CertificateUsage`].
#[derive(Debug)]
pub struct PeerVerifier {
    rule: Rule,
    peers: Vec<RuleOfPeer>,
    hints: Vec<DistinguishedName>,
    client_certificate: ClientCertificate,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct RuleOfPeer {
    identities: Vec<Identity>,
    by_common_name: bool,
    rule: Rule,
}

impl PeerVerifier {
    /// A verifier for these peers, with the signature algorithms of a provider.
    pub(super) fn read(
        files: &TlsFiles,
        peers: &[PeerTrust],
        client_certificate: ClientCertificate,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<Self, TlsError> {
        let rule = Rule::read(files, &PeerTrust::default())?;
        let peers = peers.iter().map(|peer| {
            let identities = peer.identities.clone();
            let rule = Rule::read(files, peer)?;
            Ok(RuleOfPeer { identities, by_common_name: peer.by_common_name, rule })
        });
        let peers = peers.collect::<Result<Vec<_>, TlsError>>()?;
        let hints = hints(&rule, &peers);
        Ok(Self { rule, peers, hints, client_certificate, algorithms })
    }

    pub(super) fn warnings(&self, now: UnixTime) -> Vec<String> {
        let rules = self.peers.iter().map(|peer| &peer.rule);
        let mut warnings = Vec::new();
        for warning in [&self.rule].into_iter().chain(rules).flat_map(|rule| rule.warnings(now)) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}

impl Judge for PeerVerifier {
    fn judge(&self, shown: &ShownCertificate, now: UnixTime) -> Result<(), Error> {
        let (own, between) = shown.split().ok_or_else(|| invalid(CertificateError::BadEncoding))?;
        // The same peer whose connection it becomes: the first that it is for.
        let peer =
            self.peers.iter().find(|peer| shown.is_for(&peer.identities, peer.by_common_name));
        let rule = peer.map_or(&self.rule, |peer| &peer.rule);
        rule.judge(own, between, now, self.algorithms)
    }
}

/// The authorities that a client is asked to have a certificate of: none where a key may be enough, since
/// some clients show none but of an authority that is named.
fn hints(rule: &Rule, peers: &[RuleOfPeer]) -> Vec<DistinguishedName> {
    let mut hints: Vec<DistinguishedName> = Vec::new();
    for rule in [rule].into_iter().chain(peers.iter().map(|peer| &peer.rule)) {
        let Some(authorities) = rule.authorities() else { return Vec::new() };
        for subject in authorities.subjects() {
            if !hints.iter().any(|hint| hint.as_ref() == subject.as_ref()) {
                hints.push(subject);
            }
        }
    }
    hints
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
        let chain: Vec<CertificateDer<'_>> =
            [end_entity].into_iter().chain(intermediates).cloned().collect();
        let shown = ShownCertificate::read(&chain);
        let shown = shown.ok_or_else(|| invalid(CertificateError::BadEncoding))?;
        self.judge(&shown, now)?;
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
