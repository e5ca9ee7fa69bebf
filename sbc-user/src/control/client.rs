use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::border::Status;

/// A snapshot is a few kilobytes, and a line for each trusted source.
const MAX_SNAPSHOT: u64 = 1 << 30;

/// Why the daemon did not tell its status.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody answers at the socket.
    #[error("no daemon answers at {}: {cause}", path.display())]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another daemon answers there already.
    #[error("another daemon answers at {}", .0.display())]
    Taken(PathBuf),
    /// The socket cannot be made.
    #[error("cannot make the control socket {}: {cause}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The answer is no status.
    #[error("the daemon's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// Asks the daemon behind the socket at `path` for its status.
pub fn ask(path: &Path) -> Result<Status, ControlError> {
    let silent = |cause| ControlError::NoDaemon { path: path.to_owned(), cause };
    let stream = UnixStream::connect(path).map_err(silent)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(silent)?;
    let mut answer = Vec::new();
    stream.take(MAX_SNAPSHOT).read_to_end(&mut answer).map_err(silent)?;
    Ok(serde_json::from_slice(&answer)?)
}
