//! The status socket: whoever may connect is sent one snapshot as JSON.

mod client;
mod server;

pub use client::{ControlError, ask};
pub use server::{ControlServer, make_directory};
