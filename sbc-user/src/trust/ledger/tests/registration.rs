use std::time::Duration;

use super::scene::*;
use crate::transport::Flow;
use crate::transport::Transport::{self, Tcp, Tls, Udp};
use crate::trust::Holder;

const PHONE: &str = "198.18.0.9:5060";

fn flow(transport: Transport, remote: &str) -> Flow {
    Flow { transport, ..Flow::udp(0, remote.parse().unwrap()) }
}

fn register(scene: &mut Scene, transport: Transport, seconds: u64) {
    let lifetime = Duration::from_secs(seconds);
    scene.ledger.registered(&flow(transport, PHONE), lifetime, scene.now).unwrap();
}

fn left(scene: &Scene) -> Option<u64> {
    scene.entry(port(PHONE))?.2
}

#[test]
fn an_accepted_registration_keeps_its_phones_place_open_for_as_long() {
    for transport in [Udp, Tcp] {
        let mut scene = Scene::new();
        scene.prove("alice", transport, PHONE);
        register(&mut scene, transport, 3600);
        assert_eq!(left(&scene), Some(3600));
        scene.pass(3599);
        scene.sweep();
        assert!(scene.has_answered(transport, PHONE));
        scene.pass(1);
        assert!(!scene.has_answered(transport, PHONE));
    }
}

#[test]
fn a_shorter_registration_takes_nothing_back_and_neither_does_the_next_proof() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, PHONE);
    register(&mut scene, Udp, 60);
    assert_eq!(left(&scene), Some(600), "the lifetime of the proof");
    register(&mut scene, Udp, 3600);
    scene.prove("alice", Udp, PHONE);
    assert_eq!(left(&scene), Some(3600));
}

#[test]
fn a_registration_without_a_living_proof_at_its_place_opens_nothing() {
    let mut scene = Scene::new();
    let before = scene.ledger.table().entries();
    register(&mut scene, Udp, 3600);
    assert_eq!(scene.ledger.table().entries(), before);

    scene.prove("alice", Tcp, PHONE);
    register(&mut scene, Udp, 3600);
    register(&mut scene, Tls, 3600);
    assert_eq!(left(&scene), Some(600), "over another transport");

    scene.pass(600);
    register(&mut scene, Tcp, 3600);
    assert!(!scene.has_answered(Tcp, PHONE), "too late");
}

#[test]
fn a_place_that_another_user_proves_is_not_kept_open_by_the_first_ones_registration() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, PHONE);
    register(&mut scene, Udp, 3600);
    scene.prove("bob", Udp, PHONE);
    assert_eq!(left(&scene), Some(600));
    let holder = scene.ledger.who_answered(&flow(Udp, PHONE), scene.now);
    assert_eq!(holder, Some(&Holder::User("bob".into())));
}

#[test]
fn a_registration_outlives_the_daemon() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, PHONE);
    register(&mut scene, Udp, 3600);
    scene.pass(60);
    let table = std::mem::take(scene.ledger.table_mut());
    let scene = Scene::restarted(table, scene.config, scene.now);
    assert_eq!(left(&scene), Some(3540));
    let holder = scene.ledger.who_answered(&flow(Udp, PHONE), scene.now);
    assert_eq!(holder, Some(&Holder::Earlier));
}
