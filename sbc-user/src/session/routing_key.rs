use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// The secret that routing tokens are sealed with. It is kept in a file so that calls outlive the
/// daemon.
#[derive(Clone)]
pub struct RoutingKey(Zeroizing<[u8; 32]>);

/// Why there is no routing key.
#[derive(Debug, Error)]
pub enum RoutingKeyError {
    /// The file cannot be read or written.
    #[error("{action} the routing key {}: {cause}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others may read it.
    #[error("the routing key {path} is open to others; `chmod 600 {path}`", path = .0.display())]
    Exposed(PathBuf),
    /// It is not 32 bytes.
    #[error("the routing key {} is damaged (not 32 bytes); remove it to make a new one", .0.display())]
    Damaged(PathBuf),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl RoutingKey {
    /// Takes a key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the key in `directory`, or makes one there that only the owner can read.
    pub fn load_or_make(directory: &Path) -> Result<Self, RoutingKeyError> {
        let path = directory.join("routing.key");
        let failed = |action| {
            let path = path.clone();
            move |cause| RoutingKeyError::File { action, path, cause }
        };
        match File::open(&path) {
            Ok(file) => Self::read(file, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new([0; 32]);
                getrandom::fill(key.as_mut())?;
                fs::create_dir_all(directory).map_err(failed("cannot make the directory of"))?;
                // Under another name until it is whole: a crash must not leave half a key.
                let draft = directory.join("routing.key.new");
                let mut file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&draft)
                    .map_err(failed("cannot make"))?;
                file.write_all(key.as_ref())
                    .and_then(|()| file.sync_all())
                    .and_then(|()| fs::rename(&draft, &path))
                    .map_err(failed("cannot write"))?;
                Ok(Self(key))
            }
            Err(error) => Err(failed("cannot open")(error)),
        }
    }

    fn read(mut file: File, path: &Path) -> Result<Self, RoutingKeyError> {
        let failed =
            |cause| RoutingKeyError::File { action: "cannot read", path: path.to_owned(), cause };
        let metadata = file.metadata().map_err(failed)?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(RoutingKeyError::Exposed(path.to_owned()));
        }
        if metadata.len() != 32 {
            return Err(RoutingKeyError::Damaged(path.to_owned()));
        }
        let mut key = Zeroizing::new([0; 32]);
        file.read_exact(key.as_mut()).map_err(failed)?;
        Ok(Self(key))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
