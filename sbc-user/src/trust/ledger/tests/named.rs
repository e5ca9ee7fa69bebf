//! What the DNS gives for the names of peers.

use sbc_common::{Lane, MonotonicNanos};

use super::scene::{LIFETIME, MemoryTable, START, Scene, address, opened};
use crate::config::sample;
use crate::kernel::KernelError;
use crate::proof::dns::NamedSource;
use crate::trust::Place;

const CARRIER: usize = 0;
const SECURE: usize = 1;
const NEIGHBOUR: usize = 2;

const PEERS: &str = r#"
[[peer]]
name = "carrier"
require = ["dns"]
names = ["sip.carrier.example"]
opens = ["udp"]
budget = "50/s burst 100"

[[peer]]
name = "secure"
require = ["dns", "tls"]
names = ["sip.secure.example"]
identities = ["secure.example"]
opens = ["udp"]
lifetime = "60s"

[[peer]]
name = "neighbour"
require = ["tls"]
identities = ["neighbour.example"]
opens = ["tcp"]
lifetime = "60s"

[[peer]]
name = "trunk"
require = ["static"]
sources = ["192.0.2.7"]
opens = ["udp"]

[denied]
sources = ["203.0.113.64/26"]
"#;

const HOST: &str = "198.51.100.7";

fn scene() -> Scene {
    Scene::restarted(MemoryTable::default(), sample::config(PEERS), START)
}

fn restarted(scene: &mut Scene, peers: &str) -> Scene {
    let table = std::mem::take(scene.ledger.table_mut());
    Scene::restarted(table, sample::config(peers), scene.now)
}

/// A row of the kernel, whose prefixes are of IPv6.
fn network_of(address: &str) -> Place {
    let address: std::net::IpAddr = address.parse().unwrap();
    let length = if address.is_ipv4() { 32 } else { 128 };
    Place::Network(sbc_common::Prefix::new(address, length).unwrap())
}

impl Scene {
    fn resolve(&mut self, sources: &[(usize, &str)]) -> Result<(), KernelError> {
        let until = MonotonicNanos(self.now.0 + u64::try_from(LIFETIME.as_nanos()).unwrap());
        let source = |(peer, address): &(usize, &str)| NamedSource {
            address: address.parse().unwrap(),
            peer: *peer,
            until,
        };
        let sources: Vec<_> = sources.iter().map(source).collect();
        self.ledger.names_resolved(&sources, &self.config.peers, self.now)
    }

    fn named(&self, place: &str) -> Option<(Lane, String, Option<u64>)> {
        self.entry(network_of(place))
    }
}

fn dns(opens: &str, seconds: u64) -> (Lane, String, Option<u64>) {
    (Lane::Dns, opens.to_owned(), Some(seconds))
}

#[test]
fn an_address_is_open_while_it_is_given_and_ends_by_itself_if_nobody_says_so() {
    let mut scene = scene();
    scene.resolve(&[(CARRIER, HOST), (CARRIER, "2001:db8::7")]).unwrap();
    assert_eq!(scene.named(HOST), Some(dns("udp", 600)));
    assert_eq!(scene.named("2001:db8::7"), Some(dns("udp", 600)), "one host, and no /64");
    let entry = scene.ledger.table().entries()[&network_of(HOST)];
    assert_ne!(entry.pace, sbc_common::Pace::UNLIMITED, "the peer's budget");
    scene.pass(100);
    scene.resolve(&[(CARRIER, HOST)]).unwrap();
    assert_eq!(scene.named(HOST), Some(dns("udp", 600)));
    assert_eq!(scene.named("2001:db8::7"), None);
    scene.pass(600);
    scene.sweep();
    assert_eq!(scene.named(HOST), None);
    assert_eq!(scene.ledger.named_sources(), []);
    scene.resolve(&[(CARRIER, HOST)]).unwrap();
    assert_eq!(scene.named(HOST), Some(dns("udp", 600)));
}

