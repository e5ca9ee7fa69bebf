//! The index of a header section: where each header line is, and nothing about what it says.

use super::grammar::{
    Class, decimal, is_lws, is_token, slice, split_once, take_while, trim, trim_end, trim_start,
};
use super::header::{Header, HeaderKind};
use super::malformed::Malformed;
use super::search::find_control;

/// The most header lines that a message may have. Seen in the field: fewer than 50.
pub const MAX_HEADERS: usize = 96;

/// The longest message, in bytes: what a UDP datagram could carry at most (RFC 3261 §18.1.1).
pub const MAX_MESSAGE: usize = 65_535;

/// Start line and header lines of a message. Offsets fit, since no message is over `MAX_MESSAGE`.
#[derive(Clone, Debug)]
pub(super) struct Head {
    lines: [Line; MAX_HEADERS],
    count: usize,
    /// The number of the first line of each kind, from 1; 0 if there is none.
    first: [u8; HeaderKind::COUNT],
    start_line_end: usize,
    body_start: usize,
}

/// One header line, its folded lines included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) kind: HeaderKind,
    start: u16,
    value_start: u16,
    end: u16,
}

impl Head {
    /// No lines yet. Not made by `scan`, which would have to move it to its caller.
    pub(super) const fn new() -> Self {
        Self {
            lines: [Line::BLANK; MAX_HEADERS],
            count: 0,
            first: [0; HeaderKind::COUNT],
            start_line_end: 0,
            body_start: 0,
        }
    }

    /// Finds the lines up to the blank one, in one pass.
    ///
    /// Also checks what decides where other parsers see lines: bare CR and LF, NUL, folds, names, and
    /// headers that may be there once.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.start_line_end = line_end(bytes, 0)?;
        if self.start_line_end == 0 {
            return Err(Malformed::StartLine);
        }
        let mut pending: Option<usize> = None;
        let mut at = self.start_line_end + 2;
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
                    self.push(Line::parse(bytes, start, at)?)?;
                }
                if text.is_empty() {
                    self.body_start = end + 2;
                    return Ok(());
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
        let number = self.first.get(kind as usize)?;
        self.lines.get(usize::from(*number).checked_sub(1)?)
    }

    /// The lines of that kind, in their order.
    pub(super) fn lines_of(&self, kind: HeaderKind) -> impl Iterator<Item = &Line> {
        let before = self.first.get(kind as usize).copied().unwrap_or(0).checked_sub(1);
        let from = before.map_or(self.count, usize::from);
        let lines = self.lines.get(from..self.count).unwrap_or_default();
        lines.iter().filter(move |line| line.kind == kind)
    }

    /// The number in `Content-Length`, in bytes, if there is one.
    pub(super) fn content_length(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(line) = self.first(HeaderKind::ContentLength) else {
            return Ok(None);
        };
        let length = decimal(line.value(bytes)).and_then(|length| usize::try_from(length).ok());
        length.map(Some).ok_or(Malformed::ContentLength)
    }

    fn push(&mut self, line: Line) -> Result<(), Malformed> {
        let number = u8::try_from(self.count + 1).map_err(|_| Malformed::TooManyHeaders)?;
        match self.first.get_mut(line.kind as usize) {
            Some(first @ 0) => *first = number,
            Some(_) if line.kind.is_single() => {
                return Err(Malformed::DuplicateHeader(line.kind));
            }
            Some(_) | None => {}
        }
        *self.lines.get_mut(self.count).ok_or(Malformed::TooManyHeaders)? = line;
        self.count += 1;
        Ok(())
    }
}

impl Line {
    const BLANK: Self = Self { kind: HeaderKind::Via, start: 0, value_start: 0, end: 0 };

    /// Reads a line from its name to its last CRLF.
    fn parse(bytes: &[u8], start: usize, end: usize) -> Result<Self, Malformed> {
        let text = slice(bytes, start..end);
        let (mut name, rest) = split_once(text, b':').ok_or(Malformed::HeaderName)?;
        // HCOLON: white space may stand before the colon, a fold may not (RFC 3261 §25.1).
        while let [before @ .., b' ' | b'\t'] = name {
            name = before;
        }
        let kind = HeaderKind::of(name);
        // A name that we know is a token.
        if kind == HeaderKind::Other && !is_token(name) {
            return Err(Malformed::HeaderName);
        }
        // An empty value stands right after the colon, not behind the CRLF.
        let value = Some(trim_start(rest)).filter(|value| !value.is_empty()).unwrap_or(rest);
        Ok(Self {
            kind,
            start: offset(start),
            value_start: offset(end - value.len()),
            end: offset(end),
        })
    }

    pub(super) fn value(self, bytes: &[u8]) -> &[u8] {
        trim_end(slice(bytes, usize::from(self.value_start)..usize::from(self.end)))
    }

    pub(super) fn value_range(self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = usize::from(self.value_start);
        start..start + self.value(bytes).len()
    }

    fn name(self, bytes: &[u8]) -> &[u8] {
        take_while(slice(bytes, self.range()), Class::TOKEN).0
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }

    pub(super) fn header(self, bytes: &[u8]) -> Header<'_> {
        Header {
            kind: self.kind,
            name: self.name(bytes),
            value: self.value(bytes),
            line: self.range(),
        }
    }
}

/// Where the line that begins at `at` ends, without its CRLF.
fn line_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let mut rest = slice(bytes, at..bytes.len());
    loop {
        let mark = find_control(rest).ok_or(Malformed::MissingBlankLine)?;
        rest = match slice(rest, mark..rest.len()) {
            end @ [b'\r', b'\n', ..] => return Ok(bytes.len() - end.len()),
            [0, ..] => return Err(Malformed::NulByte),
            [b'\n', ..] => return Err(Malformed::BareLineFeed),
            [b'\r', ..] => return Err(Malformed::BareCarriageReturn),
            // A tab, or another control character, which is for whoever reads the value.
            other => slice(other, 1..other.len()),
        };
    }
}

/// Every offset is at most `MAX_MESSAGE`: `Message::scan` and the framer refuse more before.
fn offset(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
