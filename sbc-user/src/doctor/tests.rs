mod sound;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use sound::{DAY, NOW, sound};

use super::*;
use crate::config::ScrutinyPolicy;
use crate::kernel::{AttachMode, Link, WallClock, XdpHolder, XdpPlace};
use crate::proof::tls::{CertificateUsage, ExpiredLists};

#[test]
fn every_check_is_told_where_nothing_is_wrong_and_in_its_order() {
    let findings = examine(&sound());
    let bad: Vec<_> = findings.iter().filter(|finding| finding.level != Level::Ok).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let told: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(told, Check::ALL);
}

#[test]
fn without_a_configuration_the_machine_alone_is_told() {
    let findings = examine(&Facts {
        configuration: ConfigurationFacts {
            path: "sbc.toml".into(),
            problem: Some("cannot read sbc.toml: No such file".to_owned()),
            warnings: Vec::new(),
        },
        ..Facts::default()
    });
    assert_eq!((findings[0].check, findings[0].level), (Check::Configuration, Level::Failure));
    assert!(findings.iter().all(|finding| finding.check < Check::BpfFileSystem), "{findings:#?}");
    assert!(findings.iter().filter(|finding| finding.level == Level::Unseen).count() > 4);
}

type Row = (Check, Level, &'static str, &'static str, fn(&mut Facts));

fn link(facts: &mut Facts) -> &mut Link {
    facts.interface.as_mut().unwrap().link.as_mut().unwrap()
}

fn interface(facts: &mut Facts) -> &mut InterfaceFacts {
    facts.interface.as_mut().unwrap()
}

fn filter(facts: &mut Facts) -> &mut FilterFacts {
    facts.filter.as_mut().unwrap()
}

fn daemon(facts: &mut Facts) -> &mut DaemonFacts {
    facts.daemon.as_mut().unwrap()
}

fn kernel_status(facts: &mut Facts) -> &mut crate::border::KernelStatus {
    &mut daemon(facts).status.as_mut().unwrap().kernel
}

fn daemon_status(facts: &mut Facts) -> &mut crate::border::DaemonStatus {
    daemon(facts).status.as_mut().unwrap().daemon.as_mut().unwrap()
}

