//! The life of one stream connection.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::{client, server};
use tracing::debug;

use super::framing::Malformed;
use super::handshake::{disproved, shake_hands};
use super::queue::{Room, SendQueue, Waiting, send_queue};
use super::reader::{Deadlines, Reader};
use super::running::Stop;
use super::slots::Slot;
use super::writer::Writer;
use super::{Admission, Flow, Limits, Outbox, Party, Receiver, Refusal, saved_syn};
use crate::proof::tls::Live;

/// Time to write the rest of the queue and to say goodbye.
const LINGER: Duration = Duration::from_secs(1);
/// Time after which the kernel gives up a peer that acknowledges nothing.
const ACKNOWLEDGE: Duration = Duration::from_secs(30);

/// What gives every stream connection its place and number, and its ends to talk between.
pub(super) struct Switchboard {
    pub(super) receiver: Arc<dyn Receiver>,
    pub(super) outbox: Outbox,
    pub(super) limits: Limits,
    pub(super) numbers: ConnectionNumbers,
}

/// The numbers of connections; never 0, which stands for none.
pub(super) struct ConnectionNumbers(AtomicU64);

/// How a connection came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed it.
    ByPeer,
    /// The network or TLS broke it.
    Broken,
    /// The peer did not read, or the operator wants it no more.
    Cut,
    /// Nothing was heard of the peer for too long.
    Idle,
    /// A stranger did not say what it wants.
    FirstMessageLate,
    /// A message did not come to its end.
    PartialMessageLate,
    /// The stream is not SIP.
    Malformed,
    /// The peer's certificate is no longer good.
    Disproved(Refusal),
    /// The daemon stops.
    Stopping,
}

/// Serves one accepted connection until it ends.
pub(super) async fn serve(
    stream: TcpStream,
    flow: Flow,
    (tls, room): (Option<Arc<Live<ServerConfig>>>, Room),
    switchboard: Arc<Switchboard>,
    mut stop: Stop,
    slot: Slot,
) {
    set_options(&stream, &flow);
    match tls {
        None => {
            let party = Party::default();
            let ends = send_queue(room);
            converse(stream, &flow, party, ends, &switchboard, &mut stop, pending()).await;
        }
        Some(live) => {
            // Before the handshake, so that no change of what it is judged by is missed.
            let mut following = live.follow();
            let acceptor = TlsAcceptor::from(Arc::clone(&following.current().config));
            let hop_limit = saved_syn::hop_limit(&stream);
            let limit = switchboard.limits.handshake;
            let shaken = tokio::select! {
                shaken = shake_hands(acceptor, stream, &flow, limit) => shaken,
                _ = stop.requested() => return,
            };
            match shaken {
                Ok((stream, shown)) => {
                    let party = Party { shown: shown.as_ref(), hop_limit, dialed: None };
                    let (ends, end) = (send_queue(room), disproved(following, shown.clone()));
                    converse(stream, &flow, party, ends, &switchboard, &mut stop, end).await;
                }
                Err(refusal) => switchboard.receiver.refused(&flow, refusal),
            }
        }
    }
    drop(slot);
}

pub(super) fn set_options(stream: &TcpStream, flow: &Flow) {
    let options = SockRef::from(stream)
        .set_tcp_nodelay(true)
        .and_then(|()| SockRef::from(stream).set_tcp_user_timeout(Some(ACKNOWLEDGE)));
    if let Err(error) = options {
        debug!(%flow, %error, "cannot set socket options");
    }
}

