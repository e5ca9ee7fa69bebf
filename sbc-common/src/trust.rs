use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{Address, MonotonicNanos, Protocol};

/// The class of proof that made an entry of the trust table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    /// Listed by the operator as hostile.
    Denied = 1,
    /// Listed by the operator as a peer.
    Static = 2,
    /// Answered our digest challenge (RFC 3261 §22).
    Digest = 3,
    /// Presented a certificate of the peer in a TLS handshake (RFC 5922).
    Tls = 4,
}

impl Lane {
    /// Reads the value kept in the table; `None` for one that this version does not know.
    #[must_use]
    #[inline(always)]
    pub const fn from_table(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Denied),
            2 => Some(Self::Static),
            3 => Some(Self::Digest),
            4 => Some(Self::Tls),
            _ => None,
        }
    }

    /// The name used in configuration, status, logs and the reference pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Static => "static",
            Self::Digest => "digest",
            Self::Tls => "tls",
        }
    }
}

/// The clear-text transports that an entry opens, as a set of bits.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Transports(u8);

impl Transports {
    /// Opens nothing.
    pub const NONE: Self = Self(0);
    /// Opens SIP over UDP.
    pub const UDP: Self = Self(1);
    /// Opens SIP over TCP.
    pub const TCP: Self = Self(2);

    /// The transports in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The transports in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Says whether clear-text SIP over `protocol` is in the set.
    #[must_use]
    #[inline(always)]
    pub const fn opens(self, protocol: Protocol) -> bool {
        let bit = match protocol {
            Protocol::Udp => Self::UDP,
            Protocol::Tcp => Self::TCP,
        };
        self.0 & bit.0 != 0
    }
}

/// Key of the exact trust table, 20 bytes without padding. Port zero speaks for every port of the
/// address; a port of its own keeps one phone behind a NAT apart from its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SourceKey {
    /// The source address.
    pub address: Address,
    /// Network byte order.
    port: u16,
    zero: u16,
}

impl SourceKey {
    /// The key of one port (host byte order) of an address.
    #[must_use]
    #[inline(always)]
    pub const fn new(address: Address, port: u16) -> Self {
        Self { address, port: port.to_be(), zero: 0 }
    }

    /// The source port, host byte order; zero for every port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        u16::from_be(self.port)
    }

    /// The key that speaks for every port of an address.
    #[must_use]
    #[inline(always)]
    pub const fn every_port(address: Address) -> Self {
        Self::new(address, 0)
    }
}

/// What is known of a source, and until when: 16 bytes without padding, native byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TrustEntry {
    /// The entry is void from this time on (`CLOCK_MONOTONIC` nanoseconds); [`Self::NEVER`] lasts.
    pub expires_at: u64,
    /// The peer it belongs to: its position in the configuration counted from one, zero for none.
    pub peer: u32,
    /// What it opens.
    pub transports: Transports,
    /// A [`Lane`].
    pub lane: u8,
    zero: [u8; 2],
}

impl TrustEntry {
    /// The `expires_at` of an entry that lasts until it is removed.
    pub const NEVER: u64 = u64::MAX;

    /// Makes an entry that is valid before `expires_at`.
    #[must_use]
    pub const fn new(lane: Lane, transports: Transports, expires_at: u64, peer: u32) -> Self {
        Self { expires_at, peer, transports, lane: lane as u8, zero: [0; 2] }
    }

    /// The class of proof; `None` for one that this version does not know.
    #[must_use]
    #[inline(always)]
    pub const fn lane(&self) -> Option<Lane> {
        Lane::from_table(self.lane)
    }

    /// Says whether the lifetime of the entry is over at `now`.
    #[must_use]
    #[inline(always)]
    pub const fn is_expired(&self, now: MonotonicNanos) -> bool {
        self.expires_at <= now.0
    }
}

const _: () = assert!(size_of::<SourceKey>() == 20);
const _: () = assert!(size_of::<TrustEntry>() == 16);
