use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::super::*;
use crate::border::Status;
use crate::config::ScrutinyPolicy;
use crate::kernel::{AttachMode, Hardware, Link, WallClock, XdpHolder, XdpPlace};
use crate::proof::tls::{CertificateUsage, ExpiredLists};
use crate::transport::Transport;

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const DAY: u64 = 24 * 3600;

fn status() -> Status {
    let target = json!({
        "target": "sip:10.0.0.5", "address": "10.0.0.5:5060", "transport": "udp", "priority": 1,
        "weight": 1, "large-over-tcp": false, "state": "alive"
    });
    serde_json::from_value(json!({
        "kernel": {
            "mode": "enforce", "attached": ["eth0"], "verdicts": [], "counters": [],
            "samples-lost": 0, "guards-sockets": true, "socket-verdicts": [],
            "heartbeat": {
                "age-seconds": 0, "passes-after-seconds": null, "has-ended-enforcement": false
            }
        },
        "daemon": {
            "received": {}, "outcomes": {}, "refused-connections": {}, "trust-table-full": 0,
            "load": { "level": "calm", "strangers-slowed-by": 1 },
            "samples": { "read": 0, "unreadable": 0, "missed": 0 },
            "upstream": [target], "peers": [target],
            "users": { "count": 7, "store": "file:users.toml", "age-seconds": 1, "problem": null },
            "trust": []
        }
    }))
    .unwrap()
}

fn certificate(role: CertificateRole) -> CertificateFact {
    CertificateFact {
        path: PathBuf::from(format!("/etc/sbc/{role:?}.pem")),
        subject: "CN=example".to_owned(),
        role,
        not_before: NOW - DAY,
        not_after: NOW + 390 * DAY,
        usage: [true; 2],
    }
}

fn file(path: &str, need: FileNeed) -> FileFact {
    FileFact {
        path: PathBuf::from(path),
        need,
        is_there: Some(true),
        mode: 0o600,
        is_ours: true,
        is_usable: true,
        user: "sbc".to_owned(),
    }
}

fn interface() -> InterfaceFacts {
    InterfaceFacts {
        name: "eth0".to_owned(),
        mode: AttachMode::Auto,
        link: Ok(Link {
            index: 2,
            kind: None,
            is_up: true,
            has_carrier: true,
            mtu: 1500,
            receive_queues: 4,
            xdp: Some(XdpPlace::Native),
            holder: XdpHolder::default(),
        }),
        hardware: Hardware {
            driver: Some("virtio_net".to_owned()),
            queues: Some([4, 8]),
            ..Hardware::default()
        },
        runs_xdp: Some(true),
        inside: Some(("eth1".to_owned(), true)),
    }
}

/// A machine on which nothing is wrong.
pub(super) fn sound() -> Facts {
    let port = |transport| PortFact {
        transport,
        address: "203.0.113.10:5060".parse().unwrap(),
        holder: PortHolder::Daemon,
    };
    let name = |name: &str| NameFact {
        name: name.to_owned(),
        whose: "peer \"a\"".to_owned(),
        addresses: Ok(2),
    };
    Facts {
        is_root: true,
        cores: 4,
        kernel: KernelFacts {
            release: "6.12.9".to_owned(),
            has_type_information: true,
            jit: Some(1),
            missing_capabilities: Some(Vec::new()),
        },
        configuration: ConfigurationFacts {
            path: "/etc/sbc/sbc.toml".into(),
            ..ConfigurationFacts::default()
        },
        clock: ClockFacts {
            now: NOW,
            state: Some(WallClock { is_synchronised: true, error: Duration::from_millis(2) }),
            is_for_signatures: false,
        },
        limits: LimitFacts { open_files: Some(65_536), wanted_files: 8704, is_of_the_daemon: true },
        network: NetworkFacts {
            longest_queue: Some(4 << 20),
            forwards: [Some(false); 2],
            reverse_path_filter: Some(1),
            reverse_path: Some(ScrutinyPolicy::Off),
            targets: vec!["10.0.0.5".parse().unwrap()],
            ..NetworkFacts::default()
        },
        filter: Some(FilterFacts {
            bpf_file_system: "/run/sbc/bpf".into(),
            is_mounted: true,
            pinned: Pinned::Here(vec!["eth0".to_owned()]),
            holds_interface: Some(true),
            guards_sockets: true,
            cgroup: None,
            has_cgroup: true,
        }),
        interface: Some(interface()),
        addresses: vec![AddressFact {
            address: "203.0.113.10".parse().unwrap(),
            expected_on: Some("eth0".to_owned()),
            found_on: vec!["eth0".to_owned()],
        }],
        ports: vec![port(Transport::Udp), port(Transport::Tcp)],
        names: vec![name("sip.carrier.example")],
        certificates: vec![
            certificate(CertificateRole::ServerAndClient),
            certificate(CertificateRole::Authority),
        ],
        lists: vec![ListFact {
            path: "/etc/sbc/pki/crl.pem".into(),
            next_update: NOW + 60 * DAY,
            expired: ExpiredLists::Refuse,
        }],
        rules: vec![RuleFact {
            peer: "a".to_owned(),
            usage: CertificateUsage::ServerAuthToo,
            is_its_own: false,
        }],
        files: vec![
            file("/etc/sbc/sbc.toml", FileNeed::Read),
            file("/etc/sbc/key.pem", FileNeed::Secret),
            file("/var/lib/sbc", FileNeed::State),
            file("/run/sbc", FileNeed::Socket),
        ],
        daemon: Some(DaemonFacts {
            socket: "/run/sbc/control.sock".into(),
            presence: Presence::Here,
            status: Some(Box::new(status())),
            trust_entries: 10,
            users_refresh: Some(Duration::from_mins(1)),
        }),
    }
}
