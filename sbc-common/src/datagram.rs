//! What is remembered of fragmented datagrams of trusted sources, so that later fragments, which have
//! no ports, share the verdict of the first.

use crate::hash::mix;
use crate::{FragmentPlace, MonotonicNanos, Packet};

/// A datagram by source, destination, protocol and identification (RFC 791 §3.2, RFC 8200 §4.5), as
/// a keyed hash of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram(u64);

/// One word of the table of datagrams: 32 bits of the [`Datagram`], 13 for where its first fragment ends
/// and 19 of time. One word, so that no reader can see half of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstSeen(pub u64);

/// How a later fragment stands to what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Its first fragment passed lately.
    Belongs,
    /// It says again, otherwise, what the first one said.
    Overlaps,
    /// Nothing is remembered of its datagram.
    Early,
}

/// Bits of a nanosecond that are not kept: units of 2²⁶ ns, 67 ms.
const TIME_SHIFT: u32 = 26;
const TIME_MASK: u64 = (1 << 19) - 1;
/// How long a first fragment speaks for its datagram: 2 s, in units. The rest follows within
/// milliseconds; a sender that repeats it repeats the first one too.
const LIFETIME: u64 = 30;

impl Datagram {
    /// The number of words in the table. A datagram takes the place of another's by chance: the rest of
    /// the older one is then early.
    pub const PLACES: u32 = 8192;

    /// The datagram that `packet` is a part of. The seed is secret: a forger could otherwise choose an
    /// identification under which a fragment of his belongs to somebody's datagram.
    #[must_use]
    #[inline(always)]
    pub const fn of(packet: &Packet, seed: u64) -> Self {
        let [source_upper, source_lower] = packet.source.halves();
        let [destination_upper, destination_lower] = packet.destination.halves();
        let mut hash = mix(source_upper, seed);
        hash = mix(source_lower, hash);
        hash = mix(destination_upper, hash);
        hash = mix(destination_lower, hash);
        Self(mix(packet.place.id as u64 | (packet.protocol as u64) << 32, hash))
    }

    /// The position of its word.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are as good as any")]
    pub const fn index(self) -> u32 {
        self.0 as u32 % Self::PLACES
    }

    /// What is remembered of its first fragment at `now`.
    #[must_use]
    #[inline(always)]
    pub const fn first_seen(self, place: FragmentPlace, now: MonotonicNanos) -> FirstSeen {
        let end = (place.length / 8) as u64;
        FirstSeen(self.tag() | (end & 0x1fff) << 19 | now.0 >> TIME_SHIFT & TIME_MASK)
    }

    /// Compares a later fragment with what is remembered.
    #[must_use]
    #[inline(always)]
    pub const fn later(self, seen: FirstSeen, place: FragmentPlace, now: MonotonicNanos) -> Later {
        let age = (now.0 >> TIME_SHIFT).wrapping_sub(seen.0) & TIME_MASK;
        if seen.0 & TAG_MASK != self.tag() || age > LIFETIME {
            return Later::Early;
        }
        if (place.offset as u64) < seen.0 >> 19 & 0x1fff { Later::Overlaps } else { Later::Belongs }
    }

    /// Never zero, which is what an empty word begins with.
    #[inline(always)]
    const fn tag(self) -> u64 {
        (self.0 | 1 << 63) & TAG_MASK
    }
}

const TAG_MASK: u64 = !0 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const FIRST: FragmentPlace = FragmentPlace { id: 7, offset: 0, length: 1480 };
    const SECOND_PART: FragmentPlace = FragmentPlace { id: 7, offset: 185, length: 520 };

    #[test]
    fn a_later_fragment_belongs_for_two_seconds_after_the_first() {
        let datagram = Datagram(0x1234_5678_9abc_def0);
        for began in [0, 17, 3600 * SECOND, 100_000 * SECOND] {
            let seen = datagram.first_seen(FIRST, MonotonicNanos(began));
            let after = |nanos| datagram.later(seen, SECOND_PART, MonotonicNanos(began + nanos));
            assert_eq!(after(0), Later::Belongs);
            assert_eq!(after(SECOND), Later::Belongs);
            assert_eq!(after(3 * SECOND), Later::Early);
        }
    }

    #[test]
    fn an_overlapping_fragment_is_told_from_one_that_follows() {
        let datagram = Datagram(99);
        let seen = datagram.first_seen(FIRST, MonotonicNanos(0));
        let at = |offset| {
            datagram.later(seen, FragmentPlace { offset, ..SECOND_PART }, MonotonicNanos(0))
        };
        assert_eq!(at(1), Later::Overlaps);
        assert_eq!(at(184), Later::Overlaps);
        assert_eq!(at(185), Later::Belongs);
    }

    #[test]
    fn another_datagram_and_an_empty_word_are_not_remembered() {
        let now = MonotonicNanos(0);
        let seen = Datagram(1 << 40).first_seen(FIRST, now);
        assert_eq!(Datagram(2 << 40).later(seen, SECOND_PART, now), Later::Early);
        assert_eq!(Datagram(0).later(FirstSeen::default(), SECOND_PART, now), Later::Early);
    }
}
