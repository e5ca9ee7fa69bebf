//! Proof by mutual TLS: whose certificate a peer showed, and which SIP domains it proves.
//!
//! A handshake that this module let through means: the peer holds the private key of a certificate
//! that chains to a configured authority and is valid now. What the peer may do with the
//! identities in it is decided elsewhere.

mod client;
mod files;
mod identity;
mod server;
#[cfg(test)]
pub(crate) mod test_authority;
#[cfg(test)]
mod tests;
mod verifier;

pub use client::{Expected, client_config};
pub use files::{TlsError, TlsFiles};
pub use identity::{Identity, MAX_IDENTITIES, NotADomain, identities};
pub use server::server_config;
pub use verifier::{ClientCertificate, PeerVerifier};
