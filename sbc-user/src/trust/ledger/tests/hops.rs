use sbc_common::{HopBand, Lane};

use super::scene::*;
use crate::config::sample;
use crate::transport::Transport::Udp;
use crate::trust::Place;

const SERVER: &str = "198.51.100.9";
const CARRIERS: &str = "198.51.100.0/24";

fn hops(scene: &Scene, place: Place) -> HopBand {
    scene.ledger.table().entries()[&place].hops
}

const fn band(lowest: u8, highest: u8) -> HopBand {
    HopBand { lowest, highest }
}

#[test]
fn what_a_handshake_tells_is_for_the_address_that_it_came_from_and_for_no_other_of_its_network() {
    let mut scene = Scene::new();
    scene.connect_at(CARRIER, 7, SERVER, Some(57)).unwrap();
    assert_eq!(scene.entry(address(SERVER)), Some((Lane::Tls, "udp,tls".to_owned(), Some(60))));
    assert_eq!(hops(&scene, address(SERVER)), band(54, 60));
    assert_eq!(hops(&scene, network(CARRIERS)), HopBand::ANY);
    assert_eq!(scene.tls_peer(Udp, "198.51.100.9:5060"), Some(CARRIER));
    assert_eq!(scene.tls_peer(Udp, "198.51.100.8:5060"), Some(CARRIER));

    scene.pass(30);
    scene.sweep();
    assert_eq!(hops(&scene, address(SERVER)), band(54, 60), "a renewal forgets nothing");
    scene.disconnect(CARRIER, 7).unwrap();
    assert_eq!(hops(&scene, address(SERVER)), band(54, 60));
    scene.pass(60);
    scene.sweep();
    assert_eq!(scene.entry(address(SERVER)), None);
    assert_eq!(scene.entry(network(CARRIERS)), Some(listed()));
}

#[test]
fn a_peer_without_sources_has_one_entry_with_what_was_learned() {
    let mut scene = Scene::new();
    scene.connect_at(ROAMER, 7, "198.18.0.9", Some(128)).unwrap();
    assert_eq!(hops(&scene, address("198.18.0.9")), band(125, 131));
    assert_eq!(scene.ledger.table().entries().len(), LASTING + 1);
}

#[test]
fn connections_over_two_ways_admit_both_until_the_last_has_ended() {
    let mut scene = Scene::new();
    scene.connect_at(ROAMER, 7, "198.18.0.9", Some(57)).unwrap();
    scene.connect_at(ROAMER, 8, "198.18.0.9", Some(61)).unwrap();
    assert_eq!(hops(&scene, address("198.18.0.9")), band(54, 64));
    // One of which nothing was kept, as under SYN cookies, takes nothing back.
    scene.connect_at(ROAMER, 9, "198.18.0.9", None).unwrap();
    assert_eq!(hops(&scene, address("198.18.0.9")), band(54, 64));

    for number in [7, 8, 9] {
        scene.disconnect(ROAMER, number).unwrap();
    }
    scene.connect_at(ROAMER, 10, "198.18.0.9", Some(40)).unwrap();
    assert_eq!(hops(&scene, address("198.18.0.9")), band(37, 43));
}

#[test]
fn where_nothing_is_known_everything_is_admitted() {
    let mut scene = Scene::new();
    scene.connect_at(CARRIER, 7, SERVER, None).unwrap();
    assert_eq!(scene.entry(address(SERVER)), None);
    scene.connect_at(ROAMER, 8, "198.18.0.9", None).unwrap();
    assert_eq!(hops(&scene, address("198.18.0.9")), HopBand::ANY);
    // A site's hosts are not all alike.
    scene.connect_at(ROAMER, 9, "2001:db8:7::1", Some(57)).unwrap();
    let site = Place::Subnet("2001:db8:7::".parse().unwrap());
    assert_eq!(hops(&scene, site), HopBand::ANY);
    // An address of a listed network stands for itself.
    scene.connect_at(CARRIER, 10, "2001:db8:1::9", Some(57)).unwrap();
    assert_eq!(hops(&scene, address("2001:db8:1::9")), band(54, 60));
}

#[test]
fn whoever_does_not_want_to_know_has_no_further_entries() {
    let off = format!("{PEERS}[kernel]\nhop-limits = \"off\"");
    let mut scene = Scene::restarted(MemoryTable::default(), sample::config(&off), START);
    scene.connect_at(CARRIER, 7, SERVER, Some(57)).unwrap();
    scene.connect_at(ROAMER, 8, "198.18.0.9", Some(57)).unwrap();
    assert_eq!(scene.entry(address(SERVER)), None);
    assert_eq!(hops(&scene, address("198.18.0.9")), HopBand::ANY);
}

