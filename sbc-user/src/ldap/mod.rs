//! As much of LDAP as it takes to read who is in a directory: a simple bind, a search in pages, `StartTLS`
//! (RFC 4511, RFC 4513, RFC 2696). One connection asks one question at a time.
//!
//! What a server says is held to limits: a message of its is at most [`LONGEST_MESSAGE`] bytes, nothing nests, and
//! no partial answer is taken for a whole one.

mod ber;
mod error;
mod filter;
mod message;
mod session;
mod url;

pub use error::LdapError;
pub(crate) use filter::is_attribute;
pub use filter::{Filter, InvalidFilter};
pub use message::Entry;
pub use session::{LONGEST_MESSAGE, Login, Search, Session};
pub use url::{InvalidUrl, LdapUrl, Place};
