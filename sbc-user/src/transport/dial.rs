//! Making connections.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::{debug, info};

use super::bind::connecting_socket;
use super::connection::{Switchboard, converse, set_options};
use super::handshake::{disproved, shown};
use super::line::{BRIEF, Destination, Ending, Line, Wish};
use super::queue::SendQueue;
use super::running::Stop;
use super::stream::report;
use super::{Dialed, Flow, Party};
use crate::proof::tls::{Following, ShownCertificate};

/// Time from the first packet to the last one of the TLS handshake.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the connections that are wished for, until told to stop; returns how many had to be cut off then.
pub(super) async fn dial_all(
    mut wished: mpsc::UnboundedReceiver<Wish>,
    switchboard: Arc<Switchboard>,
    mut stop: Stop,
) -> usize {
    let mut connections = JoinSet::new();
    let deadline = loop {
        tokio::select! {
            deadline = stop.requested() => break deadline,
            Some(ended) = connections.join_next() => report(ended),
            Some(wish) = wished.recv() => {
                connections.spawn(fulfil(wish, Arc::clone(&switchboard), stop.clone()));
            }
        }
    };
    let _ = timeout_at(deadline, async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    })
    .await;
    let cut_off = connections.len();
    connections.shutdown().await;
    cut_off
}

/// Shuts the line when the connection is over, also when its task is aborted or panics.
struct Opened {
    wish: Option<Wish>,
    line: Arc<Line>,
    queue: SendQueue,
    ending: Ending,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.line.shut(&self.queue, self.ending);
    }
}

async fn fulfil(wish: Wish, switchboard: Arc<Switchboard>, mut stop: Stop) {
    let (line, queue) = (Arc::clone(&wish.line), wish.queue.clone());
    let destination = &Arc::clone(&line).destination;
    let mut opened = Opened { wish: Some(wish), line, queue, ending: Ending::NotMade };
    let connected = tokio::select! {
        connected = timeout(PATIENCE, connect(destination)) => connected,
        _ = stop.requested() => return,
    };
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let Some(mut wish) = opened.wish.take() else { return };
    let (stream, tls) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            debug!(to = %destination.flow, %error, "cannot connect");
            // Before others learn of it: nothing more is to be queued.
            drop(opened);
            switchboard.receiver.undeliverable(&destination.flow, wish.waiting.take_all());
            return;
        }
    };
    let flow = Flow { connection: switchboard.numbers.next(), ..destination.flow };
    let start = Instant::now();
    let ends = (wish.queue, wish.waiting);
    let dialed = Dialed { peer: destination.tls.as_ref().and_then(|tls| tls.peer.clone()) };
    let dialed = Some(&dialed);
    match tls {
        None => {
            let party = Party { dialed, ..Party::default() };
            converse(stream, &flow, party, ends, &switchboard, &mut stop, pending()).await;
        }
        Some(connector) => {
            let shaken = tokio::select! {
                shaken = timeout(PATIENCE, connector.connect(stream)) => shaken,
                _ = stop.requested() => return,
            };
            let (queue, mut waiting) = ends;
            match shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok((stream, shown, following)) => {
                    let party = Party { shown: shown.as_ref(), dialed, ..Party::default() };
                    let (ends, end) = ((queue, waiting), disproved(following, shown.clone()));
                    converse(stream, &flow, party, ends, &switchboard, &mut stop, end).await;
                }
                Err(error) => {
                    info!(to = %destination.flow, %error, "no TLS with who is there");
                    drop(opened);
                    switchboard.receiver.undeliverable(&destination.flow, waiting.take_all());
                    return;
                }
            }
        }
    }
    opened.ending = Ending::Over;
    let was_brief = start.elapsed() < BRIEF && !stop.is_requested();
    drop(opened);
    // With TLS 1.3 we are connected before the other end has looked at our certificate.
    if was_brief {
        switchboard.receiver.undeliverable(&destination.flow, Vec::new());
    }
}

/// A handshake to be.
struct Connector {
    following: Following<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    async fn connect(
        mut self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Arc<ShownCertificate>>, Following<ClientConfig>)>
    {
        let connector = TlsConnector::from(Arc::clone(&self.following.current().config));
        let stream = connector.connect(self.name, stream).await?;
        let shown = shown(stream.get_ref().1.peer_certificates());
        Ok((stream, shown.map_err(io::Error::other)?, self.following))
    }
}

async fn connect(destination: &Destination) -> io::Result<(TcpStream, Option<Connector>)> {
    let from = SocketAddr::new(destination.from, 0);
    let socket = connecting_socket(from, destination.interface.as_deref())?;
    let stream = socket.connect(destination.flow.remote).await?;
    set_options(&stream, &destination.flow);
    let tls = destination.tls.as_ref();
    let connector =
        tls.map(|tls| Connector { following: tls.config.follow(), name: tls.name.clone() });
    Ok((stream, connector))
}
