use core::intrinsics::{AtomicOrdering, atomic_cxchg};
use core::{mem, ptr};

use aya_ebpf::bindings::{bpf_fib_lookup as FibLookup, xdp_md};
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::helpers::generated::{bpf_fib_lookup, bpf_ktime_get_coarse_ns};
use aya_ebpf::programs::XdpContext;
use sbc_common::{
    Address, AssociationKey, Budget, Datagram, FirstSeen, Gate, Meter, MonotonicNanos, Packet,
    Service, ServiceKey, ServiceTable, Setting, SourceKey, Standing, Tables, Transports,
    TrustEntry, look_up, maps,
};

use crate::connection::is_of_connection;
use crate::maps::{
    ASSOCIATIONS, COARSE, DATAGRAMS, FILTER, METERS, PREFIXES, SERVICES, SETTINGS, TRUST,
};
use crate::scratch::{self, Hook};

/// The kernel maps, as the decision sees them.
pub(crate) struct KernelTables {
    context: *mut xdp_md,
    place: u32,
}

impl KernelTables {
    #[inline(always)]
    pub(crate) fn on_the_wire(context: &XdpContext) -> Self {
        Self { context: context.ctx, place: Hook::WIRE }
    }

    /// Without a frame of which the routing table could be asked.
    #[inline(always)]
    pub(crate) fn at(place: u32) -> Self {
        Self { context: ptr::null_mut(), place }
    }

    #[inline(always)]
    fn service_value(&self, key: &ServiceKey) -> Option<u32> {
        let table = ServiceTable(self.setting(Setting::ServiceTable));
        SERVICES.get(table.bucket(key))?.find(key)
    }
}

impl Tables for KernelTables {
    #[inline(always)]
    fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.service_value(key).and_then(Service::from_table)
    }

    #[inline(always)]
    fn protects(&self, address: &Address) -> bool {
        self.service_value(&ServiceKey::any_at(*address)).is_some()
    }

    #[inline(always)]
    fn coarse(&self, word: u32) -> u64 {
        COARSE.get(word).copied().unwrap_or(u64::MAX)
    }

    #[inline(always)]
    fn filter(&self, word: u32) -> u64 {
        FILTER.get(word).copied().unwrap_or(u64::MAX)
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
    fn association(&self, key: &AssociationKey) -> Option<Address> {
        // SAFETY: as in the table of sources.
        unsafe { ASSOCIATIONS.get(key) }.copied()
    }

    #[inline(always)]
    fn setting(&self, setting: Setting) -> u64 {
        SETTINGS.get(setting as u32).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn look_up(&self, gate: Gate, _source: Address, port: u16, transport: Transports) -> Standing {
        let gate = u32::from(gate.source) | u32::from(gate.prefix) << 1;
        look_up_source(gate, u32::from(port), u32::from(transport.bits()), self.place);
        match scratch::standing(self.place) {
            // SAFETY: the function wrote it on this CPU, and nothing interrupts it.
            Some(standing) => unsafe { *standing },
            None => Standing::UNKNOWN,
        }
    }

    #[inline(always)]
    fn spend(&mut self, meter: Meter, budget: Budget) -> bool {
        let index = meter.index(self.setting(Setting::Seed));
        spend_meter(index, budget.interval, budget.tolerance) != 0
    }

    #[inline(always)]
    fn first_seen(&self, datagram: Datagram) -> FirstSeen {
        FirstSeen(DATAGRAMS.get(datagram.index()).copied().unwrap_or(0))
    }

    #[inline(always)]
    fn remember(&mut self, datagram: Datagram, seen: FirstSeen) {
        if let Some(word) = DATAGRAMS.get_ptr_mut(datagram.index()) {
            // SAFETY: `word` points to an element of the map. It is one word, so it is seen whole.
            unsafe { *word = seen.0 };
        }
    }

    #[inline(always)]
    fn returns_the_same_way(&self, _packet: &Packet) -> bool {
        returns_the_same_way(self.context) != 0
    }

    #[inline(always)]
    fn is_of_connection(&self, _packet: &Packet) -> bool {
        is_of_connection(self.context) != 0
    }

    #[inline(always)]
    fn now(&self) -> MonotonicNanos {
        // SAFETY: the helper has no preconditions. The coarse clock costs a quarter of the fine one.
        MonotonicNanos(unsafe { bpf_ktime_get_coarse_ns() })
    }
}

/// Looks the frame's source up and leaves its standing in [`scratch::standing`].
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn look_up_source(gate: u32, port: u32, transport: u32, place: u32) -> u32 {
    let (Some(read), Some(found)) = (scratch::read(place), scratch::standing(place)) else {
        return 0;
    };
    let tables = KernelTables::at(place);
    let gate = Gate { source: gate & 1 != 0, prefix: gate & 2 != 0 };
    let transport = Transports::from_bits(transport as u8);
    // SAFETY: both belong to this CPU; the frame was read before anything is looked up.
    unsafe { *found = look_up(&tables, gate, (*read).packet.source, port as u16, transport) };
    1
}

/// Spends one packet of the budget whose state is at `index`: 1 if it was not spent yet.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn spend_meter(index: u32, interval: u64, tolerance: u64) -> u32 {
    let Some(arrival) = METERS.get_ptr_mut(index) else { return 0 };
    // SAFETY: the helper has no preconditions.
    let now = MonotonicNanos(unsafe { bpf_ktime_get_coarse_ns() });
    // SAFETY: `arrival` points to an element of the map.
    let seen = unsafe { *arrival };
    let Some(next) = Budget { interval, tolerance }.spend(seen, now) else { return 0 };
    // Losing the race against another CPU spends the packet: under a flood, which is when it happens,
    // a packet is worth less than a retry.
    // SAFETY: `arrival` points to an element of the map, which is aligned to eight bytes.
    let (_, won) = unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
            arrival, seen, next,
        )
    };
    u32::from(won)
}

