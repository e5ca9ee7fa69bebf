//! The index of a header section: where each header line is, and nothing about what it says.

use super::grammar::{
    decimal, is_lws, is_token, is_token_byte, slice, take_while, trim, trim_start,
};
use super::header::{Header, HeaderKind};
use super::malformed::Malformed;

/// The most header lines that a message may have. Seen in the field: fewer than 50.
pub const MAX_HEADERS: usize = 96;

/// The longest message, in bytes: what a UDP datagram could carry at most (RFC 3261 §18.1.1).
pub const MAX_MESSAGE: usize = 65_535;

/// Start line and header lines of a message. Offsets fit, since no message is over `MAX_MESSAGE`.
#[derive(Clone, Debug)]
pub(super) struct Head {
    lines: [Line; MAX_HEADERS],
    count: usize,
    start_line_end: usize,
    body_start: usize,
}

/// One header line, its folded lines included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) kind: HeaderKind,
    start: u16,
    name_end: u16,
    value_start: u16,
    value_end: u16,
    end: u16,
}

impl Head {
    /// Finds the lines up to the blank one, in one pass.
    ///
    /// Also checks what decides where other parsers see lines: bare CR and LF, NUL, folds, names, and
    /// headers that may be there once.
    pub(super) fn scan(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut head = Self {
            lines: [Line::BLANK; MAX_HEADERS],
            count: 0,
            start_line_end: line_end(bytes, 0)?,
            body_start: 0,
        };
        if head.start_line_end == 0 {
            return Err(Malformed::StartLine);
        }
        let mut seen = 0_u64;
        let mut pending: Option<usize> = None;
        let mut at = head.start_line_end + 2;
        loop {
            let end = line_end(bytes, at)?;
            let text = slice(bytes, at..end);
            if text.first().is_some_and(|byte| is_lws(*byte)) {
                if pending.is_none() {
                    return Err(Malformed::LeadingWhitespace);
                }
                if trim(text).is_empty() {
                    return Err(Malformed::BlankFold);
                }
            } else {
                if let Some(start) = pending.replace(at) {
                    head.push(Line::parse(bytes, start, at)?, &mut seen)?;
                }
                if text.is_empty() {
                    head.body_start = end + 2;
                    return Ok(head);
                }
            }
            at = end + 2;
        }
    }

    /// Where the start line ends, without its CRLF.
    pub(super) const fn start_line_end(&self) -> usize {
        self.start_line_end
    }

    /// Where the body starts: after the blank line.
    pub(super) const fn body_start(&self) -> usize {
        self.body_start
    }

    pub(super) fn lines(&self) -> &[Line] {
        self.lines.get(..self.count).unwrap_or_default()
    }

    pub(super) fn first(&self, kind: HeaderKind) -> Option<&Line> {
        self.lines().iter().find(|line| line.kind == kind)
    }

    /// The number in `Content-Length`, in bytes, if there is one.
    pub(super) fn content_length(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(line) = self.first(HeaderKind::ContentLength) else {
            return Ok(None);
        };
        let length = decimal(line.value(bytes)).and_then(|length| usize::try_from(length).ok());
        length.map(Some).ok_or(Malformed::ContentLength)
    }

    fn push(&mut self, line: Line, seen: &mut u64) -> Result<(), Malformed> {
        let bit = 1_u64 << (line.kind as u8);
        if line.kind.is_single() && *seen & bit != 0 {
            return Err(Malformed::DuplicateHeader(line.kind));
        }
        *seen |= bit;
        *self.lines.get_mut(self.count).ok_or(Malformed::TooManyHeaders)? = line;
        self.count += 1;
        Ok(())
    }
}

impl Line {
    const BLANK: Self = Self {
        kind: HeaderKind::Other,
        start: 0,
        name_end: 0,
        value_start: 0,
        value_end: 0,
        end: 0,
    };

    /// Reads a line from its name to its last CRLF.
    fn parse(bytes: &[u8], start: usize, end: usize) -> Result<Self, Malformed> {
        let text = slice(bytes, start..end);
        let (name, rest) = take_while(text, is_token_byte);
        // HCOLON: white space may stand before the colon, a fold may not (RFC 3261 §25.1).
        let (_, rest) = take_while(rest, |byte| matches!(byte, b' ' | b'\t'));
        let rest = rest.strip_prefix(b":").ok_or(Malformed::HeaderName)?;
        if !is_token(name) {
            return Err(Malformed::HeaderName);
        }
        let value = trim(rest);
        // An empty value stands right after the colon, not behind the CRLF.
        let lead = if value.is_empty() { 0 } else { rest.len() - trim_start(rest).len() };
        let value_start = end - rest.len() + lead;
        Ok(Self {
            kind: HeaderKind::of(name),
            start: offset(start),
            name_end: offset(start + name.len()),
            value_start: offset(value_start),
            value_end: offset(value_start + value.len()),
            end: offset(end),
        })
    }

    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        slice(bytes, self.value_range())
    }

    pub(super) fn value_range(&self) -> std::ops::Range<usize> {
        usize::from(self.value_start)..usize::from(self.value_end)
    }

    pub(super) fn range(&self) -> std::ops::Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }

    pub(super) fn header<'a>(&self, bytes: &'a [u8]) -> Header<'a> {
        Header {
            kind: self.kind,
            name: slice(bytes, usize::from(self.start)..usize::from(self.name_end)),
            value: self.value(bytes),
            line: self.range(),
        }
    }
}

/// Where the line that begins at `at` ends, without its CRLF.
fn line_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let rest = slice(bytes, at..bytes.len());
    let mark = memchr::memchr3(b'\r', b'\n', 0, rest).ok_or(Malformed::MissingBlankLine)?;
    match slice(rest, mark..rest.len()) {
        [b'\r', b'\n', ..] => Ok(at + mark),
        [0, ..] => Err(Malformed::NulByte),
        [b'\n', ..] => Err(Malformed::BareLineFeed),
        [..] => Err(Malformed::BareCarriageReturn),
    }
}

/// Every offset is at most `MAX_MESSAGE`: `Message::scan` and the framer refuse more before.
fn offset(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
