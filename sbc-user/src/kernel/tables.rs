use std::collections::HashSet;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use sbc_common::maps::{self, Counter, MapSpec};
use sbc_common::{
    Address, Budget, Mode, Prefix, Protocol, Reason, Service, ServiceKey, Setting, SourceKey,
    TrustEntry, UnknownAction,
};
use zerocopy::{FromBytes as _, IntoBytes as _, transmute};

use super::KernelError;

/// Keys and values cross the boundary as bytes: `sbc-common` proves their layout (zerocopy), and this
/// module needs no promise of its own.
type SourceKeyBytes = [u8; 20];
type ServiceKeyBytes = [u8; 20];
type TrustEntryBytes = [u8; 16];
type CounterBytes = [u8; 16];

/// The kernel's tables.
pub struct KernelTables {
    settings: Array<MapData, u64>,
    ports: Array<MapData, u64>,
    services: HashMap<MapData, ServiceKeyBytes, u32>,
    trust: HashMap<MapData, SourceKeyBytes, TrustEntryBytes>,
    prefixes: LpmTrie<MapData, [u8; 16], TrustEntryBytes>,
    counters: PerCpuArray<MapData, CounterBytes>,
}

/// What the filter is told about everything but sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterSettings {
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// What the unknown lane does.
    pub unknown: UnknownAction,
    /// How much of it.
    pub unknown_budget: Budget,
}

/// One listener that the filter protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectedService {
    /// The address, or a family's wildcard.
    pub address: Address,
    /// The port, host byte order.
    pub port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// What it speaks.
    pub service: Service,
}

/// How often a reason was met, on all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterRow {
    /// The reason.
    pub reason: Reason,
    /// Frames and bytes.
    pub counter: Counter,
}

impl KernelTables {
    /// Takes the maps that `open` finds.
    pub(super) fn open(
        mut open: impl FnMut(MapSpec) -> Result<Map, KernelError>,
    ) -> Result<Self, KernelError> {
        fn typed<T>(spec: MapSpec, map: Map) -> Result<T, KernelError>
        where
            T: TryFrom<Map, Error = MapError>,
        {
            T::try_from(map).map_err(|cause| KernelError::Table { table: spec.name, cause })
        }
        Ok(Self {
            settings: typed(maps::SETTINGS, open(maps::SETTINGS)?)?,
            ports: typed(maps::PORTS, open(maps::PORTS)?)?,
            services: typed(maps::SERVICES, open(maps::SERVICES)?)?,
            trust: typed(maps::TRUST, open(maps::TRUST)?)?,
            prefixes: typed(maps::PREFIXES, open(maps::PREFIXES)?)?,
            counters: typed(maps::COUNTERS, open(maps::COUNTERS)?)?,
        })
    }

    /// Writes the settings, each word on its own.
    pub fn apply_settings(&mut self, settings: &FilterSettings) -> Result<(), KernelError> {
        let words = [
            (Setting::UnknownInterval, settings.unknown_budget.interval),
            (Setting::UnknownTolerance, settings.unknown_budget.tolerance),
            (Setting::UnknownAction, settings.unknown as u64),
            (Setting::Mode, settings.mode as u64),
        ];
        for (setting, word) in words {
            self.settings.set(setting as u32, word, 0).map_err(in_table(maps::SETTINGS))?;
        }
        Ok(())
    }

    /// The mode that is in force.
    pub fn mode(&self) -> Result<Mode, KernelError> {
        let word = self.settings.get(&(Setting::Mode as u32), 0);
        Ok(Mode::from_table(word.map_err(in_table(maps::SETTINGS))?))
    }

