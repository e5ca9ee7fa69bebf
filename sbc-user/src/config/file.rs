use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::digest::FailedProofs;
use super::values::{Lifetime, Network, Rate, ScrutinyPolicy, TunnelPolicy, UnknownPolicy};
use super::{
    Admin, Digest, Directory, Dns, HomerExport, Limits, Log, Outline, Peers, PostgresAccess, Route,
    Session, Stir, Upstream, UpstreamUsers, UserSource,
};
use crate::kernel::{AttachMode, SocketFilter};
use crate::proof::digest::{Allowance, OfferedAlgorithms};
use crate::proof::tls::{CertificateFiles, ClientCertificate, ExpiredLists};
use crate::transport::Transport;

/// `sbc.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) mode: FilterMode,
    /// Where what must survive a restart is kept.
    #[serde(default = "default_state_directory")]
    pub state_directory: PathBuf,
    /// The network interfaces.
    pub interface: Interface,
    /// The kernel half.
    #[serde(default)]
    pub kernel: Kernel,
    /// The status socket.
    #[serde(default)]
    pub control: Control,
    /// Where metrics, the API and the status page are; nowhere, if absent.
    pub admin: Option<Admin>,
    /// The listeners towards the outside.
    pub listen: Vec<Listen>,
    /// The certificates of TLS listeners.
    pub tls: Option<Tls>,
    /// The protected SIP system.
    pub upstream: Upstream,
    /// Who is asked for names.
    #[serde(default)]
    pub dns: Dns,
    /// What is relayed, and the keys of its tokens.
    #[serde(default)]
    pub session: Session,
    /// What happens to strangers.
    #[serde(default)]
    pub unknown: Unknown,
    /// How much anybody may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// Sources that are dropped whatever they prove.
    #[serde(default)]
    pub denied: Denied,
    /// How far a proof reaches.
    #[serde(default)]
    pub trust: Trust,
    /// Those who are known by name.
    #[serde(default, rename = "peer")]
    pub peers: Peers,
    /// Which of the upstream's requests go to whom of them.
    #[serde(default, rename = "route")]
    pub routes: Vec<Route>,
    /// Whose signatures of calling numbers are believed, and what ours are made with.
    pub stir: Option<Stir>,
    /// Those who are known by password.
    pub users: Option<Users>,
    /// Who of them may use what he proves.
    pub directory: Option<Directory>,
    /// How they are challenged.
    #[serde(default)]
    pub digest: Digest,
    /// What is logged.
    #[serde(default)]
    pub log: Log,
    /// Who gets copies of what was challenged or rejected.
    pub homer: Option<HomerExport>,
    #[serde(skip)]
    pub(super) outline: Arc<Outline>,
}

/// A fresh installation observes: it decides and counts, and lets everything pass.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FilterMode {
    #[default]
    Observe,
    Enforce,
}

/// `[interface]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interface {
    /// The one that strangers' packets arrive on.
    pub outside: Outside,
    /// The one that the upstream is behind.
    pub inside: Option<Inside>,
}

/// `[interface.inside]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Inside {
    /// The name of the network interface, which the socket towards the upstream is bound to.
    pub name: String,
}

/// `[interface.outside]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outside {
    /// The name of the network interface.
    pub name: String,
    /// How the program is attached to it.
    #[serde(default)]
    pub xdp: AttachMode,
    /// What becomes of trusted sources' packets that an answer would leave by another interface. The
    /// kernel knows where only if the interface forwards.
    #[serde(default = "default_reverse_path")]
    pub reverse_path: ScrutinyPolicy,
    /// What becomes of tunnels to a protected address.
    #[serde(default)]
    pub tunnels: TunnelPolicy,
}

const fn default_reverse_path() -> ScrutinyPolicy {
    ScrutinyPolicy::Off
}

