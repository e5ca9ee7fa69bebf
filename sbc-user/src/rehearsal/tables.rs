use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use sbc_common::{
    Address, AssociationKey, Budget, Datagram, FirstSeen, Meter, MonotonicNanos, Packet, Prefix,
    Service, ServiceKey, Setting, SourceKey, Tables, TrustEntry, maps,
};

use crate::config::Config;
use crate::kernel::{KernelError, ProtectedService};
use crate::policy;
use crate::trust::TrustTable;

/// The tables in memory, as large as the kernel's are and no larger.
#[derive(Debug, Default)]
pub(super) struct MemoryTables {
    now: MonotonicNanos,
    services: HashMap<ServiceKey, u32>,
    sources: HashMap<SourceKey, TrustEntry>,
    source_capacity: usize,
    /// By length, the longest first.
    prefixes: BTreeMap<Reverse<u8>, HashMap<Address, TrustEntry>>,
    settings: HashMap<u32, u64>,
    arrivals: HashMap<u32, u64>,
    datagrams: HashMap<u32, FirstSeen>,
}

impl MemoryTables {
    /// Everything but sources, as `config` says.
    pub(super) fn of(config: &Config) -> Self {
        let services = policy::protected_services(config);
        let services = services.iter().flat_map(ProtectedService::rows).collect();
        let words = policy::filter_settings(config).words();
        let settings = words.into_iter().map(|(setting, word)| (setting as u32, word)).collect();
        let source_capacity = config.kernel.trust_entries as usize;
        Self { services, source_capacity, settings, ..Self::default() }
    }

    /// Goes forward to `time`, or stays where it is when that is past.
    pub(super) fn advance(&mut self, time: MonotonicNanos) {
        self.now = MonotonicNanos(self.now.0.max(time.0));
    }

    fn prefix_count(&self) -> usize {
        self.prefixes.values().map(HashMap::len).sum()
    }
}

impl Tables for MemoryTables {
    fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.services.get(key).copied().and_then(Service::from_table)
    }

    fn protects(&self, address: &Address) -> bool {
        self.services.contains_key(&ServiceKey::any_at(*address))
    }

    /// The gate saves time and decides nothing: here it stands open.
    fn coarse(&self, _: u32) -> u64 {
        u64::MAX
    }

    fn filter(&self, _: u32) -> u64 {
        u64::MAX
    }

    fn trusted_source(&self, source: &SourceKey) -> Option<TrustEntry> {
        self.sources.get(source).copied()
    }

    fn trusted_prefix(&self, source: &Address) -> Option<TrustEntry> {
        self.prefixes.iter().find_map(|(Reverse(length), networks)| {
            networks.get(&Prefix::around(source, *length).address).copied()
        })
    }

    /// Nor which associations.
    fn association(&self, _: &AssociationKey) -> Option<Address> {
        None
    }

    fn setting(&self, setting: Setting) -> u64 {
        self.settings.get(&(setting as u32)).copied().unwrap_or(0)
    }

    fn spend(&mut self, meter: Meter, budget: Budget) -> bool {
        let arrival = self.arrivals.entry(meter.index(self.setting(Setting::Seed))).or_default();
        let next = budget.spend(*arrival, self.now);
        *arrival = next.unwrap_or(*arrival);
        next.is_some()
    }

    fn first_seen(&self, datagram: Datagram) -> FirstSeen {
        self.datagrams.get(&datagram.index()).copied().unwrap_or_default()
    }

    fn remember(&mut self, datagram: Datagram, seen: FirstSeen) {
        self.datagrams.insert(datagram.index(), seen);
    }

    /// A capture does not tell the way back.
    fn returns_the_same_way(&self, _: &Packet) -> bool {
        true
    }

    /// Nor which connections there were.
    fn is_of_connection(&self, _: &Packet) -> bool {
        true
    }

    fn now(&self) -> MonotonicNanos {
        self.now
    }
}

impl TrustTable for MemoryTables {
    fn trust_source(&mut self, key: &SourceKey, entry: &TrustEntry) -> Result<(), KernelError> {
        if self.sources.len() >= self.source_capacity && !self.sources.contains_key(key) {
            return Err(KernelError::TableFull(maps::TRUST.name));
        }
        self.sources.insert(*key, *entry);
        Ok(())
    }

    fn distrust_source(&mut self, key: &SourceKey) -> Result<(), KernelError> {
        self.sources.remove(key);
        Ok(())
    }

    fn sources(&self) -> Vec<(SourceKey, TrustEntry)> {
        self.sources.iter().map(|(key, entry)| (*key, *entry)).collect()
    }

    fn trust_prefix(&mut self, prefix: Prefix, entry: &TrustEntry) -> Result<(), KernelError> {
        let is_full = self.prefix_count() >= maps::PREFIXES.capacity as usize;
        let networks = self.prefixes.entry(Reverse(prefix.length)).or_default();
        if is_full && !networks.contains_key(&prefix.address) {
            return Err(KernelError::TableFull(maps::PREFIXES.name));
        }
        networks.insert(prefix.address, *entry);
        Ok(())
    }

    fn distrust_prefix(&mut self, prefix: Prefix) -> Result<(), KernelError> {
        if let Some(networks) = self.prefixes.get_mut(&Reverse(prefix.length)) {
            networks.remove(&prefix.address);
        }
        Ok(())
    }

    fn prefixes(&self) -> Vec<(Prefix, TrustEntry)> {
        let all = self.prefixes.iter().flat_map(|(Reverse(length), networks)| {
            networks
                .iter()
                .map(|(address, entry)| (Prefix { address: *address, length: *length }, *entry))
        });
        all.collect()
    }
}
