//! What the integration tests and the demo are made of: hosts, the processes on them, certificates
//! and real SIP peers.
//!
//! A [`Host`] is a set of Linux namespaces that nothing on the machine can see by name and that ends
//! with the process that made it, however that ends; so does everything that runs on it. All of it
//! takes root: without, each of these fails and says so.

mod baresip;
mod bpf;
mod certificates;
mod cgroup;
mod counters;
mod drop_sample;
mod family;
mod forger;
mod gateway;
mod host;
mod kamailio;
mod link;
mod namespaces;
mod postgres;
mod process;
mod product;
mod relay_sample;
mod samples;
mod scratch;
mod setup;
mod sipp;
mod slapd;
mod sockets;
mod status;
mod tls_client;
mod tls_sample;
mod tls_server;
mod wait;
mod work_sample;

#[cfg(test)]
mod tests;

pub use baresip::Baresip;
pub use bpf::{PinnedLink, also_pin, attach_passing_program, pin_map, pin_passing_program};
pub use certificates::{Authority, Certificate, Issued, Usage, Validity};
pub use cgroup::Cgroup;
pub use counters::{TcpCounters, UdpCounters, tcp_counters, udp_counters};
pub use drop_sample::DropSample;
pub use family::Family;
pub use forger::{Forger, Segment};
pub use gateway::Gateway;
pub use host::Host;
pub use kamailio::Kamailio;
pub use link::{Interface, connect};
pub use postgres::Postgres;
pub use process::Process;
pub use product::sbc_binary;
pub use relay_sample::RelaySample;
pub use samples::{Case, Samples};
pub use scratch::Scratch;
pub use setup::Setup;
pub use sipp::{Calls, Running, Scenario, Sipp};
pub use slapd::Slapd;
pub use sockets::{Protocol, wait_for_listener};
pub use status::{Grant, Status};
pub use tls_client::TlsClient;
pub use tls_sample::TlsSample;
pub use tls_server::TlsServer;
pub use wait::{interrupt, is_interrupted, wait_for, wait_until};
pub use work_sample::WorkSample;
