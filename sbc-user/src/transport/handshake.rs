//! The TLS handshake, what it proves, and for how long.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::{Flow, Refusal};
use crate::proof::tls::{Following, ShownCertificate};

/// How often the clock on the wall is looked at: it may have been set.
const LOOK: Duration = Duration::from_mins(1);

/// Does our side of the handshake; returns the certificate that the peer showed, if it did.
pub(super) async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    flow: &Flow,
    within: Duration,
) -> Result<(TlsStream<TcpStream>, Option<Arc<ShownCertificate>>), Refusal> {
    match timeout(within, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = shown(stream.get_ref().1.peer_certificates())?;
            Ok((stream, shown))
        }
        Ok(Err(error)) => {
            debug!(%flow, %error, "handshake failed");
            Err(Refusal::of_handshake(&error))
        }
        Err(_) => Err(Refusal::HandshakeTimeout),
    }
}

/// What rustls has verified, and that the peer has its key.
pub(super) fn shown(
    certificates: Option<&[CertificateDer<'_>]>,
) -> Result<Option<Arc<ShownCertificate>>, Refusal> {
    let Some(certificates) = certificates else { return Ok(None) };
    let shown = ShownCertificate::read(certificates).ok_or(Refusal::CertificateInvalid)?;
    Ok(Some(Arc::new(shown)))
}

/// Waits until a certificate that was found good is so no longer: its time is over, or what it is judged by
/// has changed.
pub(super) async fn disproved<C>(
    mut following: Following<C>,
    shown: Option<Arc<ShownCertificate>>,
) -> Refusal {
    let Some(shown) = shown else { return pending().await };
    loop {
        let Some(left) = shown.seconds_left(UnixTime::now()) else {
            return Refusal::CertificateExpired;
        };
        tokio::select! {
            () = following.changed() => {
                let judge = Arc::clone(&following.current().judge);
                if let Err(error) = judge.judge(&shown, UnixTime::now()) {
                    return Refusal::of_tls(&error);
                }
            }
            () = sleep(Duration::from_secs(left.saturating_add(1)).min(LOOK)) => {}
        }
    }
}
