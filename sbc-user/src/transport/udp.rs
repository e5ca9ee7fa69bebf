//! Listening for datagrams.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;
use tracing::{debug, error};

use super::bind::udp_socket;
use super::datagram::is_keepalive;
use super::running::Stop;
use super::{BindError, Flow, Receiver};

/// The largest datagram that IP can carry.
const DATAGRAM_SIZE: usize = 65_535;
/// Datagrams that are received before others have their turn. Each may be forwarded to the same
/// connection, whose queue must be written before it is full.
const BATCH: usize = 16;
/// Time to wait after the socket failed.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound UDP socket.
#[derive(Debug)]
pub struct UdpListener {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) address: SocketAddr,
}

impl UdpListener {
    /// Binds `address`, and if an interface is named takes only what arrives on that one; an IPv6
    /// socket takes no IPv4.
    pub fn bind(address: SocketAddr, interface: Option<&str>) -> Result<Self, BindError> {
        let socket = udp_socket(address, interface)?;
        let address = socket.local_addr().unwrap_or(address);
        Ok(Self { socket: Arc::new(socket), address })
    }

    /// The address that is listened on, with the port that the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn register(self) -> io::Result<Datagrams> {
        let readable = tokio::net::UdpSocket::from_std(self.socket.try_clone()?)?;
        Ok(Datagrams { readable, _socket: self.socket })
    }
}

/// A socket that the runtime watches.
pub(super) struct Datagrams {
    readable: tokio::net::UdpSocket,
    /// What the outbox sends through, as long as we listen.
    _socket: Arc<UdpSocket>,
}

impl Datagrams {
    /// Hands on every datagram until told to stop.
    pub(super) async fn receive(self, listener: u8, receiver: Arc<dyn Receiver>, mut stop: Stop) {
        tokio::select! {
            () = self.receive_all(listener, &*receiver) => {}
            _ = stop.requested() => {}
        }
    }

    async fn receive_all(&self, listener: u8, receiver: &dyn Receiver) {
        let mut buffer = vec![0; DATAGRAM_SIZE];
        loop {
            for _ in 0..BATCH {
                match self.readable.recv_from(&mut buffer).await {
                    Ok((size, remote)) => {
                        let datagram = buffer.get(..size).unwrap_or_default();
                        receive_one(datagram, &Flow::udp(listener, remote), receiver);
                    }
                    Err(error) => {
                        debug!(listener, %error, "cannot receive");
                        sleep(PAUSE).await;
                    }
                }
            }
            yield_now().await;
        }
    }
}

/// Hands on one datagram. Should it make the receiver panic, only this datagram is lost: a stranger
/// must not silence the listener with a bug of ours.
fn receive_one(datagram: &[u8], flow: &Flow, receiver: &dyn Receiver) {
    if is_keepalive(datagram) {
        return;
    }
    if catch_unwind(AssertUnwindSafe(|| receiver.received(flow, datagram))).is_err() {
        error!(%flow, "a datagram made the daemon panic; it is dropped");
    }
}
