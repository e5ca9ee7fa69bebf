//! SIP on the wire: a strict zero-copy scanner, byte-exact rewriting, replies, and stream framing.
//!
//! [`Message::scan`] alone decides who a message claims to be from. Whatever two parsers could read
//! differently is refused with a named [`Malformed`]: a next hop that reads another caller, another
//! body or another message than we did would make every decision taken here worthless.

mod field;
mod framer;
mod grammar;
mod head;
mod header;
mod host;
mod malformed;
mod message;
mod method;
mod name_addr;
mod params;
mod reason;
mod reply;
mod rewrite;
mod salvage;
mod search;
mod start_line;
mod telephone;
#[cfg(test)]
mod tests;
mod uri;
mod value;
mod verstat;
mod via;

pub use field::FieldError;
pub use framer::{MAX_STREAM_HEAD, StreamFramer, StreamPiece};
pub use head::{MAX_HEADERS, MAX_MESSAGE};
pub use header::{Header, HeaderKind};
pub use malformed::Malformed;
pub use message::{CSeq, Message};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::{Param, Params};
pub use reason::reason_phrase;
pub use reply::{Reply, ReplyError};
pub use rewrite::{Rewrite, RewriteError};
pub use salvage::Salvaged;
pub use start_line::StartLine;
pub use telephone::TelephoneNumber;
pub use uri::{Scheme, Uri};
pub use value::Value;
pub use verstat::without_verstat;
pub use via::{Rport, Via};
