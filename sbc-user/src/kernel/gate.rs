use std::collections::HashSet;

use sbc_common::{Coarse, Filter, Gate, Prefix, SourceKey};

/// What stands in the gate's tables, and how many entries each bit of them speaks for.
///
/// Bits are set before the entry that they speak for is written and cleared after it is removed, so at
/// no time does the gate close before somebody who is known.
#[derive(Debug)]
pub(super) struct GateKeeper {
    filter: Filter,
    filter_words: Vec<u64>,
    coarse_words: Vec<u64>,
    /// By place: how many sources, and how many prefixes, have their entry there.
    sources_at: Vec<u32>,
    prefixes_at: Vec<u32>,
    prefixes: HashSet<Prefix>,
    sources: usize,
    /// Bits in the filter cannot be cleared one by one: sources that left it since it was made.
    departed: usize,
}

/// A word of a table that has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GateWord {
    Coarse(u32, u64),
    Filter(u32, u64),
}

/// Whether a place has sources or prefixes.
#[derive(Clone, Copy)]
enum Kind {
    Source,
    Prefix,
}

impl GateKeeper {
    /// A filter is made anew when as many sources have left it as are in it, but not for fewer.
    const FEWEST_DEPARTED: usize = 4096;

    /// A gate that is closed to everybody.
    pub(super) fn closed(filter_words: u32, seed: u64) -> Self {
        let places = Coarse::PLACES as usize;
        Self {
            filter: Filter::new(filter_words, seed),
            filter_words: vec![0; filter_words as usize],
            coarse_words: vec![0; Coarse::WORDS as usize],
            sources_at: vec![0; places],
            prefixes_at: vec![0; places],
            prefixes: HashSet::new(),
            sources: 0,
            departed: 0,
        }
    }

    /// The words to write before an entry for a source that has none.
    pub(super) fn admit_source(&mut self, key: &SourceKey) -> Vec<GateWord> {
        self.sources += 1;
        let mut words = self.open(Coarse::place(&key.address), Kind::Source);
        for mark in self.filter.marks(&key.address) {
            if let Some(word) = self.filter_words.get_mut(mark.word as usize)
                && !mark.is_in(*word)
            {
                *word |= mark.bits;
                words.push(GateWord::Filter(mark.word, *word));
            }
        }
        words
    }

    /// The words to write after the entry of a source was removed.
    pub(super) fn dismiss_source(&mut self, key: &SourceKey) -> Vec<GateWord> {
        self.sources = self.sources.saturating_sub(1);
        self.departed += 1;
        self.close(Coarse::place(&key.address), Kind::Source)
    }

    /// The words to write before an entry for a prefix; none if it has one.
    pub(super) fn admit_prefix(&mut self, prefix: Prefix) -> Vec<GateWord> {
        if !self.prefixes.insert(prefix) {
            return Vec::new();
        }
        Coarse::places_of(&prefix).flat_map(|place| self.open(place, Kind::Prefix)).collect()
    }

    /// The words to write after the entry of a prefix was removed.
    pub(super) fn dismiss_prefix(&mut self, prefix: Prefix) -> Vec<GateWord> {
        if !self.prefixes.remove(&prefix) {
            return Vec::new();
        }
        Coarse::places_of(&prefix).flat_map(|place| self.close(place, Kind::Prefix)).collect()
    }

    /// Says whether a prefix has an entry.
    pub(super) fn knows_prefix(&self, prefix: Prefix) -> bool {
        self.prefixes.contains(&prefix)
    }

    /// Says whether the filter speaks for more sources that left than for sources that are there.
    pub(super) fn is_stale(&self) -> bool {
        self.departed > self.sources.max(Self::FEWEST_DEPARTED)
    }

    /// Makes the filter anew for exactly `sources`, and returns the words that changed. Each word holds
    /// the bits of everybody who is still there, so they can be written in any order.
    pub(super) fn refilter(&mut self, sources: impl Iterator<Item = SourceKey>) -> Vec<GateWord> {
        let mut fresh = vec![0; self.filter_words.len()];
        for mark in sources.flat_map(|key| self.filter.marks(&key.address)) {
            if let Some(word) = fresh.get_mut(mark.word as usize) {
                *word |= mark.bits;
            }
        }
        let changed = (0_u32..).zip(&fresh).zip(&self.filter_words);
        let changed = changed
            .filter(|((_, fresh), held)| fresh != held)
            .map(|((index, fresh), _)| GateWord::Filter(index, *fresh))
            .collect();
        self.filter_words = fresh;
        self.departed = 0;
        changed
    }

