use sbc_common::Lane;

use super::scene::*;
use crate::kernel::KernelError;
use crate::transport::Transport;
use crate::trust::Place;

const FIRST: &str = "198.51.100.0/24";
const SECOND: &str = "2001:db8:1::/48";

#[test]
fn a_listed_peer_may_prove_itself_from_the_start_and_nothing_else() {
    let scene = Scene::new();
    for place in [FIRST, SECOND] {
        assert_eq!(scene.entry(network(place)), Some(listed()));
    }
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), None);
    assert_eq!(scene.entry(network("192.0.2.0/28")).unwrap().1, "udp", "the word is proof enough");
}

#[test]
fn with_the_last_connection_a_peer_that_is_to_be_removed_keeps_the_way_to_prove_itself() {
    let lines = "lifetime = \"60s\"\non-disconnect = \"remove\"";
    let peers = PEERS.replacen("lifetime = \"60s\"", lines, 1);
    let mut scene =
        Scene::restarted(MemoryTable::default(), crate::config::sample::config(&peers), START);
    scene.connect(CARRIER, 7, "198.51.100.9");
    scene.disconnect(CARRIER, 7).unwrap();
    assert_eq!(scene.entry(network(FIRST)), Some(listed()));
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), None);
}

#[test]
fn a_handshake_opens_all_networks_of_its_peer_and_the_last_goodbye_lets_them_expire() {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");
    for place in [FIRST, SECOND] {
        assert_eq!(scene.entry(network(place)), Some((Lane::Tls, "udp,tls".to_owned(), Some(60))));
    }

    scene.pass(50);
    scene.disconnect(CARRIER, 7).unwrap();
    assert_eq!(scene.entry(network(FIRST)).unwrap().2, Some(60));

    scene.pass(60);
    scene.sweep();
    assert_eq!(scene.entry(network(FIRST)), Some(listed()));
    assert_eq!(scene.entry(network(SECOND)), Some(listed()));
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), None);
}

#[test]
fn the_second_connection_of_a_peer_keeps_alive_what_the_first_opened() {
    let mut scene = Scene::new();
    scene.connect(ROAMER, 7, "198.18.0.9");
    scene.connect(ROAMER, 8, "198.18.0.9");

    scene.disconnect(ROAMER, 7).unwrap();
    scene.pass(59);
    scene.sweep();
    assert_eq!(scene.entry(address("198.18.0.9")).unwrap().2, Some(60));

    scene.disconnect(ROAMER, 8).unwrap();
    assert_eq!(scene.entry(address("198.18.0.9")), None);
}

#[test]
fn a_connection_that_ends_twice_or_never_began_counts_for_nothing() {
    let mut scene = Scene::new();
    scene.connect(ROAMER, 7, "198.18.0.9");
    scene.connect(ROAMER, 8, "198.18.0.9");

    for number in [7, 7, 7, 99] {
        scene.disconnect(ROAMER, number).unwrap();
    }
    assert_eq!(scene.entry(address("198.18.0.9")).unwrap().0, Lane::Tls);
}

#[test]
fn clear_text_belongs_to_the_peer_that_is_connected_from_there_and_not_to_its_neighbour() {
    let mut scene = Scene::new();
    scene.connect(ROAMER, 7, "198.18.0.9");
    scene.connect(NOMAD, 8, "198.18.0.9");
    assert_eq!(scene.tls_peer(Transport::Udp, "198.18.0.9:5060"), Some(ROAMER));
    assert_eq!(scene.tls_peer(Transport::Tcp, "198.18.0.9:5060"), None);

    // Nor does the neighbour's goodbye, or its staying, change what the other holds.
    scene.disconnect(NOMAD, 8).unwrap();
    assert_eq!(scene.tls_peer(Transport::Udp, "198.18.0.9:5060"), Some(ROAMER));
    scene.connect(NOMAD, 9, "198.18.0.9");
    scene.disconnect(ROAMER, 7).unwrap();
    scene.pass(1000);
    scene.sweep();
    assert_eq!(scene.tls_peer(Transport::Udp, "198.18.0.9:5060"), None);
    assert_eq!(scene.entry(address("198.18.0.9")), None);
}

#[test]
fn an_address_that_nobody_is_connected_from_any_more_goes_to_whoever_connects() {
    let mut scene = Scene::new();
    scene.connect(NOMAD, 7, "198.18.0.9");
    scene.disconnect(NOMAD, 7).unwrap();
    scene.connect(ROAMER, 8, "198.18.0.9");

    assert_eq!(scene.tls_peer(Transport::Udp, "198.18.0.9:5060"), Some(ROAMER));
    assert_eq!(scene.tls_peer(Transport::Tcp, "198.18.0.9:5060"), None);
}

#[test]
fn a_network_that_cannot_be_written_keeps_no_other_one_open() {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");
    let Place::Network(first) = network(FIRST) else { panic!() };
    scene.ledger.table_mut().broken = Some(first);

    assert!(scene.ledger.sweep(scene.now).is_err());
    assert!(scene.disconnect(CARRIER, 7).is_err());
    scene.pass(61);
    assert!(scene.ledger.sweep(scene.now).is_err());
    assert_eq!(scene.entry(network(SECOND)), Some(listed()));
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), None);
    let entry = scene.ledger.table().entries()[&network(FIRST)];
    assert!(entry.is_expired(scene.now), "what cannot be replaced ends by itself");
}

