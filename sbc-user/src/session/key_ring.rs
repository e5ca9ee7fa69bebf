use std::time::Duration;

use super::RoutingKey;

/// The longest time between the making of a key and its use, in which other nodes learn of it.
const LONGEST_NOTICE: u64 = 3600;

/// When routing keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// How long a key is sealed with.
    pub period: Duration,
    /// For how long what it sealed is accepted afterwards.
    pub overlap: Duration,
}

/// A routing key in its time.
#[derive(Clone, PartialEq, Eq)]
pub struct DatedKey {
    /// What its tokens name it by: no two of a ring have the same.
    pub number: u8,
    /// From when on it is sealed with, in seconds since 1970.
    pub begins: u64,
    /// The key itself.
    pub key: RoutingKey,
}

/// The routing keys of a system, from the oldest to the next; never none.
///
/// Which of them is in use only their times tell, so nodes that share them agree without talking. A clock
/// that is wrong loses no key: one from the future waits, and old ones leave only as new ones come.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRing {
    keys: Vec<DatedKey>,
    rotation: Rotation,
}

impl KeyRing {
    /// Takes keys in any order; `None` if there is none, or if two have the same number.
    #[must_use]
    pub fn of(mut keys: Vec<DatedKey>, rotation: Rotation) -> Option<Self> {
        keys.sort_by_key(|key| key.begins);
        let is_repeated = |(index, key): (usize, &DatedKey)| {
            keys.iter().skip(index + 1).any(|other| other.number == key.number)
        };
        let is_sound = !keys.is_empty() && !keys.iter().enumerate().any(is_repeated);
        is_sound.then_some(Self { keys, rotation })
    }

    /// The keys, the oldest first.
    #[must_use]
    pub fn keys(&self) -> &[DatedKey] {
        &self.keys
    }

    /// The key that is sealed with at `now`: the last that has begun, or the first if none has.
    #[must_use]
    pub fn current(&self, now: u64) -> Option<&DatedKey> {
        self.keys.iter().rfind(|key| key.begins <= now).or_else(|| self.keys.first())
    }

    /// Says whether what a key of this ring sealed is accepted at `now`. That of one which has not begun
    /// is: another node's clock may be ahead.
    #[must_use]
    pub fn accepts(&self, key: &DatedKey, now: u64) -> bool {
        let successor = self.keys.iter().find(|other| other.begins > key.begins);
        successor.is_none_or(|next| {
            now.saturating_sub(next.begins) <= self.rotation.overlap.as_secs() || next.begins > now
        })
    }

    /// Says whether every key begins later than `now`, as when the clock is wrong.
    #[must_use]
    pub fn is_of_the_future(&self, now: u64) -> bool {
        self.keys.iter().all(|key| key.begins > now)
    }

    /// Says whether a next key has to be made: the current one's time is nearly over, and no other will
    /// take its place. None is made while the clock says that even the first has not begun.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        let period = self.rotation.period.as_secs();
        let has_next = self
            .keys
            .iter()
            .any(|key| key.begins > now && key.begins <= now.saturating_add(period));
        let ends = |key: &DatedKey| key.begins.saturating_add(period);
        !has_next
            && !self.is_of_the_future(now)
            && self.current(now).is_some_and(|key| now.saturating_add(self.notice()) >= ends(key))
    }

    /// The same ring with `key` as the next one, announced so long before that others learn of it; the
    /// oldest goes when there are more than tokens need.
    #[must_use]
    pub fn with_next(&self, key: RoutingKey, now: u64) -> Self {
        let period = self.rotation.period.as_secs();
        let ends = self.current(now).map_or(now, |key| key.begins.saturating_add(period));
        let begins = ends.max(now.saturating_add(self.notice()));
        let mut keys = self.keys.clone();
        keys.push(DatedKey { number: self.free_number(), begins, key });
        keys.sort_by_key(|key| key.begins);
        let surplus = keys.len().saturating_sub(self.rotation.keys_needed());
        for _ in 0..surplus {
            // What a wrong clock has made goes first.
            if keys.last().is_some_and(|last| last.begins > begins) {
                keys.pop();
            } else {
                keys.remove(0);
            }
        }
        Self { keys, rotation: self.rotation }
    }

    /// The number after the last one that is free: one that has just gone is not used again soon.
    fn free_number(&self) -> u8 {
        let last = self.keys.last().map_or(0, |key| key.number);
        let is_free = |number: &u8| self.keys.iter().all(|key| key.number != *number);
        (1..=u8::MAX).map(|step| last.wrapping_add(step)).find(is_free).unwrap_or_default()
    }

    fn notice(&self) -> u64 {
        (self.rotation.period.as_secs() / 10).clamp(1, LONGEST_NOTICE)
    }
}

