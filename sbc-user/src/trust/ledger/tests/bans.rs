//! Sources that are denied for what they did.

use std::collections::HashMap;
use std::net::SocketAddr;

use proptest::prelude::*;
use sbc_common::{Lane, MonotonicNanos, TrustEntry};

use super::scene::*;
use crate::config::sample;
use crate::proof::dns::NamedSource;
use crate::transport::Transport;
use crate::trust::{Holder, Place};

const MINUTE: u64 = 60;

impl Scene {
    fn ban(&mut self, place: Place) -> Option<u64> {
        let length = self.ledger.ban_due(place, self.now)?;
        self.ledger.ban(place, length, self.now).unwrap();
        Some(length.as_secs())
    }
}

#[test]
fn a_ban_ends_by_itself_and_grows_while_it_is_remembered() {
    let mut scene = Scene::new();
    let place = address("203.0.113.9");
    for minutes in [5, 10, 20, 40, 80, 160, 320, 320] {
        assert_eq!(scene.ban(place), Some(minutes * MINUTE));
        assert_eq!(scene.entry(place), Some((Lane::Denied, String::new(), Some(minutes * MINUTE))));
        scene.pass(minutes * MINUTE);
        assert!(scene.ledger.table().entries()[&place].is_expired(scene.now));
        scene.sweep();
        assert_eq!(scene.entry(place), None);
    }
    scene.pass(24 * 3600);
    assert_eq!(scene.ban(place), Some(5 * MINUTE), "forgotten");
}

#[test]
fn nobody_is_banned_where_anybody_is_known() {
    let mut scene = Scene::new();
    scene.prove("alice", Transport::Udp, "203.0.113.9:5060");
    scene.prove("bob", Transport::Tls, "203.0.113.10:40000");
    scene.connect(ROAMER, 1, "203.0.113.11");
    scene.prove("carol", Transport::Udp, "[2001:db8:7::9]:5060");
    for known in ["203.0.113.9", "203.0.113.10", "203.0.113.11", "2001:db8:7::1"] {
        let place = scene.ledger.spoken_for_by(address(known));
        assert_eq!(scene.ban(place), None, "{known}");
    }
    for listed in ["198.51.100.7", "192.0.2.1", "203.0.113.65", "2001:db8:1::1"] {
        assert_eq!(scene.ban(address(listed)), None, "the operator has said who that is: {listed}");
    }
    scene.pass(LIFETIME.as_secs());
    scene.sweep();
    assert!(scene.ban(address("203.0.113.9")).is_some(), "until the proof is over");
}

#[test]
fn who_proves_himself_is_denied_no_longer_and_neither_are_those_behind_his_address() {
    type Proof = fn(&mut Scene);
    let proofs: [(&str, Proof); 3] = [
        ("203.0.113.9", |scene| scene.prove("alice", Transport::Udp, "203.0.113.9:5060")),
        ("203.0.113.9", |scene| scene.connect(ROAMER, 1, "203.0.113.9")),
        ("2001:db8:7::1", |scene| scene.prove("alice", Transport::Udp, "[2001:db8:7::9]:5060")),
    ];
    for (banned, prove) in proofs {
        let mut scene = Scene::new();
        let place = scene.ledger.spoken_for_by(address(banned));
        scene.ban(place).unwrap();
        prove(&mut scene);
        let denied = scene.ledger.table().entries().into_iter().filter(|(place, entry)| {
            entry.lane() == Some(Lane::Denied) && !matches!(place, Place::Network(_))
        });
        assert_eq!(denied.count(), 0, "{banned}");
        assert!(scene.ledger.grants().all(|(_, grant)| grant.holder != Holder::Offender));
    }
}

#[test]
fn a_network_that_is_opened_has_nobody_banned_in_it() {
    let mut scene = Scene::new();
    let banned = ["203.0.113.9", "2001:db8:7::9"].map(address);
    for place in banned {
        scene.ban(scene.ledger.spoken_for_by(place)).unwrap();
    }
    let trunk = scene.ledger.grant_for("192.0.2.1:5060".parse().unwrap(), None).unwrap().clone();
    for (around, left) in [("203.0.113.0/28", 1), ("2001:db8:7::8/125", 0)] {
        scene.ledger.enter(network(around), trunk.clone(), scene.now).unwrap();
        let entries = scene.ledger.table().sources.values();
        let denied = entries.filter(|entry| entry.lane() == Some(Lane::Denied));
        assert_eq!(denied.count(), left);
    }
}

