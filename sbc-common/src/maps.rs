//! The kernel maps: one table of names and capacities for both sides.

use crate::{Address, Reason, ServiceKey, Setting, SourceKey, TrustEntry};

/// Version of the layout of keys, values and map meanings. It is part of the directory that maps are
/// pinned in, so that two versions that disagree never share one.
pub const ABI_VERSION: u32 = 1;

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
}

#[expect(clippy::cast_possible_truncation, reason = "sizes and counts of a few dozen")]
impl MapSpec {
    const fn new<K, V>(name: &'static str, kind: MapKind, capacity: u32) -> Self {
        Self {
            name,
            kind,
            key_size: size_of::<K>() as u32,
            value_size: size_of::<V>() as u32,
            capacity,
        }
    }
}

/// `u32` → `u64`: the words of [`Setting`].
pub const SETTINGS: MapSpec = MapSpec::new::<u32, u64>("SETTINGS", MapKind::Array, Setting::COUNT);
/// `u32` port / 64 → `u64` bit set of the ports that any service uses.
pub const PORTS: MapSpec = MapSpec::new::<u32, u64>("PORTS", MapKind::Array, 1024);
/// [`ServiceKey`] → `u32` [`Service`](crate::Service), zero for an address alone.
pub const SERVICES: MapSpec = MapSpec::new::<ServiceKey, u32>("SERVICES", MapKind::Hash, 256);
/// [`SourceKey`] → [`TrustEntry`]. Written by the daemon alone, and only upon proof: no packet can
/// fill it or push an entry out.
pub const TRUST: MapSpec = MapSpec::new::<SourceKey, TrustEntry>("TRUST", MapKind::Hash, 65_536);
/// Longest-prefix match of an [`Address`] → [`TrustEntry`].
pub const PREFIXES: MapSpec =
    MapSpec::new::<(u32, Address), TrustEntry>("PREFIXES", MapKind::LpmTrie, 4096);
/// `u32` [`Reason`] → per-CPU [`Counter`].
pub const COUNTERS: MapSpec =
    MapSpec::new::<u32, Counter>("COUNTERS", MapKind::PerCpuArray, Reason::COUNT);
/// `u32` zero → `u64`: the theoretical arrival time of the unknown lane's [`Budget`](crate::Budget).
pub const UNKNOWN_BUDGET: MapSpec = MapSpec::new::<u32, u64>("UNKNOWN_BUDGET", MapKind::Array, 1);

/// Every map of the program.
pub const ALL: [MapSpec; 7] =
    [SETTINGS, PORTS, SERVICES, TRUST, PREFIXES, COUNTERS, UNKNOWN_BUDGET];

/// The longest prefix that [`PREFIXES`] takes, in bits.
pub const LONGEST_PREFIX: u32 = 128;

/// Frames and bytes (Ethernet header included) that met one reason on one CPU.
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
}
