use sbc_common::Lane;

use super::scene::*;
use crate::transport::Transport::Udp;
use crate::trust::Holder;

#[test]
fn the_most_specific_grant_on_a_proof_says_whose_a_source_is() {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 1, "198.51.100.7");
    scene.connect(ROAMER, 2, "198.51.100.9");
    scene.prove("alice", Udp, "198.51.100.9:5060");
    scene.prove("bob", Udp, "[2001:db8:7::1]:5060");
    let (alice, bob) = (Holder::User("alice".into()), Holder::User("bob".into()));
    for (source, lane, expected) in [
        ("198.51.100.7:5060", Some(Lane::Tls), Some(Holder::Peer(CARRIER))),
        ("[2001:db8:1:2::3]:5060", Some(Lane::Tls), Some(Holder::Peer(CARRIER))),
        ("198.51.100.7:5060", Some(Lane::Digest), None),
        ("198.51.100.9:5060", Some(Lane::Digest), Some(alice.clone())),
        ("198.51.100.9:5060", None, Some(alice)),
        ("198.51.100.9:5060", Some(Lane::Tls), Some(Holder::Peer(ROAMER))),
        ("198.51.100.9:5061", None, Some(Holder::Peer(ROAMER))),
        ("[2001:db8:7::2]:5061", Some(Lane::Digest), Some(bob.clone())),
        ("203.0.113.65:5060", None, Some(Holder::Operator)),
        ("198.18.0.9:5060", None, None),
        ("[2001:db8:2::1]:5060", None, None),
    ] {
        let grant = scene.ledger.grant_for(source.parse().unwrap(), lane);
        assert_eq!(grant.map(|grant| grant.holder.clone()), expected, "{source} {lane:?}");
    }
    scene.prove("alice", Udp, "[2001:db8:7::9]:5060");
    for (source, expected) in [("[2001:db8:7::2]:5060", None), ("[2001:db8:7::1]:5060", Some(bob))]
    {
        let grant = scene.ledger.grant_for(source.parse().unwrap(), None);
        assert_eq!(grant.map(|grant| grant.holder.clone()), expected, "{source}");
    }
}