#[test]
fn a_slash_64_with_a_peers_name_or_gateway_in_it_is_not_banned() {
    const PEERS: &str = r#"
[[peer]]
name = "carrier"
require = ["dns"]
names = ["sip.carrier.example"]
opens = ["udp"]

[[peer]]
name = "guarded"
require = ["ipsec"]
sources = ["10.9.0.0/16"]
ipsec-gateways = ["2001:db8:8::1"]
opens = ["udp"]
"#;
    let mut scene = Scene::restarted(MemoryTable::default(), sample::config(PEERS), START);
    let [named, guarded, other] = ["2001:db8:7::9", "2001:db8:8::9", "2001:db8:9::9"]
        .map(|it| scene.ledger.spoken_for_by(address(it)));
    assert!(matches!(named, Place::Subnet(_)) && matches!(guarded, Place::Subnet(_)));
    assert_eq!(scene.ban(guarded), None, "its packets come from a gateway in it");
    assert_eq!(scene.ban(other), Some(5 * MINUTE));
    assert_eq!(scene.ban(named), Some(5 * MINUTE));

    let until = MonotonicNanos(scene.now.0 + 600 * 1_000_000_000);
    let source = NamedSource { address: "2001:db8:7::1".parse().unwrap(), peer: 0, until };
    scene.ledger.names_resolved(&[source], &scene.config.peers, scene.now).unwrap();
    assert_eq!(
        scene.entry(named),
        None,
        "lifted: the kernel asks for it before the name's address"
    );
    assert!(scene.entry(other).is_some());
    assert_eq!(scene.ban(named), None);
    scene.ledger.names_resolved(&[], &scene.config.peers, scene.now).unwrap();
    assert!(scene.ban(named).is_some(), "the name is elsewhere");
}

#[test]
fn bans_are_lifted_and_forgotten_by_the_operators_word() {
    let mut scene = Scene::new();
    let places = ["203.0.113.9", "203.0.113.10"].map(address);
    for place in places {
        scene.ban(place).unwrap();
    }
    let (lifted, done) = scene.ledger.lift_bans(Some("203.0.113.9".parse().unwrap()), scene.now);
    assert_eq!((lifted, done.is_ok()), (vec![places[0]], true));
    assert_eq!(scene.entry(places[0]), None);
    assert!(scene.entry(places[1]).is_some());
    assert_eq!(scene.ban(places[0]), Some(5 * MINUTE), "as if it were the first");
    assert_eq!(scene.ledger.lift_bans(None, scene.now).0.len(), 2);
    assert_eq!(scene.ledger.grants().count(), LASTING);
}

#[test]
fn bans_have_a_share_of_the_table_and_a_restart_forgives_everybody() {
    let config = format!("[kernel]\ntrust-entries = 1024\n{PEERS}");
    let mut scene = Scene::restarted(MemoryTable::default(), sample::config(&config), START);
    let banned = (0..100)
        .filter(|number| scene.ban(address(&format!("203.0.113.{}", 100 + number))).is_some());
    assert_eq!(banned.count(), 64);
    let table = scene.ledger.table().clone();
    let scene = Scene::restarted(table, sample::config(&config), scene.now);
    assert_eq!(scene.ledger.table().entries().len(), LASTING);
}

#[derive(Clone, Debug)]
enum Event {
    Offend { address: usize },
    Prove { address: usize, port: u16, transport: usize },
    Connect { address: usize },
    Disconnect { number: u64 },
    Pass { seconds: u64 },
    Lift { address: Option<usize> },
    Sweep,
}

const ADDRESSES: [&str; 5] =
    ["203.0.113.9", "203.0.113.10", "2001:db8:7::9", "2001:db8:7::a", "2001:db8:8::1"];

