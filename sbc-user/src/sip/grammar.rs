//! The lexical rules of RFC 3261 §25.1 that several headers share.

use std::ops::Range;

/// Splits at the first `byte`, which belongs to neither half.
pub(super) fn split_once(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Splits where `belongs` stops holding.
pub(super) fn take_while(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !belongs(*byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// Splits after the quoted string that `bytes` begins with; its quotes are part of the first half.
///
/// `None` if there is none, or if it is not closed.
pub(super) fn take_quoted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 1;
    bytes.first().filter(|byte| **byte == b'"')?;
    loop {
        match bytes.get(at)? {
            b'"' => return bytes.split_at_checked(at + 1),
            // A quoted-pair holds neither CR nor LF: they would be read as a fold by some.
            b'\\' if matches!(bytes.get(at + 1)?, b'\r' | b'\n') => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The bytes of `range`; nothing where it leaves `bytes`.
pub(super) fn slice(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

/// White space inside a value: a folded line (CRLF and SP or HT) counts as one.
pub(super) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        if !is_lws(*first) {
            break;
        }
        bytes = rest;
    }
    bytes
}

pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let [rest @ .., last] = bytes {
        if !is_lws(*last) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Bit `i` says that the byte `i` may be in a token: no other question is asked so often.
const TOKEN_BYTES: u128 = {
    let mut bits = 0;
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
        {
            bits |= 1 << byte;
        }
        byte += 1;
    }
    bits
};

#[inline]
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte < 128 && TOKEN_BYTES >> byte & 1 == 1
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Reads digits only; `None` for anything else and for what does not fit. Leading zeros are legal.
pub(super) fn decimal(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Reads a port as it is written in `sent-by` and in a URI: one to five digits.
pub(super) fn port(bytes: &[u8]) -> Option<u16> {
    decimal(bytes).filter(|_| bytes.len() <= 5).and_then(|port| u16::try_from(port).ok())
}

/// Whether every byte is `allowed` or part of a complete `%HH` escape.
pub(super) fn is_escaped_text(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            [byte, after @ ..] if *byte != b'%' && allowed(*byte) => after,
            [..] => return false,
        }
    }
}

/// `unreserved` of RFC 3261 §25.1.
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}
