use super::super::shares::GRANTS_PER_SUBNET;
use super::scene::*;
use crate::config::sample;
use crate::transport::Transport::{Tcp, Udp};
use crate::trust::Place;

const ONE: &str = "198.18.0.1";
const TWO: &str = "198.18.0.2";
const THREE: &str = "198.18.0.3";
const FOUR: &str = "198.18.0.4";

/// With room for two addresses of each peer.
fn two_each() -> Scene {
    let config = sample::config(&format!("{PEERS}[trust]\nsources-per-peer = 2"));
    Scene::restarted(MemoryTable::default(), config, START)
}

fn open(scene: &Scene) -> Vec<&'static str> {
    let is_open = |remote: &&str| scene.entry(address(remote)).is_some();
    [ONE, TWO, THREE, FOUR].into_iter().filter(is_open).collect()
}

#[test]
fn an_address_too_many_takes_the_place_of_the_peers_oldest() {
    let mut scene = two_each();
    for (number, remote) in [(7, ONE), (8, TWO), (9, ONE)] {
        scene.connect(NOMAD, number, remote);
    }
    scene.connect(ROAMER, 10, FOUR);
    for number in [7, 8, 9] {
        scene.disconnect(NOMAD, number).unwrap();
    }
    scene.connect(NOMAD, 11, THREE);
    assert_eq!(open(&scene), [ONE, THREE, FOUR], "not the renewed one, and no other peer's");
}

#[test]
fn what_a_connection_keeps_alive_makes_room_last() {
    let mut scene = two_each();
    scene.connect(NOMAD, 7, ONE);
    scene.connect(NOMAD, 8, TWO);
    scene.disconnect(NOMAD, 8).unwrap();
    scene.connect(NOMAD, 9, THREE);
    assert_eq!(open(&scene), [ONE, THREE]);

    scene.connect(NOMAD, 10, FOUR);
    assert_eq!(open(&scene), [THREE, FOUR]);
    assert_eq!(scene.tls_peer(Tcp, "198.18.0.1:5060"), None);
    scene.pass(1000);
    scene.sweep();
    assert_eq!(open(&scene), [THREE, FOUR], "nor is it renewed");
}

#[test]
fn a_connection_whose_entry_made_room_takes_nothing_from_the_next_of_its_address() {
    let peers = PEERS.replacen("on-disconnect = \"remove\"", "", 1);
    let peers =
        peers.replace("lifetime = \"30s\"", "lifetime = \"30s\"\non-disconnect = \"remove\"");
    let config = sample::config(&format!("{peers}[trust]\nsources-per-peer = 2"));
    let mut scene = Scene::restarted(MemoryTable::default(), config, START);
    for (number, remote) in [(7, ONE), (8, TWO), (9, THREE), (10, ONE)] {
        scene.connect(NOMAD, number, remote);
    }
    scene.disconnect(NOMAD, 7).unwrap();
    assert_eq!(open(&scene), [ONE, THREE]);
    scene.disconnect(NOMAD, 10).unwrap();
    assert_eq!(open(&scene), [THREE]);
}

#[test]
fn the_addresses_whose_distance_a_listed_peer_told_are_few_and_its_networks_stay_open() {
    let mut scene = two_each();
    for number in 1..=100 {
        let remote = format!("2001:db8:1:{number}::1");
        scene.connect_at(CARRIER, number, &remote, Some(57)).unwrap();
    }
    assert_eq!(scene.ledger.table().entries().len(), LASTING + 2);
    assert!(scene.entry(address("2001:db8:1:100::1")).is_some());
    assert_eq!(scene.tls_peer(Udp, "[2001:db8:1:1::1]:5060"), Some(CARRIER));

    for number in 1..=100 {
        scene.disconnect(CARRIER, number).unwrap();
    }
    scene.pass(61);
    scene.sweep();
    assert_eq!(scene.ledger.table().entries().len(), LASTING);
}

#[test]
fn a_peer_without_sources_has_few_addresses_of_a_slash_64_too() {
    let mut scene = two_each();
    for number in 1..=100 {
        scene.connect(ROAMER, number, &format!("2001:db8:7::{number}"));
    }
    assert_eq!(scene.ledger.grants().count(), LASTING + 2);
    for number in 1..=100 {
        scene.disconnect(ROAMER, number).unwrap();
    }
    assert_eq!(scene.ledger.grants().count(), LASTING);
}

#[test]
fn a_proof_too_many_in_a_slash_64_takes_the_place_of_the_oldest_there() {
    let mut scene = Scene::new();
    let phone = |number: usize| format!("[2001:db8:7::{number:x}]:5060");
    let connected = "2001:db8:7::ffff";
    scene.connect(ROAMER, 7, connected);
    scene.prove("elsewhere", Udp, "[2001:db8:8::1]:5060");
    for number in 1..=GRANTS_PER_SUBNET {
        scene.prove(&format!("user{number}"), Udp, &phone(number));
        scene.pass(1);
        scene.sweep();
    }
    assert!(!scene.has_answered(Udp, &phone(1)));
    assert!(scene.has_answered(Udp, &phone(2)));
    scene.prove("late", Tcp, &phone(GRANTS_PER_SUBNET + 1));
    assert!(!scene.has_answered(Udp, &phone(2)));
    assert!(scene.has_answered(Tcp, &phone(GRANTS_PER_SUBNET + 1)));

    assert_eq!(scene.ledger.grants().count(), LASTING + 1 + GRANTS_PER_SUBNET);
    assert!(scene.has_answered(Udp, "[2001:db8:8::1]:5060"));
    let subnet = Place::Subnet("2001:db8:7::".parse().unwrap());
    assert_eq!(scene.entry(subnet).unwrap().1, "udp,tcp,tls");
    assert_eq!(scene.tls_peer(Udp, "[2001:db8:7::ffff]:5060"), Some(ROAMER));

    scene.disconnect(ROAMER, 7).unwrap();
    scene.pass(600);
    scene.sweep();
    assert_eq!(scene.entry(subnet), None);
    assert_eq!(scene.ledger.grants().count(), LASTING);
}
