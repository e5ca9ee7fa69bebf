//! The relay: a transaction-stateless proxy (RFC 3261 §16.11).
//!
//! All that is needed to route an answer or a later request of a dialog travels in the messages
//! themselves, encrypted, so nothing is lost when the daemon ends and begins again.

mod cipher;
mod claims;
mod forward;
mod hiding;
mod key_file;
mod key_ring;
mod keys;
mod loops;
mod nonce_keys;
mod own_addresses;
mod passage;
mod privacy;
mod registration;
mod relay_refusal;
mod request_line;
mod routing_key;
mod token;
mod transaction_facts;
mod vouched;

pub use claims::{makes_false_claims, without_false_claims};
pub use forward::{Forwarded, Forwarder, WayOut};
pub use key_file::{KeyFile, KeyFileError};
pub use key_ring::{DatedKey, KeyRing, Rotation};
pub use passage::{Passage, Subject, Ticket};
pub use registration::{Registered, Registrant, granted_seconds};
pub use relay_refusal::RelayRefusal;
pub use routing_key::RoutingKey;
pub use token::{OwnTag, TokenSeal};
pub use transaction_facts::TransactionFacts;
pub use vouched::{Brought, Vouched, is_stale};
