use sbc_common::{Meter, Pace};

use super::scene::*;
use crate::config::sample;
use crate::transport::Transport::Udp;

fn scene() -> Scene {
    let peers =
        PEERS.replace("lifetime = \"60s\"", "lifetime = \"60s\"\nbudget = \"500/s burst 1000\"");
    let mut config = sample::config(&peers);
    config.users.as_mut().unwrap().budget = Some("50/s burst 200".parse().unwrap());
    Scene::restarted(MemoryTable::default(), config, START)
}

fn pace(scene: &Scene, place: crate::trust::Place) -> Pace {
    scene.ledger.table().entries()[&place].pace
}

#[test]
fn the_sources_of_a_peer_share_its_budget_before_and_after_a_restart() {
    let mut scene = scene();
    scene.connect(CARRIER, 7, "198.51.100.9");
    let budget = Pace { interval: 2_000_000, burst: 1000, slot: 1 };
    let networks = ["198.51.100.0/24", "2001:db8:1::/48"];
    assert!(networks.iter().all(|place| pace(&scene, network(place)) == budget));

    let scene = Scene::restarted(scene.ledger.table().clone(), scene.config, START);
    assert!(networks.iter().all(|place| pace(&scene, network(place)) == budget));
    assert_eq!(pace(&scene, network("192.0.2.0/28")), Pace::UNLIMITED);
}

#[test]
fn each_source_of_a_user_has_a_slot_beyond_those_of_the_peers() {
    let mut scene = scene();
    let slots: std::collections::BTreeSet<_> = (1..=100)
        .map(|port_number| {
            let phone = format!("198.18.0.9:{port_number}");
            scene.prove(&format!("user{port_number}"), Udp, &phone);
            let Pace { interval, burst, slot } = pace(&scene, port(&phone));
            assert_eq!((interval, burst), (20_000_000, 200));
            slot
        })
        .collect();
    assert!(slots.iter().all(|slot| (5..Meter::SLOTS).contains(slot)), "{slots:?}");
    assert!(slots.len() > 90, "{slots:?}");
}

#[test]
fn without_a_budget_nobody_has_one() {
    let mut scene = Scene::new();
    scene.prove("alice", Udp, "198.18.0.9:5060");
    scene.connect(CARRIER, 7, "198.51.100.9");
    assert!(scene.ledger.table().entries().values().all(|entry| entry.pace == Pace::UNLIMITED));
}

#[test]
fn the_users_of_a_slash_64_have_their_budgets_together() {
    let mut scene = scene();
    let subnet = crate::trust::Place::Subnet("2001:db8:7::".parse().unwrap());
    scene.prove("alice", Udp, "[2001:db8:7::9]:5060");
    assert_eq!((pace(&scene, subnet).interval, pace(&scene, subnet).burst), (20_000_000, 200));
    scene.prove("bob", Udp, "[2001:db8:7::a]:5060");
    scene.prove("carol", Udp, "[2001:db8:7::a]:5062");
    let both = pace(&scene, subnet);
    assert_eq!((both.interval, both.burst), (6_666_666, 600));
    scene.pass(LIFETIME.as_secs());
    scene.sweep();
    assert!(!scene.ledger.table().entries().contains_key(&subnet));
}

#[test]
fn a_restart_gives_nobody_a_larger_budget() {
    let mut before = scene();
    before.prove("alice", Udp, "198.18.0.9:5060");
    let budget = pace(&before, port("198.18.0.9:5060"));
    let after = Scene::restarted(before.ledger.table().clone(), before.config, START);
    let kept = pace(&after, port("198.18.0.9:5060"));
    assert_eq!((kept.interval, kept.burst), (budget.interval, budget.burst));
}
