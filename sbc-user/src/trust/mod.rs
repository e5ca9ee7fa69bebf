//! Who is trusted, on what proof, and until when: the only module that decides what is written to the
//! kernel's tables of sources.

mod grant;
mod ledger;
#[cfg(test)]
pub(crate) mod memory_table;
mod pace;
mod table;

pub use grant::{Grant, Holder, Place};
pub use ledger::Ledger;
pub use table::TrustTable;
