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
mod association;
mod budget;
mod datagram;
mod decide;
mod event;
mod first_line;
mod frame;
mod gate;
mod hash;
pub mod maps;
mod meter;
mod nonce;
mod packet;
mod reason;
mod service;
mod setting;
mod siphash;
mod socket;
mod standing;
mod tables;
mod tcp_flags;
mod triage;
mod trust;
mod verdict;

pub use address::{Address, Prefix};
pub use association::{AssociationKey, ESP_IN_UDP};
pub use budget::{Budget, MonotonicNanos};
pub use datagram::{Datagram, FirstSeen, Later};
pub use decide::{carry_out, decide, decide_packet};
pub use event::Event;
pub use first_line::FirstLine;
pub use frame::{Frame, SliceFrame};
pub use gate::{Coarse, Filter, FilterMark, Gate};
pub use meter::Meter;
pub use nonce::{Incarnation, NonceBinding, NonceStamp};
pub use packet::{Carried, Fragment, FragmentPlace, Packet, Unreadable};
pub use reason::{Action, Reason};
pub use service::{Protocol, Service, ServiceBucket, ServiceKey, ServiceTable};
pub use setting::{Mode, Scrutiny, Setting, UnknownAction};
pub use siphash::SipHash;
pub use socket::{decide_at_socket, decide_packet_at_socket};
pub use standing::{Standing, StandingKind, look_up};
pub use tables::Tables;
pub use tcp_flags::TcpFlags;
pub use triage::triage;
pub use trust::{HopBand, Lane, Pace, SourceKey, Transports, TrustEntry};
pub use verdict::{Carrier, Family, Verdict};
