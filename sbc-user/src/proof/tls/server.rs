//! The TLS configuration of a listener.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, version};

use super::{ClientCertificate, PeerVerifier, TlsError, TlsFiles};

/// Builds the configuration of a TLS listener from its files.
///
/// TLS 1.2 and 1.3. Sessions are never resumed, by ticket or by session number: a resumed session
/// skips the verification of the certificate, and would let a peer back in that lost its trust.
pub fn server_config(
    files: &TlsFiles,
    client_certificate: ClientCertificate,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let authorities = files.authorities()?;
    let verifier = PeerVerifier::new(
        authorities,
        client_certificate,
        provider.signature_verification_algorithms,
    );

    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsError::Versions)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(files.certificates()?, files.private_key()?)
        .map_err(|source| TlsError::Pair {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            source,
        })?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
