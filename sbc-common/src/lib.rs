//! The contract between the kernel half and the user half of the session border controller, and the
//! one decision that both of them run.
//!
//! [`decide()`] reads a frame from first byte to last, asks the [`Tables`] and returns a [`Reason`]. It
//! performs no I/O, reads no clock and allocates nothing, so the XDP program runs it over packet
//! memory and kernel maps, while tests run the same code on the host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "the XDP program is one function: the verifier follows packet pointers across calls badly"
)]

mod address;
mod budget;
mod decide;
mod first_line;
mod frame;
pub mod maps;
mod packet;
mod reason;
mod service;
mod setting;
mod tables;
mod trust;

pub use address::{Address, Prefix};
pub use budget::{Budget, MonotonicNanos};
pub use decide::decide;
pub use first_line::FirstLine;
pub use frame::{Frame, SliceFrame};
pub use packet::{Fragment, Packet, Unreadable};
pub use reason::{Action, Reason};
pub use service::{Protocol, Service, ServiceKey};
pub use setting::{Mode, Setting, UnknownAction};
pub use tables::Tables;
pub use trust::{Lane, SourceKey, Transports, TrustEntry};
