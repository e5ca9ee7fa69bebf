use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Group;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::request::read;
use super::{
    Ask, CaptureLine, ControlError, LONGEST_LINE, Reloaded, Request, Seen, VERSION, Versions,
    capture, mode,
};
use crate::border::InForce;
use crate::kernel::KernelTables;
use crate::samples::SampleLog;

/// Makes a directory that a group may make its sockets in, unless it is there already.
///
/// It is sticky: what stands in it beside them, such as the mount of the BPF file system, is removed by
/// its owner alone.
pub fn make_directory(directory: &Path, group: u32) -> Result<(), ControlError> {
    let failed = |cause| ControlError::Socket { path: directory.to_owned(), cause };
    if let Some(above) = directory.parent() {
        fs::create_dir_all(above).map_err(failed)?;
    }
    match fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    chown(directory, None, Some(group)).map_err(failed)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o1775)).map_err(failed)
}

/// The bound socket; its file is removed when it is dropped.
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
    /// Whether the members of a group may connect.
    has_group: bool,
}

impl ControlServer {
    /// Binds the socket at `path`, for its owner and the members of `group`, if there is one, in place of one that nobody
    /// answers at.
    pub fn bind(path: &Path, group: Option<&str>) -> Result<Self, ControlError> {
        let failed = |cause| ControlError::Socket { path: path.to_owned(), cause };
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ControlError::Taken(path.to_owned()));
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        // A path that was mistyped must not cost anybody a file.
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
            Ok(_) => return Err(ControlError::NotASocket(path.to_owned())),
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        if let Some(group) = group {
            let found = Group::from_name(group).map_err(|error| failed(error.into()))?;
            let found = found.ok_or_else(|| ControlError::NoGroup(group.to_owned()))?;
            chown(path, None, Some(found.gid.as_raw())).map_err(failed)?;
        }
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), has_group: group.is_some() })
    }

    /// Answers whoever connects, for ever. Beyond some at a time they wait. Who wants the configuration to be read anew is
    /// handed on to `reload`.
    pub async fn serve(&self, in_force: Arc<InForce<KernelTables>>, reload: mpsc::Sender<Ask>) {
        let places = Arc::new(Semaphore::new(MOST_AT_A_TIME));
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (in_force, reload) = (Arc::clone(&in_force), reload.clone());
            let has_group = self.has_group;
            tokio::spawn(async move {
                let Some(rights) = Rights::of(&stream, has_group) else { return };
                serve_one(stream, rights, in_force, reload).await;
                drop(place);
            });
        }
    }
}

/// How many are answered at a time: more than may capture, so that these keep nobody from anything else.
const MOST_AT_A_TIME: usize = 16;
const _: () = assert!(MOST_AT_A_TIME > 2 * SampleLog::MOST_WATCHERS);
/// How long one who asks may take to say what, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many samples of a source are told.
const MOST_SEEN: usize = 10;

/// What somebody may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    /// Anything.
    All,
    /// What is harmless.
    Watching,
}

impl Rights {
    /// Those of whoever is at the other end: all, if it is root or whoever we are; otherwise the file of the socket has
    /// let in a member of its group, or nobody.
    fn of(stream: &UnixStream, has_group: bool) -> Option<Self> {
        let asker = stream.peer_cred().ok()?.uid();
        Self::of_user(asker, nix::unistd::geteuid().as_raw(), has_group)
    }

    const fn of_user(asker: u32, own: u32, has_group: bool) -> Option<Self> {
        if asker == 0 || asker == own {
            Some(Self::All)
        } else if has_group {
            Some(Self::Watching)
        } else {
            None
        }
    }
}