#[test]
fn a_connection_that_tells_nothing_is_held_to_what_the_last_one_told() {
    let mut scene = Scene::new();
    scene.connect_at(CARRIER, 7, SERVER, Some(57)).unwrap();
    scene.connect_at(ROAMER, 8, "198.18.0.9", Some(61)).unwrap();
    scene.disconnect(CARRIER, 7).unwrap();
    scene.disconnect(ROAMER, 8).unwrap();
    scene.pass(3600);
    scene.sweep();
    assert_eq!(scene.entry(address(SERVER)), None);

    scene.connect_at(CARRIER, 9, SERVER, None).unwrap();
    scene.connect_at(ROAMER, 10, "198.18.0.9", None).unwrap();
    assert_eq!(hops(&scene, address(SERVER)), band(54, 60));
    assert_eq!(hops(&scene, address("198.18.0.9")), band(58, 64));
    // What one peer told says nothing about another one's host, and is told anew by the next.
    scene.disconnect(ROAMER, 10).unwrap();
    scene.connect_at(NOMAD, 11, "198.18.0.9", None).unwrap();
    assert_eq!(hops(&scene, address("198.18.0.9")), HopBand::ANY);
    scene.disconnect(CARRIER, 9).unwrap();
    scene.connect_at(CARRIER, 12, SERVER, Some(40)).unwrap();
    assert_eq!(hops(&scene, address(SERVER)), band(37, 43));
}

#[test]
fn of_each_peer_as_many_distances_are_remembered_as_it_can_have_entries() {
    let two_each = sample::config(&format!("{PEERS}[trust]\nsources-per-peer = 2"));
    let mut scene = Scene::restarted(MemoryTable::default(), two_each, START);
    scene.connect_at(NOMAD, 1, "198.18.0.4", Some(57)).unwrap();
    for (number, remote) in [(2, "198.18.0.1"), (3, "198.18.0.2"), (4, "198.18.0.3")] {
        scene.connect_at(ROAMER, number, remote, Some(57)).unwrap();
        scene.disconnect(ROAMER, number).unwrap();
    }
    scene.disconnect(NOMAD, 1).unwrap();
    let mut after_a_flood = |peer, number, remote| {
        scene.connect_at(peer, number, remote, None).unwrap();
        let known = hops(&scene, address(remote));
        scene.disconnect(peer, number).unwrap();
        known
    };
    assert_eq!(after_a_flood(ROAMER, 5, "198.18.0.1"), HopBand::ANY);
    assert_eq!(after_a_flood(ROAMER, 6, "198.18.0.2"), band(54, 60));
    assert_eq!(after_a_flood(ROAMER, 7, "198.18.0.3"), band(54, 60));
    assert_eq!(after_a_flood(NOMAD, 8, "198.18.0.4"), band(54, 60));
}

#[test]
fn the_next_run_takes_over_what_was_learned() {
    let left_behind = || {
        let mut scene = Scene::new();
        scene.connect_at(CARRIER, 7, SERVER, Some(57)).unwrap();
        scene.connect_at(ROAMER, 8, "198.18.0.9", Some(61)).unwrap();
        scene.ledger.table().clone()
    };
    let mut scene = Scene::restarted(left_behind(), sample::config(PEERS), START);
    assert_eq!(scene.entry(network(CARRIERS)).unwrap().0, Lane::Tls);
    assert_eq!(scene.entry(address(SERVER)), Some((Lane::Tls, "udp,tls".to_owned(), Some(60))));
    assert_eq!(hops(&scene, address(SERVER)), band(54, 60));
    // A peer without sources has to prove itself anew; how far away it is is known.
    assert_eq!(scene.entry(address("198.18.0.9")), None);
    scene.connect_at(ROAMER, 9, "198.18.0.9", None).unwrap();
    assert_eq!(hops(&scene, address("198.18.0.9")), band(58, 64));

    scene.pass(60);
    scene.sweep();
    assert_eq!(scene.entry(address(SERVER)), None);
    scene.connect_at(CARRIER, 10, SERVER, None).unwrap();
    assert_eq!(hops(&scene, address(SERVER)), band(54, 60));

    for policy in [
        format!("{PEERS}[kernel]\nhop-limits = \"off\""),
        PEERS.replace("\"198.51.100.0/24\"", "\"198.51.101.0/24\""),
    ] {
        let scene = Scene::restarted(left_behind(), sample::config(&policy), START);
        assert_eq!(scene.entry(address(SERVER)), None, "{policy}");
    }

    // Nor does the address of another peer, which had this one's number, become this one's.
    let before = "[[peer]]\nname = \"roamer\"\nrequire = [\"tls\"]\nopens = [\"udp\"]\n\
                  identities = [\"roamer.example\"]";
    let mut scene = Scene::restarted(MemoryTable::default(), sample::config(before), START);
    scene.connect_at(0, 7, SERVER, Some(57)).unwrap();
    let scene = Scene::restarted(scene.ledger.table().clone(), sample::config(PEERS), START);
    assert_eq!(scene.entry(address(SERVER)), None);
    assert_eq!(scene.tls_peer(Udp, "198.51.100.9:5060"), None);
}