#[test]
fn a_table_without_room_opens_nothing_in_the_ledger_either() {
    let mut scene = Scene::over(MemoryTable { capacity: Some(0), ..MemoryTable::default() });

    let connected = scene.try_to_connect(ROAMER, 7, "198.18.0.9");
    assert!(matches!(connected, Err(KernelError::TableFull("TRUST"))));
    assert_eq!(scene.tls_peer(Transport::Udp, "198.18.0.9:5060"), None);

    // The end of a connection that opened nothing is no error.
    scene.disconnect(ROAMER, 7).unwrap();
}

#[test]
fn a_tls_proof_is_good_for_the_transports_that_it_opens() {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");

    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.77:5060"), Some(CARRIER));
    assert_eq!(scene.tls_peer(Transport::Tcp, "198.51.100.77:5060"), None);
    assert_eq!(scene.tls_peer(Transport::Tls, "198.51.100.77:5060"), None);
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.101.1:5060"), None);
}

#[test]
fn a_proof_at_the_end_of_time_expires_all_the_same() {
    let mut scene = Scene::new();
    scene.now = sbc_common::MonotonicNanos(u64::MAX - 10);
    scene.connect(ROAMER, 7, "198.18.0.9");

    let entry = scene.ledger.table().entries()[&address("198.18.0.9")];
    assert_eq!(entry.expires_at, u64::MAX - 1);
}

/// So many seconds from the start.
fn at(seconds: u64) -> sbc_common::MonotonicNanos {
    sbc_common::MonotonicNanos(START.0 + seconds * 1_000_000_000)
}

#[test]
fn no_entry_outlives_the_certificate_that_made_it() {
    let mut scene = Scene::new();
    let place = address("198.18.0.9");
    let flow = |number| connection(number, "198.18.0.9");
    scene.connect_until(NOMAD, &flow(7), None, at(20)).unwrap();
    assert_eq!(scene.entry(place).unwrap().2, Some(20), "its lifetime is 30 s");
    // One that lives longer holds it for longer, and no longer than it is there.
    scene.connect_until(NOMAD, &flow(8), None, at(1000)).unwrap();
    assert_eq!(scene.entry(place).unwrap().2, Some(30));
    scene.connect_until(NOMAD, &flow(9), None, at(5)).unwrap();
    assert_eq!(scene.entry(place).unwrap().2, Some(30));
    scene.disconnect(NOMAD, 8).unwrap();
    scene.sweep();
    assert_eq!(scene.entry(place).unwrap().2, Some(20));
    scene.pass(10);
    scene.disconnect(NOMAD, 7).unwrap();
    scene.sweep();
    assert_eq!(scene.entry(place).unwrap().2, Some(0), "that of 9 is over");
    scene.disconnect(NOMAD, 9).unwrap();
    scene.sweep();
    assert_eq!(scene.entry(place), None);

    scene.connect_until(NOMAD, &flow(10), None, at(15)).unwrap();
    scene.disconnect(NOMAD, 10).unwrap();
    assert_eq!(scene.entry(place).unwrap().2, Some(5), "nor after its connection");
}

#[test]
fn what_a_disproved_certificate_alone_kept_open_is_shut_at_once() {
    let mut scene = Scene::new();
    scene.connect(NOMAD, 7, "198.18.0.9");
    scene.connect(NOMAD, 8, "198.18.0.9");
    scene.connect(CARRIER, 9, "198.51.100.9");
    scene.ledger.tls_disproved(7, scene.now).unwrap();
    assert_eq!(scene.entry(address("198.18.0.9")).unwrap().2, Some(30), "8 is good");
    scene.ledger.tls_disproved(8, scene.now).unwrap();
    assert_eq!(scene.entry(address("198.18.0.9")), None);
    scene.ledger.tls_disproved(9, scene.now).unwrap();
    for place in [FIRST, SECOND] {
        assert_eq!(scene.entry(network(place)), Some(listed()), "it may prove itself anew");
    }
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), None);
    // Each of them ends afterwards, which changes nothing.
    for (peer, number) in [(NOMAD, 7), (NOMAD, 8), (CARRIER, 9)] {
        scene.disconnect(peer, number).unwrap();
    }
    assert_eq!(scene.ledger.table().entries().len(), LASTING);
}

#[test]
fn a_disproved_certificate_no_longer_says_how_long_the_others_hold() {
    let mut scene = Scene::new();
    scene.connect(NOMAD, 7, "198.18.0.9");
    let brief = connection(8, "198.18.0.9");
    scene.connect_until(NOMAD, &brief, None, at(5)).unwrap();
    scene.ledger.tls_disproved(7, scene.now).unwrap();
    assert_eq!(scene.entry(address("198.18.0.9")).unwrap().2, Some(5));
}
