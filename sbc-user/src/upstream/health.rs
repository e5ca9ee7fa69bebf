use std::num::NonZeroU8;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether a target lives, as far as anybody knows: until it is found dead it does.
#[derive(Debug, Default)]
pub struct Health {
    is_dead: AtomicBool,
    has_answered: AtomicBool,
    tally: Mutex<Tally>,
}

/// What has happened one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    successes: u8,
    failures: u8,
}

impl Health {
    /// Says whether requests can be sent to it.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.is_dead.load(Ordering::Relaxed)
    }

    /// Says whether it has been heard, and not been dead since.
    #[must_use]
    pub fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// It has answered; `enough` answers in a row bring it back. Returns whether it was brought back.
    pub fn succeeded(&self, enough: NonZeroU8) -> bool {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally = Tally { successes: tally.successes.saturating_add(1), failures: 0 };
        self.has_answered.store(true, Ordering::Relaxed);
        tally.successes >= enough.get() && self.is_dead.swap(false, Ordering::Relaxed)
    }

    /// It has not answered, or would take no requests; `enough` times in a row mean that it is dead.
    /// Returns whether it died of this one.
    pub fn failed(&self, enough: NonZeroU8) -> bool {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally = Tally { successes: 0, failures: tally.failures.saturating_add(1) };
        let is_enough = tally.failures >= enough.get();
        if is_enough {
            self.has_answered.store(false, Ordering::Relaxed);
        }
        is_enough && !self.is_dead.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_as_many_failures_and_successes_in_a_row_as_were_asked_for() {
        let (two, three) = (NonZeroU8::new(2).unwrap(), NonZeroU8::new(3).unwrap());
        let health = Health::default();
        assert!(health.is_alive());
        assert!(!health.failed(two));
        assert!(!health.succeeded(three), "it had not died");
        assert!(!health.failed(two));
        assert!(health.is_alive());
        assert!(health.failed(two));
        assert!(!health.is_alive() && !health.has_answered());
        assert!(!health.failed(two), "it is dead already");
        assert!(!health.succeeded(three));
        assert!(!health.succeeded(three));
        assert!(!health.is_alive());
        assert!(health.succeeded(three));
        assert!(health.is_alive() && health.has_answered());
    }
}
