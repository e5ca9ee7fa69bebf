use sbc_common::{Lane, Transports};

use super::scene::*;
use crate::config::sample;
use crate::transport::Transport::{Tcp, Udp};
use crate::trust::{Ledger, Place};

const PHONE: &str = "198.18.0.9:5060";
const CARRIERS: &str = "198.51.100.0/24";

/// What a run leaves in the table, in which the carrier is connected and Alice has answered.
fn left_behind() -> MemoryTable {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");
    scene.connect(ROAMER, 8, "198.18.0.7");
    scene.prove("alice", Udp, PHONE);
    scene.ledger.table().clone()
}

fn restarted(peers: &str, seconds: u64) -> Scene {
    let now = sbc_common::MonotonicNanos(START.0 + seconds * 1_000_000_000);
    Scene::restarted(left_behind(), sample::config(peers), now)
}

#[test]
fn what_was_proven_before_a_restart_stays_good_until_it_expires() {
    let mut scene = restarted(PEERS, 10);
    assert_eq!(scene.tls_peer(Udp, "198.51.100.9:5060"), Some(CARRIER));
    assert!(scene.has_answered(Udp, PHONE));
    assert_eq!(scene.entry(network(CARRIERS)).unwrap().2, Some(50));

    scene.pass(50);
    scene.sweep();
    assert_eq!(scene.entry(network(CARRIERS)), Some(listed()));
    scene.pass(540);
    scene.sweep();
    assert_eq!(scene.entry(port(PHONE)), None);
}

#[test]
fn a_peer_that_connects_again_renews_what_was_adopted() {
    let mut scene = restarted(PEERS, 10);
    scene.connect(CARRIER, 9, "198.51.100.9");
    scene.pass(3600);
    scene.sweep();
    assert_eq!(scene.tls_peer(Udp, "198.51.100.9:5060"), Some(CARRIER));

    scene.disconnect(CARRIER, 9).unwrap();
    scene.pass(61);
    scene.sweep();
    assert_eq!(scene.entry(network(CARRIERS)), Some(listed()));
}

#[test]
fn what_expired_while_nobody_looked_is_removed() {
    let scene = restarted(PEERS, 3600);
    assert_eq!(scene.ledger.table().entries().len(), LASTING);
}

#[test]
fn what_the_configuration_grants_no_longer_is_removed() {
    let mut scene = restarted("", 0);
    assert_eq!(scene.entry(network(CARRIERS)), None);
    assert_eq!(scene.entry(network("192.0.2.0/28")), None);
    assert_eq!(scene.entry(network("203.0.113.64/26")), None);
    assert!(scene.has_answered(Udp, PHONE));
    scene.sweep();
    assert_eq!(scene.ledger.table().entries().len(), 1);
}

#[test]
fn an_address_that_a_peer_was_connected_from_is_not_adopted() {
    assert_eq!(restarted(PEERS, 1).entry(address("198.18.0.7")), None);
}

#[test]
fn an_entry_of_a_lane_that_is_not_known_is_removed() {
    let mut table = left_behind();
    let mut strange = table.sources[&port(PHONE)];
    strange.lane = 77;
    table.sources.insert(port("198.18.0.8:5060"), strange);
    let scene = Scene::restarted(table, sample::config(PEERS), START);
    assert_eq!(scene.ledger.table().entries().get(&port("198.18.0.8:5060")), None);
}

#[test]
fn adopted_trust_is_cut_to_what_the_policy_grants_now() {
    let narrower = PEERS.replacen("opens = [\"udp\"]\nlifetime = \"60s\"", "lifetime = \"5s\"", 1);
    assert_ne!(narrower, PEERS);
    let scene = restarted(&narrower, 0);
    assert_eq!(scene.entry(network(CARRIERS)), Some((Lane::Tls, "tls".to_owned(), Some(5))));
    assert_eq!(scene.tls_peer(Udp, "198.51.100.9:5060"), None);

    let mut table = left_behind();
    let entry = table.sources.get_mut(&port(PHONE)).unwrap();
    entry.expires_at += 1 << 50;
    let scene = Scene::restarted(table, sample::config(PEERS), START);
    assert_eq!(scene.entry(port(PHONE)).unwrap().2, Some(7200 + 32), "a registration's");
}

