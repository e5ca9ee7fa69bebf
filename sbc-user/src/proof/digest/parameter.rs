//! The grammar of RFC 3261 §25.1 that `Authorization` is made of: `name = token / quoted-string`,
//! separated by commas, with LWS allowed around both separators.

use std::borrow::Cow;

use super::MalformedCredentials;

/// One `name=value` of a Digest header.
#[derive(Clone, Copy)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: Text<'a>,
    /// All of it, as received.
    pub(super) whole: &'a [u8],
}

/// A token, or what is between the quotes of a quoted string.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    raw: &'a [u8],
    has_escapes: bool,
}

impl<'a> Text<'a> {
    /// The text with every quoted pair replaced by what it stands for.
    pub(super) fn unescaped(self) -> Cow<'a, [u8]> {
        if !self.has_escapes {
            return Cow::Borrowed(self.raw);
        }
        let mut plain = Vec::with_capacity(self.raw.len());
        let mut bytes = self.raw.iter().copied();
        while let Some(byte) = bytes.next() {
            // A backslash is never last: the scan for the closing quote consumed its partner.
            plain.extend(if byte == b'\\' { bytes.next() } else { Some(byte) });
        }
        Cow::Owned(plain)
    }

    /// What is between the quotes, as received.
    pub(super) const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The bytes as received, if no escape makes it doubtful what a client hashes.
    pub(super) fn without_escapes(self) -> Option<&'a [u8]> {
        (!self.has_escapes).then_some(self.raw)
    }
}

/// Reads a header value from left to right.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// Reads the authentication scheme and the LWS that must follow it.
    pub(super) fn scheme(&mut self) -> Result<&'a [u8], MalformedCredentials> {
        self.skip_whitespace();
        let scheme = self.token()?;
        if self.skip_whitespace() { Ok(scheme) } else { Err(MalformedCredentials::Syntax) }
    }

    /// Reads one parameter and the LWS around its parts.
    pub(super) fn parameter(&mut self) -> Result<Parameter<'a>, MalformedCredentials> {
        self.skip_whitespace();
        let from = self.rest;
        let name = self.token()?;
        self.skip_whitespace();
        if !self.skip_byte(b'=') {
            return Err(MalformedCredentials::Syntax);
        }
        self.skip_whitespace();
        let value = if self.skip_byte(b'"') {
            self.rest_of_quoted_string()?
        } else {
            Text { raw: self.token()?, has_escapes: false }
        };
        let length = from.len().saturating_sub(self.rest.len());
        self.skip_whitespace();
        Ok(Parameter { name, value, whole: from.get(..length).unwrap_or_default() })
    }

    /// Whether a comma announces another parameter; if not, the value has to end here.
    pub(super) fn has_another(&mut self) -> Result<bool, MalformedCredentials> {
        if self.skip_byte(b',') {
            return Ok(true);
        }
        if self.rest.is_empty() { Ok(false) } else { Err(MalformedCredentials::Syntax) }
    }

    fn token(&mut self) -> Result<&'a [u8], MalformedCredentials> {
        let end = self.rest.iter().position(|byte| !is_token(*byte)).unwrap_or(self.rest.len());
        match self.rest.split_at_checked(end) {
            Some((token, rest)) if !token.is_empty() => {
                self.rest = rest;
                Ok(token)
            }
            _ => Err(MalformedCredentials::Syntax),
        }
    }

    /// Control characters are refused between quotes, folding included: no client needs them there,
    /// and the next hop may read them as the end of the header.
    fn rest_of_quoted_string(&mut self) -> Result<Text<'a>, MalformedCredentials> {
        let start = self.rest;
        let mut has_escapes = false;
        let mut length: usize = 0;
        loop {
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    let raw = start.get(..length).ok_or(MalformedCredentials::Syntax)?;
                    return Ok(Text { raw, has_escapes });
                }
                [b'\\', b' '..=b'~', rest @ ..] => {
                    self.rest = rest;
                    has_escapes = true;
                    length = length.saturating_add(2);
                }
                [b'\\', ..] => return Err(MalformedCredentials::Syntax),
                [b'\t' | b' '..=b'~' | 0x80.., rest @ ..] => {
                    self.rest = rest;
                    length = length.saturating_add(1);
                }
                [_, ..] => return Err(MalformedCredentials::ControlCharacter),
                [] => return Err(MalformedCredentials::UnbalancedQuote),
            }
        }
    }

    fn skip_byte(&mut self, byte: u8) -> bool {
        let Some(rest) = self.rest.strip_prefix(&[byte]) else { return false };
        self.rest = rest;
        true
    }

    /// Skips LWS, returning whether there was any. A line break without indentation is not LWS.
    fn skip_whitespace(&mut self) -> bool {
        let before = self.rest.len();
        while let [b' ' | b'\t', rest @ ..] | [b'\r', b'\n', b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.len() != before
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}
