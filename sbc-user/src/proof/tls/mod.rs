//! Proof by mutual TLS: whose certificate a peer showed, and which SIP domains it proves.
//!
//! A handshake that this module let through means: the peer holds the private key of a certificate
//! that chains to a configured authority and is valid now. What the peer may do with the
//! identities in it is decided elsewhere.

mod client;
mod files;
mod identity;
mod live;
mod pin;
mod revocation;
mod rule;
mod server;
mod shown;
#[cfg(test)]
pub(crate) mod test_authority;
#[cfg(test)]
mod tests;
mod usage;
mod verifier;

pub use client::{Expected, client_config, server_verifying_config};
pub use files::{CertificateFiles, TlsError, TlsFiles, last_second};
use identity::certificate_names;
pub use identity::{Identity, MAX_IDENTITIES, NotADomain, identities};
pub use live::{Following, Judge, Live, Loaded};
pub use pin::KeyPin;
pub use revocation::ExpiredLists;
pub use rule::{NotPinned, PeerTrust};
pub use server::{server_config, warnings};
pub use shown::ShownCertificate;
pub use usage::CertificateUsage;
pub use verifier::{ClientCertificate, PeerVerifier};
