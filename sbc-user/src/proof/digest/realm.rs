use std::{fmt, sync::Arc};

use thiserror::Error;

const LONGEST: usize = 255;

/// A protection realm (RFC 7616 §3.3), safe to be written between quotes. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Realm(Arc<str>);

/// Why a text cannot be a realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidRealm {
    /// Nothing in it.
    #[error("the realm is empty")]
    Empty,
    /// More than 255 bytes: it is repeated in every challenge.
    #[error("the realm is longer than {LONGEST} bytes")]
    TooLong,
    /// A quote, backslash or control character, which would need an escape that clients hash
    /// differently.
    #[error("the realm has a quote, a backslash or a control character")]
    Character,
}

impl Realm {
    /// Accepts 1 to 255 bytes without quotes, backslashes and control characters.
    pub fn new(text: &str) -> Result<Self, InvalidRealm> {
        if text.is_empty() {
            return Err(InvalidRealm::Empty);
        }
        if text.len() > LONGEST {
            return Err(InvalidRealm::TooLong);
        }
        if text.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
            return Err(InvalidRealm::Character);
        }
        Ok(Self(text.into()))
    }

    /// The realm without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The realm without quotes, as it is compared and hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_a_domain_and_a_sentence() {
        assert!(Realm::new("example.com").is_ok());
        assert!(Realm::new("Büro, 2. Stock").is_ok());
    }

    #[test]
    fn refuses_what_would_need_an_escape_or_break_the_header() {
        for (text, reason) in [
            ("", InvalidRealm::Empty),
            ("a\"b", InvalidRealm::Character),
            ("a\\b", InvalidRealm::Character),
            ("a\r\nEvil: 1", InvalidRealm::Character),
            ("a\0", InvalidRealm::Character),
        ] {
            assert_eq!(Realm::new(text), Err(reason), "{text:?}");
        }
        assert_eq!(Realm::new(&"x".repeat(256)), Err(InvalidRealm::TooLong));
    }
}
