//! Whether the threads that serve datagrams live.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Looks at the beats of all workers.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: Vec<(Arc<AtomicU64>, u64)>,
}

/// A worker's own.
#[derive(Debug)]
pub(super) struct Beat(Arc<AtomicU64>);

impl Pulse {
    /// Says whether every worker has served, or looked whether there is anything to serve, since this
    /// was last asked. Each looks ten times a second.
    pub fn is_felt(&mut self) -> bool {
        let mut is_felt = true;
        for (beat, seen) in &mut self.beats {
            let now = beat.load(Ordering::Relaxed);
            is_felt &= now != *seen;
            *seen = now;
        }
        is_felt
    }

    pub(super) fn add(&mut self) -> Beat {
        let beat = Arc::new(AtomicU64::new(1));
        self.beats.push((Arc::clone(&beat), 0));
        Beat(beat)
    }
}

impl Beat {
    pub(super) fn tell(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_that_is_stuck_is_enough() {
        let mut pulse = Pulse::default();
        let beats = [pulse.add(), pulse.add()];
        assert!(pulse.is_felt());
        beats[0].tell();
        assert!(!pulse.is_felt());
        for beat in &beats {
            beat.tell();
        }
        assert!(pulse.is_felt());
    }
}
