//! Where a message came from, and where its answer goes.

use std::fmt;
use std::net::{SocketAddr, SocketAddrV6};

/// A SIP transport (RFC 3261 §18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams in the clear.
    Udp,
    /// A stream in the clear.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl Transport {
    /// The name in a Via header (RFC 3261 §20.42).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether messages travel over a connection.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One way between a peer and one of our listeners.
///
/// Over UDP it is the peer's address as the datagram claims it. Over a stream it is one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// Position of the listener in the configuration, from 0; those towards the upstream come last.
    pub listener: u8,
    /// The peer; an IPv4 address is never written as an IPv6 one.
    pub remote: SocketAddr,
    /// The number of the connection, never used for another one; 0 over UDP, and for whichever connection we
    /// make to `remote`.
    pub connection: u64,
}

impl Flow {
    /// The way to `remote` over the UDP listener at position `listener`.
    #[must_use]
    pub fn udp(listener: u8, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, listener, remote: canonical(remote), connection: 0 }
    }

    /// The way to `remote` over whichever connection we make there, or over UDP.
    #[must_use]
    pub fn leading_to(transport: Transport, listener: u8, remote: SocketAddr) -> Self {
        Self { transport, listener, remote: canonical(remote), connection: 0 }
    }

    pub(super) fn stream(
        transport: Transport,
        listener: u8,
        remote: SocketAddr,
        connection: u64,
    ) -> Self {
        Self { transport, listener, remote: canonical(remote), connection }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.transport, self.remote)
    }
}

/// One spelling per peer: `::ffff:192.0.2.1` becomes `192.0.2.1`, and the flow label is left out.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_peer_is_the_same_through_an_ipv6_socket() {
        let mapped = Flow::udp(0, "[::ffff:192.0.2.1]:5060".parse().unwrap());
        let plain = Flow::udp(0, "192.0.2.1:5060".parse().unwrap());

        assert_eq!(mapped, plain);
    }

    #[test]
    fn an_ipv6_peer_keeps_its_scope_but_not_its_flow_label() {
        let address = "fe80::1".parse().unwrap();
        let flow = Flow::udp(0, SocketAddrV6::new(address, 5060, 7, 3).into());

        assert_eq!(flow.remote, SocketAddrV6::new(address, 5060, 0, 3).into());
    }
}
