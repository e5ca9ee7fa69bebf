//! Listening for datagrams.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;
use tracing::debug;

use super::bind::{udp_socket, udp_sockets};
use super::load::Gauge;
use super::running::Stop;
use super::worker::receive_one;
use super::{BindError, Flow, Receiver};

/// The largest datagram that IP can carry.
const DATAGRAM_SIZE: usize = 65_535;
/// Datagrams that are received before others have their turn. Each may be forwarded to the same
/// connection, whose queue must be written before it is full.
const BATCH: usize = 16;
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

/// A socket that the runtime watches.
pub(super) struct Datagrams {
    readable: tokio::net::UdpSocket,
    /// What the outbox sends through, as long as we listen.
    socket: Arc<UdpSocket>,
}

impl Datagrams {
    pub(super) fn register(socket: Arc<UdpSocket>) -> io::Result<Self> {
        let readable = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
        Ok(Self { readable, socket })
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

    async fn receive_all(&self, listener: u8, receiver: &dyn Receiver, gauge: &mut Gauge) {
        let mut buffer = vec![0; DATAGRAM_SIZE];
        let mut answer = Vec::new();
        loop {
            for _ in 0..BATCH {
                match self.readable.recv_from(&mut buffer).await {
                    Ok((size, remote)) => {
                        let datagram = buffer.get(..size).unwrap_or_default();
                        let flow = Flow::udp(listener, remote);
                        answer.clear();
                        receive_one(datagram, &flow, gauge.load(), receiver, &mut answer);
                        if !answer.is_empty()
                            && let Err(error) = self.readable.try_send_to(&answer, flow.remote)
                        {
                            debug!(%flow, %error, "an answer could not be sent");
                        }
                    }
                    Err(error) => {
                        debug!(listener, %error, "cannot receive");
                        sleep(PAUSE).await;
                    }
                }
            }
            gauge.measure(&self.socket);
            yield_now().await;
        }
    }
}
