use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process;

use sbc_common::Mode;
use thiserror::Error;

use super::{Config, ConfigError, with_mode};

/// `sbc.toml` while its mode is changed.
///
/// Whenever this is cut short, the file is the one that it was or the one that it is to be, and whole.
#[derive(Debug)]
pub struct ModeFile {
    /// Where it really stands: a symbolic link stays one.
    path: PathBuf,
    text: String,
}

/// Why the file is as it was.
#[derive(Debug, Error)]
pub enum ModeFileError {
    /// It cannot be read, or what would be written is no configuration of that mode.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The mode cannot be written in it so that it is read.
    #[error("the mode cannot be written into {}: write mode = {mode:?} by hand", path.display())]
    Unclear {
        /// The file.
        path: PathBuf,
        /// What it should say.
        mode: &'static str,
    },
    /// Somebody else has changed it meanwhile.
    #[error("{} has changed meanwhile: try again", .0.display())]
    Changed(PathBuf),
    /// It cannot be replaced.
    #[error("cannot write {}: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl ModeFile {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, ModeFileError> {
        let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
        let path = fs::canonicalize(path).map_err(unreadable)?;
        let text = fs::read_to_string(&path).map_err(unreadable)?;
        Ok(Self { path, text })
    }

    /// Writes the mode into the file, which keeps its owner, its permissions and every other byte. `false` if it says
    /// so already.
    pub fn write(&self, mode: Mode) -> Result<bool, ModeFileError> {
        let unclear = || ModeFileError::Unclear { path: self.path.clone(), mode: mode.name() };
        let text = with_mode(&self.text, mode).map_err(|_| unclear())?;
        if Config::parse(&text, &self.path)?.mode() != mode {
            return Err(unclear());
        }
        if text == self.text {
            return Ok(false);
        }
        self.replace(&self.text, &text)?;
        Ok(true)
    }

    /// Puts back what was there before [`write`](Self::write) of this mode.
    pub fn restore(&self, written: Mode) -> Result<(), ModeFileError> {
        let unclear = |_| ModeFileError::Unclear { path: self.path.clone(), mode: written.name() };
        let text = with_mode(&self.text, written).map_err(unclear)?;
        self.replace(&text, &self.text)
    }

    fn replace(&self, present: &str, text: &str) -> Result<(), ModeFileError> {
        let failed = |cause| ModeFileError::Unwritable { path: self.path.clone(), cause };
        let above = self.path.parent().unwrap_or(Path::new("/"));
        let directory = File::open(above).map_err(failed)?;
        // Nobody else's, and no lock to wait for: whoever may open the directory could hold one.
        let name = self.path.file_name().unwrap_or_default();
        let own = format!(".{}", process::id());
        let draft = [OsString::from("."), name.to_owned(), OsString::from(own)];
        let draft = above.join(draft.into_iter().collect::<OsString>());
        let prepared = self.prepare(&draft, text).map_err(failed).and_then(|()| {
            // As late as it can be: an editor does not ask for a lock.
            if fs::read(&self.path).map_err(failed)? != present.as_bytes() {
                return Err(ModeFileError::Changed(self.path.clone()));
            }
            fs::rename(&draft, &self.path).map_err(failed)
        });
        if prepared.is_err() {
            let _ = fs::remove_file(&draft);
            return prepared;
        }
        // Until this it could be the old one after a loss of power; it is in force all the same.
        let _ = directory.sync_all();
        Ok(())
    }

    /// Writes what is to be there beside the file.
    fn prepare(&self, draft: &Path, text: &str) -> io::Result<()> {
        match fs::remove_file(draft) {
            // Somebody was cut short who had our number.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let old = fs::metadata(&self.path)?;
        let mut options = OpenOptions::new();
        // Never through a link that is there.
        let mut file = options.write(true).create_new(true).mode(0o600).open(draft)?;
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;
    use crate::config::sample::BASE;

    fn file(directory: &Path) -> PathBuf {
        let path = directory.join("sbc.toml");
        fs::write(&path, BASE).unwrap();
        path
    }

    fn names(directory: &Path) -> Vec<OsString> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn the_file_behind_a_link_keeps_its_owner_its_permissions_and_all_but_the_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let is_root = chown(&path, Some(12), Some(34)).is_ok();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("sbc.toml");
        symlink(&path, &link).unwrap();

        let mode_file = ModeFile::read(&link).unwrap();
        assert!(mode_file.write(Mode::Enforce).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), with_mode(BASE, Mode::Enforce).unwrap());
        assert_eq!(Config::load(&link).unwrap().mode(), Mode::Enforce);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o640);
        assert!(!is_root || (metadata.uid(), metadata.gid()) == (12, 34));
        assert!(link.is_symlink());
        assert_eq!(names(directory.path()), ["sbc.toml"]);

        assert!(!ModeFile::read(&link).unwrap().write(Mode::Enforce).unwrap());
        mode_file.restore(Mode::Enforce).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), BASE);
    }

    #[test]
    fn a_file_that_somebody_else_has_changed_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let mode_file = ModeFile::read(&path).unwrap();
        let theirs = format!("{BASE}# theirs\n");
        fs::write(&path, &theirs).unwrap();
        assert!(matches!(mode_file.write(Mode::Enforce), Err(ModeFileError::Changed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
        assert_eq!(names(directory.path()), ["sbc.toml"]);
    }

    #[test]
    fn what_a_crash_has_left_beside_the_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let precious = directory.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, directory.path().join(format!(".sbc.toml.{}", process::id()))).unwrap();
        assert!(ModeFile::read(&path).unwrap().write(Mode::Enforce).unwrap());
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    }

    #[test]
    fn a_configuration_that_is_refused_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let broken = format!("{BASE}\n[nonsense]\n");
        fs::write(&path, &broken).unwrap();
        assert!(ModeFile::read(&path).unwrap().write(Mode::Enforce).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
    }
}
