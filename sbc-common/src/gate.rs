//! The gate in front of the trust tables: a few kilobytes that tell a stranger from somebody who may
//! be known, so that a forged flood never touches the tables themselves.
//!
//! A hash table or a trie with a million entries costs several misses of the cache for every packet
//! from a random source. The gate costs a load or two from memory that stays in the cache, seldom a
//! third, and never says "nothing" of a source that has an entry. What it lets through by mistake is
//! looked up like anybody else, and costs time, never a verdict.

use crate::hash::mix;
use crate::{Address, Prefix};

/// What the trust tables may hold for a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// An entry for the address, one of its ports or its /64.
    pub source: bool,
    /// An entry for a prefix around it.
    pub prefix: bool,
}

impl Gate {
    /// Nothing is known of the source.
    pub const CLOSED: Self = Self { source: false, prefix: false };
}

/// The coarse half: two bits for each IPv4 /16, and for each of 65,536 classes of IPv6 /32. One says
/// that some source below has an entry, the other that some prefix touches it. 32 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coarse(());

impl Coarse {
    /// The number of words.
    pub const WORDS: u32 = 4096;
    /// The number of places, two bits each.
    pub const PLACES: u32 = Self::WORDS * 32;
    const HALF: u32 = Self::PLACES / 2;

    /// The place of an address.
    #[must_use]
    #[inline(always)]
    pub const fn place(address: &Address) -> u32 {
        let leading = address.leading_word();
        if address.is_ipv4() { leading >> 16 } else { Self::HALF + ipv6_class(leading) }
    }

    /// The word that a place stands in.
    #[must_use]
    #[inline(always)]
    pub const fn word(place: u32) -> u32 {
        place >> 5
    }

    /// Reads a place in its word.
    #[must_use]
    #[inline(always)]
    pub const fn read(word: u64, place: u32) -> Gate {
        let bits = word >> ((place & 31) * 2);
        Gate { source: bits & 1 != 0, prefix: bits & 2 != 0 }
    }

    /// The bits of a place in its word.
    #[must_use]
    pub const fn bits(place: u32, gate: Gate) -> u64 {
        (gate.source as u64 | (gate.prefix as u64) << 1) << ((place & 31) * 2)
    }

    /// Every place that a prefix touches: at most all of its family's.
    pub fn places_of(prefix: &Prefix) -> impl Iterator<Item = u32> + use<> {
        let is_ipv4 = prefix.address.is_ipv4();
        let leading = prefix.address.leading_word();
        let (granularity, length) =
            if is_ipv4 { (16, prefix.length.saturating_sub(96)) } else { (32, prefix.length) };
        let free_bits = granularity - u32::from(length).min(granularity);
        // From /16 up an IPv6 prefix has as many /32 as there are classes.
        let count = if is_ipv4 { 1 << free_bits } else { 1 << free_bits.min(17) };
        let covers_every_class = !is_ipv4 && count > Self::HALF;
        let count = count.min(Self::HALF);
        (0..count).map(move |position| {
            if is_ipv4 {
                (leading >> 16) + position
            } else if covers_every_class {
                Self::HALF + position
            } else {
                Self::HALF + ipv6_class(leading + position)
            }
        })
    }
}

/// Multiplication by an odd number, upper bits: registries hand out neighbouring /32, which should not
/// meet. Whoever makes two of them meet has gained a look-up.
const fn ipv6_class(leading: u32) -> u32 {
    leading.wrapping_mul(0x9e37_79b1) >> 16
}

/// The fine half: two Bloom filters, one behind the other, whose bits for one source stand in one word
/// each. Eight bits in each for every source that the table has room for: 3 % of strangers pass the
/// first when it is full, one in a thousand passes both. The first is as small as it is because every
/// stranger's packet reads it, and it has to stay in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    seed: u64,
    words_in_half: u32,
}

/// Where one half of the filter notes a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterMark {
    /// The position of the word in the table.
    pub word: u32,
    /// The source's bits in it.
    pub bits: u64,
}

impl Filter {
    /// The number of words for a table of `sources`: a power of two.
    #[must_use]
    pub const fn words_for(sources: u32) -> u32 {
        let words_in_half = (sources / 8).next_power_of_two();
        2 * if words_in_half < 512 { 512 } else { words_in_half }
    }

    /// A filter of `words` words, a power of two, under a secret `seed`: who knows it can choose
    /// sources that pass, each of which costs the look-up that it would cost without a filter.
    #[must_use]
    #[inline(always)]
    pub const fn new(words: u32, seed: u64) -> Self {
        Self { seed, words_in_half: words / 2 }
    }

    /// Where `source` is noted in both halves.
    #[must_use]
    pub const fn marks(&self, source: &Address) -> [FilterMark; 2] {
        let hash = self.hash(source);
        [self.first(hash), self.second(hash)]
    }

    /// What [`first`](Self::first) and [`second`](Self::second) are asked with.
    #[must_use]
    #[inline(always)]
    pub const fn hash(&self, source: &Address) -> u64 {
        mix(source.holder(), self.seed)
    }

