use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::sip::Message;

/// What was signed in a minute at a thousand calls a second.
const CAPACITY: usize = 65_536;

/// Which call a PASSporT was seen in, for as long as it is fresh. When it is full the oldest is forgotten.
#[derive(Debug, Default)]
pub(super) struct Memory {
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By what is signed: the call.
    calls: HashMap<u64, u64>,
    /// In their order: until when, and what.
    order: VecDeque<(u64, u64)>,
}

impl Memory {
    /// Takes note of what is signed in a request, which is fresh until then, in seconds since 1970. Says
    /// whether it was seen in another call; retransmissions and forks are of the same.
    ///
    /// What is signed counts, and not the signature: of that anybody can make a second one.
    pub(super) fn is_replay(
        &self,
        signed: &[u8],
        request: &Message<'_>,
        (now, until): (u64, u64),
    ) -> bool {
        let what = self.hasher.hash_one(signed);
        let call = self.hasher.hash_one((request.call_id(), request.from().tag));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((ended, oldest)) = seen.order.front().copied()
            && (ended < now || seen.order.len() >= CAPACITY)
        {
            seen.order.pop_front();
            seen.calls.remove(&oldest);
        }
        if let Some(first) = seen.calls.get(&what) {
            return *first != call;
        }
        seen.calls.insert(what, call);
        seen.order.push_back((until, what));
        false
    }
}
