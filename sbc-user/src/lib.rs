//! The daemon and the tool of the session border controller.
//!
//! `docs/architecture.md` has the picture; each module says what it alone does.

pub mod admin;
pub mod border;
pub mod capture;
pub mod cli;
mod closed_list;
pub mod config;
pub mod control;
pub mod directory;
pub mod doctor;
mod dues;
pub mod homer;
pub mod identity;
pub mod kernel;
pub mod known_good;
pub mod ldap;
pub mod pki;
pub mod policy;
pub mod probe;
pub mod proof;
pub mod rehearsal;
pub mod samples;
pub mod screening;
pub mod session;
pub mod sip;
pub mod transport;
pub mod trust;
pub mod upstream;
