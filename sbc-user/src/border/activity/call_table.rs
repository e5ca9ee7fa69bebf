use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// Somebody outside.
    Inwards,
    /// The upstream.
    Outwards,
}

/// The marks of the calls that began last, each with the row of whoever it is counted for.
///
/// A mark is one word, and words that share a hash stand in a line of the cache, the latest first: the oldest of
/// eight falls out. Two threads at the same line may lose a mark, or leave one twice: a call is then not counted as
/// answered, or is counted twice. Nothing but counters depends on it.
#[derive(Debug)]
pub(super) struct CallTable {
    lines: Box<[Line]>,
    /// Nobody outside can tell which Call-IDs push each other out.
    hasher: RandomState,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; 8]);

const LINES: usize = 8192;
/// Answered already.
const IS_ANSWERED: u64 = 1;
/// Bits of the row, above that one.
const ROW_BITS: u32 = 15;
const ROW_MASK: u64 = (1 << ROW_BITS) - 1;
/// The rest is of the Call-ID.
const MARK_MASK: u64 = !(ROW_MASK << 1 | IS_ANSWERED);

impl CallTable {
    pub(super) fn new() -> Self {
        let lines = (0..LINES).map(|_| Line::default()).collect();
        Self { lines, hasher: RandomState::new() }
    }

    /// Takes note that a call has begun; `false` if that was known, or its row is beyond what a mark can hold.
    pub(super) fn begin(&self, call_id: &[u8], direction: Direction, row: usize) -> bool {
        let Some((line, mark)) = self.place(call_id, direction) else { return false };
        let Some(row) = u64::try_from(row).ok().filter(|row| *row <= ROW_MASK) else {
            return false;
        };
        if line.0.iter().any(|word| is_of(word.load(Ordering::Relaxed), mark)) {
            return false;
        }
        let mut pushed = mark | row << 1;
        for word in &line.0 {
            pushed = word.swap(pushed, Ordering::Relaxed);
            if pushed == 0 {
                break;
            }
        }
        true
    }

    /// Takes note that a call is answered, and yields its row; `None` if that was known, or its beginning is not.
    pub(super) fn answer(&self, call_id: &[u8], direction: Direction) -> Option<usize> {
        let (line, mark) = self.place(call_id, direction)?;
        line.0.iter().find_map(|word| {
            let found = word.load(Ordering::Relaxed);
            let is_new = is_of(found, mark) && found & IS_ANSWERED == 0;
            let answered = found | IS_ANSWERED;
            let take = || {
                word.compare_exchange(found, answered, Ordering::Relaxed, Ordering::Relaxed).ok()
            };
            let row = is_new.then(take)?? >> 1 & ROW_MASK;
            usize::try_from(row).ok()
        })
    }

    fn place(&self, call_id: &[u8], direction: Direction) -> Option<(&Line, u64)> {
        let hash = self.hasher.hash_one((direction, call_id));
        let position = usize::try_from(hash % LINES as u64).ok()?;
        // Its lowest bits have chosen the line. A mark is never zero: that is an empty place.
        let mark = (hash & MARK_MASK).max(1 << (ROW_BITS + 1));
        Some((self.lines.get(position)?, mark))
    }
}

const fn is_of(word: u64, mark: u64) -> bool {
    word & MARK_MASK == mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_begins_once_and_is_answered_once_for_whom_it_began() {
        let table = CallTable::new();
        assert_eq!(table.answer(b"one", Direction::Inwards), None);
        assert!(table.begin(b"one", Direction::Inwards, 7));
        assert!(!table.begin(b"one", Direction::Inwards, 7), "a retransmission");
        // An upstream that is a proxy keeps the Call-ID on the way out again.
        assert!(table.begin(b"one", Direction::Outwards, 8));
        assert_eq!(table.answer(b"one", Direction::Outwards), Some(8));
        assert_eq!(table.answer(b"one", Direction::Inwards), Some(7));
        assert_eq!(table.answer(b"one", Direction::Inwards), None, "a retransmission");
        assert!(!table.begin(b"one", Direction::Inwards, 7), "it is over");
    }

    #[test]
    fn calls_that_ring_are_not_pushed_out_by_thousands_of_others() {
        let table = CallTable::new();
        assert!(table.begin(b"rings", Direction::Inwards, 1));
        let others = (0..8192_u32).map(u32::to_be_bytes);
        assert!(others.into_iter().all(|id| table.begin(&id, Direction::Inwards, 2)));
        // Each line got one of them on average. That it got eight, so that this fails, is one chance in 100,000.
        assert_eq!(table.answer(b"rings", Direction::Inwards), Some(1));
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten_and_nothing_is_mistaken_for_another() {
        let table = CallTable::new();
        let ids = || (0..200_000_u32).map(u32::to_be_bytes);
        for id in ids() {
            table.begin(&id, Direction::Inwards, 3);
        }
        let known = ids().filter(|id| table.answer(id, Direction::Inwards) == Some(3)).count();
        assert!((60_000..=65_536).contains(&known), "{known}");
        let latest = 199_999_u32.to_be_bytes();
        assert!(!table.begin(&latest, Direction::Inwards, 3));
    }

    #[test]
    fn a_row_that_no_mark_can_hold_is_not_mistaken_for_another() {
        let table = CallTable::new();
        assert!(table.begin(b"last", Direction::Inwards, 32_767));
        assert_eq!(table.answer(b"last", Direction::Inwards), Some(32_767));
        assert!(!table.begin(b"beyond", Direction::Inwards, 32_768));
    }
}
