use std::fs::File;
use std::path::PathBuf;

use sbc_common::maps::MapSpec;

use super::device::Device;
use super::object::{self, Object};
use super::{
    AttachMode, Attached, KernelError, KernelTables, Pins, ServiceUser, attachment, requirements,
};

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
    /// Who is handed the tables; nobody, if absent or root.
    pub user: Option<String>,
}

/// The filter with its pinned tables: loaded and about to be attached, or adopted from `sbc load`.
///
/// Fill the tables, then [`attach`](Self::attach): a program must not judge a packet before it knows
/// the policy.
#[derive(Debug)]
pub struct Filter {
    /// None if it was adopted: whoever has no privilege cannot even look at the program.
    object: Option<Object>,
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
        let user = options.user.as_deref().map(ServiceUser::find).transpose()?;
        let user = user.filter(|user| !user.is_root());
        let pins = Pins::below(&options.bpf_file_system);
        pins.prepare(user.as_ref())?;
        let lock = pins.lock()?;
        let specs = object::specs(options.trust_capacity);
        let loaded = match Object::load_pinned(&pins, &specs) {
            Err(KernelError::IncompatiblePin(path)) => {
                tracing::warn!(map = %path.display(), "its shape has changed: learned trust is lost");
                pins.forget_maps().and_then(|()| Object::load_pinned(&pins, &specs))
            }
            loaded => loaded,
        };
        let handed_over = loaded.and_then(|loaded| pins.hand_over(user.as_ref()).map(|()| loaded));
        match handed_over {
            Ok((object, tables)) => {
                let object = Some(object);
                Ok((Self { object, device, pins, mode: options.mode, _lock: lock }, tables))
            }
            Err(error) => {
                pins.remove_unused();
                Err(error)
            }
        }
    }

    /// Says whether [`load_or_adopt`](Self::load_or_adopt) can work, as far as that is known without
    /// changing anything: the lack of a privilege should not look like one of its consequences.
    pub fn check(options: &FilterOptions) -> Result<(), KernelError> {
        match requirements::check() {
            Err(KernelError::MissingCapabilities(_)) => Self::load_or_adopt(options).map(drop),
            checked => checked,
        }
    }

    /// Loads the filter with the privileges that it takes, and without them takes the one that
    /// `sbc load` has left: its tables, no more. That takes no capability at all.
    pub fn load_or_adopt(options: &FilterOptions) -> Result<(Self, KernelTables), KernelError> {
        match requirements::check() {
            Ok(()) => Self::load(options),
            Err(KernelError::MissingCapabilities(missing)) => match Self::adopt(options) {
                Err(KernelError::NotLoaded(_)) => Err(KernelError::MissingCapabilities(missing)),
                adopted => adopted,
            },
            Err(error) => Err(error),
        }
    }

    fn adopt(options: &FilterOptions) -> Result<(Self, KernelTables), KernelError> {
        let device = Device::find(&options.interface)?;
        let pins = Pins::below(&options.bpf_file_system);
        let lock = pins.lock()?;
        match pins.interfaces() {
            attached if attached.is_empty() => {
                return Err(KernelError::NotLoaded(pins.directory().to_owned()));
            }
            attached if !attached.contains(&device.name) => {
                return Err(KernelError::NotAttached(device.name));
            }
            _ => {}
        }
        let mut tables = pins.open_tables(options.trust_capacity)?;
        tables.take_over()?;
        Ok((Self { object: None, device, pins, mode: options.mode, _lock: lock }, tables))
    }

    /// Says whether the filter is one that somebody else loaded, who alone can detach it.
    #[must_use]
    pub const fn is_adopted(&self) -> bool {
        self.object.is_none()
    }

    /// Attaches the program; from here on it goes on without this process. Interfaces that a previous
    /// run filtered and this one does not are let go.
    pub fn attach(&mut self) -> Result<Attached, KernelError> {
        let Some(object) = &mut self.object else { return Ok(Attached::Before) };
        let attached = attachment::attach(object.program()?, &self.device, &self.pins, self.mode)?;
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
        let missing = || KernelError::IncompleteObject("log");
        let object = self.object.as_mut().ok_or_else(missing)?;
        let mut log = aya_log::EbpfLogger::init(object.ebpf_mut()).map_err(|_| missing())?;
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