#[rustfmt::skip]
const OF_THE_MACHINE: &[Row] = &[
    (Check::Configuration, Level::Failure, "line 3", "sbc check --config /etc/sbc/sbc.toml",
        |it| it.configuration.problem = Some("line 3, column 1".to_owned())),
    (Check::Configuration, Level::Warning, "no may-assert", "/etc/sbc/sbc.toml",
        |it| it.configuration.warnings = vec!["peer has no may-assert".to_owned()]),
    (Check::Kernel, Level::Failure, "5.15.0 is too old", "6.1",
        |it| it.kernel.release = "5.15.0".to_owned()),
    (Check::Kernel, Level::Ok, "does not tell which drivers", "",
        |it| it.kernel.release = "6.1.0-18-amd64".to_owned()),
    (Check::Kernel, Level::Unseen, "not known", "/proc", |it| it.kernel.release = String::new()),
    (Check::TypeInformation, Level::Warning, "BTF", "CONFIG_DEBUG_INFO_BTF",
        |it| it.kernel.has_type_information = false),
    (Check::Compiler, Level::Warning, "interpreted", "bpf_jit_enable=1", |it| it.kernel.jit = Some(0)),
    (Check::Compiler, Level::Unseen, "cannot be read", "root", |it| it.kernel.jit = None),
    (Check::Privileges, Level::Unseen, "without CAP_BPF", "sudo sbc doctor", |it| {
        it.kernel.missing_capabilities = Some(vec!["CAP_BPF"]);
        filter(it).pinned = Pinned::Unseen;
    }),
    (Check::Privileges, Level::Ok, "takes none", "",
        |it| it.kernel.missing_capabilities = Some(vec!["CAP_BPF"])),
    (Check::LockedMemory, Level::Warning, "locked memory", "LimitMEMLOCK",
        |it| it.kernel.release = "5.10.0".to_owned()),
    (Check::OpenFiles, Level::Warning, "1024 files", "LimitNOFILE=",
        |it| it.limits.open_files = Some(1024)),
    (Check::OpenFiles, Level::Unseen, "not known", "/proc", |it| it.limits.open_files = None),
    (Check::NetworkStack, Level::Warning, "rewrite SIP", "modprobe -r",
        |it| it.network.has_sip_helper = true),
    (Check::NetworkStack, Level::Warning, "rmem_max is 212992", "sysctl -w net.core.rmem_max=4194304",
        |it| it.network.longest_queue = Some(212_992)),
    (Check::NetworkStack, Level::Warning, "SYN cookies", "set it back",
        |it| it.network.warnings = vec!["no SYN cookies".to_owned()]),
    (Check::Clock, Level::Warning, "nobody keeps the clock right", "chrony", |it| {
        it.clock.state = Some(WallClock { is_synchronised: false, error: Duration::ZERO });
    }),
    (Check::Clock, Level::Warning, "and signed calling numbers", "timesyncd", |it| {
        it.clock.is_for_signatures = true;
        it.clock.state = Some(WallClock { is_synchronised: false, error: Duration::ZERO });
    }),
    (Check::Clock, Level::Warning, "wrong by 16 s", "chronyc sources", |it| {
        it.clock.state = Some(WallClock { is_synchronised: true, error: Duration::from_secs(16) });
    }),
    (Check::Clock, Level::Unseen, "does not say", "timedatectl", |it| it.clock.state = None),
    (Check::Files, Level::Failure, "/etc/sbc/key.pem is open to others than its owner (mode 0640)",
        "chmod 600 /etc/sbc/key.pem", |it| it.files[1].mode = 0o640),
    (Check::Files, Level::Warning, "can be written by others", "chmod go-w /etc/sbc/sbc.toml",
        |it| it.files[0].mode = 0o666),
    (Check::Files, Level::Failure, "\"sbc\", who runs the daemon, cannot read /etc/sbc/key.pem", "chown sbc",
        |it| it.files[1].is_usable = false),
    (Check::Files, Level::Failure, "key.pem is not there", "mend its name",
        |it| it.files[1].is_there = Some(false)),
    (Check::Files, Level::Unseen, "cannot be looked at", "sudo", |it| it.files[1].is_there = None),
    (Check::Files, Level::Warning, "belongs neither to root", "chown sbc",
        |it| it.files[1].is_ours = false),
    (Check::Files, Level::Failure, "cannot make the control socket in /run/sbc", "-g sbc /run/sbc",
        |it| it.files[3].is_usable = false),
    (Check::StateDirectory, Level::Failure, "cannot write /var/lib/sbc", "install -d -m 700 -o sbc /var/lib/sbc",
        |it| it.files[2].is_usable = false),
    (Check::StateDirectory, Level::Unseen, "cannot be looked at", "sudo",
        |it| it.files[2].is_there = None),
];