/// `[kernel]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Kernel {
    /// Where the BPF file system is or shall be mounted.
    pub bpf_file_system: PathBuf,
    /// How many sources can be trusted at a time.
    pub trust_entries: u32,
    /// What becomes of the filter when the daemon ends.
    pub on_shutdown: OnShutdown,
    /// What becomes of the filter's verdicts when the daemon gives no sign of life.
    pub on_silence: OnSilence,
    pub(super) silence: Lifetime,
    /// What becomes of packets in clear from a peer's address whose hop limit is not that of its TLS
    /// connections.
    pub hop_limits: ScrutinyPolicy,
    /// Who runs the daemon after `sbc load`, and is handed the tables: nobody else, if absent.
    pub user: Option<String>,
    /// Whether packets are judged a second time, in front of the daemon's sockets.
    pub socket_filter: SocketFilter,
    /// The control group whose sockets those are, if it is not the one that the daemon starts in.
    pub cgroup: Option<PathBuf>,
}

impl Kernel {
    /// After how long a silence of the daemon everything passes; `None` for never.
    #[must_use]
    pub fn longest_silence(&self) -> Option<Duration> {
        (self.on_silence == OnSilence::Pass).then_some(self.silence.0)
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            bpf_file_system: PathBuf::from("/run/sbc/bpf"),
            trust_entries: sbc_common::maps::TRUST.capacity,
            on_shutdown: OnShutdown::default(),
            on_silence: OnSilence::default(),
            silence: Lifetime(Duration::from_secs(30)),
            hop_limits: ScrutinyPolicy::Observe,
            user: None,
            socket_filter: SocketFilter::default(),
            cgroup: None,
        }
    }
}

/// What becomes of the filter when the daemon ends in an orderly way. If it crashes the filter stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnShutdown {
    /// It stays, and enforces the last policy until entries expire, as far as [`OnSilence`] lets it.
    #[default]
    Keep,
    /// It is detached, and everything passes.
    Detach,
}

/// What becomes of the filter's verdicts when the daemon gives no sign of life: killed, hung, stopped, or
/// not started after `sbc load`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSilence {
    /// They are carried out, for ever.
    #[default]
    Enforce,
    /// They are reached and counted, and everything passes.
    Pass,
}

/// `[control]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Control {
    /// The Unix socket that `sbc status` asks.
    pub socket: PathBuf,
    /// The group whose members may ask, and change nothing; absent: nobody's.
    pub group: Option<String>,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/sbc/control.sock"), group: None }
    }
}

/// `[[listen]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listen {
    /// What it speaks.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// TLS only: whether a handshake without a client certificate goes on. Default: it does not.
    pub client_certificate: Option<ClientCertificate>,
}

/// `[tls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tls {
    /// Our certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities that peers' certificates must come from, PEM.
    pub client_ca: PathBuf,
    /// The authorities that the certificates of peers must come from to whom we connect, PEM; absent: those
    /// of `client_ca`.
    pub server_ca: Option<PathBuf>,
    /// Certificates of ours that are shown to who asks for one of their names.
    #[serde(default)]
    pub further: Vec<CertificateFiles>,
    /// What the authorities have revoked, PEM or DER.
    #[serde(default)]
    pub crls: Vec<PathBuf>,
    /// What becomes of certificates whose authority's list is past its next update.
    #[serde(default)]
    pub expired_crls: ExpiredLists,
}

/// `[unknown]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Unknown {
    /// What happens to strangers' clear-text SIP.
    pub action: UnknownPolicy,
    /// How much of it passes under `challenge`.
    pub budget: Rate,
}

impl Default for Unknown {
    fn default() -> Self {
        Self { action: UnknownPolicy::default(), budget: Rate::new(200, 400) }
    }
}

/// `[denied]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Denied {
    /// The addresses and networks.
    #[serde(default)]
    pub sources: Vec<Network>,
}

/// `[trust]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Trust {
    /// Whether what an IPv6 address proved opens the /64 around it.
    pub ipv6_subnet: bool,
    /// From how many addresses one peer's connections can have entries of their own at a time; a further
    /// one takes the place of the oldest, and of one that is still connected from last.
    pub sources_per_peer: NonZeroUsize,
    probation: Lifetime,
    /// What one address on probation may send before anybody there proves himself again.
    pub probation_budget: Rate,
    /// What becomes of sources that go on guessing passwords or talk nonsense over connections.
    pub ban: ScrutinyPolicy,
    ban_after: FailedProofs,
    ban_for: Lifetime,
    /// Where nobody is ever banned.
    pub never_ban: Vec<Network>,
}

