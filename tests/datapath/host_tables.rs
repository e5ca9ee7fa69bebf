use std::collections::HashMap;

use sbc_common::{
    Address, AssociationKey, Budget, Datagram, FirstSeen, Meter, MonotonicNanos, Packet, Prefix,
    Service, ServiceKey, Setting, SourceKey, Tables, TrustEntry,
};
use sbc_user::kernel::ProtectedService;

use crate::ends::FAMILIES;
use crate::policy::Policy;

/// The tables of a policy in host memory.
#[derive(Debug, Default)]
pub(crate) struct HostTables {
    /// The time that the decision is told.
    pub(crate) now: MonotonicNanos,
    /// The raw value, as the kernel's table holds it.
    pub(crate) services: HashMap<ServiceKey, u32>,
    sources: HashMap<SourceKey, TrustEntry>,
    prefixes: HashMap<Prefix, TrustEntry>,
    associations: HashMap<AssociationKey, Address>,
    settings: [u64; Setting::COUNT as usize],
    /// Where an answer to a source leaves by the interface that the source is heard on.
    returning: Vec<Prefix>,
    /// What frames have left behind.
    memory: Memory,
}

/// What outlives a change of policy, here as in the kernel.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    arrivals: HashMap<u32, u64>,
    datagrams: HashMap<u32, FirstSeen>,
}

impl HostTables {
    /// Some time after boot: later than every expired entry of the rows, earlier than every other.
    const NOW: MonotonicNanos = MonotonicNanos(1_000_000_000_000);

    pub(crate) fn of(policy: &Policy) -> Self {
        let mut tables = Self {
            now: Self::NOW,
            services: policy.services.iter().flat_map(ProtectedService::rows).collect(),
            sources: policy.sources.iter().copied().collect(),
            prefixes: policy.prefixes.iter().copied().collect(),
            associations: policy.associations.iter().copied().collect(),
            returning: RETURNING.map(prefix).to_vec(),
            ..Self::default()
        };
        let silence = [
            (Setting::Heartbeat, policy.heartbeat),
            (Setting::SilenceEndsEnforcement, policy.silence_ends_enforcement),
            (Setting::AssociationsUntil, policy.associations_until),
        ];
        for (setting, word) in policy.settings.words().into_iter().chain(silence) {
            tables.settings[setting as usize] = word;
        }
        tables
    }

    /// Goes on where other tables end, under the secret that the kernel's hashes begin with: what shares
    /// a place there shares it here.
    pub(crate) fn following(mut self, others: Self, seed: u64) -> Self {
        self.memory = others.memory;
        self.settings[Setting::Seed as usize] = seed;
        self
    }
}

/// The networks that the routing table of the tests sends back to where their packets come from.
pub(crate) const RETURNING: [&str; 2] = ["198.51.100.0/24", "2001:db8:7::/64"];

pub(crate) fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
}

impl Tables for HostTables {
    fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.services.get(key).copied().and_then(Service::from_table)
    }

    fn protects(&self, address: &Address) -> bool {
        self.services.contains_key(&ServiceKey::any_at(*address))
    }

    /// The host has no gate: it lets everybody through to the tables.
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
        let around = self.prefixes.iter().filter(|(prefix, _)| prefix.contains(source));
        around.max_by_key(|(prefix, _)| prefix.length).map(|(_, entry)| *entry)
    }

    fn association(&self, key: &AssociationKey) -> Option<Address> {
        self.associations.get(key).copied()
    }

    fn setting(&self, setting: Setting) -> u64 {
        self.settings[setting as usize]
    }

    fn spend(&mut self, meter: Meter, budget: Budget) -> bool {
        let index = meter.index(self.setting(Setting::Seed));
        let arrival = self.memory.arrivals.entry(index).or_default();
        match budget.spend(*arrival, self.now) {
            Some(next) => {
                *arrival = next;
                true
            }
            None => false,
        }
    }

    fn first_seen(&self, datagram: Datagram) -> FirstSeen {
        self.memory.datagrams.get(&datagram.index()).copied().unwrap_or_default()
    }

    fn remember(&mut self, datagram: Datagram, seen: FirstSeen) {
        self.memory.datagrams.insert(datagram.index(), seen);
    }

    fn returns_the_same_way(&self, packet: &Packet) -> bool {
        self.returning.iter().any(|prefix| prefix.contains(&packet.source))
    }

    fn is_of_connection(&self, packet: &Packet) -> bool {
        let ends =
            [(packet.source, packet.source_port), (packet.destination, packet.destination_port)];
        FAMILIES
            .iter()
            .any(|family| family.connection().map(|end| (end.ip().into(), end.port())) == ends)
    }

    fn now(&self) -> MonotonicNanos {
        self.now
    }
}
