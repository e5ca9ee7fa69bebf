//! What the process uses of the machine.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

/// What it uses now; what cannot be read is absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProcessUse {
    pub(super) cpu: Option<Duration>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) most_files: Option<u64>,
    pub(super) threads: Option<u64>,
}

impl ProcessUse {
    /// Reads it.
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let files = fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
        let kibibytes = |name| field(&status, name)?.checked_mul(1024);
        Self {
            cpu: cpu(),
            resident_bytes: kibibytes("VmRSS:"),
            virtual_bytes: kibibytes("VmSize:"),
            // Without the one that they were read with.
            open_files: files.and_then(|count| u64::try_from(count.saturating_sub(1)).ok()),
            most_files: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(most, _)| most),
            threads: field(&status, "Threads:"),
        }
    }
}

fn cpu() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let times = [usage.user_time(), usage.system_time()];
    let spent = times.map(|time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros))
    });
    Some(spent.into_iter().sum())
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The time by the wall clock, since 1970.
pub(super) fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_uses_something_of_everything() {
        let used = ProcessUse::read();
        assert!(used.cpu.unwrap() > Duration::ZERO);
        assert!(used.resident_bytes.unwrap() > 1 << 20);
        assert!(used.virtual_bytes.unwrap() >= used.resident_bytes.unwrap());
        assert!((3..=used.most_files.unwrap()).contains(&used.open_files.unwrap()));
        assert!(used.threads.unwrap() >= 1);
    }
}
