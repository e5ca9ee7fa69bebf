use std::fs::File;
use std::mem;
use std::path::PathBuf;

use sbc_common::Setting;
use sbc_common::maps::MapSpec;

use super::device::Device;
use super::object::{self, Object};
use super::socket_filter::{self, Guard, Whose};
use super::{
    AtSockets, AttachMode, Attached, KernelError, KernelTables, Pins, SampleRing, ServiceUser,
    SocketFilter, attachment, requirements, xdp_holder,
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
    /// Whether packets are judged a second time, in front of the daemon's sockets.
    pub socket_filter: SocketFilter,
    /// The control group whose sockets those are, if it is not the process's own.
    pub cgroup: Option<PathBuf>,
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
    at_sockets: SocketFilter,
    guard: Guard,
    /// Kept until the end.
    _lock: File,
    /// What other versions have left, locked until it is taken over.
    others: Vec<(Pins, File)>,
}

impl Filter {
    /// Checks the requirements, loads the program, and adopts the pinned tables of a previous run, or
    /// makes new ones when there are none or their shape has changed. For a daemon that is started later:
    /// the sockets of the calling process are nobody's.
    pub fn load(options: &FilterOptions) -> Result<(Self, KernelTables), KernelError> {
        Self::load_for(options, Whose::Others)
    }

    fn load_for(
        options: &FilterOptions,
        whose: Whose,
    ) -> Result<(Self, KernelTables), KernelError> {
        requirements::check()?;
        let guard = options.socket_filter.guard(options.cgroup.as_ref(), whose)?;
        let device = Device::find(&options.interface)?;
        let user = options.user.as_deref().map(ServiceUser::find).transpose()?;
        let user = user.filter(|user| !user.is_root());
        let pins = Pins::below(&options.bpf_file_system);
        let others = pins.of_other_versions().into_iter();
        let others = others.map(|other| other.lock().map(|lock| (other, lock)));
        let others: Vec<_> = others.collect::<Result<_, _>>()?;
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
        let verified = handed_over.and_then(|(mut object, tables)| {
            let guard = verify(guard, &mut object, options.socket_filter)?;
            Ok((object, tables, guard))
        });
        match verified {
            Ok((object, tables, guard)) => {
                let (object, mode) = (Some(object), options.mode);
                let at_sockets = options.socket_filter;
                let filter =
                    Self { object, device, pins, mode, at_sockets, guard, _lock: lock, others };
                Ok((filter, tables))
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
            Err(KernelError::MissingCapabilities(missing)) => {
                Self::adopt(options, missing).map(drop)
            }
            Ok(()) => options.socket_filter.guard(options.cgroup.as_ref(), Whose::Own).map(drop),
            Err(error) => Err(error),
        }
    }

    /// Loads the filter with the privileges that it takes, and without them takes the one that
    /// `sbc load` has left: its tables, no more. That takes no capability at all.
    pub fn load_or_adopt(options: &FilterOptions) -> Result<(Self, KernelTables), KernelError> {
        match requirements::check() {
            Ok(()) => Self::load_for(options, Whose::Own),
            Err(KernelError::MissingCapabilities(missing)) => {
                let (filter, mut tables) = Self::adopt(options, missing)?;
                tables.take_over()?;
                Ok((filter, tables))
            }
            Err(error) => Err(error),
        }
    }

    fn adopt(
        options: &FilterOptions,
        missing: Vec<&'static str>,
    ) -> Result<(Self, KernelTables), KernelError> {
        let device = Device::find(&options.interface)?;
        let pins = Pins::below(&options.bpf_file_system);
        let lock = match (pins.lock(), pins.not_loaded()) {
            (Ok(lock), _) if !pins.interfaces().is_empty() => lock,
            (Ok(_) | Err(KernelError::NotLoaded(_)), KernelError::NotLoaded(_)) => {
                return Err(KernelError::MissingCapabilities(missing));
            }
            (Ok(_), other_version) => return Err(other_version),
            (Err(error), _) => return Err(error),
        };
        if !pins.interfaces().contains(&device.name) {
            return Err(KernelError::NotAttached(device.name));
        }
        // A pin says nothing of an interface that has gone and come back: the link held the former one.
        if matches!(xdp_holder::program_on(device.index), Ok(None)) {
            return Err(KernelError::NotAttached(device.name));
        }
        let tables = pins.open_tables(options.trust_capacity)?;
        let (mode, at_sockets) = (options.mode, options.socket_filter);
        let cgroup = tables.setting(Setting::SocketCgroup)?;
        let guard = at_sockets.guarded_before(cgroup, &pins)?;
        let (object, others) = (None, Vec::new());
        let filter = Self { object, device, pins, mode, at_sockets, guard, _lock: lock, others };
        Ok((filter, tables))
    }

    /// Says whether the filter is one that somebody else loaded, who alone can detach it.
    #[must_use]
    pub const fn is_adopted(&self) -> bool {
        self.object.is_none()
    }

    /// Attaches the programs; from here on they go on without this process. Interfaces and sockets that a
    /// previous run filtered and this one does not are let go, and so is what another version has left.
    /// The tables are those that belong to the filter.
    pub fn attach(
        &mut self,
        tables: &mut KernelTables,
    ) -> Result<(Attached, AtSockets), KernelError> {
        let guard = mem::take(&mut self.guard);
        let Some(object) = &mut self.object else { return Ok((Attached::Before, guard.found())) };
        let others: Vec<_> = self.others.iter().map(|(pins, _)| pins.clone()).collect();
        let program = object.program()?;
        let attached = attachment::attach(program, &self.device, &self.pins, &others, self.mode)?;
        self.pins.remove_links_except(&self.device.name)?;
        let at_sockets = match self.guard_sockets(guard, &others, tables) {
            Ok(at_sockets) => at_sockets,
            Err(error) => {
                if attached != Attached::InPlace {
                    // Nothing was there before, and nothing is left behind.
                    self.pins.remove_link(&self.device.name)?;
                }
                return Err(error);
            }
        };
        for (other, _lock) in self.others.drain(..) {
            let place = other.directory().display();
            tracing::info!(%place, "what another version had loaded is taken over");
            for path in other.remove()? {
                tracing::warn!(path = %path.display(), "left alone: it is not of any sbc");
            }
        }
        Ok((attached, at_sockets))
    }

    /// Attaches the second program, or lets go of what a previous run guarded: a program must not run on
    /// with tables that nobody writes.
    fn guard_sockets(
        &mut self,
        guard: Guard,
        others: &[Pins],
        tables: &mut KernelTables,
    ) -> Result<AtSockets, KernelError> {
        let (at_sockets, cgroup) = match (guard, &mut self.object) {
            (Guard::Cgroup(cgroup), Some(object)) => {
                let program = object.socket_program()?;
                let attached = socket_filter::attach(program, &cgroup, &self.pins, others);
                let attached = attached.map(|attached| (attached, cgroup.id));
                let impossible = |error| (AtSockets::Impossible(error), 0);
                self.at_sockets.unless_required(attached, impossible)?
            }
            (guard, _) => (guard.found(), 0),
        };
        if cgroup == 0 {
            self.pins.remove_socket_link()?;
        }
        tables.set(Setting::SocketCgroup, cgroup)?;
        Ok(at_sockets)
    }

    /// Says whether the program is attached still: it may have been unloaded by hand.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        !self.pins.interfaces().is_empty()
    }

