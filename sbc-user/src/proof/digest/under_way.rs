use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sbc_common::MonotonicNanos;

/// Words of 8 bytes.
const CALLS: usize = 65_536;
/// Longer than a phone rings.
const MEMORY: Duration = Duration::from_mins(5);

/// Calls that were let in of late from who is not proven, each with where it came from: what ends them is let in
/// from there.
///
/// Its size is fixed and nothing is locked. A call that falls into another's word takes it.
pub(super) struct UnderWay {
    /// What tells a call from others in 32 bits, and the second that it was let in.
    words: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl UnderWay {
    pub(super) fn new() -> Self {
        Self { words: (0..CALLS).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::new() }
    }

    /// Remembers a call: its Call-ID and the caller's tag.
    pub(super) fn remember(&self, source: SocketAddr, call: [&[u8]; 2], now: MonotonicNanos) {
        let (word, mark) = self.place(source, call);
        if let Some(word) = word {
            word.store(mark << 32 | seconds(now), Ordering::Relaxed);
        }
    }

    pub(super) fn has(&self, source: SocketAddr, call: [&[u8]; 2], now: MonotonicNanos) -> bool {
        let (word, mark) = self.place(source, call);
        let found = word.map_or(0, |word| word.load(Ordering::Relaxed));
        let age = seconds(now).saturating_sub(found & 0xffff_ffff);
        found >> 32 == mark && age <= MEMORY.as_secs()
    }

    /// A mark is never 0, which stands for none.
    fn place(&self, source: SocketAddr, call: [&[u8]; 2]) -> (Option<&AtomicU64>, u64) {
        let hash = self.hasher.hash_one((source, call));
        let index = usize::try_from(hash & 0xffff_ffff).unwrap_or(0) % CALLS;
        (self.words.get(index), (hash >> 32).max(1))
    }
}

fn seconds(now: MonotonicNanos) -> u64 {
    (now.0 / 1_000_000_000) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_where_it_came_from_for_as_long_as_a_phone_rings() {
        let calls = UnderWay::new();
        let here: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let there: SocketAddr = "192.0.2.1:5061".parse().unwrap();
        let at = |seconds: u64| MonotonicNanos(seconds * 1_000_000_000);
        let call: [&[u8]; 2] = [b"one", b"tag"];
        assert!(!calls.has(here, call, at(0)));
        calls.remember(here, call, at(7));
        assert!(calls.has(here, call, at(7 + 300)));
        assert!(!calls.has(here, call, at(7 + 301)));
        assert!(!calls.has(there, call, at(7)));
        assert!(!calls.has(here, [b"onet", b"ag"], at(7)));
    }
}
