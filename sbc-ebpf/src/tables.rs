use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use core::intrinsics::{AtomicOrdering, atomic_cxchg};
use sbc_common::{
    Address, Budget, MonotonicNanos, Service, ServiceKey, Setting, SourceKey, Tables, TrustEntry,
    maps,
};

use crate::maps::{PORTS, PREFIXES, SERVICES, SETTINGS, TRUST, UNKNOWN_BUDGET};

/// The kernel maps, as the decision sees them.
pub(crate) struct KernelTables;

impl Tables for KernelTables {
    #[inline(always)]
    fn serves_port(&self, port: u16) -> bool {
        PORTS.get(u32::from(port >> 6)).is_some_and(|ports| ports >> (port & 63) & 1 != 0)
    }

    #[inline(always)]
    fn service(&self, key: &ServiceKey) -> Option<Service> {
        // SAFETY: the value is one word, so a concurrent write is seen whole or not at all.
        let value = unsafe { SERVICES.get(key) }?;
        Service::from_table(*value)
    }

    #[inline(always)]
    fn protects(&self, address: &Address) -> bool {
        SERVICES.get_ptr(ServiceKey::any_at(*address)).is_some()
    }

    #[inline(always)]
    fn trusted_source(&self, source: &SourceKey) -> Option<TrustEntry> {
        // SAFETY: elements are preallocated and never unmapped. One that is freed and reused between
        // this look-up and the copy gives this packet the verdict of another entry, once.
        unsafe { TRUST.get(source) }.copied()
    }

    #[inline(always)]
    fn trusted_prefix(&self, source: &Address) -> Option<TrustEntry> {
        PREFIXES.get(&Key::new(maps::LONGEST_PREFIX, *source)).copied()
    }

    #[inline(always)]
    fn setting(&self, setting: Setting) -> u64 {
        SETTINGS.get(setting as u32).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn spend_unknown(&mut self) -> bool {
        let budget = Budget {
            interval: self.setting(Setting::UnknownInterval),
            tolerance: self.setting(Setting::UnknownTolerance),
        };
        let Some(arrival) = UNKNOWN_BUDGET.get_ptr_mut(0) else { return false };
        // SAFETY: `arrival` points to the map's only element.
        let seen = unsafe { *arrival };
        let Some(next) = budget.spend(seen, self.now()) else { return false };
        // Losing the race against another CPU spends the packet: under a flood, which is when it
        // happens, a stranger's packet is worth less than a retry.
        // SAFETY: `arrival` points to the map's only element, which is aligned to eight bytes.
        let (_, won) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                arrival, seen, next,
            )
        };
        won
    }

    #[inline(always)]
    fn now(&self) -> MonotonicNanos {
        // SAFETY: the helper has no preconditions. The coarse clock costs a quarter of the fine one.
        MonotonicNanos(unsafe { bpf_ktime_get_coarse_ns() })
    }
}
