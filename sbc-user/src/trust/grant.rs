use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{HopBand, Lane, MonotonicNanos, Pace, Prefix, SourceKey, Transports, TrustEntry};

/// What a grant of trust is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// One address, all ports.
    Address(IpAddr),
    /// One port of one address: one phone behind a NAT.
    Port(SocketAddr),
    /// The /64 around an IPv6 address, by its network address: what somebody proved there before this
    /// process began, whoever and at which address.
    Subnet(Ipv6Addr),
    /// A network of the configuration.
    Network(Prefix),
}

/// Who proved himself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A peer, by its position in the configuration.
    Peer(usize),
    /// A user of the users file.
    User(Arc<str>),
    /// A user who did so of late, wherever behind the same address he comes back.
    Returning(Arc<str>),
    /// Somebody who did so before this process began.
    Earlier,
    /// The operator's list of denied sources.
    Operator,
    /// Somebody who did over a proven path what nobody does who means well: he is denied for a time.
    Offender,
}

/// One entry of the ledger.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Who it belongs to.
    pub holder: Holder,
    /// On what proof.
    pub lane: Lane,
    /// What it opens in the kernel.
    pub transports: Transports,
    /// Until when; [`TrustEntry::NEVER`] until it is removed.
    pub expires_at: MonotonicNanos,
    /// The TLS connections that keep it alive.
    pub connections: u32,
    /// How long it lasts beyond them.
    pub lifetime: Duration,
    /// How many packets it lets through.
    pub pace: Pace,
    /// Which hop limits its packets arrive with, as far as its own have told.
    pub hops: HopBand,
}

/// The names of transports.
pub fn opened(transports: Transports) -> impl Iterator<Item = &'static str> {
    let names = [
        ("udp", Transports::UDP),
        ("tcp", Transports::TCP),
        ("tls", Transports::TLS),
        ("ipsec", Transports::IPSEC),
    ];
    let open = names.into_iter().filter(move |(_, transport)| transports.contains(*transport));
    open.map(|(name, _)| name)
}

impl Grant {
    /// Says whether the grant is still good.
    #[must_use]
    pub const fn is_live(&self, now: MonotonicNanos) -> bool {
        self.expires_at.0 > now.0
    }

    pub(super) fn entry(&self) -> TrustEntry {
        TrustEntry::new(self.lane, self.transports, self.expires_at.0, self.holder.number())
            .limited(self.hops, self.pace)
    }
}

impl Holder {
    /// The number of a peer in the kernel's tables; zero for everybody else.
    pub(super) fn number(&self) -> u32 {
        match self {
            Self::Peer(position) => {
                position.checked_add(1).and_then(|it| u32::try_from(it).ok()).unwrap_or(0)
            }
            Self::User(_)
            | Self::Returning(_)
            | Self::Earlier
            | Self::Operator
            | Self::Offender => 0,
        }
    }
}

impl Place {
    /// The place of a key of the kernel's table of sources.
    #[must_use]
    pub fn of_key(key: &SourceKey) -> Self {
        let address = IpAddr::from(key.address);
        match (address, key.port()) {
            (IpAddr::V6(network), _) if key.is_subnet() => Self::Subnet(network),
            (_, 0) => Self::Address(address),
            (_, port) => Self::Port(SocketAddr::new(address, port)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Port(socket) => socket.fmt(formatter),
            Self::Subnet(network) => write!(formatter, "{network}/64"),
            Self::Network(prefix) => {
                let address = IpAddr::from(prefix.address);
                let offset = if address.is_ipv4() && prefix.length >= 96 { 96 } else { 0 };
                write!(formatter, "{address}/{}", prefix.length - offset)
            }
        }
    }
}
