//! The ledger over a table in memory.

mod adoption;
mod digest;
mod scene;
mod tls;