#[rustfmt::skip]
const OF_THE_INTERFACE: &[Row] = &[
    (Check::Filter, Level::Warning, "no filter is loaded: nothing is dropped", "sbc run", |it| {
        filter(it).pinned = Pinned::Nothing;
        daemon(it).status = None;
    }),
    (Check::Filter, Level::Unseen, "not seen", "root", |it| {
        filter(it).pinned = Pinned::Unseen;
        daemon(it).status = None;
    }),
    (Check::Filter, Level::Failure, "nothing is dropped there", "restart", |it| {
        filter(it).pinned = Pinned::Here(vec!["eth7".to_owned()]);
    }),
    (Check::Filter, Level::Failure, "the daemon runs and no filter of ours", "sbc load",
        |it| filter(it).holds_interface = Some(false)),
    (Check::Filter, Level::Warning, "in the network stack", "sbc unload",
        |it| link(it).xdp = Some(XdpPlace::Generic)),
    (Check::Filter, Level::Ok, "observes: everything passes", "",
        |it| kernel_status(it).mode = "observe".to_owned()),
    (Check::BpfFileSystem, Level::Unseen, "none is seen at /run/sbc/bpf", "sbc load", |it| {
        filter(it).is_mounted = false;
        it.is_root = false;
    }),
    (Check::ControlGroup, Level::Warning, "no control groups", "mount -t cgroup2",
        |it| filter(it).has_cgroup = false),
    (Check::ControlGroup, Level::Warning, "/x is no control group", "[kernel] cgroup", |it| {
        filter(it).has_cgroup = false;
        filter(it).cgroup = Some("/x".into());
    }),
    (Check::ControlGroup, Level::Warning, "nothing is in front", "require",
        |it| kernel_status(it).guards_sockets = false),
    (Check::OtherPrograms, Level::Failure, "another XDP program holds eth0: number 7, \"theirs\"",
        "ip link set dev eth0 xdp off", |it| {
            filter(it).holds_interface = Some(false);
            link(it).holder = XdpHolder { program: Some(7), name: Some("theirs".to_owned()), link: None };
        }),
    (Check::OtherPrograms, Level::Failure, "attached by link 9", "bpftool link detach id 9", |it| {
        filter(it).holds_interface = Some(false);
        link(it).holder = XdpHolder { program: Some(7), name: None, link: Some(9) };
    }),
    (Check::OtherPrograms, Level::Unseen, "only root can tell", "sudo", |it| {
        filter(it).holds_interface = None;
        filter(it).pinned = Pinned::Unseen;
        daemon(it).status = None;
    }),
    (Check::OtherPrograms, Level::Failure, "another XDP program holds eth0", "xdp off", |it| {
        filter(it).holds_interface = Some(false);
        filter(it).pinned = Pinned::Nothing;
        daemon(it).status = None;
    }),
    // Its pins are in a mount namespace that we do not see.
    (Check::OtherPrograms, Level::Ok, "ours alone", "", |it| {
        filter(it).holds_interface = Some(false);
        filter(it).pinned = Pinned::Nothing;
    }),
    (Check::Filter, Level::Ok, "attached to eth0, enforce", "", |it| {
        filter(it).holds_interface = Some(false);
        filter(it).pinned = Pinned::Nothing;
    }),
    (Check::Interface, Level::Failure, "eth0 is down", "ip link set eth0 up", |it| link(it).is_up = false),
    (Check::Interface, Level::Failure, "no carrier", "cable", |it| link(it).has_carrier = false),
    (Check::Interface, Level::Failure, "no network interface", "[interface.outside]",
        |it| interface(it).link = Err("there is no network interface \"eth0\"".to_owned())),
    (Check::Interface, Level::Failure, "\"eth1\"", "ip link",
        |it| interface(it).inside = Some(("eth1".to_owned(), false))),
    (Check::Driver, Level::Failure, "asks for it", "xdp = \"auto\"", |it| {
        link(it).xdp = None;
        interface(it).runs_xdp = Some(false);
        interface(it).mode = AttachMode::Native;
    }),
    (Check::Driver, Level::Warning, "runs no XDP program by itself", "network card", |it| {
        link(it).xdp = None;
        interface(it).runs_xdp = Some(false);
    }),
    (Check::Driver, Level::Unseen, "not known", "6.3", |it| {
        link(it).xdp = None;
        interface(it).runs_xdp = None;
    }),
    (Check::Driver, Level::Warning, "eth0 is a bond", "VLAN",
        |it| link(it).kind = Some("bond".to_owned())),
    (Check::Mtu, Level::Warning, "9000 bytes", "mtu 1500", |it| {
        link(it).mtu = 9000;
        link(it).xdp = None;
    }),
    (Check::Mtu, Level::Failure, "9000 bytes", "mtu 1500", |it| {
        link(it).mtu = 9000;
        link(it).xdp = None;
        interface(it).mode = AttachMode::Native;
    }),
    (Check::Mtu, Level::Warning, "1280 bytes", "TCP or TLS", |it| link(it).mtu = 1280),
    (Check::Offloads, Level::Warning, "GRO in hardware", "ethtool -K eth0 rx-gro-hw off", |it| {
        interface(it).hardware.groups_segments = true;
        link(it).xdp = None;
    }),
    (Check::Offloads, Level::Failure, "LRO", "ethtool -K eth0 lro off", |it| {
        interface(it).hardware.joins_segments = true;
        interface(it).mode = AttachMode::Native;
        link(it).xdp = None;
    }),
    (Check::Offloads, Level::Ok, "does not disturb", "",
        |it| interface(it).hardware.groups_segments = true),
    (Check::Queues, Level::Warning, "1 of 8 queues, for 4 cores", "ethtool -L eth0 combined 4",
        |it| interface(it).hardware.queues = Some([1, 8])),
    (Check::Queues, Level::Ok, "1 for 4 cores", "", |it| {
        interface(it).hardware.queues = None;
        link(it).receive_queues = 1;
    }),
    (Check::ReversePath, Level::Warning, "rp_filter is 0", "sysctl -w net.ipv4.conf.eth0.rp_filter=1",
        |it| it.network.reverse_path_filter = Some(0)),
    (Check::ReversePath, Level::Warning, "does not forward", "reverse-path = \"off\"",
        |it| it.network.reverse_path = Some(ScrutinyPolicy::Enforce)),
    (Check::ReversePath, Level::Unseen, "cannot be read", "sysctl",
        |it| it.network.reverse_path_filter = None),
    (Check::Forwarding, Level::Warning, "192.0.2.5 has a public address", "ip daddr 192.0.2.5 drop", |it| {
        it.network.forwards = [Some(true), Some(false)];
        it.network.targets = vec!["192.0.2.5".parse().unwrap()];
    }),
    (Check::Forwarding, Level::Warning, "past the SBC", "ip6 daddr 2001:db8::5 drop", |it| {
        it.network.forwards = [Some(false), Some(true)];
        it.network.targets = vec!["192.0.2.5".parse().unwrap(), "2001:db8::5".parse().unwrap()];
    }),
    (Check::Forwarding, Level::Ok, "see that the firewall", "",
        |it| it.network.forwards = [Some(true); 2]),
    (Check::Forwarding, Level::Unseen, "cannot be read", "sysctl", |it| it.network.forwards[0] = None),
    (Check::Addresses, Level::Failure, "203.0.113.10 is not an address of this machine",
        "ip address add 203.0.113.10/PREFIX dev eth0", |it| it.addresses[0].found_on.clear()),
    (Check::Addresses, Level::Ok, "ip_nonlocal_bind", "", |it| {
        it.addresses[0].found_on.clear();
        it.network.may_bind_foreign = true;
    }),
    (Check::Addresses, Level::Warning, "on eth9, not on eth0", "[interface.outside]",
        |it| it.addresses[0].found_on = vec!["eth9".to_owned()]),
    (Check::Ports, Level::Failure, "UDP 203.0.113.10:5060 is held by asterisk (process 42)", "systemctl status 42",
        |it| it.ports[0].holder = PortHolder::Other(42, "asterisk".to_owned())),
    (Check::Ports, Level::Warning, "not at TCP 203.0.113.10:5060", "restart",
        |it| it.ports[1].holder = PortHolder::Nobody),
    (Check::Ports, Level::Unseen, "only root can see", "ss -lnup",
        |it| it.ports[0].holder = PortHolder::Somebody),
];

