//! The kernel maps. All but the counters and the budget are read-only for the program: whatever
//! happens in here, only the daemon can grant trust.

use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG};
use aya_ebpf::btf_maps::{Array, HashMap, LpmTrie, PerCpuArray};
use aya_ebpf::macros::btf_map;
use sbc_common::maps::{self, Counter, MapSpec};
use sbc_common::{Address, ServiceKey, SourceKey, TrustEntry};

const READ_ONLY: usize = BPF_F_RDONLY_PROG as usize;

const fn capacity(spec: MapSpec) -> usize {
    spec.capacity as usize
}

#[btf_map]
pub(crate) static SETTINGS: Array<u64, { capacity(maps::SETTINGS) }, READ_ONLY> = Array::new();

#[btf_map]
pub(crate) static PORTS: Array<u64, { capacity(maps::PORTS) }, READ_ONLY> = Array::new();

#[btf_map]
pub(crate) static SERVICES: HashMap<ServiceKey, u32, { capacity(maps::SERVICES) }, READ_ONLY> =
    HashMap::new();

#[btf_map]
pub(crate) static TRUST: HashMap<SourceKey, TrustEntry, { capacity(maps::TRUST) }, READ_ONLY> =
    HashMap::new();

#[btf_map]
pub(crate) static PREFIXES: LpmTrie<
    Address,
    TrustEntry,
    { capacity(maps::PREFIXES) },
    { READ_ONLY | BPF_F_NO_PREALLOC as usize },
> = LpmTrie::new();

#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counter, { capacity(maps::COUNTERS) }> = PerCpuArray::new();

#[btf_map]
pub(crate) static UNKNOWN_BUDGET: Array<u64, { capacity(maps::UNKNOWN_BUDGET) }> = Array::new();
