//! The kernel maps: one table of names and capacities for both sides.

use crate::{
    Address, AssociationKey, Coarse, Datagram, Filter, ServiceBucket, ServiceTable, Setting,
    SourceKey, TrustEntry, Verdict,
};

/// Version of the layout of keys, values and map meanings. It is part of the directory that maps are
/// pinned in, so that two versions that disagree never share one.
pub const ABI_VERSION: u32 = 3;

/// A map type by its number in the kernel's `enum bpf_map_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MapKind {
    /// `BPF_MAP_TYPE_HASH`.
    Hash = 1,
    /// `BPF_MAP_TYPE_ARRAY`.
    Array = 2,
    /// `BPF_MAP_TYPE_PERCPU_ARRAY`.
    PerCpuArray = 6,
    /// `BPF_MAP_TYPE_LPM_TRIE`.
    LpmTrie = 11,
    /// `BPF_MAP_TYPE_RINGBUF`.
    RingBuf = 27,
}

/// The name and the shape of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// The name in the object file and of the pin.
    pub name: &'static str,
    /// The map type.
    pub kind: MapKind,
    /// The size of a key in bytes.
    pub key_size: u32,
    /// The size of a value in bytes; for per-CPU maps, on one CPU.
    pub value_size: u32,
    /// The number of entries. For [`TRUST`] it is the default that the configuration may replace.
    pub capacity: u32,
    /// The kernel's `BPF_F_` flags. What is [`READ_ONLY`] for the programs cannot be changed by them.
    pub flags: u32,
}

/// Memory is taken entry by entry: `BPF_F_NO_PREALLOC`, without which there is no prefix table.
const NO_PREALLOC: u32 = 1;
/// The programs cannot write to the map, whatever happens in them: `BPF_F_RDONLY_PROG`.
pub const READ_ONLY: u32 = 1 << 7;

#[expect(clippy::cast_possible_truncation, reason = "sizes and counts of a few dozen")]
impl MapSpec {
    const fn new<K, V>(name: &'static str, kind: MapKind, capacity: u32) -> Self {
        Self {
            name,
            kind,
            key_size: size_of::<K>() as u32,
            value_size: size_of::<V>() as u32,
            capacity,
            flags: 0,
        }
    }

    /// The same map, with further flags.
    const fn with(self, flags: u32) -> Self {
        Self { flags: self.flags | flags, ..self }
    }
}

/// `u32` → `u64`: the words of [`Setting`].
pub const SETTINGS: MapSpec =
    MapSpec::new::<u32, u64>("SETTINGS", MapKind::Array, Setting::COUNT).with(READ_ONLY);
/// `u32` [`ServiceTable::bucket`] → [`ServiceBucket`].
pub const SERVICES: MapSpec =
    MapSpec::new::<u32, ServiceBucket>("SERVICES", MapKind::Array, ServiceTable::BUCKETS)
        .with(READ_ONLY);
/// `u32` → `u64`: the words of [`Coarse`].
pub const COARSE: MapSpec =
    MapSpec::new::<u32, u64>("COARSE", MapKind::Array, Coarse::WORDS).with(READ_ONLY);
/// `u32` → `u64`: the words of [`Filter`]. The number of words is the default that goes with that of
/// [`TRUST`].
pub const FILTER: MapSpec =
    MapSpec::new::<u32, u64>("FILTER", MapKind::Array, Filter::words_for(TRUST.capacity))
        .with(READ_ONLY);
/// [`SourceKey`] → [`TrustEntry`]. Written by the daemon alone, and only upon proof: no packet can
/// fill it or push an entry out.
pub const TRUST: MapSpec =
    MapSpec::new::<SourceKey, TrustEntry>("TRUST", MapKind::Hash, 65_536).with(READ_ONLY);
/// Longest-prefix match of an [`Address`] → [`TrustEntry`]. Room for the networks of two policies: those
/// of the next are entered before those of the last are removed.
pub const PREFIXES: MapSpec =
    MapSpec::new::<(u32, Address), TrustEntry>("PREFIXES", MapKind::LpmTrie, 8192)
        .with(READ_ONLY | NO_PREALLOC);
/// [`AssociationKey`] → the [`Address`] that its packets come from. Written by the daemon alone, from what
/// the network stack has: no packet can fill it.
pub const ASSOCIATIONS: MapSpec =
    MapSpec::new::<AssociationKey, Address>("ASSOCIATIONS", MapKind::Hash, 8192).with(READ_ONLY);
/// `u32` [`Meter::index`](crate::Meter::index) → `u64`: the theoretical arrival time of a [`Budget`](crate::Budget).
pub const METERS: MapSpec = MapSpec::new::<u32, u64>("METERS", MapKind::Array, 70_672);
/// `u32` [`Datagram::index`] → `u64` [`FirstSeen`](crate::FirstSeen). Only trusted sources are
/// remembered.
pub const DATAGRAMS: MapSpec =
    MapSpec::new::<u32, u64>("DATAGRAMS", MapKind::Array, Datagram::PLACES);
/// `u32` [`Verdict::index`] → per-CPU [`Counter`].
pub const COUNTERS: MapSpec =
    MapSpec::new::<u32, Counter>("COUNTERS", MapKind::PerCpuArray, Verdict::COUNT);
/// The same of packets on their way to the daemon's sockets. Nothing is sampled there.
pub const SOCKET_COUNTERS: MapSpec =
    MapSpec::new::<u32, Counter>("SOCKET_COUNTERS", MapKind::PerCpuArray, Verdict::COUNT);
/// [`Event`](crate::Event)s. The capacity is in bytes.
pub const EVENTS: MapSpec = MapSpec {
    name: "EVENTS",
    kind: MapKind::RingBuf,
    key_size: 0,
    value_size: 0,
    capacity: 256 * 1024,
    flags: 0,
};

/// Every map of the programs.
pub const ALL: [MapSpec; 12] = [
    SETTINGS,
    SERVICES,
    COARSE,
    FILTER,
    TRUST,
    PREFIXES,
    ASSOCIATIONS,
    METERS,
    DATAGRAMS,
    COUNTERS,
    SOCKET_COUNTERS,
    EVENTS,
];

/// The longest prefix that [`PREFIXES`] takes, in bits.
pub const LONGEST_PREFIX: u32 = 128;

/// What met one verdict on one CPU: 32 bytes, native byte order.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(C)]
pub struct Counter {
    /// Frames.
    pub packets: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
    /// The timer tick of the last [`Event`](crate::Event): there is at most one in each.
    pub sampled_at: u64,
    /// Events that found the ring full.
    pub lost: u64,
}
