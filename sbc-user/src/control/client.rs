use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sbc_common::Mode;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::request::line;
use super::{CaptureLine, CaptureRequest, LONGEST_LINE, ModeAnswer, Reloaded, Request, Seen};
use crate::border::Status;
use crate::config::Fingerprints;

/// How long the daemon may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// It asks others before it answers.
const PATIENCE_FOR_RELOAD: Duration = Duration::from_mins(3);
/// A snapshot is a few kilobytes, and a line for each trusted source.
const MAX_SNAPSHOT: u64 = 1 << 30;

/// Why the daemon did not answer.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody answers at the socket.
    #[error("no daemon answers at {}: {cause}; `sbc doctor` says what is there", path.display())]
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
    /// The group of the socket does not exist.
    #[error("[control] group: there is no group {0:?}")]
    NoGroup(String),
    /// The daemon does not do what it was asked for.
    #[error("the daemon refuses: {0}")]
    Refused(String),
    /// The answer is none.
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

    /// Says whether there is a daemon that does not answer in time.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::NoDaemon { cause, .. } if matches!(
            cause.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ))
    }
}

/// Asks the daemon behind the socket at `path` for its status.
pub fn ask(path: &Path) -> Result<Status, ControlError> {
    answer(path, &Request::Status, PATIENCE)
}

/// Asks the daemon for the last samples from an address: the latest first, a handful at most.
pub fn seen(path: &Path, address: IpAddr, port: Option<u16>) -> Result<Vec<Seen>, ControlError> {
    answer(path, &Request::Seen { address, port }, PATIENCE)
}

/// Has the daemon end the bans that speak for an address, or all of them; yields the places.
pub fn lift(path: &Path, address: Option<IpAddr>) -> Result<Vec<String>, ControlError> {
    answer(path, &Request::Lift { address }, PATIENCE)
}

/// Has the daemon read its configuration anew. An error means that nothing has changed, but for one that says that the
/// daemon does not answer.
pub fn reload(path: &Path) -> Result<Reloaded, ControlError> {
    answer(path, &Request::Reload, PATIENCE_FOR_RELOAD)
}

/// Asks for the fingerprints of the configuration in force.
pub fn fingerprints(path: &Path) -> Result<Fingerprints, ControlError> {
    answer(path, &Request::Configuration, PATIENCE)
}

/// Has the daemon change the mode of the filter, for good or on trial for so many seconds.
pub fn change_mode(
    path: &Path,
    mode: Mode,
    for_seconds: Option<u64>,
) -> Result<ModeAnswer, ControlError> {
    answer(path, &Request::Mode { mode: mode.into(), for_seconds }, PATIENCE)
}

/// Has the daemon make the mode stay that is on trial.
pub fn confirm_mode(path: &Path) -> Result<ModeAnswer, ControlError> {
    answer(path, &Request::Confirm, PATIENCE)
}

/// Asks the daemon for samples. Within a tokio runtime.
pub async fn capture(path: &Path, request: CaptureRequest) -> Result<CaptureLines, ControlError> {
    let silent = |cause| ControlError::NoDaemon { path: path.to_owned(), cause };
    let mut stream = tokio::net::UnixStream::connect(path).await.map_err(silent)?;
    stream.write_all(&line(&Request::Capture(request))?).await.map_err(silent)?;
    Ok(CaptureLines { reading: BufReader::new(stream), line: Vec::new() })
}

/// What the daemon answers to the request for a capture.
pub struct CaptureLines {
    reading: BufReader<tokio::net::UnixStream>,
    line: Vec<u8>,
}

impl CaptureLines {
    /// The next line; `None` when the daemon has ended, or ended the capture. May be given up at any
    /// time, and called again.
    pub async fn next(&mut self) -> Result<Option<CaptureLine>, ControlError> {
        let room = LONGEST_LINE.saturating_sub(self.line.len()) as u64;
        let mut reading = (&mut self.reading).take(room);
        // What was read before it was given up is in `line`. A daemon that was killed leaves half a line.
        let read = reading.read_until(b'\n', &mut self.line).await;
        if read.is_err() || !self.line.ends_with(b"\n") && self.line.len() < LONGEST_LINE {
            return Ok(None);
        }
        let line = serde_json::from_slice(&self.line);
        self.line.clear();
        let line = line?;
        if let CaptureLine::Refused(why) = line {
            return Err(ControlError::Refused(why));
        }
        Ok(Some(line))
    }

    /// Ends the capture, passes over what was on its way, and returns how many samples were missed.
    pub async fn end(&mut self) -> Result<u64, ControlError> {
        let mut missed = 0;
        if self.reading.get_mut().shutdown().await.is_ok() {
            while let Some(line) = self.next().await? {
                if let CaptureLine::Missed(count) = line {
                    missed = count;
                }
            }
        }
        Ok(missed)
    }
}

fn answer<T: DeserializeOwned>(
    path: &Path,
    request: &Request,
    patience: Duration,
) -> Result<T, ControlError> {
    let silent = |cause| ControlError::NoDaemon { path: path.to_owned(), cause };
    let mut stream = UnixStream::connect(path).map_err(silent)?;
    stream.set_read_timeout(Some(patience)).map_err(silent)?;
    stream.write_all(&line(request)?).map_err(silent)?;
    let mut answer = Vec::new();
    stream.take(MAX_SNAPSHOT).read_to_end(&mut answer).map_err(silent)?;
    serde_json::from_slice(&answer).map_err(|error| match serde_json::from_slice(&answer) {
        Ok(CaptureLine::Refused(why)) => ControlError::Refused(why),
        Ok(_) | Err(_) => ControlError::Unreadable(error),
    })
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
            for answer in ["{}", r#"{"refused":"no"}"#] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 64];
                let length = stream.read(&mut asked).unwrap();
                assert_eq!(&asked[..length], b"{\"version\":1,\"ask\":\"status\"}\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let error = ask(&path).unwrap_err();
        assert!(matches!(error, ControlError::Unreadable(_)), "{error}");
        let refused = ask(&path).unwrap_err();
        assert!(matches!(&refused, ControlError::Refused(why) if why == "no"), "{refused}");
        nonsense.join().unwrap();
        assert!(ask(&path).unwrap_err().is_absence(), "a socket that nobody answers at");
    }
}
