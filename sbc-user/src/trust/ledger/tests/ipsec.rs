//! What IPsec proves, and for how long.

use super::scene::*;
use crate::config::sample;
use crate::proof::ipsec::IpsecProof;
use crate::transport::Transport::{self, Tcp, Tls, Udp};
use crate::trust::{IPSEC_LIFETIME, Place};
use sbc_common::{Lane, Transports};

const PEERS: &str = r#"
[[peer]]
name = "trunk"
require = ["ipsec"]
sources = ["198.51.100.0/24"]
opens = ["udp", "tcp"]

[[peer]]
name = "carrier"
require = ["ipsec", "tls"]
identities = ["carrier.example"]
sources = ["192.0.2.0/24"]
ipsec-gateways = ["203.0.113.9", "192.0.2.5"]
opens = ["udp"]
lifetime = "60s"

[[peer]]
name = "office"
require = ["ipsec", "digest"]
sources = ["10.9.0.0/16"]
opens = ["udp"]
"#;

const TRUNK: usize = 0;
const CARRIER: usize = 1;
const OFFICE: usize = 2;
const PLACES: [&str; 3] = ["198.51.100.0/24", "192.0.2.0/24", "10.9.0.0/16"];
const ALL: Transports = Transports::CLEAR.union(Transports::TLS);
const LASTS: u64 = IPSEC_LIFETIME.as_secs();

impl Scene {
    fn beside_ipsec() -> Self {
        Self::restarted(MemoryTable::default(), sample::config(PEERS), START)
    }

    fn ipsec_proves(&mut self, peers: &[(usize, Transports)]) {
        let proofs: Vec<_> =
            peers.iter().map(|(peer, transports)| proof(*peer, *transports)).collect();
        self.ledger.ipsec_proven(&proofs, &self.config.peers, self.now).unwrap();
    }

    fn ipsec_peer(&self, transport: Transport, remote: &str) -> Option<usize> {
        self.ledger.ipsec_peer(&self.config.peers, &flow(transport, remote), self.now)
    }

    fn is_bound(&self, place: Place) -> bool {
        self.ledger.table().entries()[&place].is_only_in_ipsec()
    }

    fn entry_of(&self, peer: usize) -> (Lane, String, Option<u64>) {
        self.entry(network(PLACES[peer])).unwrap()
    }
}

fn proof(peer: usize, transports: Transports) -> IpsecProof {
    let Place::Network(network) = network(PLACES[peer]) else { unreachable!() };
    IpsecProof { peer, network, transports, associations: 1, problem: None }
}

fn says(lane: Lane, opens: &str, seconds: Option<u64>) -> (Lane, String, Option<u64>) {
    (lane, opens.to_owned(), seconds)
}

#[test]
fn a_peer_may_speak_while_ipsec_proves_it_and_over_what_it_proves() {
    let mut scene = Scene::beside_ipsec();
    let listed = says(Lane::Static, "ipsec", None);
    assert_eq!(scene.entry_of(TRUNK), listed);
    assert!(scene.is_bound(network(PLACES[TRUNK])));
    assert_eq!(scene.ipsec_peer(Udp, "198.51.100.7:5060"), None);

    scene.ipsec_proves(&[(TRUNK, ALL)]);
    assert_eq!(scene.entry_of(TRUNK), says(Lane::Ipsec, "udp,tcp,ipsec", Some(LASTS)));
    assert!(scene.is_bound(network(PLACES[TRUNK])));
    for transport in [Udp, Tcp, Tls] {
        assert_eq!(scene.ipsec_peer(transport, "198.51.100.7:5060"), Some(TRUNK));
    }
    assert_eq!(scene.ipsec_peer(Udp, "10.9.0.7:5060"), None);
    assert_eq!(scene.ipsec_peer(Udp, "203.0.113.9:5060"), None);

    scene.ipsec_proves(&[(TRUNK, Transports::TCP)]);
    assert_eq!(scene.entry_of(TRUNK), says(Lane::Ipsec, "tcp,ipsec", Some(LASTS)));
    assert_eq!(scene.ipsec_peer(Udp, "198.51.100.7:5060"), None);
    assert_eq!(scene.ipsec_peer(Tcp, "198.51.100.7:5060"), Some(TRUNK));

    scene.ipsec_proves(&[]);
    assert_eq!(scene.entry_of(TRUNK), listed);
    assert!(scene.is_bound(network(PLACES[TRUNK])));
    assert_eq!(scene.ipsec_peer(Tcp, "198.51.100.7:5060"), None);
}

#[test]
fn what_is_not_heard_of_any_more_ends_by_itself() {
    let mut scene = Scene::beside_ipsec();
    scene.ipsec_proves(&[(TRUNK, ALL)]);
    scene.pass(LASTS - 1);
    scene.sweep();
    assert_eq!(scene.ipsec_peer(Udp, "198.51.100.7:5060"), Some(TRUNK));
    scene.ipsec_proves(&[(TRUNK, ALL)]);
    assert_eq!(scene.entry_of(TRUNK), says(Lane::Ipsec, "udp,tcp,ipsec", Some(LASTS)));
    scene.pass(LASTS);
    assert_eq!(scene.ipsec_peer(Udp, "198.51.100.7:5060"), None, "even before the sweep");
    scene.sweep();
    assert_eq!(scene.entry_of(TRUNK), says(Lane::Static, "ipsec", None));
}

