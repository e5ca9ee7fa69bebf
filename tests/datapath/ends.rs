use std::net::SocketAddr;

/// The addresses that the rows of one address family use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) family: &'static str,
    /// The protected address.
    pub(crate) edge: &'static str,
    /// Another host behind the same gateway.
    pub(crate) behind: &'static str,
    /// The edge's own address on the network of the upstream.
    pub(crate) upstream_side: &'static str,
    pub(crate) stranger: &'static str,
    pub(crate) peer: &'static str,
    /// The prefix around the peer, which the stranger is not in.
    pub(crate) around_peer: &'static str,
    /// The peer's address as a prefix.
    pub(crate) only_peer: &'static str,
    /// Another address of the peer's prefix.
    pub(crate) neighbour: &'static str,
    /// An address of a stranger who has a connection to the TLS listener, from port 5060.
    pub(crate) connected: &'static str,
}

impl Ends {
    /// The two ends of the one connection that the network stack knows, the stranger's first.
    pub(crate) fn connection(&self) -> [SocketAddr; 2] {
        let end = |address: &str, port| SocketAddr::new(address.parse().unwrap(), port);
        [end(self.connected, 5060), end(self.edge, 5061)]
    }
}

pub(crate) const IPV4: Ends = Ends {
    family: "IPv4",
    edge: "203.0.113.10",
    behind: "203.0.113.80",
    upstream_side: "10.0.0.1",
    stranger: "192.0.2.66",
    peer: "198.51.100.7",
    around_peer: "198.51.100.0/24",
    only_peer: "198.51.100.7/32",
    neighbour: "198.51.100.8",
    connected: "192.0.2.77",
};

pub(crate) const IPV6: Ends = Ends {
    family: "IPv6",
    edge: "2001:db8:10::10",
    behind: "2001:db8:10::80",
    upstream_side: "fd00::1",
    stranger: "2001:db8:bad::66",
    peer: "2001:db8:7::7",
    around_peer: "2001:db8:7::/64",
    only_peer: "2001:db8:7::7/128",
    neighbour: "2001:db8:7::8",
    connected: "2001:db8:bad::77",
};

pub(crate) const FAMILIES: [Ends; 2] = [IPV4, IPV6];
