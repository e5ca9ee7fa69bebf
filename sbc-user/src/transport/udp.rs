//! Listening for datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use super::BindError;
use super::bind::{udp_socket, udp_sockets};

/// A bound address for datagrams.
#[derive(Debug)]
pub struct UdpListener {
    pub(super) sockets: Sockets,
    pub(super) address: SocketAddr,
}

/// Who serves the sockets of an address.
#[derive(Debug)]
pub(super) enum Sockets {
    /// One thread, from which connections have their turn.
    Feeding(Arc<UdpSocket>),
    /// Threads, of which each has one.
    Shared(Vec<Arc<UdpSocket>>),
}

impl Sockets {
    /// The one that is sent through by those who serve none.
    pub(super) fn first(&self) -> Option<&Arc<UdpSocket>> {
        match self {
            Self::Feeding(socket) => Some(socket),
            Self::Shared(sockets) => sockets.first(),
        }
    }
}

impl UdpListener {
    /// Binds `address`, and if an interface is named takes only what arrives on that one; an IPv6
    /// socket takes no IPv4.
    pub fn bind(address: SocketAddr, interface: Option<&str>) -> Result<Self, BindError> {
        let socket = Arc::new(udp_socket(address, interface)?);
        Ok(Self::new(Sockets::Feeding(socket), address))
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
