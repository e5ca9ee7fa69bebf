//! The TLS configuration of a listener.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::UnixTime;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

use super::files::CertificateFiles;
use super::{
    ClientCertificate, Identity, Loaded, PeerTrust, PeerVerifier, TlsError, TlsFiles,
    certificate_names,
};

/// Builds the configuration of a TLS listener from its files, for these peers.
///
/// TLS 1.2 and 1.3. Sessions are never resumed, by ticket or by session number: a resumed session
/// skips the verification of the certificate, and would let a peer back in that lost its trust.
pub fn server_config(
    files: &TlsFiles,
    peers: &[PeerTrust],
    client_certificate: ClientCertificate,
) -> Result<Loaded<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Arc::new(PeerVerifier::read(files, peers, client_certificate, algorithms)?);
    let own = OwnCertificates::read(files, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsError::Versions)?
        .with_client_cert_verifier(Arc::clone(&verifier) as _)
        .with_cert_resolver(Arc::new(own));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Loaded { config: Arc::new(config), judge: verifier })
}

/// What is allowed and hardly meant in the files of a listener.
pub fn warnings(files: &TlsFiles, peers: &[PeerTrust]) -> Result<Vec<String>, TlsError> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let request = ClientCertificate::Request;
    let verifier = PeerVerifier::read(files, peers, request, algorithms)?;
    let now = UnixTime::now();
    let mut warnings = verifier.warnings(now);
    warnings.extend(files.own_warnings(now)?);
    Ok(warnings)
}

/// Our certificates, one of which is shown.
#[derive(Debug)]
struct OwnCertificates {
    /// Where none is asked for by name, or there is none for it.
    first: OwnCertificate,
    further: Vec<OwnCertificate>,
}

#[derive(Debug)]
struct OwnCertificate {
    names: Vec<Identity>,
    key: Arc<CertifiedKey>,
}

impl OwnCertificates {
    fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let first = OwnCertificate::read(&files.own(), provider)?;
        let further = files.further.iter().map(|files| OwnCertificate::read(files, provider));
        Ok(Self { first, further: further.collect::<Result<_, _>>()? })
    }
}

impl OwnCertificate {
    fn read(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let chain = files.certificates()?;
        let names = chain.first().map_or_else(Vec::new, certificate_names);
        let key = CertifiedKey::from_der(chain, files.private_key()?, provider)
            .map_err(|source| files.pair(source))?;
        Ok(Self { names, key: Arc::new(key) })
    }

    fn can_be_read_by(&self, hello: &ClientHello<'_>) -> bool {
        self.key.key.choose_scheme(hello.signature_schemes()).is_some()
    }
}

impl ResolvesServerCert for OwnCertificates {
    /// The first certificate for the name that the client asks for (RFC 6066 §3) whose kind of key it can
    /// verify; otherwise the first of all.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let all = || [&self.first].into_iter().chain(&self.further);
        let name = hello.server_name().and_then(|name| name.parse::<Identity>().ok());
        let is_named =
            |own: &&OwnCertificate| name.as_ref().is_some_and(|name| own.names.contains(name));
        let can_be_read = |own: &&OwnCertificate| own.can_be_read_by(&hello);
        let chosen = all().filter(is_named).find(can_be_read);
        let chosen = chosen.or_else(|| all().find(can_be_read)).unwrap_or(&self.first);
        Some(Arc::clone(&chosen.key))
    }
}
