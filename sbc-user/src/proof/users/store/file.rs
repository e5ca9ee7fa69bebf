use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::{Users, UsersError, read_private};
use super::{Snapshot, Store, StoreError, Version};

/// Whoever writes a file in place has finished by then: a part of it may read like a whole file of fewer users.
const SETTLED: Duration = Duration::from_secs(2);

/// The users file.
pub(super) struct FileStore(PathBuf);

impl FileStore {
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Store for FileStore {
    fn read(&self) -> Result<Snapshot, StoreError> {
        let path = &self.0;
        let (text, metadata) = read_private(path)?;
        let parsed = Users::parse(&text);
        let users =
            parsed.map_err(|mistake| UsersError::Mistake { path: path.clone(), mistake })?;
        Ok(Snapshot { users, version: Some(Version::of(&metadata)) })
    }

    /// Does not read what was written just now: later, if it stays like that.
    fn read_changed(&self, known: &Version) -> Result<Option<Snapshot>, StoreError> {
        let unreadable = |cause| UsersError::Unreadable { path: self.0.clone(), cause };
        let metadata = fs::metadata(&self.0).map_err(unreadable)?;
        if Version::of(&metadata) == *known || is_being_written(&metadata) {
            return Ok(None);
        }
        self.read().map(Some)
    }
}

impl Version {
    /// That of a file, as it was before it was read.
    fn of(metadata: &Metadata) -> Self {
        let numbers = [
            metadata.dev().cast_signed(),
            metadata.ino().cast_signed(),
            metadata.size().cast_signed(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ];
        Self(numbers.into_iter().flat_map(i64::to_ne_bytes).collect())
    }
}

/// A file of the future is one that a clock was set back after.
fn is_being_written(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|it| SystemTime::now().duration_since(it).ok());
    age.is_some_and(|age| age < SETTLED)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions, Permissions};
    use std::io::Write as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

    use super::*;

    const USER: &str = "[[user]]\nname = \"alice\"\nmd5 = \"0cc175b9c0f1b6a831c399e269772661\"\n";

    fn written(path: &Path, text: &str, age: Duration) {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    fn snapshot(store: &FileStore, known: Option<&Version>) -> Option<(usize, Version)> {
        let snapshot = match known {
            None => Some(store.read().unwrap()),
            Some(known) => store.read_changed(known).unwrap(),
        };
        snapshot.map(|it| (it.users.len(), it.version.unwrap()))
    }

    #[test]
    fn a_file_is_read_again_when_it_has_changed_and_settled() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        let store = FileStore::at(&path);
        let (old, fresh) = (Duration::from_mins(1), Duration::ZERO);
        written(&path, "realm = \"a\"\n", fresh);
        // Asked for, it is read however young it is.
        let (count, first) = snapshot(&store, None).unwrap();
        assert_eq!(count, 0);
        assert!(snapshot(&store, Some(&first)).is_none());
        written(&path, &format!("realm = \"a\"\n{USER}"), fresh);
        assert!(snapshot(&store, Some(&first)).is_none());
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(SystemTime::now() - old)
            .unwrap();
        let (count, second) = snapshot(&store, Some(&first)).unwrap();
        assert_eq!(count, 1);
        assert!(snapshot(&store, Some(&second)).is_none());
        // One in its place, of the same size and time.
        let other = directory.path().join("other.toml");
        written(&other, &format!("realm = \"b\"\n{USER}"), old);
        fs::rename(&other, &path).unwrap();
        assert_eq!(snapshot(&store, Some(&second)).unwrap().0, 1);
    }

    #[test]
    fn a_file_that_is_open_to_others_or_gone_is_an_error_to_who_knows_a_version_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        let store = FileStore::at(&path);
        written(&path, "realm = \"a\"\n", Duration::from_mins(1));
        let (_, version) = snapshot(&store, None).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = store.read_changed(&version).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::remove_file(&path).unwrap();
        let error = store.read_changed(&version).unwrap_err().to_string();
        assert!(error.contains("cannot read the users file"), "{error}");
    }
}
