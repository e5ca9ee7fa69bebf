use hmac::Mac as _;

use super::keys::keyed;
use super::{DatedKey, KeyRing};
use crate::proof::digest::{NonceKey, NonceKeys};

/// What the secrets of nonces are derived for.
const NONCES: &[u8] = b"sbc nonces 1";
/// By how many seconds another node's clock may be ahead.
const AHEAD: u64 = 600;

impl KeyRing {
    /// The keys that nonces are made with and known by at `now`, in seconds since 1970: each is derived from a routing
    /// key, and has its number and its time.
    #[must_use]
    pub fn nonce_keys(&self, now: u64) -> Option<NonceKeys> {
        let current = self.current(now)?;
        let at = self.keys().iter().position(|key| key.number == current.number)?;
        let is_near = |next: &&DatedKey| next.begins <= now.saturating_add(AHEAD);
        let next = self.keys().get(at + 1).filter(is_near);
        let before = || self.keys().get(at.checked_sub(1)?);
        let beside = next.or_else(before).map(derived);
        Some(NonceKeys { current: derived(current), beside })
    }
}

fn derived(key: &DatedKey) -> NonceKey {
    let mut derived = keyed(key.key.bytes());
    derived.update(NONCES);
    NonceKey::new(key.number, derived.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::{Rotation, RoutingKey};

    const WEEK: u64 = 7 * 86_400;
    const START: u64 = 3000 * WEEK;

    fn ring(begins: &[u64]) -> KeyRing {
        let week = Duration::from_secs(WEEK);
        let key = |(number, begins): (u8, &u64)| DatedKey {
            number,
            begins: *begins,
            key: RoutingKey::new([number; 32]),
        };
        let keys = (0..).zip(begins).map(key).collect();
        KeyRing::of(keys, Rotation { period: week, overlap: week }).unwrap()
    }

    fn numbers(ring: &KeyRing, now: u64) -> (u8, Option<u8>) {
        let keys = ring.nonce_keys(now).unwrap();
        (keys.current.number, keys.beside.map(|key| key.number))
    }

    #[test]
    fn two_keys_are_known_at_a_time_the_last_one_and_for_a_while_the_next() {
        let keys = ring(&[START, START + WEEK, START + 2 * WEEK]);
        for (now, expected) in [
            (0, (0, None)),
            (START, (0, None)),
            (START + WEEK - 601, (0, None)),
            (START + WEEK - 600, (0, Some(1))),
            (START + WEEK - 1, (0, Some(1))),
            (START + WEEK, (1, Some(0))),
            (START + 2 * WEEK - 601, (1, Some(0))),
            (START + 2 * WEEK - 600, (1, Some(2))),
            (START + 2 * WEEK, (2, Some(1))),
            (u64::MAX, (2, Some(1))),
        ] {
            assert_eq!(numbers(&keys, now), expected, "{now}");
        }
    }

    #[test]
    fn nodes_whose_clocks_differ_by_minutes_know_each_others_current_key() {
        let keys = ring(&[START, START + WEEK, START + 2 * WEEK]);
        for at in (START..START + 3 * WEEK).step_by(299) {
            for behind in [0, 60, 599] {
                let current = numbers(&keys, at).0;
                let (known, beside) = numbers(&keys, at - behind);
                assert!(known == current || beside == Some(current), "{at} {behind}");
                let (known, beside) = numbers(&keys, at + behind);
                assert!(known == current || beside == Some(current), "{at} {behind}");
            }
        }
    }

    #[test]
    fn a_nonces_key_is_not_the_routing_key() {
        let keys = ring(&[START]).nonce_keys(START).unwrap();
        assert!(*keys.current.secret != [0; 32]);
        let other = ring(&[START + 1]).nonce_keys(START).unwrap();
        assert!(keys.current == other.current, "its key alone says what it is");
    }
}
