use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::KernelError;

/// A control group of the second version: the sockets that its processes open belong to it.
#[derive(Debug)]
pub(super) struct Cgroup {
    pub(super) path: PathBuf,
    directory: File,
    /// What the kernel calls it by; no two since boot have had the same.
    pub(super) id: u64,
}

impl Cgroup {
    /// Opens the one at `path`, which has to be a control group and nothing else.
    pub(super) fn open(path: &Path) -> Result<Self, KernelError> {
        let failed = |cause| KernelError::Cgroup { path: path.to_owned(), cause };
        let directory = File::open(path).map_err(failed)?;
        if !is_cgroup(path) {
            return Err(failed(io::Error::other("it is no control group of version 2")));
        }
        let id = directory.metadata().map_err(failed)?.ino();
        Ok(Self { path: path.to_owned(), directory, id })
    }

    pub(super) fn descriptor(&self) -> impl AsFd {
        &self.directory
    }
}

/// Says whether the calling process is in the control group of this number, or in one below it. One that
/// is out of sight, above what a container shows, is not seen to hold it.
pub(super) fn holds_us(id: u64) -> bool {
    let Some(own) = own() else { return false };
    let above = own.ancestors().take_while(|path| is_cgroup(path));
    above.filter_map(|path| fs::metadata(path).ok()).any(|found| found.ino() == id)
}

/// Every control group of the second version, the root included, has this file.
fn is_cgroup(path: &Path) -> bool {
    path.join("cgroup.controllers").exists()
}

/// Where the calling process's own is; `None` where there is no second version, or it is not mounted
/// within reach.
pub(super) fn own() -> Option<PathBuf> {
    let memberships = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    candidates(&memberships, &mounts).into_iter().find(|path| is_cgroup(path))
}

/// The same, for somebody who did not name it: the root holds every socket of the machine, those of
/// containers too.
pub(super) fn own_but_the_root() -> Result<PathBuf, KernelError> {
    let own = own().ok_or(KernelError::NoCgroup)?;
    if is_root(&own) { Err(KernelError::RootCgroup) } else { Ok(own) }
}

/// Every group but the root has this file (cgroups(7), "Cgroups v2 cgroup.type").
fn is_root(path: &Path) -> bool {
    !path.join("cgroup.type").exists()
}

/// cgroups(7), "/proc files": the second version is hierarchy zero, without controllers.
fn candidates(memberships: &str, mounts: &str) -> Vec<PathBuf> {
    let Some(path) = memberships.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next()?;
        (fields.next()? == "cgroup2").then_some(place)
    });
    mounted.map(|place| Path::new(place).join(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
        cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
        cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";

    #[test]
    fn a_service_is_found_below_the_mount() {
        let memberships = "4:memory:/a\n0::/system.slice/sbc.service\n";
        let expected = PathBuf::from("/sys/fs/cgroup/unified/system.slice/sbc.service");
        assert_eq!(candidates(memberships, MOUNTS), [expected]);
        assert_eq!(candidates("0::/\n", MOUNTS), [PathBuf::from("/sys/fs/cgroup/unified/")]);
    }

    #[test]
    fn the_root_is_told_from_what_is_below_it() {
        let root = tempfile::tempdir().unwrap();
        assert!(is_root(root.path()));
        fs::write(root.path().join("cgroup.type"), "domain\n").unwrap();
        assert!(!is_root(root.path()));
    }

    #[test]
    fn where_there_is_only_the_first_version_there_is_none() {
        assert!(candidates("4:memory:/a\n", MOUNTS).is_empty());
        assert!(candidates("0::/a\n", "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n").is_empty());
    }
}
