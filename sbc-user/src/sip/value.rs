use std::ops::Range;

use super::grammar::{slice, trim};
use super::malformed::Malformed;

/// One value of a comma-separated header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// The value without white space around it.
    pub bytes: &'a [u8],
    /// Where these bytes are in the message.
    pub range: Range<usize>,
}

/// Splits a header value at the commas outside quotes and angle brackets, empty values included.
#[derive(Clone, Debug)]
pub(super) struct Split<'a> {
    rest: Option<&'a [u8]>,
    at: usize,
}

impl<'a> Split<'a> {
    /// `at` is where `text` begins in the message.
    pub(super) const fn new(text: &'a [u8], at: usize) -> Self {
        Self { rest: Some(text), at }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let text = self.rest?;
        let mut place = Place::Outside;
        let comma = text.iter().position(|byte| {
            let is_comma = place == Place::Outside && *byte == b',';
            place = place.after(*byte).unwrap_or(place);
            is_comma
        });
        let end = comma.unwrap_or(text.len());
        let padded = slice(text, 0..end);
        let bytes = trim(padded);
        let lead = padded.len() - super::grammar::trim_start(padded).len();
        let start = self.at + lead;
        self.rest = comma.and_then(|comma| text.get(comma + 1..));
        self.at += end + 1;
        Some(Value { bytes, range: start..start + bytes.len() })
    }
}

/// Checks that quotes are closed and angle brackets come in pairs.
pub(super) fn check_balance(value: &[u8]) -> Result<(), Malformed> {
    match value.iter().try_fold(Place::Outside, |place, byte| place.after(*byte))? {
        Place::Outside => Ok(()),
        Place::Angled => Err(Malformed::UnbalancedAngleBrackets),
        Place::Quoted | Place::Escaped => Err(Malformed::UnbalancedQuotes),
    }
}

/// Where a byte of a header value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Quoted,
    Escaped,
    Angled,
}

impl Place {
    fn after(self, byte: u8) -> Result<Self, Malformed> {
        match (self, byte) {
            (Self::Outside, b'"') | (Self::Escaped, _) if !matches!(byte, b'\r' | b'\n') => {
                Ok(Self::Quoted)
            }
            (Self::Escaped, _) => Err(Malformed::UnbalancedQuotes),
            (Self::Outside, b'<') => Ok(Self::Angled),
            (Self::Outside, b'>') | (Self::Angled, b'<') => Err(Malformed::UnbalancedAngleBrackets),
            (Self::Quoted, b'"') | (Self::Angled, b'>') => Ok(Self::Outside),
            (Self::Quoted, b'\\') => Ok(Self::Escaped),
            (Self::Outside | Self::Quoted | Self::Angled, _) => Ok(self),
        }
    }
}
