use std::path::Path;

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};

use super::Defence;
use crate::receiver::Receiver;

/// A program that only drops, or only reads the port before it does: the floors.
pub(super) struct Bare {
    /// Detaches when it ends.
    _object: Ebpf,
}

impl Bare {
    /// Attaches one of the benchmark's own programs.
    pub(super) fn attach(receiver: &Receiver, object: &Path, program: &str) -> Result<Self> {
        let attached = receiver.host.enter(|| -> Result<Ebpf> {
            let mut object = Ebpf::load_file(object).context("loading the benchmark's object")?;
            let program: &mut Xdp =
                object.program_mut(program).context("no such program")?.try_into()?;
            program.load()?;
            program.attach(&receiver.device, XdpMode::Driver)?;
            Ok(object)
        })?;
        Ok(Self { _object: attached? })
    }
}

impl Defence for Bare {
    fn dropped(&mut self, receiver: &Receiver) -> Result<u64> {
        receiver.dropped_by_xdp()
    }
}
