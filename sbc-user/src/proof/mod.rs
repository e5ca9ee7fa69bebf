//! The proofs that a source can give: digest (RFC 3261 §22, RFC 7616) and a certificate (RFC 5922).

pub mod digest;
pub mod ipsec;
pub mod tls;
pub mod users;
