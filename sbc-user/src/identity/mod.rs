//! Signed callers: PASSporTs in Identity headers (RFC 8224, RFC 8225), as SHAKEN has them (RFC 8588).
//!
//! A carrier signs which number calls which, with a certificate that says for which numbers it may
//! (RFC 8226). Here such a signature is verified, against certificates that are at hand: nothing is
//! fetched. Others are made for calls that go out.

mod certificate;
mod date;
mod finding;
mod identity_header;
mod memory;
mod number;
mod passport;
mod patience;
mod signer;
mod stamp;
mod store;
#[cfg(test)]
pub(crate) mod test_carrier;
#[cfg(test)]
mod tests;
mod tn_authorization;
mod verifier;

pub use certificate::{BadCertificate, SigningCertificate};
pub use finding::{Failure, Finding};
pub use identity_header::{IdentityHeader, MalformedIdentity};
pub use passport::{Attestation, Passport};
pub use signer::{Origid, Signer, SignerError};
pub use stamp::stamped;
pub use store::{CertificateStore, StoreError};
pub use tn_authorization::{BadAuthorization, TnAuthorization};
pub use verifier::{Occasion, Verified, Verifier};
