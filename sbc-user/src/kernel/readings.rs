use std::os::fd::AsFd as _;

use aya::maps::{Array, Map, MapData, MapError, PerCpuArray};
use sbc_common::maps::{self, Counter, MapSpec};
use sbc_common::{Mode, Setting, Verdict};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::KernelError;
use super::tables::in_table;

type CounterBytes = [u8; 32];

/// What the kernel counts and was told: read with thousands of system calls, by descriptors of its own, so
/// that nobody who writes the [tables](super::KernelTables) has to wait.
pub struct Readings {
    settings: Array<MapData, u64>,
    counters: PerCpuArray<MapData, CounterBytes>,
    socket_counters: PerCpuArray<MapData, CounterBytes>,
}

/// How often a verdict was reached, on all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterRow {
    /// The verdict.
    pub verdict: Verdict,
    /// Frames, bytes, and samples that were lost.
    pub counter: Counter,
}

impl Readings {
    /// Takes the maps of counters, and shares the one of settings.
    pub(super) fn new(settings: &Map, counters: Map, at_sockets: Map) -> Result<Self, KernelError> {
        Ok(Self {
            settings: typed(maps::SETTINGS, shared(settings)?)?,
            counters: typed(maps::COUNTERS, counters)?,
            socket_counters: typed(maps::SOCKET_COUNTERS, at_sockets)?,
        })
    }

    /// One word of configuration.
    pub fn setting(&self, setting: Setting) -> Result<u64, KernelError> {
        self.settings.get(&(setting as u32), 0).map_err(in_table(maps::SETTINGS))
    }

    /// The mode that is in force.
    pub fn mode(&self) -> Result<Mode, KernelError> {
        Ok(Mode::from_table(self.setting(Setting::Mode)?))
    }

    /// How often each verdict was reached since the maps were made; those that never were are left
    /// out.
    pub fn counters(&self) -> Result<Vec<CounterRow>, KernelError> {
        counted(|verdict| self.counter(verdict))
    }

    /// The same of packets on their way to the daemon's sockets, in bytes without an Ethernet header.
    pub fn socket_counters(&self) -> Result<Vec<CounterRow>, KernelError> {
        counted(|verdict| self.socket_counter(verdict))
    }

    /// How often one verdict was reached. The time of the last sample is the latest of any CPU.
    pub fn counter(&self, verdict: Verdict) -> Result<Counter, KernelError> {
        sum(&self.counters, maps::COUNTERS, verdict)
    }

    /// The same at the daemon's sockets.
    pub fn socket_counter(&self, verdict: Verdict) -> Result<Counter, KernelError> {
        sum(&self.socket_counters, maps::SOCKET_COUNTERS, verdict)
    }
}

/// The map by its type.
pub(super) fn typed<T>(spec: MapSpec, map: Map) -> Result<T, KernelError>
where
    T: TryFrom<Map, Error = MapError>,
{
    T::try_from(map).map_err(in_table(spec))
}

/// A second descriptor of the same map.
fn shared(settings: &Map) -> Result<Map, KernelError> {
    let Map::Array(held) = settings else {
        return Err(KernelError::IncompleteObject(maps::SETTINGS.name));
    };
    let descriptor = held.fd().as_fd().try_clone_to_owned().map_err(MapError::from);
    descriptor.and_then(MapData::from_fd).map(Map::Array).map_err(in_table(maps::SETTINGS))
}

fn counted(
    counter: impl Fn(Verdict) -> Result<Counter, KernelError>,
) -> Result<Vec<CounterRow>, KernelError> {
    let rows = Verdict::all().map(|verdict| Ok(CounterRow { verdict, counter: counter(verdict)? }));
    rows.filter(|row| !row.as_ref().is_ok_and(|row| row.counter.packets == 0)).collect()
}

fn sum(
    counters: &PerCpuArray<MapData, CounterBytes>,
    spec: MapSpec,
    verdict: Verdict,
) -> Result<Counter, KernelError> {
    let cpus = counters.get(&verdict.index(), 0).map_err(in_table(spec))?;
    Ok(cpus.iter().fold(Counter::default(), |sum, cpu| {
        let cpu = Counter::read_from_bytes(cpu.as_bytes()).unwrap_or_default();
        Counter {
            packets: sum.packets + cpu.packets,
            bytes: sum.bytes + cpu.bytes,
            sampled_at: sum.sampled_at.max(cpu.sampled_at),
            lost: sum.lost + cpu.lost,
        }
    }))
}
