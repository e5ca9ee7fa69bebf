use std::io;
use std::sync::Arc;
use std::time::Duration;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use sbc_common::maps::{self, Counter, MapSpec};
use sbc_common::{
    Address, AssociationKey, Budget, Mode, MonotonicNanos, Prefix, Protocol, Scrutiny, Service,
    ServiceBucket, ServiceKey, ServiceTable, Setting, SourceKey, TrustEntry, UnknownAction,
    Verdict,
};
use zerocopy::transmute;

use super::KernelError;
use super::association_table::AssociationTable;
use super::gate::{GateKeeper, GateWord};
use super::readings::{Readings, typed};

/// Keys and values cross the boundary as bytes: `sbc-common` proves their layout (zerocopy), and this
/// module needs no promise of its own.
type SourceKeyBytes = [u8; 20];
type ServiceBucketBytes = [u8; 64];
type TrustEntryBytes = [u8; 32];

/// `BPF_EXIST`: replace, do not create.
const REPLACE: u64 = 2;

/// Seeds tried for the table of services: one of them fits, or there are too many services for any.
const SERVICE_SEEDS: usize = 1000;

/// The kernel's tables.
pub struct KernelTables {
    settings: Array<MapData, u64>,
    services: Array<MapData, ServiceBucketBytes>,
    coarse: Array<MapData, u64>,
    filter: Array<MapData, u64>,
    trust: HashMap<MapData, SourceKeyBytes, TrustEntryBytes>,
    prefixes: LpmTrie<MapData, [u8; 16], TrustEntryBytes>,
    associations: AssociationTable,
    readings: Arc<Readings>,
    gate: GateKeeper,
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
    /// How many connections strangers may ask TLS listeners for, all of them together.
    pub tls_attempts: Budget,
    /// And those of one neighbourhood: an IPv4 /24, an IPv6 /48.
    pub tls_attempts_from: Budget,
    /// How many later fragments of an address may arrive before the first of their datagram.
    pub early_fragments: Budget,
    /// What becomes of trusted sources' packets with a strange hop limit.
    pub hop_limits: Scrutiny,
    /// What becomes of trusted sources' packets that an answer would leave another way.
    pub reverse_path: Scrutiny,
    /// Whether tunnels to a protected address pass.
    pub tunnels_pass: bool,
}

impl FilterSettings {
    /// The limits that a configuration which says nothing of them has.
    #[must_use]
    pub const fn new(mode: Mode, unknown: UnknownAction, unknown_budget: Budget) -> Self {
        Self {
            mode,
            unknown,
            unknown_budget,
            tls_attempts: Budget::per_second(100_000, 100_000),
            tls_attempts_from: Budget::per_second(2000, 4000),
            early_fragments: Budget::per_second(100, 200),
            hop_limits: Scrutiny::Observe,
            reverse_path: Scrutiny::Off,
            tunnels_pass: false,
        }
    }

    /// The words of configuration that say this. The mode is last, so that it is carried out under the
    /// rest.
    #[must_use]
    pub fn words(&self) -> [(Setting, u64); 13] {
        [
            (Setting::UnknownInterval, self.unknown_budget.interval),
            (Setting::UnknownTolerance, self.unknown_budget.tolerance),
            (Setting::TlsAttemptsInterval, self.tls_attempts.interval),
            (Setting::TlsAttemptsTolerance, self.tls_attempts.tolerance),
            (Setting::TlsAttemptsFromInterval, self.tls_attempts_from.interval),
            (Setting::TlsAttemptsFromTolerance, self.tls_attempts_from.tolerance),
            (Setting::EarlyFragmentsInterval, self.early_fragments.interval),
            (Setting::EarlyFragmentsTolerance, self.early_fragments.tolerance),
            (Setting::HopLimits, self.hop_limits as u64),
            (Setting::ReversePath, self.reverse_path as u64),
            (Setting::TunnelsPass, u64::from(self.tunnels_pass)),
            (Setting::UnknownAction, self.unknown as u64),
            (Setting::Mode, self.mode as u64),
        ]
    }
}

