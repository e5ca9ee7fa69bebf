use std::fs::File;
use std::path::PathBuf;

use sbc_common::maps::MapSpec;

use super::device::Device;
use super::object::{self, Object};
use super::{AttachMode, Attached, KernelError, KernelTables, Pins, attachment, requirements};

/// What is needed to load the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterOptions {
    /// The interface that strangers' packets arrive on.
    pub interface: String,
    /// How to attach to it.
    pub mode: AttachMode,
    /// Where the BPF file system is or shall be mounted.
    pub bpf_file_system: PathBuf,
    /// The number of sources that can be trusted at a time.
    pub trust_capacity: u32,
}

/// The filter, loaded with pinned tables and about to be attached.
///
/// Fill the tables, then [`attach`](Self::attach): a program must not judge a packet before it knows
/// the policy.
#[derive(Debug)]
pub struct Filter {
    object: Object,
    device: Device,
    pins: Pins,
    mode: AttachMode,
    /// Kept until the end.
    _lock: File,
}

impl Filter {
    /// Checks the requirements, loads the program, and adopts the pinned tables of a previous run, or
    /// makes new ones when there are none or their shape has changed.
    pub fn load(options: &FilterOptions) -> Result<(Self, KernelTables), KernelError> {
        requirements::check()?;
        let device = Device::find(&options.interface)?;
        let pins = Pins::below(&options.bpf_file_system);
        pins.prepare()?;
        let lock = pins.lock()?;
        let specs = object::specs(options.trust_capacity);
        let loaded = match Object::load_pinned(&pins, &specs) {
            Err(KernelError::IncompatiblePin(path)) => {
                tracing::warn!(map = %path.display(), "its shape has changed: learned trust is lost");
                pins.forget_maps().and_then(|()| Object::load_pinned(&pins, &specs))
            }
            loaded => loaded,
        };
        match loaded {
            Ok((object, tables)) => {
                Ok((Self { object, device, pins, mode: options.mode, _lock: lock }, tables))
            }
            Err(error) => {
                pins.remove_unused();
                Err(error)
            }
        }
    }

    /// Attaches the program; from here on it goes on without this process. Interfaces that a previous
    /// run filtered and this one does not are let go.
    pub fn attach(&mut self) -> Result<Attached, KernelError> {
        let attached =
            attachment::attach(self.object.program()?, &self.device, &self.pins, self.mode)?;
        self.pins.remove_links_except(&self.device.name)?;
        Ok(attached)
    }

    /// Says whether the program is attached still: it may have been unloaded by hand.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        !self.pins.interfaces().is_empty()
    }

    /// Detaches the program and removes its tables.
    pub fn detach(self) -> Result<(), KernelError> {
        self.pins.remove()
    }

    /// Returns a function that passes on what the program, built for development, has logged since
    /// it was last called.
    #[cfg(feature = "kernel-log")]
    pub fn log_reader(&mut self) -> Result<impl FnMut() + Send + use<>, KernelError> {
        let mut log = aya_log::EbpfLogger::init(self.object.ebpf_mut())
            .map_err(|_| KernelError::IncompleteObject("log"))?;
        Ok(move || log.flush())
    }
}

/// Whoever gives up before the program is attached leaves no tables behind that serve nobody.
impl Drop for Filter {
    fn drop(&mut self) {
        self.pins.remove_unused();
    }
}

impl Pins {
    /// Opens the tables of a filter that is loaded.
    pub fn open_tables(&self, trust_capacity: u32) -> Result<KernelTables, KernelError> {
        let specs: Vec<MapSpec> = object::specs(trust_capacity);
        object::open_pinned(self, &specs)
    }

    /// Removes the tables if no program is attached that uses them. What fails has failed before, and
    /// was told then.
    fn remove_unused(&self) {
        if self.interfaces().is_empty() {
            let _ = self.remove();
        }
    }

    /// Says whether a daemon runs that uses the tables.
    #[must_use]
    pub fn are_in_use(&self) -> bool {
        matches!(self.lock(), Err(KernelError::Taken(_)))
    }

    /// Detaches the program from every interface and removes its tables.
    pub fn unload(&self) -> Result<(), KernelError> {
        if !self.directory().exists() {
            return Err(KernelError::NotLoaded(self.directory().to_owned()));
        }
        self.remove()
    }
}
