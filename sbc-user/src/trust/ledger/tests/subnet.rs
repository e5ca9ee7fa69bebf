use sbc_common::{Lane, Pace};

use super::scene::*;
use crate::config::sample;
use crate::transport::Transport::{Tcp, Udp};
use crate::trust::Place;

const ONE: &str = "[2001:db8:7::1]:5060";
const TWO: &str = "[2001:db8:7::2]:5060";

fn subnet() -> Place {
    Place::Subnet("2001:db8:7::".parse().unwrap())
}

fn digest(opens: &str, seconds: u64) -> (Lane, String, Option<u64>) {
    (Lane::Digest, opens.to_owned(), Some(seconds))
}

#[test]
fn an_answer_from_an_ipv6_address_opens_its_slash_64_and_is_that_addresss_own() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, ONE);
    assert_eq!(scene.entry(subnet()), Some(digest("udp", 600)));
    assert_eq!(scene.ledger.table().entries().len(), LASTING + 1, "one row, and no other");
    assert!(scene.has_answered(Udp, ONE));
    // Its neighbour passes the kernel, and has shown nothing.
    assert!(!scene.has_answered(Udp, TWO));

    scene.pass(600);
    scene.sweep();
    assert_eq!(scene.entry(subnet()), None);
}

#[test]
fn a_slash_64_is_open_for_as_long_as_anybodys_proof_there_lasts_and_for_what_it_opened() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, ONE);
    scene.pass(100);
    scene.prove("bob", Tcp, TWO);
    assert_eq!(scene.entry(subnet()), Some(digest("udp,tcp", 600)));
    assert!(scene.has_answered(Udp, ONE) && scene.has_answered(Tcp, TWO));

    scene.pass(500);
    scene.sweep();
    assert_eq!(scene.entry(subnet()), Some(digest("tcp", 100)));
    scene.pass(100);
    scene.sweep();
    assert_eq!(scene.entry(subnet()), None);
}

#[test]
fn a_proof_that_has_ended_is_not_prolonged_by_the_next_even_before_the_sweep() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, ONE);
    scene.pass(600);
    scene.prove("bob", Tcp, TWO);
    assert_eq!(scene.entry(subnet()), Some(digest("tcp", 600)));
}

#[test]
fn a_user_who_moves_on_takes_nothing_from_his_neighbours() {
    let mut scene = Scene::new();
    scene.prove("bob", Udp, TWO);
    scene.pass(10);
    for phone in [ONE, "198.18.0.1:5060", "198.18.0.2:5060"] {
        scene.prove("alice", Udp, phone);
    }
    assert!(!scene.has_answered(Udp, ONE), "the oldest of her two places");
    assert_eq!(scene.entry(subnet()), Some(digest("udp", 590)));
    assert!(scene.has_answered(Udp, TWO));
}

#[test]
fn a_slash_64_with_a_denied_or_listed_part_stays_shut_around_who_proved() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, "[2001:db8:1::9]:5060");
    assert_eq!(scene.entry(port("[2001:db8:1::9]:5060")), Some(digest("udp", 600)));

    let denying = PEERS.replace("203.0.113.64/26", "2001:db8:7::66");
    let mut scene = Scene::restarted(MemoryTable::default(), sample::config(&denying), START);
    for phone in [ONE, "[2001:db8:7::66]:5060"] {
        scene.prove("alice", Udp, phone);
    }
    assert_eq!(scene.entry(subnet()), None);
    assert_eq!(scene.entry(port(ONE)), Some(digest("udp", 600)));
    assert_eq!(scene.entry(port("[2001:db8:7::66]:5060")), None);
    assert_eq!(scene.entry(network("2001:db8:7::66/128")).unwrap().0, Lane::Denied);
}

#[test]
fn a_tls_peer_without_sources_may_speak_from_all_of_its_slash_64() {
    let mut scene = Scene::new();
    scene.connect(ROAMER, 7, "2001:db8:7::1");
    assert_eq!(scene.entry(subnet()), Some((Lane::Tls, "udp,tls".to_owned(), Some(60))));
    assert_eq!(scene.tls_peer(Udp, TWO), Some(ROAMER));
    assert_eq!(scene.tls_peer(Tcp, TWO), None);
    assert_eq!(scene.tls_peer(Udp, "[2001:db8:7:1::2]:5060"), None);

    scene.disconnect(ROAMER, 7).unwrap();
    assert_eq!(scene.entry(subnet()), None);
    assert_eq!(scene.tls_peer(Udp, TWO), None);
}

