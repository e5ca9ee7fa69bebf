//! The kernel maps. All that trust depends on is read-only for the program: whatever happens in here,
//! only the daemon can grant trust.

use aya_ebpf::btf_maps::{Array, HashMap, LpmTrie, PerCpuArray, RingBuf};
use aya_ebpf::macros::btf_map;
use sbc_common::maps::{self, Counter, MapSpec};
use sbc_common::{Address, AssociationKey, ServiceBucket, SourceKey, TrustEntry};

const fn capacity(spec: MapSpec) -> usize {
    spec.capacity as usize
}

const fn flags(spec: MapSpec) -> usize {
    spec.flags as usize
}

#[btf_map]
pub(crate) static SETTINGS: Array<u64, { capacity(maps::SETTINGS) }, { flags(maps::SETTINGS) }> =
    Array::new();

#[btf_map]
pub(crate) static SERVICES: Array<
    ServiceBucket,
    { capacity(maps::SERVICES) },
    { flags(maps::SERVICES) },
> = Array::new();

#[btf_map]
pub(crate) static COARSE: Array<u64, { capacity(maps::COARSE) }, { flags(maps::COARSE) }> =
    Array::new();

#[btf_map]
pub(crate) static FILTER: Array<u64, { capacity(maps::FILTER) }, { flags(maps::FILTER) }> =
    Array::new();

#[btf_map]
pub(crate) static TRUST: HashMap<
    SourceKey,
    TrustEntry,
    { capacity(maps::TRUST) },
    { flags(maps::TRUST) },
> = HashMap::new();

#[btf_map]
pub(crate) static PREFIXES: LpmTrie<
    Address,
    TrustEntry,
    { capacity(maps::PREFIXES) },
    { flags(maps::PREFIXES) },
> = LpmTrie::new();

#[btf_map]
pub(crate) static ASSOCIATIONS: HashMap<
    AssociationKey,
    Address,
    { capacity(maps::ASSOCIATIONS) },
    { flags(maps::ASSOCIATIONS) },
> = HashMap::new();

#[btf_map]
pub(crate) static METERS: Array<u64, { capacity(maps::METERS) }, { flags(maps::METERS) }> =
    Array::new();

#[btf_map]
pub(crate) static DATAGRAMS: Array<u64, { capacity(maps::DATAGRAMS) }, { flags(maps::DATAGRAMS) }> =
    Array::new();

#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<
    Counter,
    { capacity(maps::COUNTERS) },
    { flags(maps::COUNTERS) },
> = PerCpuArray::new();

#[btf_map]
pub(crate) static SOCKET_COUNTERS: PerCpuArray<
    Counter,
    { capacity(maps::SOCKET_COUNTERS) },
    { flags(maps::SOCKET_COUNTERS) },
> = PerCpuArray::new();

/// Holds [`Event`](sbc_common::Event)s. A type would give the map a value size, which the kernel
/// refuses for this kind and libbpf with it.
#[btf_map]
pub(crate) static EVENTS: RingBuf<(), { capacity(maps::EVENTS) }, { flags(maps::EVENTS) }> =
    RingBuf::new();
