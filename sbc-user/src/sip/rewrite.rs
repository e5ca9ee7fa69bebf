use std::net::SocketAddr;
use std::ops::Range;

use thiserror::Error;

use super::field::{self, FieldError};
use super::grammar::slice;
use super::head::{MAX_HEADERS, MAX_MESSAGE};
use super::header::{Header, HeaderKind};
use super::message::Message;
use super::value::Split;

/// Why a rewritten message was not written. Each one is a mistake of the caller, except `TooLarge` and
/// `TooManyHeaders`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RewriteError {
    /// A header or a replacement would break the lines of the message.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A range is neither within a header value nor within the start line.
    #[error("a replaced range is neither within a header value nor within the start line")]
    OutsideValue,
    /// Two edits want the same bytes.
    #[error("two edits overlap")]
    Overlap,
    /// The result would be longer than a message may be.
    #[error("the rewritten message would be longer than 65,535 bytes")]
    TooLarge,
    /// The result would have more header lines than we read in a message.
    #[error("the rewritten message would have more than 96 header lines")]
    TooManyHeaders,
}

/// Edits to a message; what is not edited passes byte for byte.
///
/// Edits may come in any order. Lines inserted at the same place keep the order of their calls. The
/// first edit that cannot be done makes [`write`](Self::write) fail, and nothing is written.
#[derive(Clone, Debug)]
pub struct Rewrite<'m> {
    message: &'m Message<'m>,
    /// In the order of the message, and of their calls where that is the same.
    edits: Vec<Edit>,
    inserted_lines: usize,
    removed_lines: usize,
    /// What edits put into the message, one after the other.
    text: Vec<u8>,
    refused: Option<RewriteError>,
}

#[derive(Clone, Debug)]
struct Edit {
    /// In the message.
    range: Range<usize>,
    /// Within the text of all edits.
    text: Range<usize>,
}

/// What a forwarded message usually needs: its edits, and their text.
const EDITS: usize = 8;
const TEXT: usize = 512;

impl<'m> Rewrite<'m> {
    /// Begins with the message as it is, its body cut to `Content-Length`.
    #[must_use]
    pub fn new(message: &'m Message<'m>) -> Self {
        Self {
            message,
            edits: Vec::with_capacity(EDITS),
            inserted_lines: 0,
            removed_lines: 0,
            text: Vec::with_capacity(TEXT),
            refused: None,
        }
    }

    /// Inserts a header line before the first header of `kind`, or right after the start line if
    /// there is none.
    pub fn insert_before_first(
        &mut self,
        kind: HeaderKind,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> &mut Self {
        let first = self.message.header(kind).map(|header| header.line.start);
        let at = first.unwrap_or(self.message.head().start_line_end() + 2);
        self.insert(at, name, value.as_ref())
    }

    /// Adds a header line after the last one.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.insert(self.message.head().body_start() - 2, name, value.as_ref())
    }

    /// Adds `Content-Length` if there is none, as a message on a stream needs it (RFC 3261 §20.14).
    pub fn ensure_content_length(&mut self) -> &mut Self {
        if self.message.header(HeaderKind::ContentLength).is_some() {
            return self;
        }
        let length = self.message.body().len();
        self.append(HeaderKind::ContentLength.name(), length.to_string())
    }

    /// Removes one header line of this message.
    pub fn remove(&mut self, header: &Header<'_>) -> &mut Self {
        if !self.message.headers().any(|own| own.line == header.line) {
            return self.refuse(RewriteError::OutsideValue);
        }
        self.remove_line(header.line.clone())
    }

    /// Removes every header line of that kind.
    pub fn remove_all(&mut self, kind: HeaderKind) -> &mut Self {
        let message = self.message;
        for header in message.headers_of(kind) {
            self.remove_line(header.line);
        }
        self
    }

