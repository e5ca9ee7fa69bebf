//! Listening for datagrams.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::task::yield_now;
use tokio::time::sleep;
use tracing::debug;

use super::batch::{BATCH, Desk, Incoming};
use super::bind::{udp_socket, udp_sockets};
use super::load::Gauge;
use super::running::Stop;
use super::worker::serve_batch;
use super::{BindError, Receiver};

/// Time to wait after the socket failed.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound address for datagrams.
#[derive(Debug)]
pub struct UdpListener {
    pub(super) sockets: Sockets,
    pub(super) address: SocketAddr,
}

/// Who serves the sockets of an address.
#[derive(Debug)]
pub(super) enum Sockets {
    /// The runtime.
    Watched(Arc<UdpSocket>),
    /// Threads, of which each has one.
    Shared(Vec<Arc<UdpSocket>>),
}

impl Sockets {
    /// The one that is sent through by those who serve none.
    pub(super) fn first(&self) -> Option<&Arc<UdpSocket>> {
        match self {
            Self::Watched(socket) => Some(socket),
            Self::Shared(sockets) => sockets.first(),
        }
    }
}

impl UdpListener {
    /// Binds `address`, and if an interface is named takes only what arrives on that one; an IPv6
    /// socket takes no IPv4.
    pub fn bind(address: SocketAddr, interface: Option<&str>) -> Result<Self, BindError> {
        let socket = Arc::new(udp_socket(address, interface)?);
        Ok(Self::new(Sockets::Watched(socket), address))
    }

    /// Binds `address` with as many sockets, among which the kernel spreads the flows: what comes from
    /// one address and port always arrives at the same one.
    pub fn bind_shared(
        address: SocketAddr,
        interface: Option<&str>,
        sockets: usize,
    ) -> Result<Self, BindError> {
        let sockets = udp_sockets(address, interface, sockets)?;
        Ok(Self::new(Sockets::Shared(sockets.into_iter().map(Arc::new).collect()), address))
    }

    fn new(sockets: Sockets, wanted: SocketAddr) -> Self {
        let address = sockets.first().and_then(|socket| socket.local_addr().ok());
        Self { sockets, address: address.unwrap_or(wanted) }
    }

    /// The address that is listened on, with the port that the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

thread_local! {
    /// What a thread of the runtime serves a batch with: one for each family, as [`Incoming`] asks.
    static DESK: RefCell<(Desk, [Incoming; 2])> =
        RefCell::new((Desk::new(), [Incoming::new(), Incoming::new()]));
}

/// A socket that the runtime watches.
pub(super) struct Datagrams {
    readable: tokio::net::UdpSocket,
    /// The same; and what the outbox sends through, as long as we listen.
    socket: Arc<UdpSocket>,
    is_ipv6: bool,
}

impl Datagrams {
    pub(super) fn register(socket: Arc<UdpSocket>) -> io::Result<Self> {
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        let readable = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
        Ok(Self { readable, socket, is_ipv6 })
    }

    /// Hands on every datagram until told to stop.
    pub(super) async fn receive(
        self,
        listener: u8,
        receiver: Arc<dyn Receiver>,
        mut gauge: Gauge,
        mut stop: Stop,
    ) {
        tokio::select! {
            () = self.receive_all(listener, &*receiver, &mut gauge) => {}
            _ = stop.requested() => {}
        }
    }

    /// Others have their turn when nothing waits any more, and else after a batch. Each datagram may be
    /// forwarded to the same connection, whose queue holds two batches: in between it is written.
    async fn receive_all(&self, listener: u8, receiver: &dyn Receiver, gauge: &mut Gauge) {
        let mut since_turn = 0;
        loop {
            match self.receive_batch(listener, receiver, gauge).await {
                Ok(BATCH) => since_turn = BATCH,
                Ok(count) => since_turn += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    debug!(listener, %error, "cannot receive");
                    sleep(PAUSE).await;
                }
            }
            if since_turn >= BATCH {
                yield_now().await;
                since_turn = 0;
            }
        }
    }

    /// Waits for datagrams, and hands on a batch of them; says how many there were.
    async fn receive_batch(
        &self,
        listener: u8,
        receiver: &dyn Receiver,
        gauge: &mut Gauge,
    ) -> io::Result<usize> {
        self.readable.readable().await?;
        let mut count = 0;
        let served = self.readable.try_io(Interest::READABLE, || {
            count = DESK.with_borrow_mut(|(desk, [ipv4, ipv6])| {
                let incoming = if self.is_ipv6 { ipv6 } else { ipv4 };
                serve_batch(desk, &self.socket, incoming, gauge, listener, receiver)
            })?;
            // It has met the end of the queue: what arrives from now on is told anew.
            if count < BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match served {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(count),
        }
    }
}
