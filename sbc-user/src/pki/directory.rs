//! The directory of an authority.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{PEERS, PkiError, SERVERS};
use crate::proof::tls::ShownCertificate;

/// What everybody may read, and its owner alone.
pub(super) const READABLE: u32 = 0o644;
pub(super) const SECRET: u32 = 0o600;

/// A directory that nobody else works in until this is dropped.
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes it, if it is not there.
    pub(super) fn make(path: &Path) -> Result<Self, PkiError> {
        for folder in [path.to_owned(), path.join(SERVERS), path.join(PEERS)] {
            fs::create_dir_all(&folder).map_err(PkiError::file(&folder))?;
        }
        let directory = Self::lock(path)?;
        directory.is_free("ca.key")?;
        directory.is_free("ca.pem")?;
        Ok(directory)
    }

    pub(super) fn open(path: &Path) -> Result<Self, PkiError> {
        if !path.join("ca.key").exists() {
            return Err(PkiError::NoAuthority { path: path.to_owned() });
        }
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self, PkiError> {
        let path = fs::canonicalize(path).map_err(PkiError::file(path))?;
        let lock = File::open(&path).map_err(PkiError::file(&path))?;
        lock.lock().map_err(PkiError::file(&path))?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn is_free(&self, name: &str) -> Result<(), PkiError> {
        let path = self.path(name);
        match fs::symlink_metadata(&path) {
            Ok(_) => Err(PkiError::Exists(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(PkiError::file(&path)(error)),
        }
    }

    pub(super) fn write_new(&self, name: &str, text: &str) -> Result<PathBuf, PkiError> {
        self.create(name, text, READABLE)
    }

    pub(super) fn write_secret(&self, name: &str, text: &str) -> Result<PathBuf, PkiError> {
        self.create(name, text, SECRET)
    }

    /// Puts a file in the place of one that may be there, at once.
    pub(super) fn replace(&self, name: &str, text: &str, mode: u32) -> Result<PathBuf, PkiError> {
        let new = format!("{name}.new");
        // Left behind by somebody who was killed: nobody else works here.
        let _ = fs::remove_file(self.path(&new));
        let new = self.create(&new, text, mode)?;
        let path = self.path(name);
        fs::rename(&new, &path).map_err(PkiError::file(&path))?;
        Ok(path)
    }

    fn create(&self, name: &str, text: &str, mode: u32) -> Result<PathBuf, PkiError> {
        let path = self.path(name);
        // From the first moment on nobody else reads it.
        let file = OpenOptions::new().write(true).create_new(true).mode(SECRET).open(&path);
        let mut file = match file {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(PkiError::Exists(path));
            }
            file => file.map_err(PkiError::file(&path))?,
        };
        let written = file
            .set_permissions(Permissions::from_mode(mode))
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all());
        written.map_err(PkiError::file(&path))?;
        Ok(path)
    }

    pub(super) fn read(&self, name: &str) -> Result<String, PkiError> {
        let path = self.path(name);
        fs::read_to_string(&path).map_err(PkiError::file(&path))
    }

    pub(super) fn read_secret(&self, name: &str) -> Result<String, PkiError> {
        let path = self.path(name);
        let metadata = fs::metadata(&path).map_err(PkiError::file(&path))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(PkiError::KeyOpenToOthers { path });
        }
        self.read(name)
    }

    /// Gives a file another name, under which nothing is; it is no error if there is none.
    pub(super) fn put_away(&self, name: &str) -> Result<(), PkiError> {
        let path = self.path(name);
        if !path.exists() {
            return Ok(());
        }
        let free = (1..u32::MAX)
            .map(|number| format!("{name}.old-{number}"))
            .find(|old| self.is_free(old).is_ok());
        let old = self.path(&free.ok_or(PkiError::Exists(path.clone()))?);
        fs::rename(&path, &old).map_err(PkiError::file(&path))
    }

    /// One more than that of the list before (RFC 5280 §5.2.3).
    pub(super) fn next_list_number(&self) -> Result<u64, PkiError> {
        const NAME: &str = "crl-number";
        let last: u64 = match self.is_free(NAME) {
            Ok(()) => 0,
            Err(_) => {
                self.read(NAME)?.trim().parse().map_err(|_| PkiError::Damaged { file: NAME })?
            }
        };
        let next = last.saturating_add(1);
        self.replace(NAME, &format!("{next}\n"), READABLE)?;
        Ok(next)
    }
}

/// The last second of the first certificate.
pub(super) fn end_of(certificate: &str) -> Option<SystemTime> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let shown = ShownCertificate::read(&[certificate])?;
    UNIX_EPOCH.checked_add(Duration::from_secs(shown.not_after()))
}
