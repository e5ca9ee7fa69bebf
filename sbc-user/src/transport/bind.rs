//! Binding sockets, and saying clearly why it did not work.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;
use tokio::net::TcpSocket;
use tracing::{debug, info};

use super::Transport;

/// Bytes of datagrams that may wait for us: 50 ms of 100,000 small messages per second.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Why a listener could not be bound.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket has the address and port.
    #[error(
        "cannot listen on {transport} {address}: address already in use; \
         to see by whom, run: ss -Hlnp{} 'sport = :{}'",
        if transport.is_stream() { 't' } else { 'u' },
        address.port()
    )]
    AddressInUse {
        /// The transport.
        transport: Transport,
        /// The address that is taken.
        address: SocketAddr,
    },
    /// The address belongs to no interface.
    #[error(
        "cannot listen on {transport} {address}: not an address of this machine; \
         to see those, run: ip -brief address"
    )]
    AddressNotAvailable {
        /// The transport.
        transport: Transport,
        /// The address that is not there.
        address: SocketAddr,
    },
    /// The port is reserved for the privileged.
    #[error(
        "cannot listen on {transport} {address}: permission denied; \
         a port below net.ipv4.ip_unprivileged_port_start takes CAP_NET_BIND_SERVICE"
    )]
    PermissionDenied {
        /// The transport.
        transport: Transport,
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The system refused for another reason.
    #[error("cannot listen on {transport} {address}: {source}")]
    System {
        /// The transport.
        transport: Transport,
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The interface that the socket is to be bound to does not exist.
    #[error("cannot listen on {transport} {address}: there is no network interface {interface:?}")]
    NoSuchInterface {
        /// The transport.
        transport: Transport,
        /// The address that was asked for.
        address: SocketAddr,
        /// The interface.
        interface: String,
    },
    /// A TLS listener has neither certificate nor key.
    #[error("cannot listen on TLS {address}: no TLS configuration is given")]
    NoTlsConfiguration {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// There are more listeners than a flow can number.
    #[error("more than 256 listeners")]
    TooManyListeners,
}

/// Binds a UDP socket that does not block, to one interface if it is named.
pub(super) fn udp_socket(
    address: SocketAddr,
    interface: Option<&str>,
) -> Result<UdpSocket, BindError> {
    udp(address, interface, false)
        .map_err(|source| BindError::on(interface, Transport::Udp, address, source))
}

/// Binds as many UDP sockets to one address, and to one interface if it is named.
///
/// The first is bound alone: sockets of somebody else there, those of another daemon of ours included,
/// are an error, and not shared with.
pub(super) fn udp_sockets(
    address: SocketAddr,
    interface: Option<&str>,
    count: usize,
) -> Result<Vec<UdpSocket>, BindError> {
    let first = udp_socket(address, interface)?;
    if count <= 1 {
        return Ok(vec![first]);
    }
    let failed = |source| BindError::new(Transport::Udp, address, source);
    // With the port that the system chose for port 0.
    let bound = first.local_addr().map_err(failed)?;
    SockRef::from(&first).set_reuse_port(true).map_err(failed)?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(udp(bound, interface, true).map_err(failed)?);
    }
    Ok(sockets)
}

/// Binds a TCP socket that does not block, for TCP or TLS, to one interface if it is named, and listens.
pub(super) fn tcp_socket(
    transport: Transport,
    address: SocketAddr,
    interface: Option<&str>,
) -> Result<TcpListener, BindError> {
    tcp(address, interface).map_err(|source| BindError::on(interface, transport, address, source))
}

/// A TCP socket to connect with from an address, by one interface if it is named.
pub(super) fn connecting_socket(
    from: SocketAddr,
    interface: Option<&str>,
) -> io::Result<TcpSocket> {
    let socket = Socket::new(Domain::for_address(from), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(interface) = interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&from.into())?;
    Ok(TcpSocket::from_std_stream(socket.into()))
}

fn udp(address: SocketAddr, interface: Option<&str>, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // Before the address: no datagram from elsewhere may slip into the queue.
    if let Some(interface) = interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    ask_for_receive_buffer(&SockRef::from(&socket));
    Ok(socket.into())
}

fn tcp(address: SocketAddr, interface: Option<&str>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(interface) = interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run may still be in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The kernel grants what `net.core.rmem_max` allows, and does not fail for less.
fn ask_for_receive_buffer(socket: &SockRef<'_>) {
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
        debug!(%error, "cannot set the receive buffer's size");
    }
    match socket.recv_buffer_size() {
        Ok(granted) if granted < RECEIVE_BUFFER => info!(
            granted,
            wanted = RECEIVE_BUFFER,
            "small receive buffer; net.core.rmem_max limits it"
        ),
        Ok(_) => {}
        Err(error) => debug!(%error, "cannot read the receive buffer's size"),
    }
}

impl BindError {
    fn on(
        interface: Option<&str>,
        transport: Transport,
        address: SocketAddr,
        source: io::Error,
    ) -> Self {
        match (source.raw_os_error(), interface) {
            (Some(libc::ENODEV), Some(interface)) => {
                Self::NoSuchInterface { transport, address, interface: interface.to_owned() }
            }
            _ => Self::new(transport, address, source),
        }
    }

    fn new(transport: Transport, address: SocketAddr, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EADDRINUSE) => Self::AddressInUse { transport, address },
            Some(libc::EADDRNOTAVAIL) => Self::AddressNotAvailable { transport, address },
            Some(libc::EACCES | libc::EPERM) => Self::PermissionDenied { transport, address },
            Some(_) | None => Self::System { transport, address, source },
        }
    }
}