impl Rotation {
    /// How many keys are kept: those that are accepted, the current one, the next one.
    #[must_use]
    pub fn keys_needed(&self) -> usize {
        let period = self.period.as_secs().max(1);
        let old = self.overlap.as_secs().div_ceil(period);
        usize::try_from(old).unwrap_or(usize::MAX).saturating_add(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;
    const START: u64 = 20_000 * DAY;
    const WEEKLY: Rotation =
        Rotation { period: Duration::from_secs(7 * DAY), overlap: Duration::from_secs(7 * DAY) };

    fn ring(rotation: Rotation, begins: &[u64]) -> KeyRing {
        let key = |(number, begins): (u8, &u64)| DatedKey {
            number,
            begins: *begins,
            key: RoutingKey::new([number; 32]),
        };
        KeyRing::of((0..).zip(begins).map(key).collect(), rotation).unwrap()
    }

    fn current(ring: &KeyRing, now: u64) -> u8 {
        ring.current(now).unwrap().number
    }

    fn accepted(ring: &KeyRing, now: u64) -> Vec<u8> {
        ring.keys().iter().filter(|key| ring.accepts(key, now)).map(|key| key.number).collect()
    }

    #[test]
    fn keys_follow_each_other_and_overlap() {
        let mut keys = ring(WEEKLY, &[START]);
        let mut now = START;
        for number in 1..=5 {
            let ends = START + 7 * DAY * u64::from(number);
            while !keys.is_due(now) {
                now += 60;
            }
            assert!((ends - 3600..ends - 3540).contains(&now), "an hour before, {number}");
            keys = keys.with_next(RoutingKey::new([number; 32]), now);
            assert!(!keys.is_due(now), "once");
            assert_eq!(current(&keys, ends - 1), number - 1);
            assert_eq!(current(&keys, ends), number);
            assert!(accepted(&keys, ends - 1).contains(&number), "another clock may be ahead");
            let before = number - 1;
            assert!(accepted(&keys, ends + 7 * DAY).contains(&before));
            assert!(!accepted(&keys, ends + 7 * DAY + 1).contains(&before));
            assert!(keys.keys().len() <= 3);
        }
    }

    #[test]
    fn a_long_overlap_keeps_as_many_keys_as_it_takes() {
        let daily = Rotation { period: Duration::from_secs(DAY), ..WEEKLY };
        let mut keys = ring(daily, &[START]);
        for now in (START..START + 30 * DAY).step_by(1800) {
            if keys.is_due(now) {
                keys = keys.with_next(RoutingKey::new([9; 32]), now);
            }
            assert!(keys.keys().len() <= daily.keys_needed());
            let oldest = keys.keys().first().unwrap();
            let is_whole = oldest.number == 0 || now - oldest.begins >= 7 * DAY;
            assert!(is_whole, "what is accepted is kept");
        }
        assert_eq!(daily.keys_needed(), 9);
    }

    #[test]
    fn a_system_that_was_off_for_long_goes_on_with_its_last_key_until_the_next_is_known() {
        let keys = ring(WEEKLY, &[START]);
        let now = START + 90 * DAY;
        assert!(keys.is_due(now));
        let keys = keys.with_next(RoutingKey::new([1; 32]), now);
        assert_eq!(current(&keys, now), 0);
        assert_eq!(current(&keys, now + 3600), 1);
    }

    #[test]
    fn a_clock_that_was_ahead_for_a_while_loses_no_key() {
        let keys = ring(WEEKLY, &[START - 7 * DAY, START]);
        let ahead = START + 4000 * DAY;
        let keys = keys.with_next(RoutingKey::new([2; 32]), ahead);
        assert_eq!(accepted(&keys, START + DAY), [0, 1, 2]);
        assert_eq!(current(&keys, START + DAY), 1);
        assert!(keys.is_due(START + 7 * DAY), "one that is so far off is no successor");
    }

    #[test]
    fn whatever_a_clock_did_the_key_in_use_is_kept() {
        let mut keys = ring(WEEKLY, &[START - 7 * DAY, START]);
        for ahead in [1000, 2000, 3000] {
            keys = keys.with_next(RoutingKey::new([2; 32]), START + ahead * DAY);
        }
        for now in (START..START + 30 * DAY).step_by(1800) {
            let before = current(&keys, now);
            if keys.is_due(now) {
                keys = keys.with_next(RoutingKey::new([3; 32]), now);
            }
            assert_eq!(current(&keys, now), before, "{} days on", (now - START) / DAY);
        }
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_key() {
        let keys = ring(WEEKLY, &[START, START + 7 * DAY]);
        assert!(keys.is_of_the_future(0) && !keys.is_due(0));
        assert_eq!(current(&keys, 0), 0);
        assert_eq!(accepted(&keys, 0), [0, 1]);
    }

    #[test]
    fn numbers_are_not_used_again_soon() {
        let mut keys = ring(WEEKLY, &[START]);
        let mut numbers = Vec::new();
        for step in 1..=300 {
            keys = keys.with_next(RoutingKey::new([1; 32]), START + step * 7 * DAY);
            numbers.push(keys.keys().last().unwrap().number);
        }
        assert!(numbers.windows(200).all(|some| {
            some.iter().enumerate().all(|(at, number)| !some[at + 1..].contains(number))
        }));
    }

    #[test]
    fn what_is_no_ring_is_refused() {
        assert!(KeyRing::of(Vec::new(), WEEKLY).is_none());
        let key = DatedKey { number: 1, begins: 0, key: RoutingKey::new([0; 32]) };
        assert!(KeyRing::of(vec![key.clone(), key], WEEKLY).is_none());
    }
}
