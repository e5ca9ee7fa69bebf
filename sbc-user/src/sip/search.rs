//! Looking for bytes in texts as short as those of a header: eight at a time, without the call into a
//! library that would cost more than it saves.

const BYTES: usize = size_of::<u64>();
const ONES: u64 = u64::from_ne_bytes([1; BYTES]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; BYTES]);

/// Where the first of `wanted` is.
#[inline]
pub(super) fn find<const N: usize>(wanted: [u8; N], text: &[u8]) -> Option<usize> {
    let in_word = |word: u64| {
        wanted.iter().fold(0, |found, byte| {
            let differences = word ^ (ONES * u64::from(*byte));
            found | bytes_below(differences, 1)
        })
    };
    first(text, in_word)
}

/// Where the first byte is that stands before the space: a line end, a tab, or what no text has.
#[inline]
pub(super) fn find_control(text: &[u8]) -> Option<usize> {
    first(text, |word| bytes_below(word, b' '))
}

/// Marks the bytes of a word that are below `limit` in their highest bits. The lowest mark is right; one
/// above it may be there for a byte that is `limit` or little more, because what was borrowed for the
/// lower ones is missing there.
#[inline]
fn bytes_below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH_BITS
}

#[inline]
fn first(text: &[u8], in_word: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, rest) = text.as_chunks::<BYTES>();
    for (number, word) in words.iter().enumerate() {
        let marks = in_word(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(number * BYTES + place(marks));
        }
    }
    if rest.is_empty() {
        return None;
    }
    // Also marks above the text are above the lowest one, and those below it are right.
    let found = place(in_word(last_word(text, rest)));
    (found < rest.len()).then_some(words.len() * BYTES + found)
}

/// The position of the lowest marked byte; past the word if there is none.
#[inline]
const fn place(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// The `rest` of a text, which is one to seven bytes, in the lowest bytes of a word; zeros above.
#[inline]
fn last_word(text: &[u8], rest: &[u8]) -> u64 {
    if let Some(last) = text.last_chunk() {
        return u64::from_le_bytes(*last) >> ((BYTES - rest.len()) * 8);
    }
    // Two pieces that overlap, where there is no word to take it from.
    if let (Some(low), Some(high)) = (rest.first_chunk(), rest.last_chunk()) {
        let [low, high] = [low, high].map(|half| u64::from(u32::from_le_bytes(*half)));
        return low | high << ((rest.len() - 4) * 8);
    }
    if let (Some(low), Some(high)) = (rest.first_chunk(), rest.last_chunk()) {
        let [low, high] = [low, high].map(|half| u64::from(u16::from_le_bytes(*half)));
        return low | high << ((rest.len() - 2) * 8);
    }
    rest.first().copied().map_or(0, u64::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes around those that are looked for, where a borrow could be seen.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![0..=0x22_u8, b':'..=b';', 0x7f..=0x81_u8, any::<u8>()];
        prop::collection::vec(byte, 0..40)
    }

    proptest! {
        #[test]
        fn finds_what_is_found_byte_by_byte(text in text(), wanted in any::<[u8; 2]>()) {
            let position = |is_it: &dyn Fn(u8) -> bool| text.iter().position(|byte| is_it(*byte));
            prop_assert_eq!(find([b':'], &text), position(&|byte| byte == b':'));
            prop_assert_eq!(find([0, 1], &text), position(&|byte| byte < 2));
            prop_assert_eq!(find(wanted, &text), position(&|byte| wanted.contains(&byte)));
            prop_assert_eq!(find_control(&text), position(&|byte| byte < b' '));
        }
    }
}
