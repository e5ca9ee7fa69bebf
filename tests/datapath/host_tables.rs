use std::collections::{HashMap, HashSet};

use sbc_common::{
    Address, Budget, MonotonicNanos, Prefix, Service, ServiceKey, Setting, SourceKey, Tables,
    TrustEntry,
};

use crate::policy::Policy;

/// The tables of a policy in host memory.
#[derive(Debug, Default)]
pub(crate) struct HostTables {
    /// The time that the decision is told.
    pub(crate) now: MonotonicNanos,
    /// The raw value, as the kernel's table holds it.
    pub(crate) services: HashMap<ServiceKey, u32>,
    ports: HashSet<u16>,
    sources: HashMap<SourceKey, TrustEntry>,
    prefixes: HashMap<Prefix, TrustEntry>,
    settings: [u64; Setting::COUNT as usize],
    arrival: u64,
}

impl HostTables {
    /// Some time after boot: later than every expired entry of the rows, earlier than every other.
    const NOW: MonotonicNanos = MonotonicNanos(1_000_000_000_000);

    pub(crate) fn of(policy: &Policy) -> Self {
        let mut tables = Self {
            now: Self::NOW,
            ports: policy.services.iter().map(|listener| listener.port).collect(),
            sources: policy.sources.iter().copied().collect(),
            prefixes: policy.prefixes.iter().copied().collect(),
            ..Self::default()
        };
        for listener in &policy.services {
            let key = ServiceKey::new(listener.address, listener.port, listener.protocol);
            tables.services.insert(key, listener.service as u32);
            tables.services.insert(ServiceKey::any_at(listener.address), 0);
        }
        let words = [
            (Setting::Mode, policy.settings.mode as u64),
            (Setting::UnknownAction, policy.settings.unknown as u64),
            (Setting::UnknownInterval, policy.settings.unknown_budget.interval),
            (Setting::UnknownTolerance, policy.settings.unknown_budget.tolerance),
        ];
        for (setting, word) in words {
            tables.settings[setting as usize] = word;
        }
        tables
    }
}

impl Tables for HostTables {
    fn serves_port(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.services.get(key).copied().and_then(Service::from_table)
    }

    fn protects(&self, address: &Address) -> bool {
        self.services.contains_key(&ServiceKey::any_at(*address))
    }

    fn trusted_source(&self, source: &SourceKey) -> Option<TrustEntry> {
        self.sources.get(source).copied()
    }

    fn trusted_prefix(&self, source: &Address) -> Option<TrustEntry> {
        let around = self.prefixes.iter().filter(|(prefix, _)| prefix.contains(source));
        around.max_by_key(|(prefix, _)| prefix.length).map(|(_, entry)| *entry)
    }

    fn setting(&self, setting: Setting) -> u64 {
        self.settings[setting as usize]
    }

    fn spend_unknown(&mut self) -> bool {
        let budget = Budget {
            interval: self.setting(Setting::UnknownInterval),
            tolerance: self.setting(Setting::UnknownTolerance),
        };
        match budget.spend(self.arrival, self.now) {
            Some(next) => {
                self.arrival = next;
                true
            }
            None => false,
        }
    }

    fn now(&self) -> MonotonicNanos {
        self.now
    }
}
