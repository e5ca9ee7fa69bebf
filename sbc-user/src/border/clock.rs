use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sbc_common::MonotonicNanos;

use crate::proof::digest::UnixMillis;
use crate::proof::tls::ShownCertificate;
use crate::samples::Moment;
use crate::transport::Dialed;
use crate::trust::CertificateProof;

/// The clocks of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall_at_start: UnixMillis,
    /// By the coarse clock, in nanoseconds.
    start: u64,
    /// By how many nanoseconds a test has let time pass.
    #[cfg(test)]
    ahead: u64,
}

impl Clock {
    /// Reads the wall clock, once: a step of it later on must neither revive nor end anybody's proof.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            wall_at_start: UnixMillis(0).saturating_add(wall),
            start: read(COARSE),
            #[cfg(test)]
            ahead: 0,
        }
    }

    /// Milliseconds since 1970, by the wall clock as it was at the start; up to a tick of the kernel's timer
    /// late.
    #[must_use]
    pub fn wall(&self) -> UnixMillis {
        let now = read(COARSE);
        #[cfg(test)]
        let now = now + self.ahead;
        let since_start = Duration::from_nanos(now.saturating_sub(self.start));
        self.wall_at_start.saturating_add(since_start)
    }

    /// The time by the wall clock as it is now, for people to read.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        Moment { wall, monotonic: self.monotonic() }
    }

    /// Seconds since 1970 by the wall clock as it is now, which other nodes go by too.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.moment().wall / 1_000_000_000
    }

    /// What a certificate proves, and when its time is over, by the clock that the kernel compares expiry times with.
    #[must_use]
    pub fn proof_by(
        &self,
        shown: &Arc<ShownCertificate>,
        dialed: Option<&Dialed>,
        now: MonotonicNanos,
    ) -> CertificateProof {
        let left = shown.not_after().saturating_sub(self.unix_seconds());
        let until = now.0.saturating_add(left.saturating_mul(1_000_000_000));
        CertificateProof {
            shown: Arc::clone(shown),
            until: MonotonicNanos(until),
            dialed: dialed.cloned(),
        }
    }

    /// The clock that the kernel compares expiry times with.
    #[must_use]
    pub fn monotonic(&self) -> MonotonicNanos {
        let now = read(libc::CLOCK_MONOTONIC);
        #[cfg(test)]
        let now = now + self.ahead;
        MonotonicNanos(now)
    }

    /// Lets time pass at once.
    #[cfg(test)]
    pub(super) fn advance(&mut self, by: Duration) {
        self.ahead += u64::try_from(by.as_nanos()).unwrap_or(0);
    }
}

/// Takes a quarter of the time that the other one does; each challenge asks for it.
const COARSE: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;

/// Nanoseconds by one of the system's clocks.
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a writable `timespec` that outlives the call.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
