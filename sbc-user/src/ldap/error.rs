use std::io;

use thiserror::Error;

use super::ber::Malformed;

/// Why a directory could not be read.
#[derive(Debug, Error)]
pub enum LdapError {
    /// It cannot be connected to, or the connection ended.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// It did not answer in time.
    #[error("it did not answer in time")]
    Silence,
    /// What it says is not LDAP, or not an answer to what was asked.
    #[error("what it says is no answer in LDAP")]
    Malformed,
    /// It says more at once than is taken.
    #[error("a message of {0} bytes, more than is taken")]
    TooLong(usize),
    /// It refuses, or ends the connection.
    #[error("it answers {doing} with {code}{name}{diagnosis}", name = name_of(*code))]
    Refused {
        /// What it was asked for.
        doing: &'static str,
        /// The result code (RFC 4511 §4.1.9).
        code: i32,
        /// What it says about it, in what is left of its words; begins with a colon.
        diagnosis: String,
    },
    /// What it says is more than whoever asked takes.
    #[error("{0}")]
    TooMuch(String),
}

impl From<Malformed> for LdapError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

const fn name_of(code: i32) -> &'static str {
    match code {
        1 => " (operations error: is a bind missing?)",
        2 => " (protocol error)",
        3 => " (time limit exceeded)",
        4 => " (size limit exceeded: it does not answer in pages)",
        7 | 8 => " (it asks for a stronger bind, as over TLS)",
        10 => " (referral: the base is another server's)",
        11 => " (administrative limit exceeded)",
        13 => " (it asks for TLS)",
        32 => " (no such object: is the base right?)",
        34 => " (invalid name)",
        48 => " (this kind of bind is not for this account)",
        49 => " (invalid credentials)",
        50 => " (insufficient access rights)",
        51 => " (busy)",
        52 => " (unavailable)",
        53 => " (unwilling to perform)",
        _ => "",
    }
}
