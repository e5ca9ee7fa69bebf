use std::ffi::CString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::mem;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use aya::maps::{MapData, MapError};
use sbc_common::maps::{self, ABI_VERSION, MapSpec};

use super::service_user::{give, own_ids};
use super::{KernelError, ServiceUser};

const BPF_FS_MAGIC: libc::c_long = 0xcafe_4a11;
const BPF_OBJ_GET: libc::c_long = 7;

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
        Self { root: root.to_owned(), directory: root.join(format!("v{ABI_VERSION}")) }
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
                KernelError::NotLoaded(path())
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
    /// Neither the kernel nor aya compares them: a map of another shape would be read out of bounds.
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
            && info.max_entries() == spec.capacity;
        if agrees { Ok(Some(map)) } else { Err(KernelError::IncompatiblePin(path)) }
    }

    /// The index of the interface that a pinned link holds; `None` when nothing is pinned, zero when
    /// the interface is gone.
    pub(super) fn linked_interface(&self, interface: &str) -> Result<Option<u32>, KernelError> {
        let path = self.link(interface);
        if !path.exists() {
            return Ok(None);
        }
        let failed = |cause| KernelError::Pin { action: "cannot open", path: path.clone(), cause };
        let link = open_object(&path).map_err(failed)?;
        let described = format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(&link));
        let described = fs::read_to_string(described).map_err(failed)?;
        let index = described
            .lines()
            .find_map(|line| line.strip_prefix("ifindex:"))
            .and_then(|index| index.trim().parse().ok());
        Ok(Some(index.unwrap_or(0)))
    }

    /// Removes the pins of the maps, so that the next load makes new ones. The attached program goes on
    /// with the old ones until it is replaced.
    pub(super) fn forget_maps(&self) -> Result<(), KernelError> {
        let mut pinned = maps::ALL.iter().map(|spec| self.map(*spec)).filter(|path| path.exists());
        pinned.try_for_each(|path| remove_pin(&path))
    }

    /// Removes every pin; the program is detached when the last descriptor of its link closes.
    pub(super) fn remove(&self) -> Result<(), KernelError> {
        let failed = |cause| not_removed(&self.directory, cause);
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        // Links first: a program must not run on with tables that nobody can reach.
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort_by_key(|path| !is_link(path));
        paths.iter().try_for_each(|path| remove_pin(path))?;
        fs::remove_dir(&self.directory).map_err(failed)
    }

    /// Lets go of one interface.
    pub(super) fn remove_link(&self, interface: &str) -> Result<(), KernelError> {
        remove_pin(&self.link(interface))
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

fn remove_pin(path: &Path) -> Result<(), KernelError> {
    fs::remove_file(path).map_err(|cause| not_removed(path, cause))
}

fn not_removed(path: &Path, cause: io::Error) -> KernelError {
    KernelError::Pin { action: "cannot remove", path: path.to_owned(), cause }
}

fn is_link(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"link-"))
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
            c"mode=0711".as_ptr().cast(),
        )
    };
    if mounted < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `BPF_OBJ_GET`: aya opens pinned links too, but does not lend their descriptor.
fn open_object(path: &Path) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        path: u64,
        descriptor: u32,
        flags: u32,
    }
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Attributes { path: path.as_ptr() as u64, descriptor: 0, flags: 0 };
    // SAFETY: `attributes` has the layout of `union bpf_attr` for BPF_OBJ_GET and outlives the call,
    // as does the NUL-terminated path that it points to.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_OBJ_GET,
            &raw const attributes,
            mem::size_of::<Attributes>(),
        )
    };
    let descriptor = i32::try_from(descriptor).unwrap_or(-1);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use super::*;

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