    /// Where the first half notes the source that hashes to this.
    #[must_use]
    #[inline(always)]
    pub const fn first(&self, hash: u64) -> FilterMark {
        self.mark(hash)
    }

    /// Where the second half does, which tells apart whom the first cannot.
    #[must_use]
    #[inline(always)]
    pub const fn second(&self, hash: u64) -> FilterMark {
        let mark = self.mark(mix(hash, self.seed));
        FilterMark { word: self.words_in_half + mark.word, ..mark }
    }

    #[inline(always)]
    const fn mark(&self, hash: u64) -> FilterMark {
        let word = (hash >> 32) as u32 & self.words_in_half.wrapping_sub(1);
        let bits = 1 << (hash & 63)
            | 1 << (hash >> 6 & 63)
            | 1 << (hash >> 12 & 63)
            | 1 << (hash >> 18 & 63);
        FilterMark { word, bits }
    }
}

impl FilterMark {
    /// Says whether `word`, which is at the mark's place, has its bits.
    #[must_use]
    #[inline(always)]
    pub const fn is_in(&self, word: u64) -> bool {
        word & self.bits == self.bits
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    fn prefix(text: &str, length: u8) -> Prefix {
        Prefix::new(text.parse().unwrap(), length).unwrap()
    }

    #[test]
    fn a_prefix_touches_the_place_of_every_address_in_it() {
        for (network, length, inside) in [
            ("198.51.100.0", 24, "198.51.100.77"),
            ("198.51.0.0", 16, "198.51.255.1"),
            ("198.0.0.0", 8, "198.200.3.4"),
            ("0.0.0.0", 0, "255.1.2.3"),
            ("2001:db8::", 32, "2001:db8:ffff::1"),
            ("2001:db8:7::", 48, "2001:db8:7::9"),
            ("2001:d00::", 24, "2001:db8::1"),
            ("2a00::", 12, "2a0f:1234::1"),
            ("2000::", 3, "3fff:1::1"),
        ] {
            let place = Coarse::place(&address(inside));
            let mut places = Coarse::places_of(&prefix(network, length));
            assert!(places.any(|touched| touched == place), "{inside} in {network}/{length}");
        }
    }

    #[test]
    fn a_prefix_touches_no_more_places_than_it_has_neighbourhoods() {
        for (network, length, places) in [
            ("198.51.100.0", 24, 1),
            ("198.50.0.0", 15, 2),
            ("0.0.0.0", 0, 65_536),
            ("2001:db8::", 32, 1),
            ("2001:db8::", 29, 8),
            ("2000::", 3, 65_536),
        ] {
            assert_eq!(Coarse::places_of(&prefix(network, length)).count(), places, "{network}");
        }
    }

    #[test]
    fn the_families_have_places_of_their_own() {
        for text in ["0.0.0.0", "255.255.255.255"] {
            assert!(Coarse::place(&address(text)) < Coarse::HALF);
        }
        for text in ["::", "ffff:ffff::"] {
            let place = Coarse::place(&address(text));
            assert!((Coarse::HALF..Coarse::PLACES).contains(&place));
        }
    }

    #[test]
    fn what_is_noted_of_a_place_is_read_there() {
        for gate in [Gate { source: true, prefix: false }, Gate { source: false, prefix: true }] {
            for place in [0, 1, 31, 32, Coarse::PLACES - 1] {
                let word = Coarse::bits(place, gate);
                assert_eq!(Coarse::read(word, place), gate);
                assert_eq!(Coarse::read(word, place ^ 1), Gate::CLOSED);
            }
        }
    }

    #[test]
    fn a_full_filter_lets_few_strangers_pass_its_first_half_and_hardly_any_both() {
        let sources = 65_536;
        let filter = Filter::new(Filter::words_for(sources), 0x5eed);
        let mut words = vec![0_u64; Filter::words_for(sources) as usize];
        let source = |number: u32| Address::from_ipv4_word(number.wrapping_mul(0x9e37_79b1));
        for mark in (0..sources).flat_map(|number| filter.marks(&source(number))) {
            words[mark.word as usize] |= mark.bits;
        }
        let holds = |mark: FilterMark| mark.is_in(words[mark.word as usize]);
        assert!((0..sources).all(|number| filter.marks(&source(number)).into_iter().all(holds)));
        let strangers: Vec<_> =
            (sources..2 * sources).map(|number| filter.marks(&source(number))).collect();
        let passed_first = strangers.iter().filter(|[first, _]| holds(*first)).count();
        let passed_both = strangers.iter().filter(|marks| marks.iter().all(|mark| holds(*mark)));
        let passed_both = passed_both.count();
        assert!(passed_first < 65_536 * 4 / 100, "{passed_first}");
        assert!(passed_both < 65_536 * 2 / 1000, "{passed_both}");
    }

    #[test]
    fn every_address_of_a_slash_64_passes_the_filter_alike() {
        let filter = Filter::new(1024, 7);
        let marks = |text: &str| filter.marks(&address(text));
        assert_eq!(marks("2001:db8:1:2::1"), marks("2001:db8:1:2:ffff::9"));
        assert_ne!(marks("2001:db8:1:2::1"), marks("2001:db8:1:3::1"));
    }
}
