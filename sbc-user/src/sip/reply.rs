use std::net::SocketAddr;
use std::ops::Range;

use rsip::Method as KnownMethod;
use thiserror::Error;

use super::field::{self, FieldError, write_number};
use super::grammar::{is_token, slice};
use super::head::MAX_HEADERS;
use super::header::HeaderKind;
use super::message::Message;
use super::reason::reason_phrase;
use super::start_line::StartLine;

/// Why a reply was not written: [`TooManyHeaders`](Self::TooManyHeaders) because of the request, all others by
/// a mistake of the caller.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReplyError {
    /// A header would break the lines of the message.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Responses are not replied to, and neither is ACK (RFC 3261 §17).
    #[error("only requests other than ACK are replied to")]
    NotAnswerable,
    /// Not a status from 100 to 699.
    #[error("not a status from 100 to 699")]
    Status,
    /// The tag is not a token.
    #[error("the tag is not a token")]
    Tag,
    /// With so many Vias it would have more header lines than we read ourselves.
    #[error("more than {MAX_HEADERS} header lines")]
    TooManyHeaders,
}

/// What ends a response without body.
const END: &[u8] = b"Content-Length: 0\r\n\r\n";

/// A response without body to a request (RFC 3261 §8.2.6.2), in at most one allocation.
///
/// The first mistake makes [`finish`](Self::finish) fail.
#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    bytes: Vec<u8>,
    lines: usize,
    refused: Option<ReplyError>,
}

impl Reply {
    /// Begins a response to a request that came from `source`: status line, `Via` with the top one
    /// stamped, `From`, `To`, `Call-ID` and `CSeq`.
    ///
    /// `to_tag` is used if `To` has none; a 100 gets none (RFC 3261 §8.2.6.2). A 420 names what
    /// `Proxy-Require` asks for.
    pub fn new(request: &Message<'_>, status: u16, source: SocketAddr, to_tag: &[u8]) -> Self {
        Self::within(Vec::new(), request, status, source, to_tag)
    }

    /// The same, in the room of `buffer`, whose contents are lost.
    pub fn within(
        mut buffer: Vec<u8>,
        request: &Message<'_>,
        status: u16,
        source: SocketAddr,
        to_tag: &[u8],
    ) -> Self {
        buffer.clear();
        buffer.reserve(request.bytes().len() - request.body().len() + 512);
        let refused = refusal(request, status, to_tag);
        let mut reply = Self { bytes: buffer, lines: 0, refused };
        if reply.refused.is_some() {
            return reply;
        }
        reply.bytes.extend_from_slice(b"SIP/2.0 ");
        write_number(status, &mut reply.bytes);
        for part in [" ", reason_phrase(status), "\r\n"] {
            reply.bytes.extend_from_slice(part.as_bytes());
        }
        reply.copy_vias(request, source);
        reply.copy_first(request, HeaderKind::From);
        reply.copy_to(request, to_tag, status);
        reply.copy_first(request, HeaderKind::CallId);
        reply.copy_first(request, HeaderKind::CSeq);
        if status == 100 {
            reply.copy_first(request, HeaderKind::Timestamp);
        }
        if status == 420 {
            reply.name_unsupported(request);
        }
        reply
    }

    /// Adds a header line.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.header_of(name, &[value.as_ref()])
    }

    /// Adds a header line whose value is the concatenation of `parts`.
    pub fn header_of(mut self, name: &str, parts: &[&[u8]]) -> Self {
        self.lines += 1;
        if let Err(error) = field::write(name, parts, &mut self.bytes) {
            self.refused.get_or_insert(error.into());
        }
        self
    }

    /// Adds a header line like [`header_of`](Self::header_of), unless the whole response would then be longer
    /// than `limit` bytes; says whether it did.
    pub fn add_within(&mut self, limit: usize, name: &str, parts: &[&[u8]]) -> bool {
        let before = self.bytes.len();
        if let Err(error) = field::write(name, parts, &mut self.bytes) {
            self.refused.get_or_insert(error.into());
            return false;
        }
        let fits = self.bytes.len() + END.len() <= limit;
        if fits {
            self.lines += 1;
        } else {
            self.bytes.truncate(before);
        }
        fits
    }

    /// Ends the header section with `Content-Length: 0` and yields the whole response.
    pub fn finish(mut self) -> Result<Vec<u8>, ReplyError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        if self.lines >= MAX_HEADERS {
            return Err(ReplyError::TooManyHeaders);
        }
        self.bytes.extend_from_slice(END);
        Ok(self.bytes)
    }

    /// Copies the `Via` lines in their order; only the first value is written anew.
    fn copy_vias(&mut self, request: &Message<'_>, source: SocketAddr) {
        let via = request.top_via();
        let mut top = request.range_of(via.raw);
        for line in request.head().lines_of(HeaderKind::Via) {
            self.lines += 1;
            let line = line.range();
            let Some(stamped) = top.take() else {
                self.copy(request, line);
                continue;
            };
            self.copy(request, line.start..stamped.start);
            via.write_stamped(source, &mut self.bytes);
            self.copy(request, stamped.end..line.end);
        }
    }

    fn copy_to(&mut self, request: &Message<'_>, to_tag: &[u8], status: u16) {
        if request.to().tag.is_some() || status == 100 {
            return self.copy_first(request, HeaderKind::To);
        }
        let Some(line) = request.head().first(HeaderKind::To) else { return };
        self.lines += 1;
        self.copy(request, line.range().start..line.value_range(request.bytes()).end);
        for part in [b";tag=", to_tag, b"\r\n"] {
            self.bytes.extend_from_slice(part);
        }
    }

    /// RFC 3261 §16.3 item 5: what was required, all of it, because a proxy that refuses supports none.
    fn name_unsupported(&mut self, request: &Message<'_>) {
        for line in request.head().lines_of(HeaderKind::ProxyRequire) {
            self.lines += 1;
            for part in [b"Unsupported: ", line.value(request.bytes()), b"\r\n"] {
                self.bytes.extend_from_slice(part);
            }
        }
    }

    fn copy_first(&mut self, request: &Message<'_>, kind: HeaderKind) {
        if let Some(line) = request.head().first(kind) {
            self.lines += 1;
            self.copy(request, line.range());
        }
    }

    fn copy(&mut self, request: &Message<'_>, range: Range<usize>) {
        self.bytes.extend_from_slice(slice(request.bytes(), range));
    }
}

fn refusal(request: &Message<'_>, status: u16, to_tag: &[u8]) -> Option<ReplyError> {
    match request.start_line() {
        StartLine::Request { method, .. } if !method.is(KnownMethod::Ack) => {}
        StartLine::Request { .. } | StartLine::Response { .. } => {
            return Some(ReplyError::NotAnswerable);
        }
    }
    if !(100..700).contains(&status) {
        return Some(ReplyError::Status);
    }
    (!is_token(to_tag)).then_some(ReplyError::Tag)
}
