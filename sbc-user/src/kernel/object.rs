use std::time::Duration;

use aya::maps::{Map, MapInfo};
use aya::programs::{CgroupSkb, TestRun as _, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use sbc_common::maps::{self, MapSpec};
use sbc_common::{Action, Filter};

use super::{KernelError, KernelTables, Pins};

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sbc-xdp"));

/// The names of the programs in the object.
const PROGRAM: &str = "sbc";
const SOCKET_PROGRAM: &str = "sbc_socket";
/// `XDP_PASS` of `enum xdp_action`.
pub(super) const XDP_PASS: u32 = 2;
/// What a program in front of sockets returns to let a packet through.
const SOCKET_PASS: u32 = 1;

/// The embedded programs, loaded into the kernel and verified, attached to nothing.
#[derive(Debug)]
pub struct Object {
    ebpf: Ebpf,
}

impl Object {
    /// Loads both programs with tables of their own, which end with them.
    pub fn load() -> Result<(Self, KernelTables), KernelError> {
        let (mut object, tables) = Self::load_with(&mut EbpfLoader::new())?;
        object.load_socket_program()?;
        Ok((object, tables))
    }

    /// Loads the XDP program with the pinned tables, or makes and pins them.
    pub(super) fn load_pinned(
        pins: &Pins,
        specs: &[MapSpec],
    ) -> Result<(Self, KernelTables), KernelError> {
        for spec in specs {
            pins.open(*spec)?;
        }
        let mut loader = EbpfLoader::new();
        for spec in specs {
            loader
                .map_pin_path(spec.name, pins.map(*spec))
                .map_max_entries(spec.name, spec.capacity);
        }
        Self::load_with(&mut loader)
    }

    fn load_with(loader: &mut EbpfLoader<'_>) -> Result<(Self, KernelTables), KernelError> {
        let mut ebpf = loader.load(OBJECT)?;
        program_in(&mut ebpf)?.load()?;
        let mut tables = KernelTables::open(|spec| {
            ebpf.take_map(spec.name).ok_or(KernelError::IncompleteObject(spec.name))
        })?;
        tables.take_over()?;
        Ok((Self { ebpf }, tables))
    }

    /// Runs one frame (Ethernet header first) through the program as it is in the kernel, with the
    /// tables as they are. It counts like a received one.
    pub fn judge(&mut self, frame: &[u8]) -> Result<Action, KernelError> {
        let run = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        let result = self.program()?.test_run(run)?;
        Ok(action_of(result.return_value))
    }

    /// Runs one frame through the program as [`Self::judge`] does, `runs` times over, and returns the
    /// last verdict and the mean time of a run, in whole nanoseconds.
    pub fn cost(&mut self, frame: &[u8], runs: u32) -> Result<(Action, Duration), KernelError> {
        let run = TestRunOptions { data_in: Some(frame), repeat: runs, ..TestRunOptions::new() };
        let result = self.program()?.test_run(run)?;
        Ok((action_of(result.return_value), result.duration))
    }

    /// Runs one packet, behind an Ethernet header, through the second program as if it were about to
    /// reach a socket.
    pub fn judge_at_socket(&mut self, frame: &[u8]) -> Result<Action, KernelError> {
        let run = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        let result = self.socket_program()?.test_run(run)?;
        Ok(if result.return_value == SOCKET_PASS { Action::Pass } else { Action::Drop })
    }

    /// The numbers of instructions that the verifier walked, of both programs; `None` where the kernel
    /// does not tell.
    pub fn verified_instructions(&mut self) -> Result<[Option<u32>; 2], KernelError> {
        Ok([
            self.program()?.info()?.verified_instruction_count(),
            self.socket_program()?.info()?.verified_instruction_count(),
        ])
    }

    /// The maps that the programs use, as the kernel made them; none where it does not tell.
    pub fn maps(&mut self) -> Result<Vec<MapInfo>, KernelError> {
        let mut ids = self.program()?.info()?.map_ids()?.unwrap_or_default();
        ids.extend(self.socket_program()?.info()?.map_ids()?.unwrap_or_default());
        ids.sort_unstable();
        ids.dedup();
        let opened = ids.into_iter().map(MapInfo::from_id).collect::<Result<_, _>>();
        opened.map_err(|cause| KernelError::Table { table: "of the program", cause })
    }

    pub(super) fn program(&mut self) -> Result<&mut Xdp, KernelError> {
        program_in(&mut self.ebpf)
    }

    /// Has the second program verified. Apart from the first, which goes without it where it is off.
    pub(super) fn load_socket_program(&mut self) -> Result<(), KernelError> {
        Ok(self.socket_program()?.load()?)
    }

    pub(super) fn socket_program(&mut self) -> Result<&mut CgroupSkb, KernelError> {
        let program = self.ebpf.program_mut(SOCKET_PROGRAM);
        let program = program.ok_or(KernelError::IncompleteObject("program for sockets"))?;
        Ok(program.try_into()?)
    }

    #[cfg(feature = "kernel-log")]
    pub(super) fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
}

/// Opens the pinned tables of a filter that is already loaded.
pub(super) fn open_pinned(pins: &Pins, specs: &[MapSpec]) -> Result<KernelTables, KernelError> {
    KernelTables::open(|spec| {
        let spec = specs.iter().find(|candidate| candidate.name == spec.name).unwrap_or(&spec);
        let pinned = pins.open(*spec)?;
        let map = pinned.ok_or_else(|| pins.not_loaded())?;
        Map::from_map_data(map).map_err(|cause| KernelError::Table { table: spec.name, cause })
    })
}

/// The maps as this installation wants them.
pub(super) fn specs(trust_capacity: u32) -> Vec<MapSpec> {
    maps::ALL
        .into_iter()
        .map(|spec| match spec {
            spec if spec == maps::TRUST => MapSpec { capacity: trust_capacity, ..spec },
            spec if spec == maps::FILTER => {
                MapSpec { capacity: Filter::words_for(trust_capacity), ..spec }
            }
            spec => spec,
        })
        .collect()
}

fn action_of(verdict: u32) -> Action {
    if verdict == XDP_PASS { Action::Pass } else { Action::Drop }
}

fn program_in(ebpf: &mut Ebpf) -> Result<&mut Xdp, KernelError> {
    let program = ebpf.program_mut(PROGRAM).ok_or(KernelError::IncompleteObject("XDP program"))?;
    Ok(program.try_into()?)
}