/// One listener that the filter protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectedService {
    /// The address.
    pub address: Address,
    /// The port, host byte order.
    pub port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// What it speaks.
    pub service: Service,
}

impl ProtectedService {
    /// What stands in the table for it: its listener, and that its address has one.
    #[must_use]
    pub fn rows(&self) -> [(ServiceKey, u32); 2] {
        let listener = ServiceKey::new(self.address, self.port, self.protocol);
        [(listener, self.service as u32), (ServiceKey::any_at(self.address), 0)]
    }
}

impl KernelTables {
    /// Takes the maps that `open` finds.
    pub(super) fn open(
        mut open: impl FnMut(MapSpec) -> Result<Map, KernelError>,
    ) -> Result<Self, KernelError> {
        let settings = open(maps::SETTINGS)?;
        let readings =
            Readings::new(&settings, open(maps::COUNTERS)?, open(maps::SOCKET_COUNTERS)?)?;
        Ok(Self {
            settings: typed(maps::SETTINGS, settings)?,
            services: typed(maps::SERVICES, open(maps::SERVICES)?)?,
            coarse: typed(maps::COARSE, open(maps::COARSE)?)?,
            filter: typed(maps::FILTER, open(maps::FILTER)?)?,
            trust: typed(maps::TRUST, open(maps::TRUST)?)?,
            prefixes: typed(maps::PREFIXES, open(maps::PREFIXES)?)?,
            associations: AssociationTable::open(open(maps::ASSOCIATIONS)?)?,
            readings: Arc::new(readings),
            gate: GateKeeper::closed(0, 0),
        })
    }

    /// Takes the tables over for writing: gives new ones their secret, and brings the gate into
    /// agreement with the entries that a previous run left.
    pub(super) fn take_over(&mut self) -> Result<(), KernelError> {
        let words = self.filter.len();
        if self.setting(Setting::Seed)? == 0 {
            self.set(Setting::Seed, secret()?)?;
        }
        self.set(Setting::FilterWords, u64::from(words))?;
        let mut gate = GateKeeper::closed(words, self.setting(Setting::Seed)?);
        for key in self.trust.keys() {
            let key: SourceKeyBytes = key.map_err(in_table(maps::TRUST))?;
            gate.admit_source(&transmute!(key));
        }
        for (prefix, _) in self.prefixes() {
            gate.admit_prefix(prefix);
        }
        self.gate = gate;
        // A word that has bits for nobody is written as well: whoever wrote it left before clearing it.
        let differing: Vec<_> = self.gate.words().filter(|word| !self.holds(*word)).collect();
        self.write_gate(differing)
    }

    fn holds(&self, word: GateWord) -> bool {
        let (held, word) = match word {
            GateWord::Coarse(index, word) => (self.coarse.get(&index, 0), word),
            GateWord::Filter(index, word) => (self.filter.get(&index, 0), word),
        };
        held.is_ok_and(|held| held == word)
    }

    fn write_gate(&mut self, words: Vec<GateWord>) -> Result<(), KernelError> {
        for word in words {
            match word {
                GateWord::Coarse(index, word) => {
                    self.coarse.set(index, word, 0).map_err(in_table(maps::COARSE))?;
                }
                GateWord::Filter(index, word) => {
                    self.filter.set(index, word, 0).map_err(in_table(maps::FILTER))?;
                }
            }
        }
        Ok(())
    }

    /// Writes one word of configuration.
    pub fn set(&mut self, setting: Setting, word: u64) -> Result<(), KernelError> {
        self.settings.set(setting as u32, word, 0).map_err(in_table(maps::SETTINGS))
    }

    /// One word of configuration.
    pub fn setting(&self, setting: Setting) -> Result<u64, KernelError> {
        self.settings.get(&(setting as u32), 0).map_err(in_table(maps::SETTINGS))
    }

    /// Writes the settings, each word on its own.
    pub fn apply_settings(&mut self, settings: &FilterSettings) -> Result<(), KernelError> {
        settings.words().into_iter().try_for_each(|(setting, word)| self.set(setting, word))
    }

