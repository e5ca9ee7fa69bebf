//! Sources that were served, and how often the filter dropped their packets, or would have: whom enforcement hurts.
//!
//! What makes an entry is an answered call or an accepted registration, never a packet alone, so that a flood in
//! forged names makes none and pushes nobody out. What a drop is held to be depends on what came of it: only what was
//! served to the very address, port and transport that it came from is taken for the source's own.

mod file;
mod loss;
mod remedy;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub use file::KnownGoodFile;
pub use loss::Loss;
pub use remedy::remedy;
pub use table::{Account, KnownGood, Served, Service};
