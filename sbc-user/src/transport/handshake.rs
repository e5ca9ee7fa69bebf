//! The TLS handshake, and what it proves.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::{Flow, Refusal};
use crate::proof::tls::{Identity, identities};

/// Does our side of the handshake; returns the identities that the peer proved.
pub(super) async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    flow: &Flow,
    within: Duration,
) -> Result<(TlsStream<TcpStream>, Vec<Identity>), Refusal> {
    match timeout(within, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let identities = proved_by(stream.get_ref().1.peer_certificates());
            Ok((stream, identities))
        }
        Ok(Err(error)) => {
            debug!(%flow, %error, "handshake failed");
            Err(Refusal::of_handshake(&error))
        }
        Err(_) => Err(Refusal::HandshakeTimeout),
    }
}

/// The first certificate is the peer's own; rustls has verified it, and that the peer has its key.
pub(super) fn proved_by(certificates: Option<&[CertificateDer<'_>]>) -> Vec<Identity> {
    certificates.and_then(<[_]>::first).map_or_else(Vec::new, identities)
}
