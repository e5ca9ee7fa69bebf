use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::border::Status;
use crate::config::ScrutinyPolicy;
use crate::kernel::{AttachMode, Hardware, Link, WallClock};
use crate::proof::tls::{CertificateUsage, ExpiredLists};
use crate::transport::Transport;

/// Everything that is known. What could not be seen is absent; so is what there is no need for.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether root asks, who sees everything.
    pub is_root: bool,
    /// How many cores the daemon may use.
    pub cores: u32,
    /// The kernel.
    pub kernel: KernelFacts,
    /// The configuration.
    pub configuration: ConfigurationFacts,
    /// The clock.
    pub clock: ClockFacts,
    /// What is bounded.
    pub limits: LimitFacts,
    /// The network stack.
    pub network: NetworkFacts,
    /// The filter; absent without a configuration.
    pub filter: Option<FilterFacts>,
    /// The outside interface; absent without a configuration.
    pub interface: Option<InterfaceFacts>,
    /// Addresses that the configuration takes for ours.
    pub addresses: Vec<AddressFact>,
    /// Listeners.
    pub ports: Vec<PortFact>,
    /// Names of targets and peers.
    pub names: Vec<NameFact>,
    /// Certificates, ours and of authorities.
    pub certificates: Vec<CertificateFact>,
    /// Revocation lists.
    pub lists: Vec<ListFact>,
    /// What certificates of peers have to be for.
    pub rules: Vec<RuleFact>,
    /// What the configuration names, and the state directory.
    pub files: Vec<FileFact>,
    /// The daemon; absent without a configuration.
    pub daemon: Option<DaemonFacts>,
}

/// The kernel.
#[derive(Clone, Debug, Default)]
pub struct KernelFacts {
    /// `6.1.0-18-amd64`; empty if it is not told.
    pub release: String,
    /// Whether it describes its types.
    pub has_type_information: bool,
    /// `net.core.bpf_jit_enable`.
    pub jit: Option<u32>,
    /// The capabilities that the asker lacks to load the filter.
    pub missing_capabilities: Option<Vec<&'static str>>,
}

/// The configuration.
#[derive(Clone, Debug, Default)]
pub struct ConfigurationFacts {
    /// The file.
    pub path: PathBuf,
    /// Why it, or a file that it names, cannot be used.
    pub problem: Option<String>,
    /// What is hardly meant.
    pub warnings: Vec<String>,
}

/// The clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockFacts {
    /// Seconds since 1970.
    pub now: u64,
    /// What the kernel says of it.
    pub state: Option<WallClock>,
    /// Whether calling numbers are signed or verified.
    pub is_for_signatures: bool,
}

/// What is bounded.
#[derive(Clone, Debug, Default)]
pub struct LimitFacts {
    /// How many files the daemon may open: its own hard limit, or that of the asker while it does not run.
    pub open_files: Option<u64>,
    /// How many it wants.
    pub wanted_files: u64,
    /// Whether that is the limit of the running daemon.
    pub is_of_the_daemon: bool,
}

/// The network stack.
#[derive(Clone, Debug, Default)]
pub struct NetworkFacts {
    /// `net.core.rmem_max`, in bytes.
    pub longest_queue: Option<u64>,
    /// Whether a module is loaded that rewrites SIP.
    pub has_sip_helper: bool,
    /// What else is hardly meant.
    pub warnings: Vec<String>,
    /// Whether IPv4 and IPv6 are forwarded from the outside interface.
    pub forwards: [Option<bool>; 2],
    /// The stricter of `rp_filter` of the outside interface and of all.
    pub reverse_path_filter: Option<u32>,
    /// What the filter does about the reverse path.
    pub reverse_path: Option<ScrutinyPolicy>,
    /// Whether addresses may be bound that this machine does not have.
    pub may_bind_foreign: bool,
    /// The addresses of the upstream's targets, where they are written as such.
    pub targets: Vec<IpAddr>,
}

/// What is pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pinned {
    /// Nobody may look.
    #[default]
    Unseen,
    /// No filter is loaded.
    Nothing,
    /// A filter is loaded, with links to these interfaces.
    Here(Vec<String>),
}

/// The filter.
#[derive(Clone, Debug, Default)]
pub struct FilterFacts {
    /// The file system that it is pinned in.
    pub bpf_file_system: PathBuf,
    /// Whether one is mounted there.
    pub is_mounted: bool,
    /// What is there.
    pub pinned: Pinned,
    /// Whether our link holds the interface; absent if nobody may look.
    pub holds_interface: Option<bool>,
    /// Whether the second program is wanted.
    pub guards_sockets: bool,
    /// The control group that is written in the configuration.
    pub cgroup: Option<PathBuf>,
    /// Whether it is one, or if none is written, whether there are any.
    pub has_cgroup: bool,
}

