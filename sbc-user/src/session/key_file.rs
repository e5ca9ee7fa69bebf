use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::{DatedKey, KeyRing, Rotation, RoutingKey};

const FIRST_LINE: &str = "sbc routing keys 1";
/// Keys that a file may have, and what it may be long: each has a line of less than 100 bytes.
pub(super) const MOST_KEYS: usize = 32;
const LONGEST: usize = 4096;

/// The file with the routing keys, so that calls outlive the daemon. Several nodes may share it: whoever
/// reads or replaces it holds a lock on its directory.
pub struct KeyFile {
    directory: PathBuf,
    rotation: Rotation,
}

/// Why there are no routing keys. The file is as it was.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{action} the routing keys {}: {cause}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others may read it.
    #[error("the routing keys {path} are open to others; `chmod 600 {path}`", path = .0.display())]
    Exposed(PathBuf),
    /// It is not what we write.
    #[error(
        "the routing keys {} are damaged: bring back a copy, or remove the file, which ends running \
         calls and makes phones register again",
        .0.display()
    )]
    Damaged(PathBuf),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl KeyFile {
    /// The file in `directory`.
    #[must_use]
    pub fn new(directory: &Path, rotation: Rotation) -> Self {
        Self { directory: directory.to_owned(), rotation }
    }

    /// Reads the keys, makes the first if there is no file, and the next if it is due at `now`, in seconds
    /// since 1970.
    pub fn turn(&self, now: u64) -> Result<KeyRing, KeyFileError> {
        fs::create_dir_all(&self.directory).map_err(self.failed("cannot make the directory of"))?;
        let directory = File::open(&self.directory).map_err(self.failed("cannot open"))?;
        // A file of our own: whoever may list the directory could hold a lock on that.
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.directory.join("routing.key.lock"))
            .map_err(self.failed("cannot open the lock of"))?;
        lock.lock().map_err(self.failed("cannot lock"))?;
        let found = match File::open(self.path()) {
            Ok(file) => Some(self.read(file)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.failed("cannot open")(error)),
        };
        let turned = match &found {
            Some(ring) if ring.is_due(now) => ring.with_next(RoutingKey::random()?, now),
            Some(ring) => return Ok(ring.clone()),
            None => {
                let first = DatedKey { number: 0, begins: now, key: RoutingKey::random()? };
                KeyRing::of(vec![first], self.rotation).ok_or_else(|| self.damaged())?
            }
        };
        self.write(&turned, &directory)?;
        Ok(turned)
    }

    fn path(&self) -> PathBuf {
        self.directory.join("routing.key")
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> KeyFileError {
        let path = self.path();
        move |cause| KeyFileError::File { action, path: path.clone(), cause }
    }

    fn damaged(&self) -> KeyFileError {
        KeyFileError::Damaged(self.path())
    }

    fn read(&self, file: File) -> Result<KeyRing, KeyFileError> {
        let metadata = file.metadata().map_err(self.failed("cannot read"))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(KeyFileError::Exposed(self.path()));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
        file.take(LONGEST as u64).read_to_end(&mut bytes).map_err(self.failed("cannot read"))?;
        let keys = match <[u8; 32]>::try_from(bytes.as_slice()) {
            // One key without a date, as a file was before keys changed.
            Ok(key) => {
                let begins = u64::try_from(metadata.mtime()).unwrap_or_default();
                Some(vec![DatedKey { number: 0, begins, key: RoutingKey::new(key) }])
            }
            Err(_) => parsed(&bytes),
        };
        keys.and_then(|keys| KeyRing::of(keys, self.rotation)).ok_or_else(|| self.damaged())
    }

    /// Under another name until it is whole: a crash must not leave half a file.
    fn write(&self, ring: &KeyRing, directory: &File) -> Result<(), KeyFileError> {
        let draft = self.directory.join("routing.key.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .map_err(self.failed("cannot make"))?;
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .and_then(|()| file.write_all(written(ring).as_bytes()))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&draft, self.path()))
            .and_then(|()| directory.sync_all())
            .map_err(self.failed("cannot write"))
    }
}

fn written(ring: &KeyRing) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    // Writing to a `String` has no way to fail.
    let _ = writeln!(text, "{FIRST_LINE}");
    for DatedKey { number, begins, key } in ring.keys() {
        let _ = write!(text, "{number} {begins} ");
        for byte in key.bytes() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

fn parsed(bytes: &[u8]) -> Option<Vec<DatedKey>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let keys = lines.map(key_of).collect::<Option<Vec<_>>>()?;
    (keys.len() <= MOST_KEYS).then_some(keys)
}

fn key_of(line: &str) -> Option<DatedKey> {
    let mut parts = line.split(' ');
    let (number, begins) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let hex = parts.next()?.as_bytes();
    if parts.next().is_some() || hex.len() != 64 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, digits) in bytes.iter_mut().zip(hex.chunks(2)) {
        let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(DatedKey { number, begins, key: RoutingKey::new(*bytes) })
}

#[cfg(test)]
mod tests;
