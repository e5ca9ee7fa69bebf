use sbc_common::{Lane, MonotonicNanos};

use super::scene::*;
use crate::config::sample;
use crate::transport::Transport::{Tcp, Tls, Udp};

const PHONE: &str = "198.18.0.9:5060";
const OFFICE: &str = "198.18.0.9";
const HOUR: u64 = 3600;

impl Scene {
    fn prove_and_return(&mut self, user: &str, transport: crate::transport::Transport, at: &str) {
        self.prove(user, transport, at);
        let flow = flow(transport, at);
        self.ledger.may_return(&user.into(), &flow, LIFETIME, self.now).unwrap();
    }
}

#[test]
fn who_proved_himself_may_return_to_his_address_for_an_hour_beyond_his_proof() {
    let mut scene = Scene::new();
    scene.prove_and_return("alice", Udp, PHONE);
    let until = LIFETIME.as_secs() + HOUR;
    let entry = (Lane::Probation, "udp".to_owned(), Some(until));
    assert_eq!(scene.entry(address(OFFICE)), Some(entry));
    assert_eq!(scene.entry(port(PHONE)).unwrap().0, Lane::Digest);

    scene.pass(LIFETIME.as_secs());
    scene.sweep();
    assert_eq!(scene.entry(port(PHONE)), None);
    assert_eq!(scene.entry(address(OFFICE)).unwrap().0, Lane::Probation);
    scene.pass(HOUR);
    scene.sweep();
    assert_eq!(scene.entry(address(OFFICE)), None);
}

#[test]
fn probation_proves_nothing_to_anybody() {
    let mut scene = Scene::new();
    scene.prove_and_return("alice", Udp, PHONE);
    let elsewhere = "198.18.0.9:5062";
    assert!(!scene.has_answered(Udp, elsewhere));
    assert_eq!(scene.tls_peer(Udp, elsewhere), None);
    let flow = flow(Udp, elsewhere);
    assert_eq!(scene.ledger.who_answered(&flow, scene.now), None);
}

#[test]
fn it_opens_what_was_proved_there_and_no_more() {
    let mut scene = Scene::new();
    scene.prove_and_return("alice", Udp, PHONE);
    scene.prove_and_return("bob", Tcp, "198.18.0.9:5062");
    assert_eq!(scene.entry(address(OFFICE)).unwrap().1, "udp,tcp");
    scene.prove_and_return("carol", Tls, "198.18.0.10:5062");
    assert_eq!(scene.entry(address("198.18.0.10")), None);
}

#[test]
fn what_few_proofs_change_is_not_written_for_each() {
    let mut scene = Scene::new();
    scene.prove_and_return("alice", Udp, PHONE);
    let first = scene.ledger.table().entries()[&address(OFFICE)];
    scene.pass(HOUR / 16 - 1);
    scene.prove_and_return("bob", Udp, "198.18.0.9:5062");
    assert_eq!(scene.ledger.table().entries()[&address(OFFICE)], first);
    scene.pass(1);
    scene.prove_and_return("carol", Udp, "198.18.0.9:5064");
    assert_eq!(scene.entry(address(OFFICE)).unwrap().2, Some(LIFETIME.as_secs() + HOUR));
}

#[test]
fn of_a_slash_64_it_is_what_is_left_when_the_last_proof_is_over() {
    let mut scene = Scene::new();
    let subnet = crate::trust::Place::Subnet("2001:db8:7::".parse().unwrap());
    scene.prove_and_return("alice", Udp, "[2001:db8:7::9]:5060");
    assert_eq!(scene.entry(subnet).unwrap().0, Lane::Digest);
    scene.pass(LIFETIME.as_secs());
    scene.sweep();
    assert_eq!(scene.entry(subnet), Some((Lane::Probation, "udp".to_owned(), Some(HOUR))));
    scene.prove_and_return("bob", Udp, "[2001:db8:7::a]:5060");
    assert_eq!(scene.entry(subnet).unwrap().0, Lane::Digest);
}

#[test]
fn a_peer_who_proves_himself_at_the_address_takes_its_place_and_keeps_it() {
    let mut scene = Scene::new();
    scene.prove_and_return("alice", Udp, "198.18.0.7:5060");
    scene.connect(ROAMER, 8, "198.18.0.7");
    assert_eq!(scene.entry(address("198.18.0.7")).unwrap().0, Lane::Tls);
    scene.prove_and_return("alice", Udp, "198.18.0.7:5060");
    assert_eq!(scene.entry(address("198.18.0.7")).unwrap().0, Lane::Tls);
}

#[test]
fn a_user_may_return_to_no_more_addresses_than_he_may_prove_himself_at() {
    let mut scene = Scene::new();
    for number in 1..=4 {
        scene.prove_and_return("alice", Udp, &format!("198.18.0.{number}:5060"));
    }
    let left = (1..=4).filter(|number| {
        let place = address(&format!("198.18.0.{number}"));
        scene.entry(place).is_some_and(|entry| entry.0 == Lane::Probation)
    });
    assert_eq!(left.collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn no_more_than_a_quarter_of_the_table_is_for_those_who_return() {
    let mut scene = Scene::restarted(
        MemoryTable::default(),
        sample::config(&format!("{PEERS}\n[kernel]\ntrust-entries = 1024\n")),
        START,
    );
    for number in 0..300 {
        let place = format!("198.18.{}.{}:5060", number / 100, number % 100);
        scene.prove_and_return(&format!("user{number}"), Udp, &place);
    }
    let entries = scene.ledger.table().entries();
    let returning = entries.values().filter(|entry| entry.lane() == Some(Lane::Probation));
    assert_eq!(returning.count(), 256);
}

#[test]
fn a_restart_forgets_nobody_who_may_return() {
    let mut scene = Scene::new();
    scene.prove_and_return("alice", Udp, PHONE);
    let now = MonotonicNanos(START.0 + 1_000_000_000);
    let table = scene.ledger.table().clone();
    let scene = Scene::restarted(table.clone(), sample::config(PEERS), now);
    let entry = scene.entry(address(OFFICE));
    assert_eq!(
        entry,
        Some((Lane::Probation, "udp".to_owned(), Some(LIFETIME.as_secs() + HOUR - 1)))
    );
    let denying = PEERS.replace("203.0.113.64/26", "198.18.0.0/24");
    let scene = Scene::restarted(table, sample::config(&denying), now);
    assert_eq!(scene.entry(address(OFFICE)), None);
}
