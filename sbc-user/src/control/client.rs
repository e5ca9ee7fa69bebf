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
    /// Something else stands where the socket is to be made.
    #[error("{} is no socket: it is left alone; choose another control.socket", .0.display())]
    NotASocket(PathBuf),
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

impl ControlError {
    /// Says whether there is no daemon, rather than one that does not answer us.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoDaemon { cause, .. } if matches!(
            cause.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ))
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_daemon_that_is_not_there_is_told_from_one_that_answers_nonsense() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        assert!(ask(&path).unwrap_err().is_absence(), "no socket");

        let listener = UnixListener::bind(&path).unwrap();
        let nonsense = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            io::Write::write_all(&mut stream, b"{}").unwrap();
        });
        let error = ask(&path).unwrap_err();
        nonsense.join().unwrap();
        assert!(!error.is_absence(), "{error}");
        assert!(ask(&path).unwrap_err().is_absence(), "a socket that nobody answers at");
    }
}
