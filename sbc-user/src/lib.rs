//! The daemon and the tool of the session border controller.
//!
//! `docs/architecture.md` has the picture; each module says what it alone does.

pub mod kernel;
pub mod proof;
pub mod sip;
pub mod transport;
