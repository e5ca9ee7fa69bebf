//! The addresses around a gateway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A version of IP; every host around a [`crate::Gateway`] has addresses of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Version 4.
    V4,
    /// Version 6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The gateway's address towards the internet.
    #[must_use]
    pub const fn gateway(self) -> IpAddr {
        self.outside(1)
    }

    /// Where the gateway listens for SIP over UDP and TCP.
    #[must_use]
    pub const fn sip(self) -> SocketAddr {
        SocketAddr::new(self.gateway(), 5060)
    }

    /// Where the gateway listens for SIP over TLS.
    #[must_use]
    pub const fn sips(self) -> SocketAddr {
        SocketAddr::new(self.gateway(), 5061)
    }

    /// The first address of the internet host, within [`Self::SOURCES`].
    #[must_use]
    pub const fn caller(self) -> IpAddr {
        self.outside(7)
    }

    /// Another address of the internet host, within [`Self::SOURCES`] too.
    #[must_use]
    pub const fn neighbour(self) -> IpAddr {
        self.outside(8)
    }

    /// An address of the internet host that is not within [`Self::SOURCES`].
    #[must_use]
    pub const fn elsewhere(self) -> IpAddr {
        self.outside(66)
    }

    /// The gateway's address towards the inside.
    #[must_use]
    pub const fn gateway_inside(self) -> IpAddr {
        self.inside(1)
    }

    /// The gateway's SIP socket towards the inside.
    #[must_use]
    pub const fn sip_inside(self) -> SocketAddr {
        SocketAddr::new(self.gateway_inside(), 5060)
    }

    /// The protected SIP system.
    #[must_use]
    pub const fn upstream(self) -> SocketAddr {
        SocketAddr::new(self.inside(5), 5060)
    }

    /// Another address of the inside host.
    #[must_use]
    pub const fn intruder(self) -> IpAddr {
        self.inside(66)
    }

    /// Two networks that hold some of the internet host's addresses, as a list in TOML.
    pub const SOURCES: &str = r#"["198.51.100.0/28", "2001:db8:1::/124"]"#;

    const fn outside(self, host: u8) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(198, 51, 100, host)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, host as u16)),
        }
    }

    const fn inside(self, host: u8) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, host as u16)),
        }
    }

    /// An address with the length of its network.
    pub(crate) fn with_length(self, address: IpAddr) -> String {
        match self {
            Self::V4 => format!("{address}/24"),
            Self::V6 => format!("{address}/64"),
        }
    }
}