fn event() -> impl Strategy<Value = Event> {
    let address = 0..ADDRESSES.len();
    let transport = 0..3_usize;
    prop_oneof![
        4 => address.clone().prop_map(|address| Event::Offend { address }),
        3 => (address.clone(), 5060..5062_u16, transport)
            .prop_map(|(address, port, transport)| Event::Prove { address, port, transport }),
        1 => address.clone().prop_map(|address| Event::Connect { address }),
        1 => (0..60_u64).prop_map(|number| Event::Disconnect { number }),
        2 => (0..900_u64).prop_map(|seconds| Event::Pass { seconds }),
        1 => prop::option::of(address).prop_map(|address| Event::Lift { address }),
        1 => Just(Event::Sweep),
    ]
}

/// What the kernel says of a source first: of its port, its address, its /64.
fn first_live(scene: &Scene, source: SocketAddr) -> Option<TrustEntry> {
    let entries = scene.ledger.table().entries();
    let subnet = scene.ledger.spoken_for_by(Place::Address(source.ip()));
    [Place::Port(source), Place::Address(source.ip()), subnet]
        .iter()
        .filter_map(|place| entries.get(place))
        .find(|entry| !entry.is_expired(scene.now))
        .copied()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whoever_has_a_live_proof_is_never_denied(
        capacity in prop_oneof![1 => 0..6_usize, 3 => Just(1000)],
        events in prop::collection::vec(event(), 0..80),
    ) {
        let table = MemoryTable { capacity: Some(capacity), ..MemoryTable::default() };
        let mut scene = Scene::restarted(table, sample::config(PEERS), START);
        let mut proven = HashMap::new();
        for (number, event) in (1..).zip(events) {
            match event {
                Event::Offend { address: at } => {
                    let place = scene.ledger.spoken_for_by(address(ADDRESSES[at]));
                    if let Some(length) = scene.ledger.ban_due(place, scene.now) {
                        let _ = scene.ledger.ban(place, length, scene.now);
                    }
                }
                Event::Prove { address, port, transport } => {
                    let source = SocketAddr::new(ADDRESSES[address].parse().unwrap(), port);
                    let transport = [Transport::Udp, Transport::Tcp, Transport::Tls][transport];
                    if scene.try_to_prove("alice", transport, &source.to_string()).is_ok() {
                        proven.insert(source, scene.now);
                    }
                }
                Event::Connect { address } => {
                    let _ = scene.try_to_connect(ROAMER, number, ADDRESSES[address]);
                }
                Event::Disconnect { number } => {
                    let _ = scene.disconnect(ROAMER, number);
                }
                Event::Pass { seconds } => scene.pass(seconds),
                Event::Lift { address } => {
                    let address = address.map(|at| ADDRESSES[at].parse().unwrap());
                    scene.ledger.lift_bans(address, scene.now).1.unwrap();
                }
                Event::Sweep => {
                    let _ = scene.ledger.sweep(scene.now);
                }
            }
            let is_denied = |source| {
                let entry = first_live(&scene, source);
                entry.is_some_and(|entry| entry.lane() == Some(Lane::Denied))
            };
            for (place, grant) in scene.ledger.grants() {
                let source = match *place {
                    Place::Port(source) => source,
                    Place::Address(address) => SocketAddr::new(address, 5060),
                    Place::Subnet(network) => SocketAddr::new(network.into(), 5060),
                    Place::Network(_) => continue,
                };
                if grant.holder != Holder::Offender && grant.is_live(scene.now) {
                    prop_assert!(!is_denied(source), "{place} {grant:?}");
                    prop_assert!(!is_denied(SocketAddr::new(source.ip(), 9)), "a neighbour of {place}");
                }
            }
            // The test's own book: who has proved himself and holds what he opened is heard.
            for (source, at) in &proven {
                let is_held = scene.ledger.grants().any(|(place, _)| *place == Place::Port(*source));
                if is_held && scene.now.0 < at.0 + u64::try_from(LIFETIME.as_nanos()).unwrap() {
                    prop_assert!(!is_denied(*source), "{source}");
                }
            }
        }
        scene.pass(30_000);
        // Who is connected may not be entered anew where the table is full.
        let _ = scene.ledger.sweep(scene.now);
        let bans = scene.ledger.grants().filter(|(_, grant)| grant.holder == Holder::Offender);
        prop_assert_eq!(bans.count(), 0);
    }
}
