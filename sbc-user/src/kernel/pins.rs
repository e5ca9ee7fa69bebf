use std::ffi::CString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use aya::maps::{MapData, MapError};
use sbc_common::Setting;
use sbc_common::maps::{self, ABI_VERSION, MapSpec};

use super::object_file::{Kind, ObjectFile};
use super::service_user::{give, own_ids};
use super::{KernelError, Readings, ServiceUser};

const BPF_FS_MAGIC: libc::c_long = 0xcafe_4a11;

const SOCKET_LINK: &str = "socket-link";

/// Where the link and the maps are pinned, so that the filter goes on without the daemon: a directory
/// of its own for each version of their layout.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
    directory: PathBuf,
}

impl Pins {
    /// The pins below the BPF file system at `root`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self::of_version(root, ABI_VERSION)
    }

    fn of_version(root: &Path, version: u32) -> Self {
        Self { root: root.to_owned(), directory: root.join(format!("v{version}")) }
    }

    /// The pins that other versions have left beside these.
    pub(super) fn of_other_versions(&self) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(&self.root) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let versions = names.filter_map(|name| {
            let version: u32 = name.strip_prefix('v')?.parse().ok()?;
            (name == format!("v{version}")).then_some(version)
        });
        let pins = versions.map(|version| Self::of_version(&self.root, version));
        pins.filter(|other| other.directory != self.directory).collect()
    }

    /// Why there is nothing of this version.
    pub(super) fn not_loaded(&self) -> KernelError {
        let others = self.of_other_versions();
        match others.into_iter().find(|other| !other.interfaces().is_empty()) {
            Some(other) => KernelError::OtherVersion(other.directory),
            None => KernelError::NotLoaded(self.directory.clone()),
        }
    }

    /// The path of a map.
    #[must_use]
    pub fn map(&self, spec: MapSpec) -> PathBuf {
        self.directory.join(spec.name)
    }

    /// The path of the link that keeps the program attached to an interface.
    #[must_use]
    pub fn link(&self, interface: &str) -> PathBuf {
        self.directory.join(format!("link-{interface}"))
    }

    /// The path of the link that keeps the second program attached in front of the daemon's sockets.
    #[must_use]
    pub fn socket_link(&self) -> PathBuf {
        self.directory.join(SOCKET_LINK)
    }

    /// The directory that holds the pins.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Mounts the BPF file system if there is none yet, and makes the directory. `user` may reach it and
    /// list what is in it; what is in it can be removed by us alone.
    ///
    /// It is closed to everybody else, who could [`lock`](Self::lock) what he can open.
    pub(super) fn prepare(&self, user: Option<&ServiceUser>) -> Result<(), KernelError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |cause| KernelError::Pin { action, path, cause }
        };
        fs::create_dir_all(&self.root).map_err(failed("cannot create", &self.root))?;
        if !is_bpf_file_system(&self.root).map_err(failed("cannot inspect", &self.root))? {
            mount_bpf_file_system(&self.root)
                .map_err(failed("cannot mount a BPF file system at", &self.root))?;
        }
        fs::create_dir_all(&self.directory).map_err(failed("cannot create", &self.directory))?;
        let (uid, gid) = own_ids();
        let (gid, mode) = user.map_or((gid, 0o700), |user| (user.gid, 0o750));
        give(&self.directory, uid, gid, mode)
            .map_err(failed("cannot set the permissions of", &self.directory))?;
        let reachable = user.map_or(Ok(()), |user| user.check_way_to(&self.directory));
        if reachable.is_err() {
            // Left alone unless it is empty.
            let _ = fs::remove_dir(&self.directory);
        }
        reachable
    }

    /// Makes the pinned maps those of `user`, who can then write them without any capability; links
    /// stay ours. Without a user the maps are ours too.
    pub(super) fn hand_over(&self, user: Option<&ServiceUser>) -> Result<(), KernelError> {
        let (own, gid) = own_ids();
        // The group stays ours, so that the next load opens them without overriding permissions.
        let (uid, mode) = user.map_or((own, 0o600), |user| (user.uid, 0o660));
        let mut pinned = maps::ALL.iter().map(|spec| self.map(*spec)).filter(|path| path.exists());
        pinned.try_for_each(|path| {
            give(&path, uid, gid, mode).map_err(|cause| KernelError::Pin {
                action: "cannot hand over",
                path,
                cause,
            })
        })
    }

    /// Takes the tables for one daemon, for as long as the file is kept: a second one would replace the
    /// policy of the first. The lock ends with the process, however it ends.
    pub(super) fn lock(&self) -> Result<File, KernelError> {
        let path = || self.directory.clone();
        let failed = |cause: io::Error| {
            if cause.kind() == io::ErrorKind::NotFound {
                self.not_loaded()
            } else if cause.kind() == io::ErrorKind::PermissionDenied {
                KernelError::NotHandedOver(path())
            } else {
                KernelError::Pin { action: "cannot lock", path: path(), cause }
            }
        };
        let directory = File::open(&self.directory).map_err(failed)?;
        match directory.try_lock() {
            Ok(()) => Ok(directory),
            Err(TryLockError::WouldBlock) => Err(KernelError::Taken(self.directory.clone())),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Opens a pinned map of the shape that `spec` describes; `None` when nothing is pinned there.
    ///
    /// Neither the kernel nor aya compares them: a map of another shape would be read out of bounds, and
    /// one of other flags could be written by the programs.
    pub(super) fn open(&self, spec: MapSpec) -> Result<Option<MapData>, KernelError> {
        let path = self.map(spec);
        if !path.exists() {
            return Ok(None);
        }
        let table = |cause| KernelError::Table { table: spec.name, cause };
        let map = MapData::from_pin(&path).map_err(|error| {
            let is_denied = matches!(&error, MapError::SyscallError(error)
                if error.io_error.kind() == io::ErrorKind::PermissionDenied);
            if is_denied {
                KernelError::NotHandedOver(self.directory.clone())
            } else {
                table(error)
            }
        })?;
        let info = map.info().map_err(table)?;
        let agrees = info.map_type().is_ok_and(|kind| kind as u32 == spec.kind as u32)
            && info.key_size() == spec.key_size
            && info.value_size() == spec.value_size
            && info.max_entries() == spec.capacity
            && info.map_flags() == spec.flags;
        if agrees { Ok(Some(map)) } else { Err(KernelError::IncompatiblePin(path)) }
    }

    /// The index of the interface that a pinned link holds; `None` when nothing is pinned, zero when
    /// the interface is gone.
    pub(super) fn linked_interface(&self, interface: &str) -> Result<Option<u32>, KernelError> {
        let linked = open_link(&self.link(interface), ObjectFile::interface)?;
        Ok(linked.map(|(_, index)| index))
    }

    /// The pinned link to the daemon's sockets, and the number of the control group that it holds: zero
    /// when that is gone. `None` when nothing is pinned.
    pub(super) fn linked_cgroup(&self) -> Result<Option<(ObjectFile, u64)>, KernelError> {
        open_link(&self.socket_link(), ObjectFile::cgroup)
    }

    /// Says whether the second program guards sockets: its link goes on without it when the control
    /// group is gone. Whoever may not look at the link hears what the tables say.
    pub fn guards_sockets(&self, readings: &Readings) -> Result<bool, KernelError> {
        match self.linked_cgroup() {
            Ok(linked) => Ok(linked.is_some_and(|(_, cgroup)| cgroup != 0)),
            Err(KernelError::Pin { cause, .. })
                if cause.kind() == io::ErrorKind::PermissionDenied =>
            {
                Ok(readings.setting(Setting::SocketCgroup)? != 0)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the pins of the maps, so that the next load makes new ones. The attached program goes on
    /// with the old ones until it is replaced.
    pub(super) fn forget_maps(&self) -> Result<(), KernelError> {
        let mut pinned = maps::ALL.iter().map(|spec| self.map(*spec)).filter(|path| path.exists());
        pinned.try_for_each(|path| remove_pin(&path))
    }

    /// Removes every link and map of the filter, of whatever version, and then the directory; the
    /// program is detached when the last descriptor of its link closes. What else stands there is left
    /// alone, and returned.
    pub(super) fn remove(&self) -> Result<Vec<PathBuf>, KernelError> {
        let failed = |cause| not_removed(&self.directory, cause);
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let (mut pins, foreign): (Vec<_>, Vec<_>) =
            entries.flatten().map(|entry| entry.path()).partition(|path| is_of_a_filter(path));
        // Links first: a program must not run on with tables that nobody can reach.
        pins.sort_by_key(|path| !is_link(path));
        pins.iter().try_for_each(|path| remove_pin(path))?;
        if foreign.is_empty() {
            fs::remove_dir(&self.directory).map_err(failed)?;
        }
        Ok(foreign)
    }

    /// Lets go of one interface.
    pub(super) fn remove_link(&self, interface: &str) -> Result<(), KernelError> {
        remove_pin(&self.link(interface))
    }

    /// Lets go of the daemon's sockets; it is no error if they are not held.
    pub(super) fn remove_socket_link(&self) -> Result<(), KernelError> {
        let path = self.socket_link();
        if path.exists() { remove_pin(&path) } else { Ok(()) }
    }

    /// Lets go of every interface but one.
    pub(super) fn remove_links_except(&self, interface: &str) -> Result<(), KernelError> {
        let interfaces = self.interfaces();
        let mut others = interfaces.iter().filter(|other| *other != interface);
        others.try_for_each(|other| self.remove_link(other))
    }

    /// The interfaces that have a pinned link.
    #[must_use]
    pub fn interfaces(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_prefix("link-").map(str::to_owned))
            .collect()
    }
}

/// Opens a pinned link, and asks what it holds. `None` when nothing is pinned.
fn open_link<T>(
    path: &Path,
    held: impl FnOnce(&ObjectFile) -> io::Result<T>,
) -> Result<Option<(ObjectFile, T)>, KernelError> {
    if !path.exists() {
        return Ok(None);
    }
    let failed = |cause| KernelError::Pin { action: "cannot open", path: path.to_owned(), cause };
    let link = ObjectFile::open(path).map_err(failed)?;
    let held = held(&link).map_err(failed)?;
    Ok(Some((link, held)))
}

fn remove_pin(path: &Path) -> Result<(), KernelError> {
    fs::remove_file(path).map_err(|cause| not_removed(path, cause))
}

fn not_removed(path: &Path, cause: io::Error) -> KernelError {
    KernelError::Pin { action: "cannot remove", path: path.to_owned(), cause }
}

/// Every version pins a link as `link-` and its interface or as [`SOCKET_LINK`], and a map by the name that the kernel has for
/// it, as far as that keeps names.
fn is_of_a_filter(path: &Path) -> bool {
    const KEPT: usize = 15;
    let Ok(object) = ObjectFile::open(path) else { return false };
    match object.kind() {
        Kind::Link => is_link(path),
        Kind::Map => {
            let info = MapData::from_pin(path).and_then(|map| map.info());
            let name = path.file_name().unwrap_or_default().as_bytes();
            info.is_ok_and(|info| name.get(..KEPT).unwrap_or(name) == info.name())
        }
        Kind::Other => false,
    }
}

fn is_link(path: &Path) -> bool {
    let Some(name) = path.file_name().map(std::ffi::OsStr::as_bytes) else { return false };
    name.starts_with(b"link-") || name == SOCKET_LINK.as_bytes()
}

fn is_bpf_file_system(path: &Path) -> io::Result<bool> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: all-zero is a valid `statfs`.
    let mut status: libc::statfs = unsafe { mem::zeroed() };
    // SAFETY: `path` is NUL-terminated and `status` writable, both outlive the call.
    if unsafe { libc::statfs(path.as_ptr(), &raw mut status) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(status.f_type == BPF_FS_MAGIC)
}

fn mount_bpf_file_system(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: all pointers are NUL-terminated strings that outlive the call.
    let mounted = unsafe {
        libc::mount(
            c"bpf".as_ptr(),
            path.as_ptr(),
            c"bpf".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
            c"mode=0755".as_ptr().cast(),
        )
    };
    if mounted < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_other_versions_are_told_from_anything_else() {
        let root = tempfile::tempdir().unwrap();
        let pins = Pins::below(root.path());
        fs::create_dir(pins.directory()).unwrap();
        for name in ["v0", "v007", "v", "v-1", "v1x", "w2", "v4294967296", "v900"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let others = pins.of_other_versions();
        let mut names: Vec<_> =
            others.iter().map(|other| other.directory().file_name().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["v0", "v900"]);
    }

    #[test]
    fn the_tables_are_one_daemons_until_it_ends() {
        let root = tempfile::tempdir().unwrap();
        let pins = Pins::below(root.path());
        fs::create_dir(pins.directory()).unwrap();

        let first = pins.lock().unwrap();
        let second = pins.lock().unwrap_err();
        assert!(matches!(second, KernelError::Taken(_)), "{second}");
        drop(first);
        assert!(pins.lock().is_ok());
    }
}