    /// Opens the ring of samples, within a tokio runtime.
    pub fn samples(&self) -> Result<SampleRing, KernelError> {
        SampleRing::open(&self.pins)
    }

    /// Detaches the program and removes its tables.
    pub fn detach(self) -> Result<(), KernelError> {
        self.pins.remove().map(drop)
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

/// Has the second program verified before anything is attached.
fn verify(
    guard: Guard,
    object: &mut Object,
    socket_filter: SocketFilter,
) -> Result<Guard, KernelError> {
    let Guard::Cgroup(cgroup) = guard else { return Ok(guard) };
    let verified = object.load_socket_program().map(|()| Guard::Cgroup(cgroup));
    socket_filter.unless_required(verified, Guard::Impossible)
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

    /// Says whether a daemon runs that uses the tables, of whatever version.
    #[must_use]
    pub fn are_in_use(&self) -> bool {
        self.of_all_versions().any(|pins| matches!(pins.lock(), Err(KernelError::Taken(_))))
    }

    /// The interfaces that a filter of any version is attached to.
    #[must_use]
    pub fn all_interfaces(&self) -> Vec<String> {
        self.of_all_versions().flat_map(|pins| pins.interfaces()).collect()
    }

    /// Detaches the program from every interface and removes its tables, of whatever version they are.
    /// Returns what else stands beside them and is left alone.
    pub fn unload(&self) -> Result<Vec<PathBuf>, KernelError> {
        if !self.of_all_versions().any(|pins| pins.directory().exists()) {
            return Err(KernelError::NotLoaded(self.directory().to_owned()));
        }
        let left = self.of_all_versions().map(|pins| pins.remove());
        Ok(left.collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn of_all_versions(&self) -> impl Iterator<Item = Self> {
        [self.clone()].into_iter().chain(self.of_other_versions())
    }
}
