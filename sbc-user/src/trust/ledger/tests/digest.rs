use sbc_common::{Lane, MonotonicNanos};

use super::scene::*;
use crate::kernel::KernelError;
use crate::transport::Transport::{Tcp, Tls, Udp};

const PHONE: &str = "198.18.0.9:5060";

#[test]
fn an_answer_opens_one_port_over_one_transport_for_its_lifetime() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, PHONE);
    assert_eq!(scene.entry(port(PHONE)), Some((Lane::Digest, "udp".to_owned(), Some(600))));
    assert_eq!(scene.ledger.table().entries().len(), LASTING + 1);

    scene.pass(600);
    assert!(!scene.has_answered(Udp, PHONE), "even before the sweep");
    scene.sweep();
    assert_eq!(scene.entry(port(PHONE)), None);
}

#[test]
fn an_answer_is_entered_anew_once_it_prolongs_the_last_by_a_second() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, PHONE);
    let first = scene.ledger.table().entries();
    scene.now = MonotonicNanos(scene.now.0 + 999_999_999);
    scene.prove("alice", Udp, PHONE);
    assert_eq!(scene.ledger.table().entries(), first);

    scene.now = MonotonicNanos(scene.now.0 + 1);
    scene.prove("alice", Udp, PHONE);
    assert_eq!(scene.entry(port(PHONE)), Some((Lane::Digest, "udp".to_owned(), Some(600))));
}

#[test]
fn an_answer_over_tls_opens_no_clear_text() {
    let mut scene = Scene::new();
    scene.prove("alice", Tls, PHONE);
    assert_eq!(scene.entry(port(PHONE)).unwrap().1, "");
    assert!(scene.has_answered(Tls, PHONE));
    assert!(!scene.has_answered(Udp, PHONE));
}

#[test]
fn an_answer_over_one_transport_neither_opens_nor_prolongs_another() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, PHONE);
    scene.pass(599);
    scene.prove("alice", Tcp, PHONE);

    assert_eq!(scene.entry(port(PHONE)).unwrap().1, "tcp");
    assert!(scene.has_answered(Tcp, PHONE));
    assert!(!scene.has_answered(Udp, PHONE));
}

#[test]
fn an_answer_from_port_zero_opens_nothing_since_that_would_be_every_port() {
    let mut scene = Scene::new();
    let before = scene.ledger.table().entries();
    scene.prove("alice", Udp, "198.18.0.9:0");

    assert_eq!(scene.ledger.table().entries(), before);
    assert!(!scene.has_answered(Udp, "198.18.0.9:0"));
}

#[test]
fn a_source_too_many_takes_the_place_of_the_users_oldest() {
    let mut scene = Scene::new();
    for phone in ["198.18.0.1:5060", "198.18.0.2:5060", "198.18.0.1:5060", "198.18.0.3:5060"] {
        scene.prove("alice", Udp, phone);
    }
    scene.prove("bob", Udp, "198.18.0.4:5060");

    assert_eq!(scene.entry(port("198.18.0.2:5060")), None, "not the renewed one");
    for phone in ["198.18.0.1:5060", "198.18.0.3:5060", "198.18.0.4:5060"] {
        assert!(scene.has_answered(Udp, phone), "{phone}");
    }
}

#[test]
fn a_place_that_another_user_proved_counts_against_the_other_ones_share_only() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, "198.18.0.1:5060");
    scene.prove("bob", Udp, "198.18.0.1:5060");
    for phone in ["198.18.0.2:5060", "198.18.0.3:5060"] {
        scene.prove("alice", Udp, phone);
    }

    for phone in ["198.18.0.1:5060", "198.18.0.2:5060", "198.18.0.3:5060"] {
        assert!(scene.has_answered(Udp, phone), "{phone}");
    }
}

#[test]
fn a_full_table_is_said_and_leaves_what_it_held() {
    let mut scene = Scene::over(MemoryTable { capacity: Some(1), ..MemoryTable::default() });
    scene.prove("alice", Udp, PHONE);

    let second = scene.try_to_prove("bob", Udp, "198.18.0.2:5060");
    assert!(matches!(second, Err(KernelError::TableFull("TRUST"))));
    assert!(!scene.has_answered(Udp, "198.18.0.2:5060"));

    scene.pass(599);
    scene.prove("alice", Udp, PHONE);
    scene.pass(2);
    assert!(scene.has_answered(Udp, PHONE), "a renewal needs no room");
}

#[test]
fn the_scope_of_a_link_local_address_is_no_second_place() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, "[fe80::1%2]:5060");
    assert!(scene.has_answered(Udp, "[fe80::1%3]:5060"), "the kernel cannot tell them apart");
    scene.pass(600);
    scene.sweep();
    assert_eq!(scene.entry(port("[fe80::1]:5060")), None);
}