    /// Writes those settings alone that let something pass which did not before: the first step of a
    /// change, of which [`apply_settings`](Self::apply_settings) is the last.
    pub fn widen(&mut self, settings: &FilterSettings) -> Result<(), KernelError> {
        if settings.unknown == UnknownAction::Challenge {
            self.set(Setting::UnknownInterval, settings.unknown_budget.interval)?;
            self.set(Setting::UnknownTolerance, settings.unknown_budget.tolerance)?;
            self.set(Setting::UnknownAction, settings.unknown as u64)?;
        }
        let scrutinies = [
            (Setting::HopLimits, settings.hop_limits),
            (Setting::ReversePath, settings.reverse_path),
        ];
        for (setting, scrutiny) in scrutinies {
            if (scrutiny as u64) < self.setting(setting)? {
                self.set(setting, scrutiny as u64)?;
            }
        }
        if settings.tunnels_pass {
            self.set(Setting::TunnelsPass, 1)?;
        }
        if settings.mode == Mode::Observe {
            self.set_mode(settings.mode)?;
        }
        Ok(())
    }

    /// Says whether verdicts are carried out, from the next packet on. Nothing else changes.
    pub fn set_mode(&mut self, mode: Mode) -> Result<(), KernelError> {
        self.set(Setting::Mode, mode as u64)
    }

    /// Says that the daemon lives.
    pub fn beat(&mut self, now: MonotonicNanos) -> Result<(), KernelError> {
        self.set(Setting::Heartbeat, now.0)
    }

    /// Says how many nanoseconds of its budget a stranger's packet costs, without a change of tolerance.
    pub fn set_unknown_interval(&mut self, interval: u64) -> Result<(), KernelError> {
        self.set(Setting::UnknownInterval, interval)
    }

    /// Says after how long a silence of the daemon everything passes; `None` for never.
    pub fn end_enforcement_after(&mut self, silence: Option<Duration>) -> Result<(), KernelError> {
        let nanos = silence.map_or(0, |silence| silence.as_nanos().try_into().unwrap_or(u64::MAX));
        self.set(Setting::SilenceEndsEnforcement, nanos)
    }

    /// Protects exactly these services, from one packet to the next: they are written beside those in
    /// force and take their place at once.
    pub fn apply_services(&mut self, services: &[ProtectedService]) -> Result<(), KernelError> {
        let wanted: std::collections::HashMap<_, _> =
            services.iter().flat_map(ProtectedService::rows).collect();
        let in_force = ServiceTable(self.setting(Setting::ServiceTable)?);
        for _ in 0..SERVICE_SEEDS {
            let table = ServiceTable::new(!in_force.is_upper(), secret()?);
            let Some(buckets) = table.fill(wanted.iter().map(|(key, value)| (*key, *value))) else {
                continue;
            };
            for (position, bucket) in buckets {
                let bucket: ServiceBucketBytes = transmute!(bucket);
                self.services.set(position, bucket, 0).map_err(in_table(maps::SERVICES))?;
            }
            return self.set(Setting::ServiceTable, table.0);
        }
        Err(KernelError::TableFull(maps::SERVICES.name))
    }

    /// The services in force: listeners, and under a key without port every address that has one.
    pub fn services(&self) -> Result<Vec<(ServiceKey, u32)>, KernelError> {
        let in_force = ServiceTable(self.setting(Setting::ServiceTable)?);
        let mut services = Vec::new();
        for position in in_force.positions() {
            let bucket = self.services.get(&position, 0).map_err(in_table(maps::SERVICES))?;
            let bucket: ServiceBucket = transmute!(bucket);
            services.extend(bucket.taken());
        }
        Ok(services)
    }

    /// Enters or replaces the trust in one source.
    pub fn trust_source(&mut self, key: &SourceKey, entry: &TrustEntry) -> Result<(), KernelError> {
        let bytes: SourceKeyBytes = transmute!(*key);
        let entry: TrustEntryBytes = transmute!(*entry);
        match self.trust.insert(bytes, entry, REPLACE) {
            Err(error) if is_absent(&error) => {}
            replaced => return replaced.map_err(in_table(maps::TRUST)),
        }
        let words = self.gate.admit_source(key);
        self.write_gate(words)?;
        self.trust.insert(bytes, entry, 0).map_err(in_table(maps::TRUST)).inspect_err(|_| {
            // What stays open by this is looked up and not found.
            self.gate.dismiss_source(key);
        })
    }

