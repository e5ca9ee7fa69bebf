use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{UsersError, read_private};

/// The owner may read and write.
const PRIVATE: u32 = 0o600;

/// A users file that is being replaced, by nobody else at the same time.
///
/// Whenever this is cut short, the file is the one that it was or the one that it is to be, and whole.
pub struct Exchange {
    path: PathBuf,
    /// Locked, and not the file itself: that is another one afterwards.
    directory: File,
    successor: PathBuf,
}

impl Exchange {
    /// Waits until nobody else replaces a file of the directory. A symbolic link is followed.
    pub fn begin(path: &Path) -> Result<Self, UsersError> {
        let unreadable = |cause| UsersError::Unreadable { path: path.to_owned(), cause };
        let path = match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            found => found.map_err(unreadable)?,
        };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        let name =
            path.file_name().ok_or_else(|| unreadable(io::ErrorKind::IsADirectory.into()))?;
        let successor = [OsString::from("."), name.to_owned(), OsString::from(".new")];
        let successor = directory.join(successor.into_iter().collect::<OsString>());
        let directory = File::open(directory).map_err(unreadable)?;
        directory.lock().map_err(unreadable)?;
        Ok(Self { path, directory, successor })
    }

    /// What is in the file; `None` if there is none.
    pub fn text(&self) -> Result<Option<Zeroizing<String>>, UsersError> {
        match read_private(&self.path) {
            Err(UsersError::Unreadable { cause, .. })
                if cause.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            read => read.map(|(text, _)| Some(text)),
        }
    }

    /// Replaces the file, or makes it; for its owner alone, who stays the same.
    pub fn replace(self, text: &str) -> io::Result<()> {
        let replaced = self.prepare(text).and_then(|()| {
            fs::rename(&self.successor, &self.path)?;
            // Until this it could be the old one after a loss of power.
            self.directory.sync_all()
        });
        if replaced.is_err() {
            let _ = fs::remove_file(&self.successor);
        }
        replaced
    }

    /// Writes what is to be there beside the file.
    fn prepare(&self, text: &str) -> io::Result<()> {
        match fs::remove_file(&self.successor) {
            // Somebody was cut short: nobody else is at it now.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut options = OpenOptions::new();
        // Never through a link that is there.
        let mut file = options.write(true).create_new(true).mode(PRIVATE).open(&self.successor)?;
        if let Ok(old) = fs::metadata(&self.path) {
            let new = file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
        }
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    const OLD: &str = "realm = \"old\"\n";
    const NEW: &str = "realm = \"new\"\n";

    fn file(directory: &Path) -> PathBuf {
        let path = directory.join("users.toml");
        fs::write(&path, OLD).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        path
    }

    fn names(directory: &Path) -> Vec<OsString> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_is_replaced_by_a_private_one_of_the_same_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        // As root, which the tests that need a kernel run as too.
        let owner = chown(&path, Some(65_534), Some(65_533)).map(|()| (65_534, 65_533));
        let before = fs::metadata(&path).unwrap();
        let exchange = Exchange::begin(&path).unwrap();
        assert_eq!(exchange.text().unwrap().as_deref().map(String::as_str), Some(OLD));
        exchange.replace(NEW).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), NEW);
        assert_eq!(after.mode() & 0o7777, 0o600);
        assert_eq!((after.uid(), after.gid()), owner.unwrap_or((before.uid(), before.gid())));
        assert_eq!(names(directory.path()), ["users.toml"]);
    }

    #[test]
    fn a_new_file_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        let exchange = Exchange::begin(&path).unwrap();
        assert!(exchange.text().unwrap().is_none());
        exchange.replace(NEW).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn who_is_cut_short_leaves_the_old_file_and_nothing_that_is_in_the_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let first = Exchange::begin(&path).unwrap();
        first.prepare("realm = \"never\"\n[[us").unwrap();
        drop(first);
        assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
        assert_eq!(names(directory.path()).len(), 2);
        Exchange::begin(&path).unwrap().replace(NEW).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), NEW);
        assert_eq!(names(directory.path()), ["users.toml"]);
    }

    #[test]
    fn what_stands_in_the_way_is_not_written_through_and_a_failure_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let victim = directory.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        let exchange = Exchange::begin(&path).unwrap();
        symlink(&victim, &exchange.successor).unwrap();
        exchange.replace(NEW).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");

        let exchange = Exchange::begin(&path).unwrap();
        fs::create_dir(&exchange.successor).unwrap();
        exchange.replace("realm = \"other\"\n").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), NEW);
    }

    #[test]
    fn the_file_behind_a_link_is_replaced_and_the_link_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let link = directory.path().join("link.toml");
        symlink(&path, &link).unwrap();
        Exchange::begin(&link).unwrap().replace(NEW).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), NEW);
    }

    #[test]
    fn one_waits_for_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let first = Exchange::begin(&path).unwrap();
        let other = File::open(directory.path()).unwrap();
        assert!(other.try_lock().is_err());
        first.replace(NEW).unwrap();
        assert!(other.try_lock().is_ok());
    }
}
