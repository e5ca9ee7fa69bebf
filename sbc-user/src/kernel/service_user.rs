use std::ffi::CString;
use std::fs::{self, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::ptr;

use super::KernelError;

const STICKY: u32 = 0o1000;
/// Enough for any entry: what does not fit is refused as nobody.
const ENTRY: usize = 64 << 10;

/// The user that the daemon runs as when `sbc load` does for it what takes privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUser {
    /// As the configuration has it.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The user's own group.
    pub gid: u32,
}

impl ServiceUser {
    /// Looks a user up by name.
    pub fn find(name: &str) -> Result<Self, KernelError> {
        let missing = || KernelError::NoSuchUser(name.to_owned());
        let c_name = CString::new(name).map_err(|_| missing())?;
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut strings = vec![0; ENTRY];
        let mut found = ptr::null_mut();
        // SAFETY: `c_name` is NUL-terminated, `entry`, `strings` (of the length that is told) and
        // `found` are writable, and all of them outlive the call.
        let failed = unsafe {
            libc::getpwnam_r(
                c_name.as_ptr(),
                entry.as_mut_ptr(),
                strings.as_mut_ptr(),
                strings.len(),
                &raw mut found,
            )
        };
        if failed != 0 || found.is_null() {
            return Err(missing());
        }
        // SAFETY: a result that is not null says that the entry was filled in.
        let entry = unsafe { entry.assume_init() };
        Ok(Self { name: name.to_owned(), uid: entry.pw_uid, gid: entry.pw_gid })
    }

    /// Says whether the user is the one that everything belongs to anyway.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Makes sure that the user can reach what stands in `directory`, and can remove neither it nor a
    /// directory above: with the pins below it the filter would go.
    pub(super) fn check_way_to(&self, directory: &Path) -> Result<(), KernelError> {
        let failed = |cause| KernelError::Pin {
            action: "cannot inspect",
            path: directory.to_owned(),
            cause,
        };
        // With a way through symbolic links resolved, since whoever owns one chooses where it leads.
        let whole = fs::canonicalize(directory).map_err(failed)?;
        for above in whole.ancestors() {
            let (path, user) = (above.to_owned(), self.name.clone());
            let metadata = fs::metadata(above).map_err(failed)?;
            if self.may_remove_from(&metadata) {
                return Err(KernelError::NotRoots { path, user });
            }
            if self.bits(&metadata) & 0o1 == 0 {
                return Err(KernelError::NoWayFor { path, user });
            }
        }
        Ok(())
    }

    /// Says whether the user may make a file in a directory.
    #[must_use]
    pub fn may_write_to(&self, directory: &Path) -> bool {
        fs::metadata(directory).is_ok_and(|metadata| self.bits(&metadata) & 0o3 == 0o3)
    }

    /// An owner may give himself any permission; in a sticky directory others remove only their own.
    fn may_remove_from(&self, directory: &Metadata) -> bool {
        directory.uid() == self.uid
            || self.bits(directory) & 0o2 != 0 && directory.mode() & STICKY == 0
    }

    /// The permission bits that are the user's: read 4, write 2, search 1.
    fn bits(&self, metadata: &Metadata) -> u32 {
        let mode = metadata.mode();
        if metadata.uid() == self.uid {
            mode >> 6 & 0o7
        } else if metadata.gid() == self.gid {
            mode >> 3 & 0o7
        } else {
            mode & 0o7
        }
    }
}

/// Gives a file to a user and a group, unless it is theirs, with these permissions.
pub(super) fn give(path: &Path, uid: u32, gid: u32, mode: u32) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    // Permissions first: those of another's file take a capability more to change.
    if metadata.mode() & 0o7777 != mode {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    if (metadata.uid(), metadata.gid()) != (uid, gid) {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// Who we are.
pub(super) fn own_ids() -> (u32, u32) {
    // SAFETY: these calls have no preconditions and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_user_is_found_by_name() {
        let root = ServiceUser::find("root").unwrap();
        assert_eq!((root.uid, root.gid, root.is_root()), (0, 0, true));
        for name in ["no-such-user", "", "ro\0ot"] {
            let error = ServiceUser::find(name).unwrap_err();
            assert!(matches!(error, KernelError::NoSuchUser(_)), "{error}");
        }
    }

    #[test]
    fn the_pins_directory_must_be_within_reach_and_out_of_his_hands() {
        let (uid, gid) = own_ids();
        let stranger = ServiceUser { name: "other".to_owned(), uid: uid + 1, gid: gid + 1 };
        let colleague = ServiceUser { name: "colleague".to_owned(), uid: uid + 1, gid };
        let owner = ServiceUser { name: "owner".to_owned(), uid, gid };
        let folder = tempfile::tempdir().unwrap();
        let check = |user: &ServiceUser, mode| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            user.check_way_to(folder.path())
        };
        for mode in [0o711, 0o755, 0o1777, 0o751] {
            check(&stranger, mode).unwrap();
        }
        check(&colleague, 0o1770).unwrap();
        for (user, mode) in [(&stranger, 0o733), (&colleague, 0o770), (&owner, 0o500)] {
            let error = check(user, mode).unwrap_err();
            assert!(matches!(error, KernelError::NotRoots { .. }), "{mode:o}: {error}");
        }
        for (user, mode) in [(&stranger, 0o750), (&colleague, 0o705)] {
            let error = check(user, mode).unwrap_err();
            assert!(matches!(error, KernelError::NoWayFor { .. }), "{mode:o}: {error}");
        }
        assert!(check(&colleague, 0o1770).is_ok() && colleague.may_write_to(folder.path()));
        assert!(!stranger.may_write_to(folder.path()));
    }
}
