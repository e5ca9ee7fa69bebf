use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{Address, Budget, MonotonicNanos, Protocol};

/// The class of proof that made an entry of the trust table. The values are kept in pinned tables, so that a lane
/// which came later has a higher one, however much it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    /// Listed by the operator as hostile.
    Denied = 1,
    /// Proved itself of late, and has to do so again: within a budget of its own it is heard before
    /// strangers are.
    Probation = 2,
    /// Listed by the operator as a peer.
    Static = 3,
    /// Answered our digest challenge (RFC 3261 §22).
    Digest = 4,
    /// Presented a certificate of the peer in a TLS handshake (RFC 5922).
    Tls = 5,
    /// Speaks through an IPsec security association of the peer (RFC 4301).
    Ipsec = 6,
    /// Is at an address that the DNS gives for a name of the peer's.
    Dns = 7,
}

impl Lane {
    /// Every lane, in the order of their values.
    pub const ALL: [Self; 7] = [
        Self::Denied,
        Self::Probation,
        Self::Static,
        Self::Digest,
        Self::Tls,
        Self::Ipsec,
        Self::Dns,
    ];

    /// Reads the value kept in the table; `None` for one that this version does not know.
    #[must_use]
    #[inline(always)]
    pub const fn from_table(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Denied),
            2 => Some(Self::Probation),
            3 => Some(Self::Static),
            4 => Some(Self::Digest),
            5 => Some(Self::Tls),
            6 => Some(Self::Ipsec),
            7 => Some(Self::Dns),
            _ => None,
        }
    }

    /// The name used in configuration, status, logs and the reference pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Probation => "probation",
            Self::Static => "static",
            Self::Digest => "digest",
            Self::Tls => "tls",
            Self::Ipsec => "ipsec",
            Self::Dns => "dns",
        }
    }
}

/// The transports that an entry opens, as a set of bits.
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
    /// Opens the TLS listeners without the limits that strangers meet there.
    pub const TLS: Self = Self(4);
    /// Opens IKE and ESP.
    pub const IPSEC: Self = Self(8);
    /// Opens SIP in clear, over UDP and TCP.
    pub const CLEAR: Self = Self::UDP.union(Self::TCP);

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

    /// The transport of clear-text SIP over `protocol`; of ESP that of IPsec.
    #[must_use]
    #[inline(always)]
    pub const fn over(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Udp => Self::UDP,
            Protocol::Tcp => Self::TCP,
            Protocol::Esp => Self::IPSEC,
        }
    }

    /// Says whether clear-text SIP over `protocol` is in the set.
    #[must_use]
    #[inline(always)]
    pub const fn opens(self, protocol: Protocol) -> bool {
        self.contains(Self::over(protocol))
    }

    /// Says whether nothing is in the set.
    #[must_use]
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as a number.
    #[must_use]
    #[inline(always)]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set that has this number.
    #[must_use]
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Says whether all of `others` are in the set.
    #[must_use]
    #[inline(always)]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
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
    /// Leading bits of the address that count, zero for all of them.
    scope: u16,
}

impl SourceKey {
    /// The part of an IPv6 address that one site has to itself (RFC 6177, RFC 7421), in bits.
    pub const SUBNET_LENGTH: u8 = 64;

    /// The key of one port (host byte order) of an address.
    #[must_use]
    #[inline(always)]
    pub const fn new(address: Address, port: u16) -> Self {
        Self { address, port: port.to_be(), scope: 0 }
    }

    /// The key that speaks for the whole /64 around an IPv6 address: its holder may use any address in
    /// it, and changes them daily (RFC 8981). Meaningless for IPv4.
    #[must_use]
    #[inline(always)]
    pub const fn subnet(address: Address) -> Self {
        Self { address: address.subnet(), port: 0, scope: Self::SUBNET_LENGTH as u16 }
    }

    /// Says whether the key speaks for a /64.
    #[must_use]
    pub const fn is_subnet(&self) -> bool {
        self.scope == Self::SUBNET_LENGTH as u16
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

/// The hop limits that packets of a source arrive with; both zero when none was learned.
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
#[repr(C)]
pub struct HopBand {
    /// The lowest, inclusive.
    pub lowest: u8,
    /// The highest, inclusive; zero when none was learned.
    pub highest: u8,
}

impl HopBand {
    /// Nothing was learned, so every hop limit is as good as another.
    pub const ANY: Self = Self { lowest: 0, highest: 0 };

    /// Says whether a packet with `hop_limit` may come from the source.
    #[must_use]
    #[inline(always)]
    pub const fn admits(self, hop_limit: u8) -> bool {
        self.highest == 0 || self.lowest <= hop_limit && hop_limit <= self.highest
    }
}

/// How many packets a source may send: a [`Budget`], and where its state is kept. 12 bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Pace {
    /// Nanoseconds that one packet costs; zero: without limit.
    pub interval: u32,
    /// How many packets may come at once.
    pub burst: u32,
    /// Which of the meters of sources counts them. Entries may share one.
    pub slot: u32,
}

impl Pace {
    /// Without limit.
    pub const UNLIMITED: Self = Self { interval: 0, burst: 0, slot: 0 };

    /// The budget; `None` when there is no limit.
    #[must_use]
    #[inline(always)]
    pub const fn budget(self) -> Option<Budget> {
        if self.interval == 0 {
            return None;
        }
        let (interval, burst) = (self.interval as u64, self.burst as u64);
        Some(Budget { interval, tolerance: interval * burst })
    }
}

/// What is known of a source, and until when: 32 bytes without padding, native byte order.
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
    /// What its packets' hop limits are.
    pub hops: HopBand,
    /// How many packets it may send.
    pub pace: Pace,
    /// Not zero: what it opens in clear is for what comes out of an IPsec association, and is dropped on
    /// the wire, for as long as there is the entry.
    only_in_ipsec: u8,
    /// Whose names an entry of the lane `dns` was made by.
    tag: [u8; 3],
}

impl TrustEntry {
    /// The `expires_at` of an entry that lasts until it is removed.
    pub const NEVER: u64 = u64::MAX;

    /// Makes an entry that is valid before `expires_at`.
    #[must_use]
    pub const fn new(lane: Lane, transports: Transports, expires_at: u64, peer: u32) -> Self {
        Self {
            expires_at,
            peer,
            transports,
            lane: lane as u8,
            hops: HopBand::ANY,
            pace: Pace::UNLIMITED,
            only_in_ipsec: 0,
            tag: [0; 3],
        }
    }

    /// The same entry, of a source whose SIP in clear has to come out of an IPsec association if `is_so`.
    #[must_use]
    pub const fn only_in_ipsec(self, is_so: bool) -> Self {
        Self { only_in_ipsec: is_so as u8, ..self }
    }

    /// The same entry, marked as made by the names of whoever has this tag. The filter does not read it: another
    /// run of the daemon, with other peers, tells by it whose the entry was.
    #[must_use]
    pub const fn tagged(self, tag: [u8; 3]) -> Self {
        Self { tag, ..self }
    }

    /// The tag; zeros if it has none.
    #[must_use]
    pub const fn tag(&self) -> [u8; 3] {
        self.tag
    }

    /// Says whether the source's SIP in clear has to come out of an IPsec association.
    #[must_use]
    #[inline(always)]
    pub const fn is_only_in_ipsec(&self) -> bool {
        self.only_in_ipsec != 0
    }

    /// The same entry for a source with a known distance and a budget.
    #[must_use]
    pub const fn limited(self, hops: HopBand, pace: Pace) -> Self {
        Self { hops, pace, ..self }
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
const _: () = assert!(size_of::<TrustEntry>() == 32);