#[test]
fn what_rests_on_another_proof_too_ends_with_ipsec() {
    let mut scene = Scene::beside_ipsec();
    scene.ipsec_proves(&[(CARRIER, ALL), (OFFICE, ALL)]);
    scene.connect(CARRIER, 1, "192.0.2.7");
    scene.prove("alice", Udp, "10.9.0.7:5060");
    let unheard = |scene: &mut Scene| {
        scene.sweep();
        scene.ledger.end_unheard_ipsec(&scene.config.peers, scene.now).unwrap();
        (scene.entry_of(CARRIER).1, scene.has_answered(Udp, "10.9.0.7:5060"))
    };
    scene.pass(LASTS - 1);
    assert_eq!(unheard(&mut scene), ("udp,tls,ipsec".to_owned(), true));
    scene.pass(1);
    assert_eq!(unheard(&mut scene), ("tls,ipsec".to_owned(), false));
}

#[test]
fn who_has_to_prove_himself_by_tls_too_speaks_in_clear_upon_both() {
    let mut scene = Scene::beside_ipsec();
    scene.ipsec_proves(&[(CARRIER, ALL)]);
    assert_eq!(scene.entry_of(CARRIER), says(Lane::Static, "tls,ipsec", None));
    scene.connect_at(CARRIER, 1, "192.0.2.7", Some(60)).unwrap();
    assert_eq!(scene.entry_of(CARRIER), says(Lane::Tls, "udp,tls,ipsec", Some(60)));
    assert_eq!(scene.entry(address("192.0.2.7")), None);
    let proven = |scene: &Scene| {
        let remote = "192.0.2.7:5060";
        (scene.tls_peer(Udp, remote), scene.ipsec_peer(Udp, remote))
    };
    assert_eq!(proven(&scene), (Some(CARRIER), Some(CARRIER)));
    scene.ipsec_proves(&[]);
    assert_eq!(scene.entry_of(CARRIER), says(Lane::Tls, "tls,ipsec", Some(60)));
    assert_eq!(proven(&scene), (None, None));
    scene.pass(30);
    scene.sweep();
    assert_eq!(scene.entry_of(CARRIER), says(Lane::Tls, "tls,ipsec", Some(60)));
    scene.ipsec_proves(&[(CARRIER, Transports::UDP)]);
    assert_eq!(scene.entry_of(CARRIER), says(Lane::Tls, "udp,tls,ipsec", Some(60)));
    assert_eq!(proven(&scene), (Some(CARRIER), Some(CARRIER)));

    // A connection without IPsec opens nothing in clear.
    let mut scene = Scene::beside_ipsec();
    scene.connect(CARRIER, 1, "192.0.2.7");
    assert_eq!(scene.entry_of(CARRIER), says(Lane::Tls, "tls,ipsec", Some(60)));
}

#[test]
fn an_answer_to_a_challenge_opens_nothing_beside_ipsec() {
    let mut scene = Scene::beside_ipsec();
    scene.ipsec_proves(&[(OFFICE, ALL)]);
    scene.prove("alice", Udp, "10.9.0.7:5060");
    assert!(scene.has_answered(Udp, "10.9.0.7:5060"));
    assert!(scene.is_bound(port("10.9.0.7:5060")));
    let left = scene.ledger.table().clone();
    scene.ipsec_proves(&[]);
    assert_eq!(scene.entry(port("10.9.0.7:5060")), None);
    assert!(!scene.has_answered(Udp, "10.9.0.7:5060"));
    // Elsewhere it does as ever.
    scene.prove("bob", Udp, "198.18.0.9:5060");
    scene.ipsec_proves(&[]);
    assert!(scene.has_answered(Udp, "198.18.0.9:5060"));
    assert!(!scene.is_bound(port("198.18.0.9:5060")));

    // Another run begins with what is known of IPsec, which is nothing.
    let scene = Scene::restarted(left, sample::config(PEERS), START);
    assert_eq!(scene.entry(port("10.9.0.7:5060")), None);
    assert_eq!(scene.entry_of(OFFICE), says(Lane::Static, "ipsec", None));
}

#[test]
fn gateways_may_use_ipsec_and_nothing_else() {
    let scene = Scene::beside_ipsec();
    let gateway = network("203.0.113.9/32");
    assert_eq!(scene.entry(gateway), Some(says(Lane::Static, "ipsec", None)));
    assert!(!scene.is_bound(gateway));
    assert_eq!(scene.entry(network("192.0.2.5/32")), None, "the peer's network speaks for it");
}

#[test]
fn a_proof_by_tls_of_an_earlier_run_opens_nothing_in_clear() {
    let mut scene = Scene::beside_ipsec();
    scene.ipsec_proves(&[(CARRIER, ALL)]);
    scene.connect(CARRIER, 1, "192.0.2.7");
    let table = scene.ledger.table().clone();
    let scene = Scene::restarted(table, sample::config(PEERS), START);
    assert_eq!(scene.entry_of(CARRIER), says(Lane::Tls, "tls,ipsec", Some(60)));
    assert!(scene.is_bound(network(PLACES[CARRIER])));
}
