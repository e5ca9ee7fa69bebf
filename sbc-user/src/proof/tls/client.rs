//! The TLS configuration of connections that we make.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme, version,
};
use webpki::EndEntityCert;

use super::rule::{Rule, invalid};
use super::{Identity, Judge, Loaded, PeerTrust, ShownCertificate, TlsError, TlsFiles};

/// Who has to be at the other end of a connection that we make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// One of these SIP domains, as its certificate proves it (RFC 5922 §7.2).
    Identities(Vec<Identity>),
    /// Whoever has a certificate for this address.
    Address(IpAddr),
}

/// Builds the configuration of connections to whoever is `expected`, on which we show the first certificate of
/// `files`, and believe what they and `trust` say.
///
/// TLS 1.2 and 1.3; sessions are never resumed, so that each connection proves the other end anew.
pub fn client_config(
    files: &TlsFiles,
    trust: &PeerTrust,
    expected: Expected,
) -> Result<Loaded<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let rule = Rule::read(files, trust)?.of_a_server();
    let by_common_name = trust.by_common_name;
    let verifier = Arc::new(ServerVerifier { rule, expected, by_common_name, algorithms });
    let own = files.own();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsError::Versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
        .with_client_auth_cert(own.certificates()?, own.private_key()?)
        .map_err(|source| own.pair(source))?;
    config.resumption = Resumption::disabled();
    Ok(Loaded { config: Arc::new(config), judge: verifier })
}

/// Builds the configuration of connections to servers of other protocols than SIP: they have to show a certificate of
/// these authorities for the name that they are asked by, and are shown none.
pub fn server_verifying_config(authorities: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = TlsFiles::authorities_of(authorities)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsError::Versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

impl Expected {
    /// The name to ask for (RFC 6066 §3).
    #[must_use]
    pub fn name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Identities(identities) => {
                ServerName::try_from(identities.first()?.as_str().to_owned()).ok()
            }
            Self::Address(address) => Some(ServerName::IpAddress((*address).into())),
        }
    }
}

/// Verifies who we have connected to. Differs from the verifier of rustls in what counts as a name: the
/// domain of a `sip:` URI comes before DNS names (RFC 5922 §7.1), and wildcards never count.
#[derive(Debug)]
struct ServerVerifier {
    rule: Rule,
    expected: Expected,
    by_common_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Judge for ServerVerifier {
    fn judge(&self, shown: &ShownCertificate, now: UnixTime) -> Result<(), Error> {
        let (own, between) = shown.split().ok_or_else(|| invalid(CertificateError::BadEncoding))?;
        self.rule.judge(own, between, now, self.algorithms)?;
        let is_expected = match &self.expected {
            Expected::Identities(expected) => shown.is_for(expected, self.by_common_name),
            Expected::Address(address) => {
                let name = ServerName::IpAddress((*address).into());
                EndEntityCert::try_from(own)
                    .is_ok_and(|own| own.verify_is_valid_for_subject_name(&name).is_ok())
            }
        };
        if !is_expected {
            return Err(invalid(CertificateError::NotValidForName));
        }
        Ok(())
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<CertificateDer<'_>> =
            [end_entity].into_iter().chain(intermediates).cloned().collect();
        let shown = ShownCertificate::read(&chain);
        let shown = shown.ok_or_else(|| invalid(CertificateError::BadEncoding))?;
        self.judge(&shown, now)?;
        Ok(ServerCertVerified::assertion())
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
