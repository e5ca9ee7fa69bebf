use std::fmt;

use thiserror::Error;

const LONGEST: usize = 255;

/// A name that clients can authenticate with: 1 to 255 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(Box<str>);

/// Why a text cannot be a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidUsername {
    /// Nothing in it.
    #[error("the name is empty")]
    Empty,
    /// Credentials with a longer name are refused, so this user could never authenticate.
    #[error("the name is longer than {LONGEST} bytes")]
    TooLong,
    /// Credentials with a control character are refused.
    #[error("the name has a control character")]
    ControlCharacter,
    /// The name is hashed as name ":" realm ":" password.
    #[error("the name has a colon, which separates name, realm and password when they are hashed")]
    Colon,
}

impl Username {
    /// Accepts what a client can send in `username`.
    pub fn new(text: &str) -> Result<Self, InvalidUsername> {
        if text.is_empty() {
            return Err(InvalidUsername::Empty);
        }
        if text.len() > LONGEST {
            return Err(InvalidUsername::TooLong);
        }
        if text.contains(char::is_control) {
            return Err(InvalidUsername::ControlCharacter);
        }
        if text.contains(':') {
            return Err(InvalidUsername::Colon);
        }
        Ok(Self(text.into()))
    }

    /// The name as it is compared and hashed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