/// Asks the routing table: 1 if an answer to the frame would leave by the interface that it came in by.
/// Where forwarding is off on the interface it does not answer, and then nothing speaks against the
/// frame.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn returns_the_same_way(context: *mut xdp_md) -> u32 {
    const FORWARDING_OFF: i64 = 5;
    const NO_NEIGHBOUR: i64 = 7;
    const SIZE: i32 = size_of::<FibLookup>() as i32;
    let Some(read) = scratch::read(Hook::WIRE) else { return 0 };
    // SAFETY: the frame was read on this CPU before anything is asked about it.
    let packet = unsafe { &(*read).packet };
    // SAFETY: all zero is a valid query.
    let mut query: FibLookup = unsafe { mem::zeroed() };
    // SAFETY: the context lives as long as the program runs.
    let arrived_by = unsafe { (*context).ingress_ifindex };
    query.ifindex = arrived_by;
    query.l4_protocol = packet.protocol;
    match (packet.source.ipv4_word(), packet.destination.ipv4_word()) {
        (Some(source), Some(destination)) => {
            query.family = 2;
            query.__bindgen_anon_3.ipv4_src = destination;
            query.__bindgen_anon_4.ipv4_dst = source;
        }
        _ => {
            query.family = 10;
            query.__bindgen_anon_3.ipv6_src = packet.destination.ipv6_words();
            query.__bindgen_anon_4.ipv6_dst = packet.source.ipv6_words();
        }
    }
    // SAFETY: the query is as long as is said, and initialised.
    let answer = unsafe { bpf_fib_lookup(context.cast(), &raw mut query, SIZE, 0) };
    match answer {
        0 | NO_NEIGHBOUR => u32::from(query.ifindex == arrived_by),
        FORWARDING_OFF => 1,
        _ => 0,
    }
}
