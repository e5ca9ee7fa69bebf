use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sbc_common::MonotonicNanos;

use crate::proof::digest::UnixMillis;
use crate::samples::Moment;

/// The clocks of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall_at_start: UnixMillis,
    start: Instant,
    #[cfg(test)]
    ahead: std::time::Duration,
}

impl Clock {
    /// Reads the wall clock, once: a step of it later on must neither revive nor end anybody's proof.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            wall_at_start: UnixMillis(0).saturating_add(wall),
            start: Instant::now(),
            #[cfg(test)]
            ahead: std::time::Duration::ZERO,
        }
    }

    /// Milliseconds since 1970, by the wall clock as it was at the start.
    #[must_use]
    pub fn wall(&self) -> UnixMillis {
        let wall = self.wall_at_start.saturating_add(self.start.elapsed());
        #[cfg(test)]
        let wall = wall.saturating_add(self.ahead);
        wall
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

    /// The clock that the kernel compares expiry times with.
    #[must_use]
    pub fn monotonic(&self) -> MonotonicNanos {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a writable `timespec` that outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        let now = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        #[cfg(test)]
        let now = now.saturating_add(u64::try_from(self.ahead.as_nanos()).unwrap_or(0));
        MonotonicNanos(now)
    }

    /// Lets time pass at once.
    #[cfg(test)]
    pub(super) fn advance(&mut self, by: std::time::Duration) {
        self.ahead += by;
    }
}