#[test]
fn the_proof_of_one_peer_is_not_adopted_for_another() {
    let moved =
        PEERS.replace("sources = [\"198.51.100.0/24\", \"2001:db8:1::/48\"]\n", "").replace(
            "identities = [\"nomad.example\"]",
            "identities = [\"nomad.example\"]\nsources = [\"198.51.100.0/24\"]",
        );
    let scene = restarted(&moved, 0);
    assert_eq!(scene.entry(network(CARRIERS)), Some(listed()));
    assert_eq!(scene.tls_peer(Tcp, "198.51.100.9:5060"), None);
}

#[test]
fn a_denied_source_keeps_nothing_and_can_prove_nothing() {
    let denied = PEERS.replace("203.0.113.64/26", "198.18.0.0/15");
    let mut scene = restarted(&denied, 0);
    assert_eq!(scene.entry(port(PHONE)), None);

    scene.prove("alice", Udp, PHONE);
    scene.connect(ROAMER, 9, "198.18.0.7");
    assert_eq!(scene.entry(port(PHONE)), None);
    assert_eq!(scene.entry(address("198.18.0.7")), None);
    assert_eq!(scene.tls_peer(Udp, "198.18.0.7:5060"), None);
}

#[test]
fn what_was_proven_is_not_taken_over_where_the_operator_denies_it_now() {
    let carrier = PEERS.split("[[peer]]").nth(1).unwrap();
    let without = PEERS.replace(&format!("[[peer]]{carrier}"), "");
    let denied = without.replace("203.0.113.64/26", "198.51.100.0/24");
    assert_eq!(restarted(&denied, 0).entry(network(CARRIERS)).unwrap().0, Lane::Denied);
}

#[test]
fn a_proof_that_an_older_version_left_opens_the_way_to_prove_it_anew() {
    let mut table = left_behind();
    let Place::Network(prefix) = network(CARRIERS) else { unreachable!() };
    table.prefixes.get_mut(&prefix).unwrap().transports = Transports::UDP;
    let scene = Scene::restarted(table, sample::config(PEERS), START);
    let entry = scene.entry(network(CARRIERS));
    assert_eq!(entry, Some((Lane::Tls, "udp,tls".to_owned(), Some(60))));
}

#[test]
fn the_networks_of_two_policies_have_room_beside_each_other() {
    let denying = |first: u8| {
        let networks: Vec<_> =
            (0..4095).map(|it| format!("\"{first}.1.{}.{}\"", it / 256, it % 256)).collect();
        sample::config(&format!("[denied]\nsources = [{}]", networks.join(",")))
    };
    let room = usize::try_from(sbc_common::maps::PREFIXES.capacity).unwrap();
    let table = MemoryTable { prefix_capacity: Some(room), ..MemoryTable::default() };
    let scene = Scene::restarted(table, denying(10), START);
    let scene = Scene::restarted(scene.ledger.table().clone(), denying(11), START);
    assert_eq!(scene.ledger.table().entries().len(), 4095);
}

#[test]
fn what_is_stale_stays_until_the_rest_of_the_policy_is_in_force() {
    let other = PEERS.replace("192.0.2.0/28", "192.0.2.0/27");
    let (mut ledger, stale) =
        Ledger::begin_beside(left_behind(), &sample::config(&other), START).unwrap();
    let holds =
        |ledger: &Ledger<MemoryTable>, text| ledger.table().entries().contains_key(&network(text));
    assert!(holds(&ledger, "192.0.2.0/27") && holds(&ledger, "192.0.2.0/28"));
    stale.remove(ledger.table_mut()).unwrap();
    assert!(holds(&ledger, "192.0.2.0/27") && !holds(&ledger, "192.0.2.0/28"));
}