    /// Protects exactly these services. New ones are protected before old ones are given up, so a
    /// service that stays is never unprotected in between.
    pub fn apply_services(&mut self, services: &[ProtectedService]) -> Result<(), KernelError> {
        let mut wanted: std::collections::HashMap<ServiceKey, u32> =
            std::collections::HashMap::new();
        let mut ports = vec![0_u64; maps::PORTS.capacity as usize];
        for listener in services {
            wanted.insert(
                ServiceKey::new(listener.address, listener.port, listener.protocol),
                listener.service as u32,
            );
            wanted.insert(ServiceKey::any_at(listener.address), 0);
            if let Some(word) = ports.get_mut(usize::from(listener.port >> 6)) {
                *word |= 1 << (listener.port & 63);
            }
        }
        for (key, service) in &wanted {
            let key: ServiceKeyBytes = transmute!(*key);
            self.services.insert(key, *service, 0).map_err(in_table(maps::SERVICES))?;
        }
        for (index, word) in (0_u32..).zip(ports) {
            self.ports.set(index, word, 0).map_err(in_table(maps::PORTS))?;
        }
        let wanted: HashSet<ServiceKeyBytes> =
            wanted.into_keys().map(|key| transmute!(key)).collect();
        let stale: Vec<_> =
            self.services.keys().flatten().filter(|key| !wanted.contains(key)).collect();
        for key in stale {
            self.services.remove(&key).map_err(in_table(maps::SERVICES))?;
        }
        Ok(())
    }

    /// Enters or replaces the trust in one source.
    pub fn trust_source(&mut self, key: &SourceKey, entry: &TrustEntry) -> Result<(), KernelError> {
        let key: SourceKeyBytes = transmute!(*key);
        let entry: TrustEntryBytes = transmute!(*entry);
        self.trust.insert(key, entry, 0).map_err(in_table(maps::TRUST))
    }

    /// Removes the trust in one source; it is no error if there is none.
    pub fn distrust_source(&mut self, key: &SourceKey) -> Result<(), KernelError> {
        let key: SourceKeyBytes = transmute!(*key);
        absent_is_fine(self.trust.remove(&key)).map_err(in_table(maps::TRUST))
    }

    /// Every source with an entry.
    #[must_use]
    pub fn sources(&self) -> Vec<(SourceKey, TrustEntry)> {
        self.trust
            .iter()
            .flatten()
            .map(|(key, entry)| (transmute!(key), transmute!(entry)))
            .collect()
    }

    /// Enters or replaces the trust in a prefix.
    pub fn trust_prefix(&mut self, prefix: Prefix, entry: &TrustEntry) -> Result<(), KernelError> {
        let entry: TrustEntryBytes = transmute!(*entry);
        let key = Key::new(u32::from(prefix.length), prefix.address.octets());
        self.prefixes.insert(&key, entry, 0).map_err(in_table(maps::PREFIXES))
    }

    /// Removes the trust in a prefix; it is no error if there is none.
    pub fn distrust_prefix(&mut self, prefix: Prefix) -> Result<(), KernelError> {
        let key = Key::new(u32::from(prefix.length), prefix.address.octets());
        absent_is_fine(self.prefixes.remove(&key)).map_err(in_table(maps::PREFIXES))
    }

    /// Every prefix with an entry.
    #[must_use]
    pub fn prefixes(&self) -> Vec<(Prefix, TrustEntry)> {
        self.prefixes
            .iter()
            .flatten()
            .filter_map(|(key, entry)| {
                let length = u8::try_from(key.prefix_len()).ok()?;
                Some((
                    Prefix { address: Address::from_octets(key.data()), length },
                    transmute!(entry),
                ))
            })
            .collect()
    }

    /// How often each reason was met since the maps were made.
    pub fn counters(&self) -> Result<Vec<CounterRow>, KernelError> {
        Reason::ALL
            .iter()
            .map(|reason| {
                let cpus = self.counters.get(&reason.index(), 0);
                let cpus = cpus.map_err(in_table(maps::COUNTERS))?;
                let counter = cpus.iter().fold(Counter::default(), |sum, cpu| {
                    let cpu = Counter::read_from_bytes(cpu.as_bytes()).unwrap_or_default();
                    Counter { packets: sum.packets + cpu.packets, bytes: sum.bytes + cpu.bytes }
                });
                Ok(CounterRow { reason: *reason, counter })
            })
            .collect()
    }
}

fn in_table(spec: MapSpec) -> impl FnOnce(MapError) -> KernelError {
    move |cause| {
        let is_full = matches!(&cause, MapError::SyscallError(error)
            if matches!(error.io_error.raw_os_error(), Some(libc::E2BIG | libc::ENOSPC)));
        if is_full {
            KernelError::TableFull(spec.name)
        } else {
            KernelError::Table { table: spec.name, cause }
        }
    }
}

fn absent_is_fine(removed: Result<(), MapError>) -> Result<(), MapError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error))
            if error.io_error.raw_os_error() == Some(libc::ENOENT) =>
        {
            Ok(())
        }
        other => other,
    }
}
