//! What a daemon may say.

use crate::border::{
    ActivityStatus, CounterStatus, DaemonStatus, GrantStatus, HeartbeatStatus, KernelStatus,
    KnownGoodStatus, LoadStatus, SampleStatus, Status, TargetStatus,
};

/// A filter that has dropped so many packets of strangers, and no daemon.
pub(super) fn dropping(packets: u64) -> Status {
    let verdict = |reason: &str, action: &str, packets| CounterStatus {
        reason: reason.to_owned(),
        action: action.to_owned(),
        packets,
        bytes: packets.saturating_mul(100),
    };
    Status {
        kernel: KernelStatus {
            mode: "enforce".to_owned(),
            attached: vec!["eth0".to_owned()],
            heartbeat: HeartbeatStatus {
                age_seconds: Some(0),
                passes_after_seconds: None,
                has_ended_enforcement: false,
            },
            verdicts: vec![
                verdict("trusted-source", "pass", 40),
                verdict("unknown-source", "drop", packets),
                verdict("bad-udp-header", "drop", 7),
                verdict("denied-source", "drop", 0),
            ],
            counters: Vec::new(),
            samples_lost: 0,
            guards_sockets: true,
            socket_verdicts: Vec::new(),
        },
        daemon: None,
    }
}

/// The same with a daemon, whose carrier has sent so many requests.
pub(super) fn serving(packets: u64, requests: u64) -> Status {
    let grant = |source: &str, proof: &str, holder: &str, left| GrantStatus {
        source: source.to_owned(),
        subnet: None,
        proof: proof.to_owned(),
        opens: vec!["udp".to_owned()],
        holder: holder.to_owned(),
        expires_in_seconds: left,
        connections: 0,
        hop_limits: None,
        is_distance_unknown: false,
    };
    let carrier = ActivityStatus {
        holder: "peer carrier".to_owned(),
        accepted: requests,
        refused: 2,
        calls_from: 9,
        answered_from: 4,
        ..ActivityStatus::default()
    };
    let users = ActivityStatus { holder: "users".to_owned(), ..ActivityStatus::default() };
    let daemon = DaemonStatus {
        uptime_seconds: 200,
        received: [("udp".to_owned(), requests)].into(),
        outcomes: [("challenged".to_owned(), 3), ("own-ack".to_owned(), 0)].into(),
        refused_connections: [].into(),
        banned: 0,
        would_be_banned: 0,
        trust_table_full: 0,
        load: LoadStatus { level: "calm".to_owned(), strangers_slowed_by: 1 },
        samples: SampleStatus { read: 0, unreadable: 0, missed: 0 },
        upstream: vec![TargetStatus {
            target: "sip:10.0.0.5:5060".to_owned(),
            address: "10.0.0.5:5060".to_owned(),
            transport: "udp".to_owned(),
            priority: 0,
            weight: 1,
            large_over_tcp: false,
            state: "alive".to_owned(),
        }],
        peers: Vec::new(),
        ipsec: Vec::new(),
        names: Vec::new(),
        users: None,
        directory: None,
        activity: vec![users, carrier],
        known_good: KnownGoodStatus::default(),
        trial: None,
        homer: None,
        certificates: Vec::new(),
        trust: vec![
            grant("198.51.100.0/24", "static", "peer carrier", None),
            grant("192.0.2.7:5060", "digest", "user al\u{1b}[31mice", Some(90)),
        ],
    };
    Status { daemon: Some(daemon), ..dropping(packets) }
}