/// Exchanges messages with a peer that has been let in by the transport.
pub(super) async fn converse<S: Resettable>(
    stream: S,
    flow: &Flow,
    party: Party<'_>,
    (queue, waiting): (SendQueue, Waiting),
    switchboard: &Switchboard,
    stop: &mut Stop,
    disproved: impl Future<Output = Refusal>,
) {
    let mut presence = Presence::enter(flow, queue.clone(), switchboard);
    let is_known = match switchboard.receiver.connected(flow, party) {
        Admission::Keep => true,
        Admission::KeepStranger => false,
        Admission::Close => return,
    };
    presence.is_kept = true;
    let deadlines = Deadlines::new(switchboard.limits, Instant::now(), is_known);
    let (read_half, write_half) = tokio::io::split(stream);
    let mut reader = Reader::new(read_half, deadlines, flow, &queue, &*switchboard.receiver);
    let mut writer = Writer::new(write_half, waiting);
    let end = tokio::select! {
        end = reader.run() => end,
        Err(error) = writer.run() => End::broken(flow, &error),
        () = queue.aborted() => End::Cut,
        refusal = disproved => End::Disproved(refusal),
        _ = stop.requested() => End::Stopping,
    };

    debug!(%flow, ?end, "connection ends");
    match (&end, end.refusal()) {
        (End::Disproved(refusal), _) => switchboard.receiver.disproved(flow, *refusal),
        (_, Some(refusal)) => switchboard.receiver.refused(flow, refusal),
        (_, None) => {}
    }
    drop(presence);
    match end {
        End::Broken => {}
        End::Cut | End::Disproved(_) => {
            reader.into_half().unsplit(writer.into_half()).reset();
        }
        End::ByPeer | End::Stopping => {
            let _ = timeout(LINGER, writer.finish()).await;
        }
        End::Idle | End::FirstMessageLate | End::PartialMessageLate | End::Malformed => {
            let _ = timeout(LINGER, async {
                writer.finish().await?;
                reader.discard().await;
                io::Result::Ok(())
            })
            .await;
        }
    }
}

impl End {
    pub(super) fn broken(flow: &Flow, error: &io::Error) -> Self {
        debug!(%flow, %error, "connection is broken");
        Self::Broken
    }

    pub(super) fn malformed(flow: &Flow, error: Malformed) -> Self {
        debug!(%flow, %error, "stream cannot be cut into messages");
        Self::Malformed
    }

    /// The reason to count, if the end is the peer's fault.
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::FirstMessageLate => Some(Refusal::FirstMessageTimeout),
            Self::PartialMessageLate => Some(Refusal::PartialMessageTimeout),
            Self::Malformed => Some(Refusal::MalformedStream),
            Self::Disproved(refusal) => Some(*refusal),
            Self::ByPeer | Self::Broken | Self::Cut | Self::Idle | Self::Stopping => None,
        }
    }
}

/// A connection that can be sent to, and that the receiver may know of.
///
/// Dropped when the connection ends, also when its task is aborted or panics: then it can no longer be
/// sent to, and the receiver is told, in this order.
struct Presence<'a> {
    flow: &'a Flow,
    switchboard: &'a Switchboard,
    is_kept: bool,
}

impl<'a> Presence<'a> {
    fn enter(flow: &'a Flow, queue: SendQueue, switchboard: &'a Switchboard) -> Self {
        switchboard.outbox.register(*flow, queue);
        Self { flow, switchboard, is_kept: false }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.switchboard.outbox.forget(self.flow);
        if self.is_kept {
            self.switchboard.receiver.disconnected(self.flow);
        }
    }
}

/// A stream that can be thrown away without the kernel keeping what was not read by the peer.
pub(super) trait Resettable: AsyncRead + AsyncWrite + Unpin {
    fn reset(self);
}

impl Resettable for TcpStream {
    fn reset(self) {
        // Without it the socket merely stays around longer.
        let _ = self.set_zero_linger();
    }
}

impl Resettable for server::TlsStream<TcpStream> {
    fn reset(self) {
        self.into_inner().0.reset();
    }
}

impl Resettable for client::TlsStream<TcpStream> {
    fn reset(self) {
        self.into_inner().0.reset();
    }
}

impl ConnectionNumbers {
    /// Begins somewhere: what names a connection of an earlier run must not name one of this.
    pub(super) fn new(start: u64) -> Self {
        Self(AtomicU64::new(start))
    }

    pub(super) fn next(&self) -> u64 {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => self.0.fetch_add(1, Ordering::Relaxed),
            number => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_numbers_go_around_zero() {
        let numbers = ConnectionNumbers::new(u64::MAX);

        assert_eq!(numbers.next(), u64::MAX);
        assert_eq!(numbers.next(), 1);
    }
}
