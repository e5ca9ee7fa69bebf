//! The kernel half, seen from user space: loading and attaching the programs, and their tables.
//!
//! The only module that talks to bpf(2).

mod association_table;
mod attached_program;
mod attachment;
mod cgroup;
mod device;
mod error;
mod ethtool;
mod filter;
mod gate;
mod link;
mod netdev;
mod netlink;
mod object;
mod object_file;
mod pins;
mod readings;
mod requirements;
mod sample_ring;
mod service_user;
mod socket_filter;
mod tables;
mod wall_clock;
mod xdp_holder;
pub mod xfrm;

pub use attached_program::{Answer, AttachedProgram};
pub use attachment::{AttachMode, Attached};
pub use device::interface_name;
pub use error::KernelError;
pub use ethtool::Hardware;
pub use filter::{Filter, FilterOptions};
pub use link::{Link, XdpPlace};
pub use netdev::runs_xdp;
pub use object::Object;
pub use pins::Pins;
pub use readings::{CounterRow, Readings};
pub use requirements::{OLDEST, missing_capabilities, version};
pub use sample_ring::SampleRing;
pub use service_user::ServiceUser;
pub use socket_filter::{AtSockets, SocketFilter};
pub use tables::{FilterSettings, KernelTables, ProtectedService};
pub use wall_clock::WallClock;
pub use xdp_holder::XdpHolder;
