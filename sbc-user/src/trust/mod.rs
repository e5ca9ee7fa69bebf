//! Who is trusted, on what proof, and until when: the only module that decides what is written to the
//! kernel's tables of sources.

mod acquaintances;
mod difference;
mod distances;
mod grant;
mod hops;
mod ledger;
#[cfg(test)]
pub(crate) mod memory_table;
mod offenders;
mod pace;
mod row;
mod subnets;
mod table;

pub use acquaintances::Acquaintances;
pub use difference::Stale;
pub use grant::{Grant, Holder, Place, opened};
pub use hops::learned;
pub use ledger::{CertificateProof, Connected, IPSEC_LIFETIME, Ledger, Succession, Terms};
pub use offenders::Offenders;
pub use table::TrustTable;