/// The outside interface.
#[derive(Clone, Debug)]
pub struct InterfaceFacts {
    /// Its name.
    pub name: String,
    /// How the filter is to be attached.
    pub mode: AttachMode,
    /// What it is; or why that is not known.
    pub link: Result<Link, String>,
    /// What its driver says.
    pub hardware: Hardware,
    /// Whether its driver runs XDP programs by itself.
    pub runs_xdp: Option<bool>,
    /// The interface towards the upstream, if it is named, and whether it is there.
    pub inside: Option<(String, bool)>,
}

/// An address that the configuration takes for ours.
#[derive(Clone, Debug)]
pub struct AddressFact {
    /// The address.
    pub address: IpAddr,
    /// The interface that it is expected on.
    pub expected_on: Option<String>,
    /// The interfaces that it is on.
    pub found_on: Vec<String>,
}

/// A listener.
#[derive(Clone, Debug)]
pub struct PortFact {
    /// What it speaks.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// Who is there.
    pub holder: PortHolder,
}

/// Who holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortHolder {
    /// Nobody.
    Nobody,
    /// The daemon that answers on the control socket.
    Daemon,
    /// Another process: its number and name.
    Other(u32, String),
    /// Somebody who cannot be seen.
    Somebody,
}

/// A name that has to lead somewhere.
#[derive(Clone, Debug)]
pub struct NameFact {
    /// The name.
    pub name: String,
    /// Who is known by it.
    pub whose: String,
    /// How many addresses it leads to; or that the DNS does not answer.
    pub addresses: Result<usize, String>,
}

/// Whose certificate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRole {
    /// Ours, on connections that are made to us.
    Server,
    /// Ours, on those and on connections that we make.
    ServerAndClient,
    /// An authority's.
    Authority,
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct CertificateFact {
    /// The file.
    pub path: PathBuf,
    /// Whom it names.
    pub subject: String,
    /// Whose it is.
    pub role: CertificateRole,
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
    /// Whether it may be a server's, and a client's.
    pub usage: [bool; 2],
}

/// A revocation list.
#[derive(Clone, Debug)]
pub struct ListFact {
    /// The file.
    pub path: PathBuf,
    /// Seconds since 1970.
    pub next_update: u64,
    /// What becomes of certificates when it is past that.
    pub expired: ExpiredLists,
}

/// What a peer's certificate has to be for.
#[derive(Clone, Debug)]
pub struct RuleFact {
    /// The peer.
    pub peer: String,
    /// What it has to be for.
    pub usage: CertificateUsage,
    /// Whether its authority is its own, or its key is pinned.
    pub is_its_own: bool,
}

/// What is needed of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileNeed {
    /// The daemon reads it.
    Read,
    /// The daemon reads it, and nobody else may.
    Secret,
    /// The daemon makes files in this directory, or makes it.
    State,
    /// The daemon makes its control socket in this directory, or makes it.
    Socket,
}

/// A file or directory.
#[derive(Clone, Debug)]
pub struct FileFact {
    /// Where it is.
    pub path: PathBuf,
    /// What it is needed for.
    pub need: FileNeed,
    /// Whether it is there; absent if nobody may look.
    pub is_there: Option<bool>,
    /// Its permission bits.
    pub mode: u32,
    /// Whether its owner is root or the daemon's user.
    pub is_ours: bool,
    /// Whether the daemon's user may do with it what is needed.
    pub is_usable: bool,
    /// The user that it has to be usable for.
    pub user: String,
}

/// Who is asked over the control socket.
#[derive(Clone, Debug, Default)]
pub struct DaemonFacts {
    /// Where.
    pub socket: PathBuf,
    /// Whether anybody answers.
    pub presence: Presence,
    /// What it says, or the filter alone.
    pub status: Option<Box<Status>>,
    /// How many sources can be trusted at a time.
    pub trust_entries: u32,
    /// After how long users are no longer fresh.
    pub users_refresh: Option<Duration>,
}

/// Whether a daemon answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// None runs.
    #[default]
    Absent,
    /// One answers.
    Here,
    /// One is there and does not answer in time.
    Silent,
    /// Nobody may ask it, or its answer cannot be read.
    Unknown(String),
}