#[test]
fn a_peers_certificate_counts_where_the_dns_says_that_it_is_and_no_longer() {
    let mut scene = scene();
    scene.connect(SECURE, 1, HOST);
    assert_eq!(scene.entry(address(HOST)), None, "the DNS has not said so");
    scene.resolve(&[(SECURE, HOST)]).unwrap();
    assert_eq!(scene.named(HOST), Some(dns("tls", 600)), "not before the proof");
    scene.connect(SECURE, 2, HOST);
    assert_eq!(scene.entry(address(HOST)), Some((Lane::Tls, "udp,tls".to_owned(), Some(60))));
    scene.connect(SECURE, 3, "198.51.100.8");
    assert_eq!(scene.entry(address("198.51.100.8")), None);

    // It is still connected, and not there any more.
    scene.resolve(&[(SECURE, "198.51.100.8")]).unwrap();
    assert_eq!((scene.entry(address(HOST)), scene.named(HOST)), (None, None));
    scene.sweep();
    assert_eq!(scene.entry(address(HOST)), None);
    scene.disconnect(SECURE, 2).unwrap();
    assert_eq!(scene.entry(address(HOST)), None);
}

#[test]
fn it_ends_with_the_name_also_if_whoever_watches_it_falls_silent() {
    let mut scene = scene();
    scene.resolve(&[(SECURE, HOST)]).unwrap();
    scene.connect(SECURE, 1, HOST);
    scene.pass(599);
    scene.sweep();
    assert!(scene.entry(address(HOST)).is_some());
    scene.pass(1);
    scene.sweep();
    assert_eq!((scene.entry(address(HOST)), scene.named(HOST)), (None, None));
}

#[test]
fn what_another_has_proven_there_is_its_own() {
    let mut scene = scene();
    scene.connect(NEIGHBOUR, 1, HOST);
    let proven = scene.entry(address(HOST));
    scene.resolve(&[(CARRIER, HOST)]).unwrap();
    assert_eq!(
        (scene.entry(address(HOST)), scene.named(HOST)),
        (proven.clone(), Some(dns("udp", 600)))
    );
    scene.resolve(&[]).unwrap();
    assert_eq!((scene.entry(address(HOST)), scene.named(HOST)), (proven, None));
}

#[test]
fn what_the_operator_has_written_is_not_written_over() {
    let mut scene = scene();
    let before = scene.ledger.table().entries();
    scene.resolve(&[(CARRIER, "192.0.2.7"), (CARRIER, "203.0.113.70")]).unwrap();
    assert_eq!(scene.ledger.table().entries(), before);
    scene.resolve(&[]).unwrap();
    assert_eq!(scene.ledger.table().entries(), before);
}

#[test]
fn another_run_takes_over_what_the_same_peer_has_and_nothing_else() {
    let mut scene = scene();
    scene.resolve(&[(CARRIER, HOST), (SECURE, "198.51.100.8")]).unwrap();
    scene.connect(SECURE, 1, "198.51.100.8");
    scene.pass(100);
    let mut scene = restarted(&mut scene, PEERS);
    assert_eq!(scene.named(HOST), Some(dns("udp", 500)), "no longer than it would have lasted");
    assert_eq!(scene.named("198.51.100.8"), Some(dns("tls", 500)));
    assert_eq!(scene.ledger.named_sources().len(), 2);

    // Another name, another peer at its place, another word of the operator's.
    for (from, to) in [
        ("sip.carrier.example", "sip.other.example"),
        ("name = \"carrier\"", "name = \"other\""),
        (
            "require = [\"dns\"]\nnames = [\"sip.carrier.example\"]",
            "require = [\"static\"]\nsources = [\"198.18.0.1\"]",
        ),
        ("203.0.113.64/26", "198.51.100.7"),
        ("192.0.2.7", "198.51.100.0/29"),
    ] {
        let mut scene = self::scene();
        scene.resolve(&[(CARRIER, HOST)]).unwrap();
        let changed = PEERS.replace(from, to);
        assert_ne!(changed, PEERS);
        let scene = restarted(&mut scene, &changed);
        assert_eq!(scene.ledger.named_sources(), [], "{to}");
        assert_ne!(scene.named(HOST).map(|it| it.0), Some(Lane::Dns), "{to}");
    }
    let entries = scene.ledger.table().entries();
    assert!(
        entries
            .values()
            .all(|entry| !opened(entry).is_empty() || entry.lane() == Some(Lane::Denied))
    );
    scene.resolve(&[]).unwrap();
    assert_eq!(scene.named(HOST), None);
}
