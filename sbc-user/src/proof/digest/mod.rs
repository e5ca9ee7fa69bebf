//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): challenges without memory, verdicts
//! without doubt.
//!
//! Everything here is a pure function of its arguments and of bounded tables: time, randomness,
//! source addresses and bytes come in, header values and verdicts come out.
//!
//! Invariants:
//! - **Issuing a challenge stores nothing.** A nonce is a message authentication code over its time,
//!   its source and the realm.
//! - **Only what this run has issued is proof.** What other nodes and earlier runs did is known, and asked for anew.
//! - **Only a correct response writes to the replay window**, so strangers cannot fill it.
//! - **Nothing tells a known user from an unknown one**: neither the verdict nor the hashing done.
//! - **A failure is held against nobody but who received the nonce**: its address, and who fails there.
//! - **A response is accepted once**, except for the retransmission of the very same request.

mod algorithm;
mod auth_params;
mod check;
mod credentials;
mod failures;
mod ha1;
mod hash_function;
mod hash_value;
mod nonce;
mod nonce_keys;
mod parameter;
mod qop;
mod realm;
mod realms;
mod replay;
#[cfg(test)]
pub(crate) mod test_client;
mod under_way;
mod unix_millis;
mod unproven_budget;
mod uri;
mod vouching;

pub use crate::dues::Allowance;
pub use algorithm::{Algorithm, InvalidOffer, OfferedAlgorithms, UnknownAlgorithm};
pub use auth_params::AuthParams;
pub use check::{DigestCheck, DigestSettings, DigestVerdict, ProtectedRealm, RequestFacts};
pub use credentials::{Credentials, MalformedCredentials, NonceCount};
pub use failures::Failures;
pub use ha1::Ha1;
pub use hash_function::HashFunction;
pub use hash_value::{HashValue, HexDigits};
pub use nonce::{CheckedNonce, FreshNonce, NONCE_LENGTH, NonceId, NonceMint, NonceState};
pub use nonce_keys::{NonceKey, NonceKeys};
pub use qop::{InvalidQops, OfferedQops, Qop, UnknownQop};
pub use realm::{InvalidRealm, Realm};
pub use realms::Realms;
pub use replay::{ReplayVerdict, ReplayWindow};
pub use sbc_common::{Incarnation, NonceBinding};
pub use unix_millis::UnixMillis;
pub use vouching::{Vouching, VouchingSettings};
