use sbc_common::Lane;

use super::scene::*;
use crate::transport::Transport::{Tcp, Udp};

#[test]
fn who_is_gone_loses_all_places_at_once_and_nobody_else_does() {
    let mut scene = Scene::new();
    let before = scene.ledger.table().entries();
    for (transport, remote) in [(Tcp, "[2001:db8:9::1]:5060"), (Udp, "198.18.0.9:5060")] {
        scene.prove("alice", transport, remote);
    }
    let home = flow(Udp, "198.18.0.9:5060");
    scene.ledger.may_return(&"alice".into(), &home, LIFETIME, scene.now).unwrap();
    scene.prove("bob", Udp, "198.18.0.10:5060");
    scene.connect(CARRIER, 1, "198.51.100.7");
    let carrier = scene.entry(network("198.51.100.0/24"));

    let (shut, done) = scene.ledger.users_disproved(|label| label == "alice", scene.now);
    done.unwrap();
    assert_eq!(shut, 3);
    assert_eq!(scene.entry(address("198.18.0.9")), None);
    assert!(!scene.has_answered(Udp, "198.18.0.9:5060"));
    assert_eq!(scene.entry(port("198.18.0.10:5060")).unwrap().0, Lane::Digest);
    assert_eq!(scene.entry(network("198.51.100.0/24")), carrier);
    assert_eq!(scene.ledger.table().entries().len(), before.len() + 1);
}

#[test]
fn what_an_earlier_run_left_is_shut_since_nobody_knows_whose_it_is() {
    let mut scene = Scene::new();
    let phone = "198.18.0.9:5060";
    scene.prove("alice", Udp, phone);
    let table = std::mem::take(scene.ledger.table_mut());
    let mut scene = Scene::restarted(table, scene.config, scene.now);
    assert!(scene.has_answered(Udp, phone));
    let (shut, done) = scene.ledger.users_disproved(|_| false, scene.now);
    done.unwrap();
    assert_eq!(shut, 1);
    assert_eq!(scene.entry(port(phone)), None);
    assert_eq!(scene.ledger.table().entries().len(), LASTING);
}
