//! What sources owe for what went wrong there, remembered without a lock and without growing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sbc_common::MonotonicNanos;

/// Each table has so many sets of four words: half a megabyte.
const SETS: usize = 16_384;
const WAYS: usize = 4;
/// The time that a word counts, so that 32 bits last for eight years.
const TICK: u128 = 64;
/// Two threads that fail in the same word at once may lose one of the two failures, after so many attempts.
const ATTEMPTS: usize = 4;

/// How many failed proofs are let pass in which time: all of them at once, or evenly spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many.
    pub failures: u32,
    /// In which time.
    pub within: Duration,
}

/// An allowance in ticks: what is owed grows by `interval` with a failure, and goes down with time.
pub(crate) struct Limit {
    interval: u32,
    most: u32,
}

impl Limit {
    pub(crate) fn of(allowance: Allowance) -> Self {
        let failures = allowance.failures.max(1);
        let interval = ticks(allowance.within).checked_div(failures).unwrap_or(1).max(1);
        Self { interval, most: interval.saturating_mul(failures) }
    }

    /// More than there can be is what a clock has left that has gone back since: nothing.
    pub(crate) fn owed(&self, until: u32, now: u32) -> u32 {
        let owed = until.saturating_sub(now);
        if owed <= self.most { owed } else { 0 }
    }

    pub(crate) const fn is_spent(&self, owed: u32) -> bool {
        owed.saturating_add(self.interval) > self.most
    }

    pub(crate) fn after_failure(&self, until: u32, now: u32) -> u32 {
        let owed = self.owed(until, now).saturating_add(self.interval).min(self.most);
        now.saturating_add(owed)
    }
}

/// Times until when something is remembered, each in a word with a part of the hash that it is found by.
pub(crate) struct Table {
    words: Box<[[AtomicU64; WAYS]]>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { words: (0..SETS).map(|_| Default::default()).collect() }
    }

    /// The time that is remembered for a hash, or 0.
    pub(crate) fn read(&self, hash: u64) -> u32 {
        let words = self.set(hash).iter().map(|word| word.load(Ordering::Relaxed));
        words.into_iter().find(|word| tag(*word) == wanted(hash)).map_or(0, until)
    }

    /// Replaces the time of a hash. If there is none, it takes the place of the one that is over first.
    pub(crate) fn update(&self, hash: u64, now: u32, next: impl Fn(u32) -> u32) {
        for _ in 0..ATTEMPTS {
            let of_hash = |word: &&AtomicU64| tag(word.load(Ordering::Relaxed)) == wanted(hash);
            let left = |word: &&AtomicU64| until(word.load(Ordering::Relaxed)).saturating_sub(now);
            let set = self.set(hash);
            let Some(word) = set.iter().find(of_hash).or_else(|| set.iter().min_by_key(left))
            else {
                return;
            };
            let old = word.load(Ordering::Relaxed);
            let time = if tag(old) == wanted(hash) { until(old) } else { 0 };
            let new = u64::from(wanted(hash)) << 32 | u64::from(next(time));
            if word.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    fn set(&self, hash: u64) -> &[AtomicU64] {
        let index = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default() % SETS;
        self.words.get(index).map_or(&[], |set| set.as_slice())
    }
}

/// The part of a hash that is kept in a word; an empty word has 0.
const fn wanted(hash: u64) -> u32 {
    tag(hash) | 1
}

const fn tag(word: u64) -> u32 {
    (word >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
const fn until(word: u64) -> u32 {
    word as u32
}

pub(crate) fn ticks_between(started: MonotonicNanos, now: MonotonicNanos) -> u32 {
    ticks(Duration::from_nanos(now.0.saturating_sub(started.0)))
}

pub(crate) fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(TICK)).unwrap_or(u32::MAX)
}
