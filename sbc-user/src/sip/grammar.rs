//! The lexical rules of RFC 3261 §25.1 that several headers share.

use std::ops::Range;

use super::search::find;

/// Splits at the first `byte`, which belongs to neither half.
pub(super) fn split_once(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = find([byte], bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Splits before the first byte that is not of `class`.
#[inline]
pub(super) fn take_while(bytes: &[u8], class: Class) -> (&[u8], &[u8]) {
    split_before(bytes, |byte| !class.has(byte))
}

/// Splits before the first byte that `ends` it.
#[inline]
pub(super) fn split_before(bytes: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| ends(*byte)).unwrap_or(bytes.len());
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
#[inline]
pub(super) fn slice(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

/// White space inside a value: a folded line (CRLF and SP or HT) counts as one.
#[inline]
pub(super) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[inline]
pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        if !is_lws(*first) {
            break;
        }
        bytes = rest;
    }
    bytes
}

#[inline]
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes {
        if !is_lws(*last) {
            break;
        }
        bytes = rest;
    }
    bytes
}

#[inline]
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// What a byte may be part of: the classes that it belongs to are one look into a table, whichever and
/// however many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u16);

impl Class {
    /// `token` of RFC 3261 §25.1.
    pub(super) const TOKEN: Self = Self(1);
    /// A token or a host (RFC 3261 §25.1 `gen-value`), and the marks of base64, which branches and tags
    /// in the field hold. None of them separates anything, and `@`, `?` and `<` are not among them.
    pub(super) const PARAM_VALUE: Self = Self(1 << 1);
    /// A label of a host name, and `_`, which is seen in daily traffic.
    pub(super) const LABEL: Self = Self(1 << 2);
    /// `user` of RFC 3261 §25.1, and two things that phones send: an unescaped `#` of a feature code,
    /// and UTF-8. SIP URIs have no fragment, so neither ends the user part; both compare byte by byte.
    pub(super) const USER: Self = Self(1 << 3);
    /// `password` of RFC 3261 §25.1.
    pub(super) const PASSWORD: Self = Self(1 << 4);
    /// `paramchar` of RFC 3261 §25.1.
    pub(super) const URI_PARAM: Self = Self(1 << 5);
    /// `paramchar`, and `=`, which is not in the grammar: base64 values of some proxies end in it.
    pub(super) const URI_PARAM_VALUE: Self = Self(1 << 6);
    /// `hnv-unreserved` of RFC 3261 §25.1 and what else stands in the headers part of a URI.
    pub(super) const URI_HEADERS: Self = Self(1 << 7);
    /// White space, a control character, a quote or an angle bracket: no URI has any of them.
    pub(super) const NOT_IN_URI: Self = Self(1 << 8);
    /// What an unquoted display name may hold: more than the tokens of the grammar, since phones send
    /// `J. Doe (sales)` and UTF-8, but nothing that makes another reader see a URI or a list in it.
    pub(super) const UNQUOTED_NAME: Self = Self(1 << 9);
    /// Visible ASCII.
    pub(super) const VISIBLE: Self = Self(1 << 10);
    /// Decimal digits.
    pub(super) const DIGIT: Self = Self(1 << 11);

    const NONE: Self = Self(0);

    #[inline]
    pub(super) const fn has(self, byte: u8) -> bool {
        self.0 & Self::of(byte).0 != 0
    }

    /// Whether every byte belongs to it, of which there may be none.
    #[inline]
    pub(super) fn has_all(self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.has(*byte))
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "there is an entry for each byte")]
    const fn of(byte: u8) -> Self {
        CLASSES[byte as usize]
    }
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::NONE; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "below 256")]
        {
            classes[byte] = classes_of(byte as u8);
        }
        byte += 1;
    }
    classes
};

const fn classes_of(byte: u8) -> Class {
    let is_word = byte.is_ascii_alphanumeric();
    let is_unreserved =
        is_word || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
    let is_token = is_word
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
    let is_uri_param =
        is_unreserved || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$');
    let members = [
        (Class::TOKEN, is_token),
        (
            Class::PARAM_VALUE,
            is_token || matches!(byte, b'[' | b']' | b':' | b'/' | b'=' | b'$' | b'&' | b'|'),
        ),
        (Class::LABEL, is_word || matches!(byte, b'-' | b'_')),
        (
            Class::USER,
            is_unreserved
                || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
                || matches!(byte, b'#' | 0x80..),
        ),
        (Class::PASSWORD, is_unreserved || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',')),
        (Class::URI_PARAM, is_uri_param),
        (Class::URI_PARAM_VALUE, is_uri_param || byte == b'='),
        (Class::URI_HEADERS, is_uri_param || matches!(byte, b'?' | b'=')),
        (Class::NOT_IN_URI, matches!(byte, 0..=b' ' | 0x7f | b'"' | b'<' | b'>')),
        (
            Class::UNQUOTED_NAME,
            is_lws(byte)
                || !matches!(
                    byte,
                    0..=0x1f | 0x7f | b'"' | b',' | b':' | b';' | b'>' | b'@' | b'\\'
                ),
        ),
        (Class::VISIBLE, byte.is_ascii_graphic()),
        (Class::DIGIT, byte.is_ascii_digit()),
    ];
    let mut all = Class::NONE;
    let mut rest: &[(Class, bool)] = &members;
    while let [(class, is_member), after @ ..] = rest {
        if *is_member {
            all = Class(all.0 | class.0);
        }
        rest = after;
    }
    all
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && Class::TOKEN.has_all(bytes)
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

/// Splits before the first byte that is neither of `class` nor part of a complete `%HH` escape.
#[inline]
pub(super) fn take_escaped(bytes: &[u8], class: Class) -> (&[u8], &[u8]) {
    let mut rest = bytes;
    loop {
        rest = match take_while(rest, class).1 {
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            rest => {
                let end = bytes.len() - rest.len();
                return bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            }
        }
    }
}

/// Whether every byte is of `class` or part of a complete `%HH` escape.
pub(super) fn is_escaped_text(bytes: &[u8], class: Class) -> bool {
    take_escaped(bytes, class).1.is_empty()
}