    /// Removes the trust in one source; it is no error if there is none.
    pub fn distrust_source(&mut self, key: &SourceKey) -> Result<(), KernelError> {
        let bytes: SourceKeyBytes = transmute!(*key);
        match self.trust.remove(&bytes) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(in_table(maps::TRUST)(error)),
        }
        let words = self.gate.dismiss_source(key);
        self.write_gate(words)?;
        if !self.gate.is_stale() {
            return Ok(());
        }
        let sources = self.trust.keys().flatten().map(|key| transmute!(key));
        let words = self.gate.refilter(sources);
        self.write_gate(words)
    }

    /// What is known of exactly this source.
    pub fn trusted_source(&self, key: &SourceKey) -> Result<Option<TrustEntry>, KernelError> {
        let key: SourceKeyBytes = transmute!(*key);
        match self.trust.get(&key, 0) {
            Ok(entry) => Ok(Some(transmute!(entry))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(in_table(maps::TRUST)(error)),
        }
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
        let is_new = !self.gate.knows_prefix(prefix);
        let words = self.gate.admit_prefix(prefix);
        self.write_gate(words)?;
        self.prefixes.insert(&key, entry, 0).map_err(in_table(maps::PREFIXES)).inspect_err(|_| {
            if is_new {
                self.gate.dismiss_prefix(prefix);
            }
        })
    }

    /// Removes the trust in a prefix; it is no error if there is none.
    pub fn distrust_prefix(&mut self, prefix: Prefix) -> Result<(), KernelError> {
        let key = Key::new(u32::from(prefix.length), prefix.address.octets());
        match self.prefixes.remove(&key) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(in_table(maps::PREFIXES)(error)),
        }
        let words = self.gate.dismiss_prefix(prefix);
        self.write_gate(words)
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

    /// Makes these all of IPsec's inbound associations that the filter knows, each with the address that
    /// its packets come from. Returns how many found no room.
    pub fn keep_associations(
        &mut self,
        associations: &[(AssociationKey, Address)],
    ) -> Result<usize, KernelError> {
        self.associations.keep(associations)
    }

    /// How many associations with `source` the filter knows at `now`; `None` if it knows none for sure.
    pub fn associations_with(
        &self,
        source: Address,
        now: MonotonicNanos,
    ) -> Result<Option<usize>, KernelError> {
        let are_known = self.setting(Setting::AssociationsUntil)? > now.0;
        are_known.then(|| self.associations.with(source)).transpose()
    }

    /// Says until when the filter may take the associations that it knows for all that there are; zero for
    /// not at all.
    pub fn know_associations_until(&mut self, until: MonotonicNanos) -> Result<(), KernelError> {
        self.set(Setting::AssociationsUntil, until.0)
    }

    /// How often one verdict was reached; see [`Readings::counter`].
    pub fn counter(&self, verdict: Verdict) -> Result<Counter, KernelError> {
        self.readings.counter(verdict)
    }

    /// What can be read while somebody else holds the tables.
    #[must_use]
    pub const fn readings(&self) -> &Arc<Readings> {
        &self.readings
    }
}

fn secret() -> Result<u64, KernelError> {
    let mut secret = [0; 8];
    getrandom::fill(&mut secret)
        .map_err(|cause| KernelError::Randomness(io::Error::other(cause)))?;
    Ok(u64::from_ne_bytes(secret).max(1))
}

pub(super) fn in_table(spec: MapSpec) -> impl FnOnce(MapError) -> KernelError {
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

fn is_absent(error: &MapError) -> bool {
    matches!(error, MapError::KeyNotFound)
        || matches!(error, MapError::SyscallError(error)
            if error.io_error.raw_os_error() == Some(libc::ENOENT))
}
