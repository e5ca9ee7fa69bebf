//! The way out.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use nix::errno::Errno;
use thiserror::Error;

use tokio::sync::mpsc;

use super::line::{Destination, Lines, Wish};
use super::post::{self, Note, Posted};
use super::queue::SendQueue;
use super::{Flow, Transport};

/// Sends messages; clones are cheap, and all send over the same sockets.
#[derive(Clone)]
pub struct Outbox(Arc<Ways>);

struct Ways {
    /// By position of the listener. Weak, so that an outbox does not keep a port open.
    sockets: Vec<Option<Weak<UdpSocket>>>,
    connections: RwLock<HashMap<u64, Connection>>,
    lines: Lines,
}

struct Connection {
    flow: Flow,
    queue: SendQueue,
}

/// Why a message was not sent; it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendFailure {
    /// The peer does not read, and its connection is closed now; over UDP, and over a connection that is for
    /// many, only this message is lost.
    #[error("the send queue is full")]
    QueueFull,
    /// The connection has ended, or never was.
    #[error("there is no such connection")]
    NoConnection,
    /// A connection could not be made a moment ago.
    #[error("the destination is not reachable")]
    Unreachable,
    /// There is no such UDP listener, or it was shut down.
    #[error("there is no such listener")]
    NoListener,
    /// The message is larger than a datagram or a send queue.
    #[error("the message is too large")]
    TooLarge,
    /// The system refused, for instance because there is no route.
    #[error("{0}")]
    System(io::ErrorKind),
}

impl Outbox {
    pub(super) fn new(
        sockets: Vec<Option<Weak<UdpSocket>>>,
    ) -> (Self, mpsc::UnboundedReceiver<Wish>) {
        let (lines, wished) = Lines::new();
        (Self(Arc::new(Ways { sockets, connections: RwLock::default(), lines })), wished)
    }

    /// Lets connections be made to these from now on, and to no others.
    pub fn lead_to(&self, destinations: Vec<Destination>) {
        self.0.lines.lead_to(destinations);
    }

    /// Makes the connection to a destination, if there is none; does not wait for it.
    pub fn open(&self, flow: &Flow) -> Result<(), SendFailure> {
        self.0.lines.open(flow)
    }

    /// Sends a message, or queues it for the connection of `flow`; never blocks. Where that connection has
    /// ended, or is 0, and leads to a destination, it goes over the one that is made there.
    ///
    /// No error does not mean that it arrived.
    pub fn send(&self, flow: &Flow, message: Vec<u8>) -> Result<(), SendFailure> {
        match flow.transport {
            Transport::Udp => self.send_datagram(flow, &message),
            Transport::Tcp | Transport::Tls => self.enqueue(flow, message),
        }
    }

    /// As [`send`](Self::send), but while a batch of datagrams is served, those that are sent meanwhile
    /// leave together after it; whether the system took this one, the receiver is told with `note`.
    pub fn post(&self, flow: &Flow, message: Vec<u8>, note: Note) -> Result<Posted, SendFailure> {
        if flow.transport.is_stream() {
            return self.enqueue(flow, message).map(|()| Posted::Sent);
        }
        match post::collect(&self.socket(flow)?, flow.remote, message, note) {
            Ok(collected) => collected,
            Err(message) => self.send_datagram(flow, &message).map(|()| Posted::Sent),
        }
    }

    fn send_datagram(&self, flow: &Flow, message: &[u8]) -> Result<(), SendFailure> {
        // The socket does not block; asking it directly needs no runtime, and no wait for tokio to
        // learn that it is writable.
        self.socket(flow)?.send_to(message, flow.remote)?;
        Ok(())
    }

    fn socket(&self, flow: &Flow) -> Result<Arc<UdpSocket>, SendFailure> {
        let socket = self.0.sockets.get(usize::from(flow.listener)).and_then(Option::as_ref);
        socket.and_then(Weak::upgrade).ok_or(SendFailure::NoListener)
    }

    fn enqueue(&self, flow: &Flow, message: Vec<u8>) -> Result<(), SendFailure> {
        post::note_queued();
        match self.queue(flow) {
            Some(queue) => queue.push(message),
            None => self.0.lines.send(flow, message),
        }
    }

    fn queue(&self, flow: &Flow) -> Option<SendQueue> {
        let connections = self.0.connections.read().unwrap_or_else(PoisonError::into_inner);
        let connection = connections.get(&flow.connection)?;
        (connection.flow == *flow).then(|| connection.queue.clone())
    }

    /// Every connection, made to us or by us.
    #[must_use]
    pub fn connections(&self) -> Vec<Flow> {
        let connections = self.0.connections.read().unwrap_or_else(PoisonError::into_inner);
        connections.values().map(|connection| connection.flow).collect()
    }

    /// Ends a connection at once; what is queued for it is lost.
    pub fn cut(&self, flow: &Flow) {
        if let Some(queue) = self.queue(flow) {
            queue.abort();
        }
    }

    pub(super) fn register(&self, flow: Flow, queue: SendQueue) {
        let mut connections = self.0.connections.write().unwrap_or_else(PoisonError::into_inner);
        connections.insert(flow.connection, Connection { flow, queue });
    }

    pub(super) fn forget(&self, flow: &Flow) {
        let mut connections = self.0.connections.write().unwrap_or_else(PoisonError::into_inner);
        connections.remove(&flow.connection);
    }
}

impl From<Errno> for SendFailure {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl From<io::Error> for SendFailure {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS) => Self::QueueFull,
            Some(libc::EMSGSIZE) => Self::TooLarge,
            Some(_) | None => Self::System(error.kind()),
        }
    }
}