#[rustfmt::skip]
const OF_OTHERS: &[Row] = &[
    (Check::Names, Level::Failure, "leads to no address", "dig SRV _sip._udp.sip.carrier.example",
        |it| it.names[0].addresses = Ok(0)),
    (Check::Names, Level::Failure, "does not answer", "/etc/resolv.conf",
        |it| it.names[0].addresses = Err("the DNS does not answer".to_owned())),
    (Check::Certificates, Level::Warning, "expires in 29 days", "sbc reload",
        |it| it.certificates[0].not_after = NOW + 29 * DAY),
    (Check::Certificates, Level::Failure, "has expired", "renew",
        |it| it.certificates[0].not_after = NOW - 1),
    (Check::Certificates, Level::Failure, "not good yet", "timedatectl",
        |it| it.certificates[0].not_before = NOW + 1),
    (Check::Authorities, Level::Warning, "expires in 100 days", "list both",
        |it| it.certificates[1].not_after = NOW + 100 * DAY),
    (Check::Authorities, Level::Failure, "has expired", "list both",
        |it| it.certificates[1].not_after = NOW - DAY),
    (Check::CertificateUsage, Level::Failure, "not for servers", "serverAuth",
        |it| it.certificates[0].usage[0] = false),
    (Check::CertificateUsage, Level::Warning, "not for clients", "ask the peer",
        |it| it.certificates[0].usage[1] = false),
    (Check::CertificateUsage, Level::Ok, "used for", "", |it| {
        it.certificates[0].usage[1] = false;
        it.certificates[0].role = CertificateRole::Server;
    }),
    (Check::CertificateUsage, Level::Warning, "peer \"a\" has usage = \"client-auth\"", "server-auth-too",
        |it| it.rules[0].usage = CertificateUsage::ClientAuth),
    (Check::CertificateUsage, Level::Ok, "used for", "", |it| {
        it.rules[0].usage = CertificateUsage::ClientAuth;
        it.rules[0].is_its_own = true;
    }),
    (Check::RevocationLists, Level::Failure, "every peer of its authority is refused",
        "sbc pki crl --dir /etc/sbc/pki", |it| it.lists[0].next_update = NOW - 1),
    (Check::RevocationLists, Level::Warning, "revoked since then is let in", "sbc reload", |it| {
        it.lists[0].next_update = NOW - 1;
        it.lists[0].expired = ExpiredLists::Warn;
    }),
    (Check::RevocationLists, Level::Warning, "within 4 days", "sbc pki crl",
        |it| it.lists[0].next_update = NOW + 3 * DAY + 1),
    (Check::Daemon, Level::Warning, "no daemon runs", "systemctl start sbc", |it| {
        daemon(it).presence = Presence::Absent;
        daemon(it).status = None;
    }),
    (Check::Daemon, Level::Failure, "nobody relays", "log says why",
        |it| daemon(it).presence = Presence::Absent),
    (Check::Daemon, Level::Failure, "does not answer", "CPU time",
        |it| daemon(it).presence = Presence::Silent),
    (Check::Daemon, Level::Unseen, "Permission denied", "as root",
        |it| daemon(it).presence = Presence::Unknown("Permission denied".to_owned())),
    (Check::Daemon, Level::Failure, "EVERYTHING PASSES", "restart",
        |it| kernel_status(it).heartbeat.has_ended_enforcement = true),
    (Check::Daemon, Level::Failure, "no sign of life for 9 s", "bug",
        |it| kernel_status(it).heartbeat.age_seconds = Some(9)),
    (Check::Upstream, Level::Failure, "no target lives: sip:10.0.0.5 (10.0.0.5:5060)", "OPTIONS",
        |it| daemon_status(it).upstream[0].state = "dead".to_owned()),
    (Check::Upstream, Level::Warning, "does not answer: sip:10.0.0.5", "OPTIONS", |it| {
        let said = daemon_status(it);
        let mut second = said.upstream[0].clone();
        second.state = "dead".to_owned();
        said.upstream.push(second);
    }),
    (Check::Upstream, Level::Failure, "no target of the upstream has an address", "names",
        |it| daemon_status(it).upstream.clear()),
    (Check::Peers, Level::Warning, "cannot be reached", "log",
        |it| daemon_status(it).peers[0].state = "dead".to_owned()),
    (Check::Peers, Level::Warning, "ipsec of peer site", "swanctl", |it| {
        daemon_status(it).ipsec = serde_json::from_value(json!([{
            "peer": "site", "source": "198.51.100.7", "proven": [], "associations": 0,
            "problem": "no inbound policy"
        }])).unwrap();
    }),
    (Check::Peers, Level::Warning, "name b.example of peer b", "dig b.example", |it| {
        daemon_status(it).names = serde_json::from_value(json!([{
            "peer": "b", "name": "b.example", "addresses": [], "held-back": {},
            "problem": "the DNS does not answer"
        }])).unwrap();
    }),
    (Check::Users, Level::Warning, "stay as they were: line 4", "mend file:users.toml",
        |it| daemon_status(it).users.as_mut().unwrap().problem = Some("line 4".to_owned())),
    (Check::Users, Level::Warning, "as it was 181 s ago", "store answers",
        |it| daemon_status(it).users.as_mut().unwrap().age_seconds = Some(181)),
    (Check::Users, Level::Warning, "there are no users", "sbc user add",
        |it| daemon_status(it).users.as_mut().unwrap().count = Some(0)),
    (Check::TrustTable, Level::Failure, "no room for 3 proofs", "trust-entries (it is 10)",
        |it| daemon_status(it).trust_table_full = 3),
    (Check::TrustTable, Level::Warning, "8 of 10 entries", "sbc trust list", |it| {
        let grant = json!({
            "source": "192.0.2.1", "subnet": null, "proof": "static", "opens": ["udp"], "holder": "peer a",
            "expires-in-seconds": null, "connections": 0, "hop-limits": null, "is-distance-unknown": false
        });
        daemon_status(it).trust = (0..8).map(|_| serde_json::from_value(grant.clone()).unwrap()).collect();
    }),
    (Check::Load, Level::Warning, "load is critical", "sbc status --verbose",
        |it| daemon_status(it).load.level = "critical".to_owned()),
];

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    for (check, level, said, next, spoil) in
        OF_THE_MACHINE.iter().chain(OF_THE_INTERFACE).chain(OF_OTHERS)
    {
        let mut facts = sound();
        spoil(&mut facts);
        let findings = examine(&facts);
        let found = findings.iter().find(|finding| {
            finding.check == *check && finding.level == *level && finding.said.contains(said)
        });
        let Some(found) = found else { panic!("{check:?} {said}: {findings:#?}") };
        let told = found.next.as_deref().unwrap_or_default();
        assert!(told.contains(next), "{check:?} {said}: {told}");
        assert_eq!(told.is_empty(), *level == Level::Ok, "{found:?}");
    }
}

/// Two that cannot be wrong for who may see it have a row as well: what is said to who may not.
#[test]
fn every_check_has_a_row_in_which_it_complains() {
    let rows = OF_THE_MACHINE.iter().chain(OF_THE_INTERFACE).chain(OF_OTHERS);
    let complaining: BTreeSet<_> = rows.filter(|row| row.1 != Level::Ok).map(|row| row.0).collect();
    let missing: Vec<_> = Check::ALL.iter().filter(|check| !complaining.contains(check)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_loopback_listener_is_on_every_machine() {
    let mut facts = sound();
    facts.addresses[0].address = IpAddr::from([127, 0, 0, 1]);
    facts.addresses[0].found_on.clear();
    assert!(examine(&facts).iter().all(|finding| finding.level == Level::Ok));
}