    /// Every word, to write over whatever a previous run left.
    pub(super) fn words(&self) -> impl Iterator<Item = GateWord> + use<'_> {
        let coarse = (0_u32..).zip(&self.coarse_words);
        let filter = (0_u32..).zip(&self.filter_words);
        coarse
            .map(|(index, word)| GateWord::Coarse(index, *word))
            .chain(filter.map(|(index, word)| GateWord::Filter(index, *word)))
    }

    fn open(&mut self, place: u32, kind: Kind) -> Vec<GateWord> {
        let Some(count) = self.count(place, kind) else { return Vec::new() };
        *count += 1;
        if *count > 1 {
            return Vec::new();
        }
        self.change(place, |word| word | bits(place, kind))
    }

    fn close(&mut self, place: u32, kind: Kind) -> Vec<GateWord> {
        let Some(count) = self.count(place, kind) else { return Vec::new() };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return Vec::new();
        }
        self.change(place, |word| word & !bits(place, kind))
    }

    fn count(&mut self, place: u32, kind: Kind) -> Option<&mut u32> {
        let counts = match kind {
            Kind::Source => &mut self.sources_at,
            Kind::Prefix => &mut self.prefixes_at,
        };
        counts.get_mut(place as usize)
    }

    fn change(&mut self, place: u32, change: impl FnOnce(u64) -> u64) -> Vec<GateWord> {
        let index = Coarse::word(place);
        let Some(word) = self.coarse_words.get_mut(index as usize) else { return Vec::new() };
        *word = change(*word);
        vec![GateWord::Coarse(index, *word)]
    }
}

const fn bits(place: u32, kind: Kind) -> u64 {
    let gate = match kind {
        Kind::Source => Gate { source: true, prefix: false },
        Kind::Prefix => Gate { source: false, prefix: true },
    };
    Coarse::bits(place, gate)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    /// The kernel's side: what it reads after every write.
    struct Kernel {
        coarse: Vec<u64>,
        filter: Vec<u64>,
    }

    impl Kernel {
        fn new() -> Self {
            Self { coarse: vec![0; Coarse::WORDS as usize], filter: vec![0; WORDS as usize] }
        }

        fn write(&mut self, words: Vec<GateWord>) {
            for word in words {
                match word {
                    GateWord::Coarse(index, word) => self.coarse[index as usize] = word,
                    GateWord::Filter(index, word) => self.filter[index as usize] = word,
                }
            }
        }

        fn gate(&self, text: &str) -> Gate {
            let address = key(text).address;
            let place = Coarse::place(&address);
            let gate = Coarse::read(self.coarse[Coarse::word(place) as usize], place);
            let marks = Filter::new(WORDS, SEED).marks(&address);
            let is_noted = marks.iter().all(|mark| mark.is_in(self.filter[mark.word as usize]));
            Gate { source: gate.source && is_noted, ..gate }
        }
    }

    const WORDS: u32 = 1024;
    const SEED: u64 = 0x5eed;

    fn key(text: &str) -> SourceKey {
        SourceKey::every_port(text.parse::<IpAddr>().unwrap().into())
    }

    fn network(text: &str, length: u8) -> Prefix {
        Prefix::new(text.parse().unwrap(), length).unwrap()
    }

    #[test]
    fn the_gate_is_open_to_a_source_from_its_entry_to_its_removal() {
        let (mut keeper, mut kernel) = (GateKeeper::closed(WORDS, SEED), Kernel::new());
        for text in ["198.51.100.7", "2001:db8:7::7"] {
            assert_eq!(kernel.gate(text), Gate::CLOSED);
            kernel.write(keeper.admit_source(&key(text)));
            assert!(kernel.gate(text).source);
            kernel.write(keeper.dismiss_source(&key(text)));
            assert_eq!(kernel.gate(text), Gate::CLOSED);
        }
    }

    #[test]
    fn a_place_stays_open_for_as_long_as_somebody_stands_there() {
        let (mut keeper, mut kernel) = (GateKeeper::closed(WORDS, SEED), Kernel::new());
        kernel.write(keeper.admit_source(&key("198.51.100.7")));
        kernel.write(keeper.admit_source(&key("198.51.100.8")));
        kernel.write(keeper.dismiss_source(&key("198.51.100.8")));
        assert!(kernel.gate("198.51.100.7").source);

        kernel.write(keeper.admit_prefix(network("198.51.100.0", 24)));
        kernel.write(keeper.admit_prefix(network("198.51.0.0", 16)));
        kernel.write(keeper.admit_prefix(network("198.51.0.0", 16)));
        kernel.write(keeper.dismiss_prefix(network("198.51.0.0", 16)));
        assert!(kernel.gate("198.51.100.9").prefix);
        kernel.write(keeper.dismiss_prefix(network("198.51.100.0", 24)));
        assert!(!kernel.gate("198.51.100.9").prefix);
    }

    #[test]
    fn a_filter_made_anew_forgets_who_left_and_nobody_else() {
        let (mut keeper, mut kernel) = (GateKeeper::closed(WORDS, SEED), Kernel::new());
        kernel.write(keeper.admit_source(&key("198.51.100.7")));
        for last in 0..=GateKeeper::FEWEST_DEPARTED {
            assert!(!keeper.is_stale());
            let gone =
                SourceKey::new(key("198.51.100.9").address, u16::try_from(last + 1).unwrap());
            kernel.write(keeper.admit_source(&gone));
            kernel.write(keeper.dismiss_source(&gone));
        }
        assert!(keeper.is_stale());
        assert!(kernel.gate("198.51.100.9").source);

        let remaining = [key("198.51.100.7")];
        kernel.write(keeper.refilter(remaining.into_iter()));
        assert!(!keeper.is_stale());
        assert!(kernel.gate("198.51.100.7").source);
        assert!(!kernel.gate("198.51.100.9").source);
    }
}
