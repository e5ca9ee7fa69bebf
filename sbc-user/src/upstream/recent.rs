use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a choice is remembered: longer than a phone rings.
const MEMORY: Duration = Duration::from_mins(5);
/// The unit of time in a slot.
const TICK: Duration = Duration::from_secs(4);
const TICKS: u16 = 75;

/// Which target a call was sent to of late, so that what belongs to the same transaction follows it even
/// if another target would be chosen by now.
///
/// Its size is fixed. A call that falls into another's slot takes it, and the other is as good as never
/// remembered; which slot that is nobody outside can tell.
#[derive(Debug)]
pub(super) struct Recent {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
    start: Instant,
}

/// What names a call: Call-ID and the caller's tag.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Call<'a>(pub(super) &'a [u8], pub(super) &'a [u8]);

impl Recent {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            slots: (0..slots.max(1)).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            start: Instant::now(),
        }
    }

    /// The number of the target that the call was sent to, if that is remembered.
    pub(super) fn target_of(&self, call: Call<'_>, now: Instant) -> Option<u16> {
        let (slot, mark) = self.place(call);
        let found = slot?.load(Ordering::Relaxed);
        let [_, _, _, _, target @ .., high, low] = found.to_be_bytes();
        let age = self.tick(now).wrapping_sub(u16::from_be_bytes([high, low]));
        (found >> 32 == mark && age <= TICKS).then(|| u16::from_be_bytes(target))
    }

    /// Remembers it.
    pub(super) fn remember(&self, call: Call<'_>, target: u16, now: Instant) {
        let (slot, mark) = self.place(call);
        if let Some(slot) = slot {
            let value = mark << 32 | u64::from(target) << 16 | u64::from(self.tick(now));
            slot.store(value, Ordering::Relaxed);
        }
    }

    /// Its slot, and what tells it from others that fall into the same; never 0, which stands for none.
    fn place(&self, call: Call<'_>) -> (Option<&AtomicU64>, u64) {
        let hash = self.hasher.hash_one(call);
        let index = usize::try_from(hash & 0xffff_ffff).unwrap_or(0) % self.slots.len();
        (self.slots.get(index), (hash >> 32).max(1))
    }

    /// Goes around after three days; a slot that nobody took meanwhile may seem new again, of a call that
    /// is long over.
    fn tick(&self, now: Instant) -> u16 {
        let ticks = now.saturating_duration_since(self.start).as_secs() / TICK.as_secs();
        u16::try_from(ticks % (1 << 16)).unwrap_or(0)
    }
}

const _: () = assert!(TICK.as_secs() * TICKS as u64 == MEMORY.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_remembered_for_as_long_as_a_phone_rings() {
        let recent = Recent::new(64);
        let start = recent.start;
        recent.remember(Call(b"one", b"tag"), 7, start);
        assert_eq!(recent.target_of(Call(b"one", b"tag"), start), Some(7));
        assert_eq!(recent.target_of(Call(b"one", b"other"), start), None);
        assert_eq!(recent.target_of(Call(b"one", b"tag"), start + MEMORY), Some(7));
        assert_eq!(recent.target_of(Call(b"one", b"tag"), start + MEMORY + TICK), None);
    }

    #[test]
    fn whoever_takes_a_slot_is_not_taken_for_who_had_it() {
        let recent = Recent::new(1);
        recent.remember(Call(b"one", b"1"), 7, recent.start);
        recent.remember(Call(b"two", b"2"), 8, recent.start);
        assert_eq!(recent.target_of(Call(b"one", b"1"), recent.start), None);
        assert_eq!(recent.target_of(Call(b"two", b"2"), recent.start), Some(8));
    }
}