impl Trust {
    /// How long an address where a user proved himself is heard before strangers are, beyond his proof.
    #[must_use]
    pub const fn probation(&self) -> Duration {
        self.probation.0
    }

    /// How often a source may do what nobody does in another's name, before it is banned.
    #[must_use]
    pub const fn ban_after(&self) -> Allowance {
        self.ban_after.0
    }

    /// How long the first ban of a source lasts.
    #[must_use]
    pub const fn ban_for(&self) -> Duration {
        self.ban_for.0
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            ipv6_subnet: true,
            sources_per_peer: NonZeroUsize::MIN.saturating_add(63),
            probation: Lifetime(Duration::from_hours(1)),
            probation_budget: Rate::new(1000, 2000),
            ban: ScrutinyPolicy::Observe,
            ban_after: FailedProofs(Allowance { failures: 100, within: Duration::from_mins(5) }),
            ban_for: Lifetime(Duration::from_mins(5)),
            never_ban: Vec::new(),
        }
    }
}

/// `[users]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Users {
    /// Where they are kept; a relative path starts at the configuration file's directory.
    pub store: UserSource,
    /// What it takes to get into a database of `PostgreSQL`.
    pub postgres: Option<PostgresAccess>,
    #[serde(default = "default_refresh")]
    refresh: Lifetime,
    /// The digest algorithms offered, first header first.
    #[serde(default)]
    pub algorithms: OfferedAlgorithms,
    #[serde(default = "default_user_lifetime")]
    lifetime: Lifetime,
    #[serde(default = "default_longest_registration")]
    longest_registration: Lifetime,
    #[serde(default = "default_nonce_lifetime")]
    nonce_lifetime: Lifetime,
    /// How many sources one user can be trusted from at a time; a further one takes the place of the
    /// one that expires first.
    #[serde(default = "default_sources_per_user")]
    pub sources_per_user: NonZeroUsize,
    /// How many packets one proven source may send in clear; absent: without limit.
    pub budget: Option<Rate>,
    /// How those are told whose passwords the upstream keeps.
    pub upstream: Option<UpstreamUsers>,
    /// How many nonces are remembered against replay; an older one has to be challenged anew.
    #[serde(default = "default_remembered_nonces")]
    pub remembered_nonces: NonZeroUsize,
}

impl Users {
    /// How often the store is asked whether anything has changed.
    #[must_use]
    pub const fn refresh(&self) -> Duration {
        self.refresh.0
    }

    /// How long the kernel lets a source pass after a correct response.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime.0
    }

    /// How long a phone may stay registered in clear without registering again: what the registrar
    /// grants beyond is cut to it.
    #[must_use]
    pub const fn longest_registration(&self) -> Duration {
        self.longest_registration.0
    }

    /// How long the kernel lets a source pass whose registration was accepted for `granted`: until the
    /// answer to a request of its last moment has come (RFC 3261 §17.1.1.2, timer B).
    #[must_use]
    pub const fn lifetime_of_registration(granted: Duration) -> Duration {
        granted.saturating_add(Duration::from_secs(32))
    }

    /// The longest that a source can be let pass without another proof.
    #[must_use]
    pub fn longest_grant(&self) -> Duration {
        self.lifetime().max(Self::lifetime_of_registration(self.longest_registration()))
    }

    /// How long a challenge can be answered.
    #[must_use]
    pub const fn nonce_lifetime(&self) -> Duration {
        self.nonce_lifetime.0
    }
}

const fn default_refresh() -> Lifetime {
    Lifetime(Duration::from_mins(1))
}

const fn default_user_lifetime() -> Lifetime {
    Lifetime(Duration::from_hours(1))
}

const fn default_longest_registration() -> Lifetime {
    Lifetime(Duration::from_hours(2))
}

const fn default_nonce_lifetime() -> Lifetime {
    Lifetime(Duration::from_mins(5))
}

const fn default_sources_per_user() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(31)
}

const fn default_remembered_nonces() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(65_535)
}

fn default_state_directory() -> PathBuf {
    PathBuf::from("/var/lib/sbc")
}
