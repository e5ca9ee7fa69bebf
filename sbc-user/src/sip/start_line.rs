use super::grammar::{is_token, split_once};
use super::malformed::Malformed;
use super::method::Method;
use super::uri::Uri;

const VERSION: &[u8] = b"SIP/2.0";

/// The first line of a message (RFC 3261 §7.1, §7.2).
#[derive(Clone, Copy, Debug)]
pub enum StartLine<'a> {
    /// `METHOD SP Request-URI SP SIP/2.0`.
    Request {
        /// The method.
        method: Method<'a>,
        /// The Request-URI, without headers part.
        uri: Uri<'a>,
    },
    /// `SIP/2.0 SP status SP [reason]`.
    Response {
        /// From 100 to 699.
        status: u16,
    },
}

impl<'a> StartLine<'a> {
    /// Reads the line, without its CRLF. Exactly one space separates the parts.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let (first, rest) = split_once(line, b' ').ok_or(Malformed::StartLine)?;
        if first == VERSION {
            return Self::response(rest);
        }
        if let Some(version) = first.strip_prefix(b"SIP/") {
            return Err(unless_2_0(version));
        }
        if !is_token(first) {
            return Err(Malformed::StartLine);
        }
        let (uri, version) = split_once(rest, b' ').ok_or(Malformed::StartLine)?;
        if version != VERSION {
            return Err(version.strip_prefix(b"SIP/").map_or(Malformed::StartLine, unless_2_0));
        }
        if uri.is_empty() {
            return Err(Malformed::StartLine);
        }
        let uri = Uri::parse(uri)?;
        if !uri.headers.is_empty() {
            return Err(Malformed::RequestUriHeaders);
        }
        Ok(Self::Request { method: Method::of(first), uri })
    }

    /// Reads what follows the version. The reason is for humans and may hold any text.
    fn response(rest: &[u8]) -> Result<Self, Malformed> {
        let [hundreds @ b'1'..=b'6', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b' ', ..] = rest
        else {
            return Err(Malformed::StartLine);
        };
        let digit = |byte: &u8| u16::from(byte - b'0');
        Ok(Self::Response { status: digit(hundreds) * 100 + digit(tens) * 10 + digit(ones) })
    }
}

/// Tells another version (505) from text that is none (400).
fn unless_2_0(version: &[u8]) -> Malformed {
    let is_version = split_once(version, b'.').is_some_and(|(major, minor)| {
        let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        is_number(major) && is_number(minor)
    });
    if is_version && version != b"2.0" {
        Malformed::UnsupportedVersion
    } else {
        Malformed::StartLine
    }
}
