use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::ifaddrs::getifaddrs;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;

use super::super::machine;
use super::super::run::{MOST_FILES, Prepared};
use super::{certificates, files, names, ports};
use crate::border::{KernelStatus, Status};
use crate::cli::certificates::Earlier;
use crate::config::{Config, TargetHost};
use crate::control;
use crate::doctor::{
    AddressFact, ClockFacts, ConfigurationFacts, DaemonFacts, Facts, FilterFacts, InterfaceFacts,
    KernelFacts, LimitFacts, NetworkFacts, Pinned, Presence,
};
use crate::kernel::{
    Hardware, Link, Pins, SocketFilter, WallClock, missing_capabilities, runs_xdp,
};

/// Gathers what can be seen.
pub(super) fn facts(path: &Path) -> Facts {
    let (config, configuration) = configuration(path);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut facts = Facts {
        is_root: geteuid().is_root(),
        cores: thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        kernel: kernel(),
        configuration,
        clock: ClockFacts { now, state: WallClock::ask().ok(), is_for_signatures: false },
        network: NetworkFacts {
            longest_queue: number("/proc/sys/net/core/rmem_max"),
            has_sip_helper: text("/proc/modules").is_some_and(|modules| {
                modules.lines().any(|it| it.starts_with("nf_conntrack_sip "))
            }),
            ..NetworkFacts::default()
        },
        ..Facts::default()
    };
    let Some(config) = config else {
        facts.limits = limits(None);
        return facts;
    };
    facts.clock.is_for_signatures = config.stir.is_some();
    network(&config, &mut facts.network);
    facts.interface = Some(interface(&config));
    let (daemon, process) = daemon(&config);
    facts.limits = limits(process);
    facts.filter = Some(filter(&config, facts.interface.as_ref()));
    facts.addresses = addresses(&config);
    facts.ports = ports::ports(&config, process);
    facts.names = names::names(&config);
    (facts.certificates, facts.lists, facts.rules) = certificates::certificates(&config);
    facts.files = files::files(path, &config);
    facts.daemon = Some(daemon);
    facts
}

fn configuration(path: &Path) -> (Option<Config>, ConfigurationFacts) {
    let mut facts = ConfigurationFacts { path: path.to_owned(), ..ConfigurationFacts::default() };
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            facts.problem = Some(whole(&error.into()));
            return (None, facts);
        }
    };
    match Prepared::read(&config, Earlier::default()) {
        Ok(prepared) => facts.warnings = prepared.warnings(&config),
        Err(error) => facts.problem = Some(whole(&error)),
    }
    (Some(config), facts)
}

fn whole(error: &anyhow::Error) -> String {
    super::super::whole_story(error)
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn number<T: FromStr>(path: impl AsRef<Path>) -> Option<T> {
    text(path)?.trim().parse().ok()
}

fn kernel() -> KernelFacts {
    KernelFacts {
        release: text("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        has_type_information: Path::new("/sys/kernel/btf/vmlinux").exists(),
        jit: number("/proc/sys/net/core/bpf_jit_enable"),
        missing_capabilities: missing_capabilities(),
    }
}

/// The limit of the daemon, if it runs: whoever asks may have another.
fn limits(process: Option<i32>) -> LimitFacts {
    let of_the_daemon = process.and_then(|process| text(format!("/proc/{process}/limits")));
    let hard = |limits: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let of_the_daemon = of_the_daemon.as_deref().and_then(hard);
    let ours = || getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(_, hard)| hard);
    LimitFacts {
        open_files: of_the_daemon.or_else(ours),
        wanted_files: MOST_FILES as u64,
        is_of_the_daemon: of_the_daemon.is_some(),
    }
}

fn network(config: &Config, facts: &mut NetworkFacts) {
    let outside = &config.interface.outside;
    let of = |family: &str, name: &str, setting: &str| -> Option<u32> {
        number(format!("/proc/sys/net/{family}/conf/{name}/{setting}"))
    };
    facts.warnings = machine::warnings(config);
    facts.forwards =
        ["ipv4", "ipv6"].map(|family| Some(of(family, &outside.name, "forwarding")? != 0));
    let of_all = of("ipv4", "all", "rp_filter");
    let own = of("ipv4", &outside.name, "rp_filter");
    facts.reverse_path_filter = own.zip(of_all).map(|(own, of_all)| own.max(of_all));
    facts.reverse_path = Some(outside.reverse_path);
    let foreign = ["ipv4", "ipv6"]
        .map(|family| number(format!("/proc/sys/net/{family}/ip_nonlocal_bind")) == Some(1));
    facts.may_bind_foreign = foreign.contains(&true);
    let targets = config.upstream.targets.iter().filter_map(|target| match target.uri.host {
        TargetHost::Address(address) => Some(address),
        TargetHost::Name(_) => None,
    });
    facts.targets = targets.collect();
}

fn interface(config: &Config) -> InterfaceFacts {
    let outside = &config.interface.outside;
    let link = Link::of(&outside.name);
    let runs_xdp = link.as_ref().ok().and_then(|link| runs_xdp(link.index));
    let inside = config.interface.inside.as_ref().map(|inside| {
        let is_there = nix::net::if_::if_nametoindex(inside.name.as_str()).is_ok();
        (inside.name.clone(), is_there)
    });
    InterfaceFacts {
        name: outside.name.clone(),
        mode: outside.xdp,
        link: link.map_err(|error| error.to_string()),
        hardware: Hardware::of(&outside.name),
        runs_xdp,
        inside,
    }
}

fn filter(config: &Config, interface: Option<&InterfaceFacts>) -> FilterFacts {
    let kernel = &config.kernel;
    let pins = Pins::below(&kernel.bpf_file_system);
    let pinned = match fs::read_dir(pins.directory()) {
        Ok(_) => Pinned::Here(pins.all_interfaces()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            match &pins.all_interfaces()[..] {
                [] => Pinned::Nothing,
                interfaces => Pinned::Here(interfaces.to_vec()),
            }
        }
        Err(_) => Pinned::Unseen,
    };
    let link =
        interface.and_then(|interface| Some((&interface.name, interface.link.as_ref().ok()?)));
    let mounts = text("/proc/self/mountinfo").unwrap_or_default();
    let place = fs::canonicalize(&kernel.bpf_file_system).unwrap_or(kernel.bpf_file_system.clone());
    let cgroups = mounted(&mounts, "cgroup2");
    let has_cgroup = match &kernel.cgroup {
        Some(cgroup) => cgroups.iter().any(|root| cgroup.starts_with(root)) && cgroup.is_dir(),
        None => !cgroups.is_empty(),
    };
    FilterFacts {
        bpf_file_system: kernel.bpf_file_system.clone(),
        is_mounted: mounted(&mounts, "bpf").iter().any(|mount| place.starts_with(mount)),
        holds_interface: link
            .filter(|(_, link)| link.xdp.is_some())
            .and_then(|(name, link)| pins.hold(name, link).ok())
            .filter(|_| pinned != Pinned::Unseen),
        pinned,
        guards_sockets: kernel.socket_filter != SocketFilter::Off,
        cgroup: kernel.cgroup.clone(),
        has_cgroup,
    }
}

/// Where file systems of a type are mounted, as `/proc/self/mountinfo` tells it (`proc(5)`).
fn mounted(mounts: &str, wanted: &str) -> Vec<String> {
    let of = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let kind = after.split(' ').next()?;
        (kind == wanted).then(|| before.split(' ').nth(4).map(str::to_owned))?
    };
    mounts.lines().filter_map(of).collect()
}