#[test]
fn what_is_between_two_peers_of_one_slash_64_is_neithers() {
    let peers = PEERS.replace("opens = [\"tcp\"]", "opens = [\"udp\"]");
    let mut scene = Scene::restarted(MemoryTable::default(), sample::config(&peers), START);
    scene.connect(ROAMER, 7, "2001:db8:7::1");
    scene.connect(NOMAD, 8, "2001:db8:7::2");
    assert_eq!(scene.tls_peer(Udp, ONE), Some(ROAMER));
    assert_eq!(scene.tls_peer(Udp, TWO), Some(NOMAD));
    assert_eq!(scene.tls_peer(Udp, "[2001:db8:7::3]:5060"), None);
    assert_eq!(scene.ledger.table().entries()[&subnet()].peer, 0);
}

#[test]
fn a_user_beside_a_tls_peer_makes_the_row_no_stronger_and_is_not_held_to_its_budget() {
    let mut scene = Scene::new();
    let mut config = scene.config.clone();
    config.users.as_mut().unwrap().budget = Some("50/s burst 200".parse().unwrap());
    scene = Scene::restarted(MemoryTable::default(), config, START);
    scene.prove("alice", Tcp, TWO);
    assert_eq!(scene.ledger.table().entries()[&subnet()].pace.interval, 20_000_000);
    scene.connect(ROAMER, 7, "2001:db8:7::1");
    assert_eq!(scene.entry(subnet()), Some(digest("udp,tcp,tls", 600)));
    assert_eq!(scene.ledger.table().entries()[&subnet()].pace, Pace::UNLIMITED);

    // Of what it opens nobody can tell what the user proved: nothing of it is taken over.
    let mut scene = Scene::restarted(scene.ledger.table().clone(), scene.config, START);
    assert_eq!(scene.entry(subnet()), None);
    assert_eq!(scene.tls_peer(Udp, ONE), None);
    assert!(!scene.has_answered(Udp, TWO) && !scene.has_answered(Tcp, TWO));
    scene.prove("alice", Tcp, TWO);
    assert_eq!(scene.entry(subnet()), Some(digest("tcp", 600)));
}

#[test]
fn a_slash_64_is_taken_over_by_the_next_run_unless_its_policy_shuts_it() {
    let left_behind = || {
        let mut scene = Scene::new();
        scene.prove("alice", Udp, ONE);
        scene.ledger.table().clone()
    };
    let mut scene = Scene::restarted(left_behind(), sample::config(PEERS), START);
    assert_eq!(scene.entry(subnet()), Some(digest("udp", 600)));
    // Nobody remembers which of them it was: the kernel lets all of them try, and none has answered.
    for phone in [ONE, TWO] {
        assert!(!scene.has_answered(Udp, phone) && !scene.has_answered(Tcp, phone), "{phone}");
    }
    scene.prove("bob", Tcp, TWO);
    assert_eq!(scene.entry(subnet()), Some(digest("udp,tcp", 600)));
    assert!(scene.has_answered(Tcp, TWO) && !scene.has_answered(Udp, TWO));
    scene.pass(600);
    scene.sweep();
    assert_eq!(scene.entry(subnet()), None);

    for tail in [
        format!("{PEERS}[trust]\nipv6-subnet = false"),
        PEERS.replace("203.0.113.64/26", "2001:db8:7::66"),
        PEERS.replace("203.0.113.64/26", "2001:db8:7::/48"),
    ] {
        let scene = Scene::restarted(left_behind(), sample::config(&tail), START);
        assert_eq!(scene.ledger.table().entries().len(), LASTING, "{tail}");
    }
}

#[test]
fn proofs_of_single_addresses_open_their_slash_64_once_the_policy_says_so() {
    let tail = format!("{PEERS}[trust]\nipv6-subnet = false");
    let mut scene = Scene::restarted(MemoryTable::default(), sample::config(&tail), START);
    scene.prove("alice", Udp, ONE);
    scene.pass(10);
    scene.prove("bob", Tcp, TWO);
    assert_eq!(scene.entry(subnet()), None);
    assert_eq!(scene.ledger.table().entries().len(), LASTING + 2);

    let scene = Scene::restarted(scene.ledger.table().clone(), sample::config(PEERS), scene.now);
    assert_eq!(scene.entry(subnet()), Some(digest("udp,tcp", 600)));
    assert_eq!(scene.ledger.table().entries().len(), LASTING + 1);
    assert!(scene.has_answered(Udp, ONE) && !scene.has_answered(Udp, TWO));
}

#[test]
fn a_full_table_takes_who_comes_to_a_slash_64_that_is_open() {
    let mut scene = Scene::over(MemoryTable { capacity: Some(1), ..MemoryTable::default() });
    scene.prove("alice", Udp, ONE);
    scene.prove("bob", Udp, TWO);
    assert!(scene.try_to_prove("bob", Udp, "[2001:db8:8::1]:5060").is_err());
    assert!(scene.has_answered(Udp, TWO));
}
