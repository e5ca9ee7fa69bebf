use std::{
    collections::{HashMap, VecDeque},
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
/// constant time. A nonce takes about 250 bytes, reserved at construction.
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
    used: HashMap<NonceId, UsedNonce>,
    in_order_of_first_use: VecDeque<FreshNonce>,
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
            used: HashMap::with_capacity(capacity.get()),
            in_order_of_first_use: VecDeque::with_capacity(capacity.get()),
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
        if let Some(used) = self.used.get_mut(&nonce.id) {
            return used.admit(count, fingerprint);
        }
        if count != NonZeroU32::MIN || nonce.issued < self.forgotten_before {
            return ReplayVerdict::Stale;
        }
        if self.used.len() >= self.capacity.get() {
            self.forget_first_used();
        }
        self.used.insert(nonce.id, UsedNonce::first(fingerprint));
        self.in_order_of_first_use.push_back(nonce);
        ReplayVerdict::New
    }

    /// How many nonces are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether no nonce is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Nonces leave in order of first use. One that expires before its turn is refused by its age
    /// anyhow, and its turn comes within one lifetime.
    fn forget_expired(&mut self, now: UnixMillis) {
        for _ in 0..EXPIRIES_PER_CALL {
            let Some(first) = self.in_order_of_first_use.front() else { break };
            if now.saturating_since(first.issued) < self.lifetime {
                break;
            }
            self.forget_first_used();
        }
    }

    fn forget_first_used(&mut self) {
        let Some(forgotten) = self.in_order_of_first_use.pop_front() else { return };
        self.used.remove(&forgotten.id);
        let just_after = forgotten.issued.saturating_add(Duration::from_millis(1));
        self.forgotten_before = self.forgotten_before.max(just_after);
    }
}

/// The nonce counts that were used with one nonce, as IPsec keeps its sequence numbers
/// (RFC 4303 §3.4.3).
#[derive(Debug)]
struct UsedNonce {
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
    fn first(fingerprint: u64) -> Self {
        let mut used = Self { highest: 1, bitmap: 1, latest: Default::default() };
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