async fn serve_one(
    mut stream: UnixStream,
    rights: Rights,
    in_force: Arc<InForce<KernelTables>>,
    reload: mpsc::Sender<Ask>,
) {
    let Ok(Some(line)) = timeout(PATIENCE, first_line(&mut stream)).await else { return };
    let border = in_force.border();
    let answer = match read(&line) {
        Ok(request) if rights == Rights::Watching && !request.is_harmless() => {
            refusal("root and the user of the daemon alone may ask this")
        }
        Ok(Request::Version) => serde_json::to_vec(&Versions {
            oldest: VERSION,
            newest: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        Ok(Request::Configuration) => serde_json::to_vec(&border.config().fingerprints()),
        Ok(Request::Reload) => {
            drop(border);
            match reloaded(&reload).await {
                Ok(reloaded) => serde_json::to_vec(&reloaded),
                Err(why) => refusal(&why),
            }
        }
        Ok(Request::Status) => {
            // Thousands of counters are read.
            let status = tokio::task::spawn_blocking(move || border.status());
            if let Ok(Ok(status)) = status.await {
                serde_json::to_vec(&status)
            } else {
                tracing::error!("the status could not be read");
                refusal("the status could not be read")
            }
        }
        Ok(Request::Seen { address, port }) => {
            let now = border.now();
            let samples = border.samples().last_of(address, port, MOST_SEEN);
            let seen = samples.iter().map(|sample| Seen::of(sample, now));
            serde_json::to_vec(&seen.collect::<Vec<_>>())
        }
        Ok(Request::Lift { address }) => {
            let lifted = border.lift_bans(address);
            tracing::info!(count = lifted.len(), "bans were lifted");
            serde_json::to_vec(&lifted.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        Ok(Request::Mode { mode, for_seconds }) => told(mode::change(&border, mode, for_seconds)),
        Ok(Request::Confirm) => told(mode::confirm(&border)),
        Ok(Request::Capture(request)) => {
            drop(border);
            return capture::send(stream, &in_force, &request).await;
        }
        Err(error) => refusal(&error),
    };
    let Ok(mut answer) = answer else { return };
    answer.push(b'\n');
    // One who asks and does not read must not keep his place.
    let _ = timeout(PATIENCE, stream.write_all(&answer)).await;
}

async fn reloaded(reload: &mpsc::Sender<Ask>) -> Result<Reloaded, String> {
    let (ask, answer) = oneshot::channel();
    let gone = || "nobody is there to read the configuration".to_owned();
    reload.send(ask).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

fn told(answer: Result<impl Serialize, String>) -> serde_json::Result<Vec<u8>> {
    match answer {
        Ok(answer) => serde_json::to_vec(&answer),
        Err(why) => refusal(&why),
    }
}

fn refusal(why: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&CaptureLine::Refused(why.to_owned()))
}

/// The first line; `None` if it does not end in time.
async fn first_line(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut reading = BufReader::new(stream).take(LONGEST_LINE as u64);
    reading.read_until(b'\n', &mut line).await.ok()?;
    line.ends_with(b"\n").then_some(line)
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_asked_is_one_line_and_no_longer_than_a_line_may_be() {
        for (text, expected) in [
            (&b"{}\n"[..], Some(&b"{}\n"[..])),
            (b"one\ntwo\n", Some(b"one\n")),
            (b"", None),
            (b"cut off", None),
            (&vec![b' '; LONGEST_LINE + 1], None),
        ] {
            let (mut one, mut other) = UnixStream::pair().unwrap();
            one.write_all(text).await.unwrap();
            one.shutdown().await.unwrap();
            assert_eq!(first_line(&mut other).await.as_deref(), expected);
        }
    }

    #[test]
    fn who_may_change_something_is_root_or_the_daemons_own_user() {
        const OWN: u32 = 110;
        const OTHER: u32 = 1000;
        for (asker, has_group, rights) in [
            (0, false, Some(Rights::All)),
            (OWN, false, Some(Rights::All)),
            (OTHER, true, Some(Rights::Watching)),
            (OTHER, false, None),
        ] {
            assert_eq!(Rights::of_user(asker, OWN, has_group), rights);
        }
        let lift = Request::Lift { address: None };
        assert!(Request::Status.is_harmless() && !lift.is_harmless());
        assert!(!Request::Reload.is_harmless() && !Request::Configuration.is_harmless());
    }

    #[tokio::test]
    async fn a_socket_that_nobody_answers_at_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());

        let server = ControlServer::bind(&path, None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(server);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_somebody_answers_at_is_left_to_him() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let _first = ControlServer::bind(&path, None).unwrap();

        let second = ControlServer::bind(&path, None);
        assert!(matches!(second, Err(ControlError::Taken(_))));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        fs::write(&path, "precious").unwrap();

        let bound = ControlServer::bind(&path, None);
        let error = bound.err().unwrap().to_string();
        assert!(error.contains("users.toml is no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
