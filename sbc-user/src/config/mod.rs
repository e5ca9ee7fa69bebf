//! `sbc.toml`: one declarative file, read whole or refused whole.

mod admin;
mod certificate;
mod contradiction;
mod digest;
mod directory;
mod dns;
mod error;
mod file;
mod homer;
mod ipsec;
mod limits;
mod log;
mod may_assert;
mod mistake;
mod mode_file;
mod mode_line;
mod outline;
mod peer;
mod peers;
mod permissions;
mod postgres_place;
mod reading;
mod restart;
mod route;
#[cfg(test)]
pub(crate) mod sample;
mod session;
mod sip_target;
mod stir;
#[cfg(test)]
mod tests;
mod upstream;
mod upstream_users;
mod user_store;
mod values;

pub use admin::Admin;
pub use certificate::{PeerCertificate, PinnedKey};
pub use digest::Digest;
pub use directory::Directory;
pub use dns::{Dns, PeerName};
pub use error::ConfigError;
pub use file::{
    Config, Control, Denied, Inside, Interface, Kernel, Listen, OnShutdown, OnSilence, Outside,
    Tls, Trust, Unknown, Users,
};
pub use homer::{Collector, Exported, HomerExport, HomerPassword};
pub use ipsec::{IKE, IKE_BEHIND_NAT};
pub use limits::Limits;
pub use log::{Log, LogFormat, LogLevel};
pub use may_assert::{AssertablePattern, Assertables, NumberPattern};
pub use mistake::Spot;
pub use mode_file::{ModeFile, ModeFileError};
pub use mode_line::with_mode;
pub use outline::{Changes, Fingerprints, Outline};
pub use peer::{OnDisconnect, Peer, PeerIdentity, Proof};
pub use peers::Peers;
pub use permissions::{ContactHost, FalseClaims, Mandate, Permissions};
pub use postgres_place::{PostgresAccess, PostgresHost, PostgresPlace};
pub use restart::{fixed_keys, needing_restart};
pub use route::{HostPattern, Route, UserPattern};
pub use session::Session;
pub use sip_target::{SipTarget, TargetHost};
pub use stir::{Stir, StirCertificate, StirPolicy, StirSign};
pub use upstream::{Probe, Upstream, UpstreamTarget, UpstreamTls};
pub use upstream_users::UpstreamUsers;
pub use user_store::{UserSource, UserStore};
pub use values::{Lifetime, Network, Rate, ScrutinyPolicy, TunnelPolicy, UnknownPolicy};
