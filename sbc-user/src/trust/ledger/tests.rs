//! The ledger over a table in memory.

mod adoption;
mod bans;
mod digest;
mod disproved;
mod holders;
mod hops;
mod ipsec;
mod named;
mod pace;
mod probation;
mod properties;
mod registration;
mod scene;
mod shares;
mod subnet;
mod succession;
mod tls;
