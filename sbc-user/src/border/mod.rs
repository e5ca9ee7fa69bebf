//! The daemon at work: what arrives is screened, relayed or answered, and proofs become trust.
//!
//! A thin shell around pure decisions: it owns the sockets' way out, the clocks, the randomness and
//! the locks.

mod admission;
mod bans;
mod clock;
mod counters;
mod directory;
mod heartbeat;
mod ipsec;
mod names;
mod nonces;
mod overload;
mod parts;
mod peers;
mod receiver;
mod registration;
mod sending;
mod status;
mod stir;
mod unreadable;
mod upstream;
mod users;
mod vouching;

pub use clock::Clock;
pub use counters::Counters;
pub use directory::{Authority, DirectoryStatus, Reception};
pub use heartbeat::keep_beating;
pub use names::{NameAddressStatus, NameStatus};
pub use overload::hold_back_strangers;
pub use parts::{Border, BorderParts};
pub use status::{
    CounterStatus, DaemonStatus, GrantStatus, HeartbeatStatus, IpsecStatus, KernelStatus,
    LoadStatus, SampleStatus, Status, TargetStatus, UsersStatus, VerdictStatus,
};
pub use stir::Stir;
pub use users::Replaced;
