use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sbc_common::{Budget, MonotonicNanos};

/// Signatures of one peer that may turn out bad: 50 a second, and 100 at once. To find one out takes some
/// tenths of a millisecond of a thread that others wait for.
const BAD_SIGNATURES: Budget = Budget::per_second(50, 100);

/// How many bad signatures are looked at in a peer's name, which over UDP may be forged.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// By the name of the peer, of which there are as many as the configuration has: the theoretical arrival
    /// time.
    spent: Mutex<HashMap<Box<str>, u64>>,
}

impl Patience {
    /// Says whether there is any left for a peer.
    pub(super) fn is_left(&self, peer: &str, now: MonotonicNanos) -> bool {
        let arrival = self.spent().get(peer).copied().unwrap_or_default();
        BAD_SIGNATURES.spend(arrival, now).is_some()
    }

    /// Spends what a bad signature costs.
    pub(super) fn spend(&self, peer: &str, now: MonotonicNanos) {
        let mut spent = self.spent();
        let arrival = spent.get(peer).copied().unwrap_or_default();
        if let Some(next) = BAD_SIGNATURES.spend(arrival, now) {
            spent.insert(peer.into(), next);
        }
    }

    fn spent(&self) -> MutexGuard<'_, HashMap<Box<str>, u64>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
