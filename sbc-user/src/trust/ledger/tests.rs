//! The ledger over a table in memory.

mod adoption;
mod digest;
mod properties;
mod scene;
mod tls;
