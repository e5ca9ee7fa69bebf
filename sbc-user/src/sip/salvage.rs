use memchr::memmem;

use super::framer::MAX_STREAM_HEAD;
use super::grammar::{Class, is_lws, is_token, slice, split_before, split_once, take_while, trim};
use super::header::HeaderKind;
use super::malformed::Malformed;
use super::message::Message;
use super::start_line::StartLine;

const ONCE: [HeaderKind; 4] =
    [HeaderKind::CSeq, HeaderKind::From, HeaderKind::To, HeaderKind::CallId];

/// What a response repeats (RFC 3261 §8.2.6.2), saved from a request that is refused as [`Malformed`].
///
/// It is written anew and has to pass [`Message::scan`]: each of From, To, Call-ID and `CSeq` is there once
/// and readable, and so is every Via. Nothing else of the request is believed, or looked at.
#[derive(Clone, Debug)]
pub struct Salvaged {
    bytes: Vec<u8>,
    status: u16,
}

impl Salvaged {
    /// Reads the first 16 KiB of what was refused; the header section need not end. `None` if no answer
    /// can be built: from a response, an ACK, or what is no SIP.
    #[must_use]
    pub fn of(refused: &[u8], malformed: Malformed) -> Option<Self> {
        let head = slice(refused, 0..refused.len().min(MAX_STREAM_HEAD));
        let mut lines = Lines { rest: head };
        let start_line = lines.next()?;
        if !is_answerable(start_line) {
            return None;
        }
        let mut headers = Vec::with_capacity(512);
        let mut once = ONCE.map(|kind| (kind, None));
        for line in lines {
            let Some((kind, value)) = header(line) else { continue };
            if let Some((_, seen)) = once.iter_mut().find(|(known, _)| *known == kind) {
                if seen.replace(value).is_some() {
                    return None;
                }
            } else if kind != HeaderKind::Via {
                continue;
            }
            headers.extend_from_slice(line);
        }
        let [(_, cseq), ..] = once;
        // The request line may contradict CSeq, by which the sender knows what was answered.
        let (_, method) = split_before(cseq?, |byte| !byte.is_ascii_digit() && !is_lws(byte));
        let mut bytes = Vec::with_capacity(headers.len() + method.len() + 32);
        for part in [method, b" sip:unreadable.invalid SIP/2.0\r\n", &headers, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
        let status = status(malformed, start_line);
        Message::scan(&bytes).is_ok().then_some(Self { bytes, status })
    }

    /// The status of the answer: 400, 413, 416, 505 or 513.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// A request with the fields that were saved, and a Request-URI that means nothing.
    pub fn request(&self) -> Result<Message<'_>, Malformed> {
        Message::scan(&self.bytes)
    }
}

/// RFC 3261 §21.4.1, §21.4.11, §21.4.14, §21.5.6, §21.5.7.
fn status(malformed: Malformed, start_line: &[u8]) -> u16 {
    let line = slice(start_line, 0..start_line.len().saturating_sub(2));
    if malformed == Malformed::MessageTooLarge {
        // Only of a stream, whose Content-Length announces such a body.
        413
    } else if matches!(malformed, Malformed::HeadTooLarge | Malformed::TooManyHeaders) {
        513
    } else if malformed == Malformed::UnsupportedVersion {
        505
    } else if matches!(StartLine::parse(line), Err(Malformed::UriScheme)) {
        416
    } else {
        400
    }
}

/// Says whether it is a request line other than an ACK's, whatever its Request-URI is.
fn is_answerable(start_line: &[u8]) -> bool {
    let Some((method, rest)) = split_once(trim(start_line), b' ') else { return false };
    let version = rest.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    is_token(method) && method != b"ACK" && version.starts_with(b"SIP/")
}

fn header(line: &[u8]) -> Option<(HeaderKind, &[u8])> {
    let (name, rest) = take_while(line, Class::TOKEN);
    let (_, rest) = split_before(rest, |byte| !matches!(byte, b' ' | b'\t'));
    Some((HeaderKind::of(name), trim(rest.strip_prefix(b":")?)))
}

/// Lines up to the blank one, each with its folded lines and its CRLF. The last one is left out if it is
/// not known to be whole.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut end = 0;
        loop {
            let physical = memmem::find(slice(self.rest, end..self.rest.len()), b"\r\n")?;
            // A fold without content is the end of the headers to some.
            if trim(slice(self.rest, end..end + physical)).is_empty() {
                return None;
            }
            end += physical + 2;
            if !matches!(self.rest.get(end)?, b' ' | b'\t') {
                let (line, rest) = self.rest.split_at_checked(end)?;
                self.rest = rest;
                return Some(line);
            }
        }
    }
}