    /// Removes the first `count` values of that kind, with the lines in which no other is left.
    ///
    /// Removes all of them if there are fewer.
    pub fn remove_first_values(&mut self, kind: HeaderKind, count: usize) -> &mut Self {
        let message = self.message;
        let mut left = count;
        for header in message.headers_of(kind) {
            if left == 0 {
                break;
            }
            let start = message.range_of(header.value).map_or(0, |value| value.start);
            let mut values =
                Split::new(header.value, start).filter(|value| !value.bytes.is_empty());
            let mut from = None;
            let kept = loop {
                let Some(value) = values.next() else { break None };
                if left == 0 {
                    break Some(value.range.start);
                }
                left -= 1;
                from.get_or_insert(value.range.start);
            };
            match (from, kept) {
                (Some(from), Some(kept)) => self.edit(from..kept, &[]),
                (_, Some(_)) => self,
                (_, None) => self.remove_line(header.line),
            };
        }
        self
    }

    /// Puts `text` in place of a part of the start line or of a header value.
    pub fn replace(&mut self, range: Range<usize>, text: impl AsRef<[u8]>) -> &mut Self {
        if let Err(error) = field::check_value(text.as_ref()) {
            return self.refuse(error.into());
        }
        let head = self.message.head();
        let holds = |outer: Range<usize>| outer.start <= range.start && range.end <= outer.end;
        let is_inside = range.start <= range.end
            && (holds(0..head.start_line_end())
                || head.lines().iter().any(|line| holds(line.value_range(self.message.bytes()))));
        if !is_inside {
            return self.refuse(RewriteError::OutsideValue);
        }
        self.edit(range, text.as_ref())
    }

    /// Puts `text` in place of a part of the message as an accessor gave it: a URI, a host, a value.
    pub fn replace_part(&mut self, part: &[u8], text: impl AsRef<[u8]>) -> &mut Self {
        match self.message.range_of(part) {
            Some(range) => self.replace(range, text),
            None => self.refuse(RewriteError::OutsideValue),
        }
    }

    /// Writes into the top `Via` where the request came from (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn stamp_top_via(&mut self, source: SocketAddr) -> &mut Self {
        let via = self.message.top_via();
        self.replace_part(via.raw, via.stamped(source))
    }

    /// Appends the rewritten message to `out`; appends nothing if it fails.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let bytes = self.message.bytes();
        let mut length = bytes.len();
        let mut free_from = 0;
        for edit in &self.edits {
            if edit.range.start < free_from {
                return Err(RewriteError::Overlap);
            }
            free_from = edit.range.end;
            length = (length + edit.text.len()).saturating_sub(edit.range.len());
        }
        if length > MAX_MESSAGE {
            return Err(RewriteError::TooLarge);
        }
        let lines = self.message.head().lines().len() + self.inserted_lines;
        if lines.saturating_sub(self.removed_lines) > MAX_HEADERS {
            return Err(RewriteError::TooManyHeaders);
        }
        out.reserve(length);
        let mut copied = 0;
        for edit in &self.edits {
            out.extend_from_slice(slice(bytes, copied..edit.range.start));
            out.extend_from_slice(slice(&self.text, edit.text.clone()));
            copied = edit.range.end;
        }
        out.extend_from_slice(slice(bytes, copied..bytes.len()));
        Ok(())
    }

    fn insert(&mut self, at: usize, name: &str, value: &[u8]) -> &mut Self {
        let start = self.text.len();
        match field::write(name, &[value], &mut self.text) {
            Ok(()) => {
                self.inserted_lines += 1;
                self.enter(at..at, start)
            }
            Err(error) => self.refuse(error.into()),
        }
    }

    fn remove_line(&mut self, line: Range<usize>) -> &mut Self {
        self.removed_lines += 1;
        self.edit(line, &[])
    }

    fn edit(&mut self, range: Range<usize>, text: &[u8]) -> &mut Self {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        self.enter(range, start)
    }

    /// Enters an edit whose text has been written from `start` on. Most come in order; and there are few
    /// more than header lines, whose number is limited.
    fn enter(&mut self, range: Range<usize>, start: usize) -> &mut Self {
        let edit = Edit { range, text: start..self.text.len() };
        let place = |edit: &Edit| (edit.range.start, edit.range.end);
        let after = self.edits.partition_point(|other| place(other) <= place(&edit));
        self.edits.insert(after, edit);
        self
    }

    fn refuse(&mut self, error: RewriteError) -> &mut Self {
        self.refused.get_or_insert(error);
        self
    }
}
