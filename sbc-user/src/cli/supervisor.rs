//! The service manager that has started the daemon, where it wants to hear from it (`sd_notify(3)`).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::border::Clock;
use crate::config::Config;

/// How long one that does not read may hold up who tells it something: less than what is left of the shortest
/// silence between two heartbeats.
const PATIENCE: Duration = Duration::from_millis(500);

/// Somebody who is told how the daemon is, or nobody.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    socket: Option<UnixDatagram>,
    watchdog: Option<Watchdog>,
}

#[derive(Debug)]
struct Watchdog {
    /// Shorter than what it waits for us.
    pause: Duration,
    last: Mutex<Option<Instant>>,
}

/// What the service manager shows of a daemon that serves.
pub(super) fn serving(config: &Config) -> String {
    let (mode, interface) = (config.mode().name(), &config.interface.outside.name);
    format!("serving, mode {mode} on {interface}, {} peers", config.peers.len())
}

impl Supervisor {
    /// The one that `NOTIFY_SOCKET` and `WATCHDOG_USEC` name.
    pub(super) fn of_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let watchdog = watchdog(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
        );
        match connect(&name) {
            Ok(socket) => Self { socket: Some(socket), watchdog },
            Err(error) => {
                tracing::warn!(%error, ?name, "the service manager cannot be told anything");
                Self::default()
            }
        }
    }

    /// The daemon serves; `status` is for whoever asks the service manager.
    pub(super) fn ready(&self, status: &str) {
        // A line break would begin another assignment.
        let status = status.replace('\n', " ");
        self.tell(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// Files are being read anew; [`Self::ready`] ends that.
    pub(super) fn reloading(&self, clock: Clock) {
        let now = clock.monotonic().0 / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reading files anew\n"));
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=ending\n");
    }

    /// The threads that serve go on. Told only as often as the service manager needs it.
    pub(super) fn alive(&self) {
        let Some(watchdog) = &self.watchdog else { return };
        if watchdog.is_due(Instant::now()) {
            self.tell("WATCHDOG=1\n");
        }
    }

    fn tell(&self, words: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(words.as_bytes()) {
            tracing::warn!(%error, "the service manager was not told how the daemon is");
        }
    }
}

impl Watchdog {
    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= self.pause);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// A name that begins with `@` is one without a file (unix(7), "abstract").
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// `sd_watchdog_enabled(3)`: half of the time would do, and one message may be lost.
fn watchdog(microseconds: Option<&str>, process: Option<&str>) -> Option<Watchdog> {
    if process.is_some_and(|id| id.parse() != Ok(process::id())) {
        return None;
    }
    let longest: u64 = microseconds?.parse().ok().filter(|longest| *longest > 0)?;
    Some(Watchdog { pause: Duration::from_micros(longest / 4), last: Mutex::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_ours_only_if_it_names_nobody_else() {
        let own = process::id().to_string();
        for (microseconds, process, is_ours) in [
            (Some("2000000"), None, true),
            (Some("2000000"), Some(own.as_str()), true),
            (Some("2000000"), Some("1"), false),
            (Some("2000000"), Some("nobody"), false),
            (Some("0"), None, false),
            (Some("soon"), None, false),
            (None, None, false),
        ] {
            assert_eq!(watchdog(microseconds, process).is_some(), is_ours, "{microseconds:?}");
        }
    }

    #[test]
    fn the_watchdog_hears_from_us_four_times_in_its_time_and_not_more_often() {
        let watchdog = watchdog(Some("2000000"), None).unwrap();
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let heard = [0, 100, 499, 500, 501, 1200].map(|time| watchdog.is_due(after(time)));
        assert_eq!(heard, [true, false, false, true, false, true]);
    }

    #[test]
    fn a_service_manager_with_and_without_a_file_hears_what_is_told_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let hidden = format!("sbc-test-{}", process::id());
        let abstract_address = SocketAddr::from_abstract_name(&hidden).unwrap();
        for (listener, name) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{hidden}").into()),
        ] {
            let socket = Some(connect(&name).unwrap());
            let supervisor = Supervisor { socket, watchdog: None };
            supervisor.alive();
            supervisor.ready("a\nWATCHDOG=trigger");
            let mut heard = [0; 128];
            let length = listener.recv(&mut heard).unwrap();
            let text = std::str::from_utf8(&heard[..length]).unwrap();
            assert_eq!(text, "READY=1\nSTATUS=a WATCHDOG=trigger\n");
        }
    }

    #[test]
    fn a_service_manager_that_does_not_read_holds_nobody_up_for_ever() {
        let (ours, _theirs) = UnixDatagram::pair().unwrap();
        ours.set_write_timeout(Some(Duration::from_millis(1))).unwrap();
        let supervisor = Supervisor { socket: Some(ours), watchdog: None };
        (0..100_000).take_while(|_| supervisor.socket.as_ref().unwrap().send(b"x").is_ok()).count();
        supervisor.stopping();
    }
}
