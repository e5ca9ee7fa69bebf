//! What the integration tests and the demo are made of: hosts, the processes on them, certificates
//! and real SIP peers.
//!
//! A [`Host`] is a set of Linux namespaces that nothing on the machine can see by name and that ends
//! with the process that made it, however that ends; so does everything that runs on it. All of it
//! takes root: without, each of these fails and says so.

mod certificates;
mod counters;
mod host;
mod kamailio;
mod link;
mod namespaces;
mod process;
mod product;
mod scratch;
mod sipp;
mod sockets;
mod wait;

#[cfg(test)]
mod tests;

pub use certificates::{Authority, Certificate, Issued, Usage, Validity};
pub use counters::{UdpCounters, udp_counters};
pub use host::Host;
pub use kamailio::Kamailio;
pub use link::{Interface, connect};
pub use process::Process;
pub use product::sbc_binary;
pub use scratch::Scratch;
pub use sipp::{Calls, Running, Scenario, Sipp};
pub use sockets::{Protocol, wait_for_listener};
pub use wait::{interrupt, is_interrupted, wait_for, wait_until};
