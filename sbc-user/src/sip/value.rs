use std::ops::Range;

use super::grammar::{slice, take_quoted, trim, trim_start};
use super::malformed::Malformed;
use super::search::find;

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

    /// Whether there is no other value.
    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_none()
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let text = self.rest?;
        let comma = find_comma(text);
        let end = comma.unwrap_or(text.len());
        let padded = trim_start(slice(text, 0..end));
        let start = self.at + end - padded.len();
        let bytes = trim(padded);
        self.rest = comma.and_then(|comma| text.get(comma + 1..));
        self.at += end + 1;
        Some(Value { bytes, range: start..start + bytes.len() })
    }
}

/// Finds the first comma outside quotes and angle brackets. What is not closed reaches to the end.
fn find_comma(text: &[u8]) -> Option<usize> {
    // Most have none anywhere.
    find([b','], text)?;
    let mut rest = text;
    loop {
        let mark = find([b',', b'<', b'"'], rest)?;
        let (_, marked) = rest.split_at_checked(mark)?;
        rest = match marked {
            [b',', ..] => return Some(text.len() - marked.len()),
            [b'<', ..] => marked.get(find([b'>'], marked)? + 1..)?,
            [..] => after_quoted(marked)?,
        };
    }
}

/// What follows the quoted string that `text` begins with.
///
/// Unlike in [`take_quoted`], a line may end after a backslash: what comes then is escaped.
fn after_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.get(1..)?;
    loop {
        let (_, marked) = rest.split_at_checked(find([b'"', b'\\'], rest)?)?;
        let [mark, after @ ..] = marked else { return None };
        if *mark == b'"' {
            return Some(after);
        }
        let escaped = after.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
        rest = after.get(escaped + 1..)?;
    }
}

/// Checks that quotes are closed and angle brackets come in pairs.
pub(super) fn check_balance(value: &[u8]) -> Result<(), Malformed> {
    let mut rest = value;
    while let Some(mark) = find([b'"', b'<', b'>'], rest) {
        rest = match slice(rest, mark..rest.len()) {
            quoted @ [b'"', ..] => take_quoted(quoted).ok_or(Malformed::UnbalancedQuotes)?.1,
            [b'<', angled @ ..] => {
                let end = find([b'<', b'>'], angled);
                let angled = end.map(|end| slice(angled, end..angled.len()));
                let after = angled.and_then(|angled| angled.strip_prefix(b">"));
                after.ok_or(Malformed::UnbalancedAngleBrackets)?
            }
            [..] => return Err(Malformed::UnbalancedAngleBrackets),
        };
    }
    Ok(())
}
