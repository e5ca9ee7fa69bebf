use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sip::{Message, TelephoneNumber};

/// What was signed in a minute at a thousand calls a second.
const CAPACITY: usize = 65_536;

/// How many calls one PASSporT may be seen in, from one peer and from and to the same numbers: a carrier
/// whose call was put off, by us or behind us, begins it again with the signature that it has.
const MOST_CALLS: usize = 4;

/// Which calls a PASSporT was passed on in, for as long as it is fresh. When it is full the oldest is
/// forgotten.
#[derive(Debug, Default)]
pub(super) struct Memory {
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By what is signed.
    uses: HashMap<u64, Uses>,
    /// In their order: until when, and what.
    order: VecDeque<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Uses {
    parties: u64,
    signature: u64,
    calls: [Option<u64>; MOST_CALLS],
}

/// A PASSporT in a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    what: u64,
    signature: u64,
    parties: u64,
    call: u64,
    until: u64,
}

/// What is known of a PASSporT in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing that would stand in its way.
    Unseen,
    /// It was verified in this very call, with this signature.
    Verified,
    /// It was passed on in other calls, and is not good for this one.
    Replayed,
}

impl Memory {
    /// What is signed in a request of a peer from one number to another, which is fresh until then, in seconds
    /// since 1970.
    ///
    /// What is signed counts, and not the signature: of that anybody can make a second one.
    pub(super) fn sighting(
        &self,
        (signed, signature): (&[u8], &[u8]),
        request: &Message<'_>,
        parties: (&str, [Option<TelephoneNumber>; 2]),
        until: u64,
    ) -> Sighting {
        let (peer, numbers) = &parties;
        let [from, to] = numbers.each_ref().map(|it| it.as_ref().map(TelephoneNumber::canonical));
        Sighting {
            what: self.hasher.hash_one(signed),
            signature: self.hasher.hash_one(signature),
            parties: self.hasher.hash_one((peer, from, to)),
            call: self.hasher.hash_one((request.call_id(), request.from().tag)),
            until,
        }
    }

    /// Says what is known of it; retransmissions and forks are of the same call.
    pub(super) fn knows(&self, sighting: &Sighting, now: u64) -> Known {
        let mut seen = self.seen();
        seen.forget(now);
        let Some(uses) = seen.uses.get(&sighting.what) else { return Known::Unseen };
        let is_same = uses.parties == sighting.parties;
        if is_same && uses.calls.contains(&Some(sighting.call)) {
            if uses.signature == sighting.signature { Known::Verified } else { Known::Unseen }
        } else if is_same && uses.calls.contains(&None) {
            Known::Unseen
        } else {
            Known::Replayed
        }
    }

    /// Takes note of what was passed on.
    pub(super) fn remember(&self, sighting: &Sighting) {
        let mut seen = self.seen();
        if let Some(uses) = seen.uses.get_mut(&sighting.what) {
            if !uses.calls.contains(&Some(sighting.call))
                && let Some(free) = uses.calls.iter_mut().find(|call| call.is_none())
            {
                *free = Some(sighting.call);
            }
            return;
        }
        if seen.order.len() >= CAPACITY {
            seen.forget_oldest();
        }
        let mut calls = [None; MOST_CALLS];
        calls[0] = Some(sighting.call);
        let uses = Uses { parties: sighting.parties, signature: sighting.signature, calls };
        seen.uses.insert(sighting.what, uses);
        seen.order.push_back((sighting.until, sighting.what));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn forget(&mut self, now: u64) {
        while self.order.front().is_some_and(|(ended, _)| *ended < now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.order.pop_front() {
            self.uses.remove(&oldest);
        }
    }
}
