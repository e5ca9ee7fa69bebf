use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use super::{FreshNonce, NonceId, UnixMillis};

/// How many accepted requests per nonce can be recognized when they are retransmitted.
const REMEMBERED_REQUESTS: usize = 8;

/// At most one nonce enters per call, so leaving twice as fast always catches up.
const EXPIRIES_PER_CALL: usize = 2;

/// Remembers which nonce counts have been used, so that no response is accepted twice.
///
/// Callers write to it only after a correct response: strangers cannot fill it. Every operation takes
/// constant time. A nonce takes about 220 bytes, reserved at construction. Most of them are written in the
/// order of their places: what is searched is small, since with many in use it is memory that takes time.
///
/// **When full**, the nonce that was first used longest ago is forgotten. What was forgotten is never
/// accepted again: a nonce that is not in the table enters only with a nonce count of 1, and only if
/// it was issued after every forgotten one. Everything else is [`ReplayVerdict::Stale`], which costs the
/// client a round trip and nothing more. The same covers a restart: nonces issued before `started`
/// are stale.
#[derive(Debug)]
pub struct ReplayWindow {
    capacity: NonZeroUsize,
    lifetime: Duration,
    /// Where in the ring a nonce is.
    places: HashMap<NonceId, usize>,
    /// In order of first use from `first` on, and around the end.
    ring: Vec<UsedNonce>,
    first: usize,
    /// Nonces issued before this and not in the table may have been forgotten.
    forgotten_before: UnixMillis,
}

/// Whether a correct response may count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ReplayVerdict {
    /// The first request with this nonce and nonce count.
    New,
    /// The very same request again, as UDP clients send it until they are answered.
    Retransmission,
    /// Another request with a nonce count that was used, or one that is too old to tell.
    Replayed,
    /// The nonce may have been used and forgotten.
    Stale,
}

impl ReplayWindow {
    /// Makes a window for at most `capacity` nonces that are good for `lifetime`.
    #[must_use]
    pub fn new(capacity: NonZeroUsize, lifetime: Duration, started: UnixMillis) -> Self {
        Self {
            capacity,
            lifetime,
            places: HashMap::with_capacity(capacity.get()),
            ring: Vec::with_capacity(capacity.get()),
            first: 0,
            forgotten_before: started,
        }
    }

    /// Admits a correct response, or says why not.
    ///
    /// `fingerprint` is a keyed hash of the whole request: with one that can be computed without the
    /// key, a forger could make another request look like a retransmission.
    pub fn admit(
        &mut self,
        nonce: FreshNonce,
        count: NonZeroU32,
        fingerprint: u64,
        now: UnixMillis,
    ) -> ReplayVerdict {
        self.forget_expired(now);
        if let Some(used) = self.places.get(&nonce.id).and_then(|place| self.ring.get_mut(*place)) {
            return used.admit(count, fingerprint);
        }
        if count != NonZeroU32::MIN || nonce.issued < self.forgotten_before {
            return ReplayVerdict::Stale;
        }
        if self.len() >= self.capacity.get() {
            self.forget_first_used();
        }
        self.enter(UsedNonce::first(nonce, fingerprint));
        ReplayVerdict::New
    }

    /// How long a nonce is good for from now on.
    pub fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// How many nonces are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no nonce is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Nonces leave in order of first use. One that expires before its turn is refused by its age
    /// anyhow, and its turn comes within one lifetime.
    fn forget_expired(&mut self, now: UnixMillis) {
        for _ in 0..EXPIRIES_PER_CALL {
            let Some(first) = self.first_used() else { break };
            if now.saturating_since(first.issued) < self.lifetime {
                break;
            }
            self.forget_first_used();
        }
    }

    fn forget_first_used(&mut self) {
        let Some(forgotten) = self.first_used() else { return };
        self.places.remove(&forgotten.id);
        self.first = (self.first + 1) % self.capacity;
        let just_after = forgotten.issued.saturating_add(Duration::from_millis(1));
        self.forgotten_before = self.forgotten_before.max(just_after);
    }

    fn first_used(&self) -> Option<FreshNonce> {
        let first = self.ring.get(self.first).filter(|_| !self.is_empty())?;
        Some(first.nonce)
    }

    /// Enters one for which there is room.
    fn enter(&mut self, used: UsedNonce) {
        let place = (self.first + self.len()) % self.capacity;
        self.places.insert(used.nonce.id, place);
        match self.ring.get_mut(place) {
            Some(forgotten) => *forgotten = used,
            None => self.ring.push(used),
        }
    }
}

/// The nonce counts that were used with one nonce, as IPsec keeps its sequence numbers
/// (RFC 4303 §3.4.3).
#[derive(Debug)]
struct UsedNonce {
    nonce: FreshNonce,
    highest: u32,
    /// Bit `i` says that `highest - i` was used.
    bitmap: u64,
    latest: [AcceptedRequest; REMEMBERED_REQUESTS],
}

/// A nonce count of 0 is an empty place: clients count from 1.
#[derive(Clone, Copy, Debug, Default)]
struct AcceptedRequest {
    count: u32,
    fingerprint: u64,
}

impl UsedNonce {
    fn first(nonce: FreshNonce, fingerprint: u64) -> Self {
        let mut used = Self { nonce, highest: 1, bitmap: 1, latest: Default::default() };
        used.remember(1, fingerprint);
        used
    }

    fn admit(&mut self, count: NonZeroU32, fingerprint: u64) -> ReplayVerdict {
        let count = count.get();
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.bitmap = self.bitmap.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            self.remember(count, fingerprint);
            return ReplayVerdict::New;
        }
        let Some(bit) = 1_u64.checked_shl(self.highest.saturating_sub(count)) else {
            return ReplayVerdict::Replayed;
        };
        if self.bitmap & bit == 0 {
            self.bitmap |= bit;
            self.remember(count, fingerprint);
            return ReplayVerdict::New;
        }
        let is_same = |it: &AcceptedRequest| it.count == count && it.fingerprint == fingerprint;
        if self.latest.iter().any(is_same) {
            ReplayVerdict::Retransmission
        } else {
            ReplayVerdict::Replayed
        }
    }

    fn remember(&mut self, count: u32, fingerprint: u64) {
        self.latest.rotate_right(1);
        if let Some(newest) = self.latest.first_mut() {
            *newest = AcceptedRequest { count, fingerprint };
        }
    }
}

#[cfg(test)]
mod tests;