fn addresses(config: &Config) -> Vec<AddressFact> {
    let mut found: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else { continue };
        let address = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (None, Some(v6)) => IpAddr::V6(v6.ip()),
            (None, None) => continue,
        };
        found.entry(address).or_default().push(interface.interface_name);
    }
    let outside = &config.interface.outside.name;
    let outer = config.listen.iter().map(|listen| (listen.address.ip(), Some(outside)));
    let inside = config.interface.inside.as_ref().map(|inside| &inside.name);
    let inner = config.upstream.address.iter().map(|address| (address.ip(), inside));
    let mut facts: Vec<AddressFact> = Vec::new();
    for (address, expected_on) in outer.chain(inner) {
        if !facts.iter().any(|fact| fact.address == address) {
            let found_on = found.get(&address).cloned().unwrap_or_default();
            facts.push(AddressFact { address, expected_on: expected_on.cloned(), found_on });
        }
    }
    facts
}

/// The daemon, and its process if that is known.
fn daemon(config: &Config) -> (DaemonFacts, Option<i32>) {
    let socket = &config.control.socket;
    let process = ports::process_behind(socket);
    let (presence, status) = match control::ask(socket) {
        Ok(status) => (Presence::Here, Some(status)),
        Err(error) if error.is_absence() => (Presence::Absent, filter_alone(config)),
        Err(error) if error.is_silence() => (Presence::Silent, filter_alone(config)),
        Err(error) => (Presence::Unknown(error.to_string()), filter_alone(config)),
    };
    let facts = DaemonFacts {
        socket: socket.clone(),
        presence,
        status: status.map(Box::new),
        trust_entries: config.kernel.trust_entries,
        users_refresh: config.users.as_ref().map(crate::config::Users::refresh),
    };
    (facts, process)
}

fn filter_alone(config: &Config) -> Option<Status> {
    let pins = Pins::below(&config.kernel.bpf_file_system);
    if pins.interfaces().is_empty() {
        return None;
    }
    let tables = pins.open_tables(config.kernel.trust_entries).ok()?;
    let kernel = KernelStatus::read(tables.readings(), &pins).ok()?;
    Some(Status { kernel, daemon: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_found_by_their_type() {
        let mounts = "25 1 0:22 / /sys rw shared:7 - sysfs sysfs rw\n\
                      32 25 0:27 / /sys/fs/bpf rw shared:9 master:2 - bpf bpf rw,mode=700\n\
                      nonsense\n";
        assert_eq!(mounted(mounts, "bpf"), ["/sys/fs/bpf"]);
        assert_eq!(mounted(mounts, "cgroup2"), Vec::<String>::new());
    }
}
