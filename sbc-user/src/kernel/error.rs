use std::io;
use std::path::PathBuf;

use aya::maps::MapError;
use aya::programs::ProgramError;
use thiserror::Error;

use super::XdpHolder;

/// Why the filter cannot be loaded, attached or changed.
#[derive(Debug, Error)]
pub enum KernelError {
    /// The kernel is older than the filter needs.
    #[error("Linux {found} is too old: the filter needs {needed} or later")]
    KernelTooOld {
        /// The release that runs.
        found: String,
        /// The oldest supported release.
        needed: &'static str,
    },
    /// The process lacks privileges.
    #[error(
        "missing {}: run as root, or let `sbc load` load the filter as root before (and name this user \
         in [kernel] user), or grant them in the service unit",
        .0.join(", ")
    )]
    MissingCapabilities(Vec<&'static str>),
    /// The user that the tables are to be handed to does not exist.
    #[error("[kernel] user: there is no user {0:?}; make it: `useradd --system {0}`")]
    NoSuchUser(String),
    /// The user that the tables are handed to could remove the pins.
    #[error(
        "user {user:?} may remove what is in {}, and with the pins below it the filter: it has to be \
         root's, and writable for nobody else",
        path.display()
    )]
    NotRoots {
        /// The directory.
        path: PathBuf,
        /// The user.
        user: String,
    },
    /// The user that the tables are handed to cannot reach them.
    #[error("user {user:?} cannot get to the pins: `chmod o+x {}`", path.display())]
    NoWayFor {
        /// The directory that is closed to the user.
        path: PathBuf,
        /// The user.
        user: String,
    },
    /// The tables of a loaded filter belong to somebody else.
    #[error(
        "the filter in {} is not this user's: name the user in [kernel] user, and run `sbc load` as \
         root",
        .0.display()
    )]
    NotHandedOver(PathBuf),
    /// A filter is loaded, but not on the interface of the configuration.
    #[error("the loaded filter is not attached to {0:?}: run `sbc load` as root")]
    NotAttached(String),
    /// No such network interface.
    #[error("there is no network interface {0:?}; `ip link` lists those that exist")]
    NoSuchInterface(String),
    /// The interface carries packets without an Ethernet header, which the filter would misread.
    #[error(
        "interface {name:?} has no Ethernet header (type {hardware_type}): attach to the Ethernet \
         device below it"
    )]
    NotEthernet {
        /// The interface.
        name: String,
        /// Its ARP hardware type (`ARPHRD_*`).
        hardware_type: u16,
    },
    /// Another XDP program holds the interface.
    #[error(
        "another XDP program holds interface {interface:?}: {holder}; {}",
        way_out(interface, holder)
    )]
    InterfaceTaken {
        /// The interface.
        interface: String,
        /// The program.
        holder: XdpHolder,
    },
    /// The driver cannot run the program natively and the configuration asks for it.
    #[error(
        "the driver of {name:?} refuses native XDP ({cause}); xdp = \"auto\" falls back to generic"
    )]
    NoNativeMode {
        /// The interface.
        name: String,
        /// What the kernel said.
        cause: ProgramError,
    },
    /// The program is attached in a way that ends with this process.
    #[error("the kernel gave no BPF link for {0:?}, so the filter could not outlive the daemon")]
    NotPinnable(String),
    /// The object does not hold what this version of the daemon expects.
    #[error("the embedded object has no {0}")]
    IncompleteObject(&'static str),
    /// Parsing the object or creating its maps failed.
    #[error("cannot load the eBPF object: {0}")]
    Load(#[from] aya::EbpfError),
    /// The kernel refused the program or its attachment.
    #[error("the kernel refused the program: {0}")]
    Program(#[from] ProgramError),
    /// A table could not be read or written.
    #[error("table {table}: {cause}")]
    Table {
        /// The map's name.
        table: &'static str,
        /// What the kernel said.
        cause: MapError,
    },
    /// A table is full; what it held is untouched.
    #[error("table {0} is full")]
    TableFull(&'static str),
    /// Nobody can be told when there are samples.
    #[error("cannot wait for samples: {0}")]
    SampleRing(io::Error),
    /// The system has no random numbers to give.
    #[error("no randomness for the tables' secret: {0}")]
    Randomness(io::Error),
    /// A pinned map was made by a different version.
    #[error(
        "pinned map {0} has another shape than this version's: `sbc load` replaces it, and `sbc unload` \
         removes it"
    )]
    IncompatiblePin(PathBuf),
    /// Another daemon writes the pinned tables.
    #[error("another daemon holds the filter in {}: stop it first", .0.display())]
    Taken(PathBuf),
    /// Nothing is pinned there.
    #[error(
        "no filter is loaded (nothing pinned in {0}): `sbc run`, or `sbc load` as root, loads one"
    )]
    NotLoaded(PathBuf),
    /// What is pinned there was loaded by another version.
    #[error(
        "the filter in {} is another version's: `sbc load` or `sbc run`, as root, takes it over",
        .0.display()
    )]
    OtherVersion(PathBuf),
    /// The control group whose sockets are to be guarded cannot be opened.
    #[error("[kernel] cgroup: {}: {cause}", path.display())]
    Cgroup {
        /// Where.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The daemon is not among those whose sockets are to be guarded.
    #[error("[kernel] cgroup: this process is not in {}", .0.display())]
    NotInCgroup(PathBuf),
    /// Somebody else's program tolerates no other beside it.
    #[error(
        "control group {}: another program holds it, or one above it, and leaves no room for a second; \
         it would have to be attached with BPF_F_ALLOW_MULTI",
        .0.display()
    )]
    CgroupTaken(PathBuf),
    /// There is nothing that the program for sockets could be attached to.
    #[error(
        "this process is in no control group of version 2 that is mounted within its reach: mount it \
         (`mount -t cgroup2 none /sys/fs/cgroup/unified`)"
    )]
    NoCgroup,
    /// The daemon is in the root control group, which nobody has named.
    #[error(
        "the daemon is in the root control group, with every other process: start it in one of its own, \
         or name the root as [kernel] cgroup to have the sockets of all judged"
    )]
    RootCgroup,
    /// Whoever loads the filter for somebody else has to say for whom.
    #[error("[kernel] cgroup has to name the control group that the daemon will run in")]
    CgroupNotNamed,
    /// The filter that somebody else has loaded guards no socket of ours.
    #[error(
        "the loaded filter does not guard this process's sockets: name a control group that it is in as \
         [kernel] cgroup, and run `sbc load` as root"
    )]
    NotGuarded,
    /// Preparing, opening or removing pins failed.
    #[error("{action} {}: {cause}", path.display())]
    Pin {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

fn way_out(interface: &str, holder: &XdpHolder) -> String {
    if holder.name.as_deref() == Some("sbc") {
        return "an sbc has loaded it with another bpf-file-system, and its `sbc unload` removes it"
            .to_owned();
    }
    match holder.link {
        Some(link) => format!("`bpftool link detach id {link}` removes it"),
        None => format!("`ip link set dev {interface} xdp off` removes it"),
    }
}
