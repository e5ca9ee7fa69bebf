//! The daemon at work: what arrives is screened, relayed or answered, and proofs become trust.
//!
//! A thin shell around pure decisions: it owns the sockets' way out, the clocks, the randomness and
//! the locks.

mod activity;
mod admission;
mod bans;
mod clock;
mod copies;
mod counters;
mod directory;
mod heartbeat;
mod in_force;
mod ipsec;
mod known_good;
mod mode;
mod names;
mod nonces;
mod overload;
mod own_certificates;
mod parts;
mod peer_status;
mod peers;
mod receiver;
mod registration;
mod sending;
mod status;
mod stir;
mod succession;
mod target_status;
mod trust_status;
mod unreadable;
mod upstream;
mod users;
mod vouching;

pub use activity::ActivityStatus;
pub use clock::Clock;
pub use copies::HomerStatus;
pub use counters::Counters;
pub use directory::{Authority, DirectoryStatus, Reception};
pub use heartbeat::keep_beating;
pub use in_force::InForce;
pub use known_good::{KnownGoodStatus, LoserStatus, LossStatus};
pub use mode::{ModeError, TrialStatus};
pub use names::{NameAddressStatus, NameStatus};
pub use overload::hold_back_strangers;
pub use own_certificates::CertificateStatus;
pub use parts::{Border, BorderParts};
pub use peer_status::PeerStatus;
pub use status::{
    CounterStatus, DaemonStatus, GrantStatus, HeartbeatStatus, IpsecStatus, KernelStatus,
    LoadStatus, SampleStatus, Status, UsersStatus, VerdictStatus,
};
pub use stir::Stir;
pub use succession::{FilterTable, NextPolicy, Succeeded};
pub use target_status::TargetStatus;
pub use trust_status::TrustCount;
pub use users::Replaced;
