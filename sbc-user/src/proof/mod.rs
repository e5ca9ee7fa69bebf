//! The proofs that a source can give: digest (RFC 3261 §22, RFC 7616) and a certificate (RFC 5922), and
//! weaker or other ones: IPsec (RFC 4301) and the DNS (RFC 3263).

pub mod digest;
pub mod dns;
pub mod ipsec;
pub mod tls;
pub mod users;
