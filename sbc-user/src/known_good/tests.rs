use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{Action, Carrier, Family, MonotonicNanos, Reason, Verdict};

use super::source::{MOST_SUSPECTS, WINDOW};
use super::*;
use crate::samples::{Moment, Sample};
use crate::transport::Transport;

const NOW: u64 = 1_700_000_000;

/// So many seconds after a beginning.
fn at(seconds: u64) -> Moment {
    let nanos = 1_000_000_000;
    Moment { wall: (NOW + seconds) * nanos, monotonic: MonotonicNanos((5000 + seconds) * nanos) }
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4((0xc633_6400 + number).into())
}

fn socket(number: u32, port: u16) -> SocketAddr {
    SocketAddr::new(address(number), port)
}

fn sample(remote: SocketAddr, reason: Reason, carrier: Carrier, seconds: u64) -> Arc<Sample> {
    let gateway: SocketAddr = "203.0.113.1:5060".parse().unwrap();
    Arc::new(Sample {
        at: at(seconds).wall,
        monotonic: at(seconds).monotonic,
        verdict: Verdict { reason, lane: None, family: Family::Ipv4, carrier },
        passed: true,
        interface: 7,
        length: 60,
        ends: Some([remote, gateway]),
        kept: Box::default(),
    })
}

struct Scene {
    known: KnownGood,
    holder: Option<Arc<str>>,
    earlier: Vec<Arc<Sample>>,
}

impl Scene {
    fn new() -> Self {
        Self { known: KnownGood::default(), holder: Some("user alice".into()), earlier: Vec::new() }
    }

    fn serve(&mut self, remote: SocketAddr, transport: Transport, what: Service, seconds: u64) {
        let (holder, earlier) = (self.holder.clone(), self.earlier.clone());
        let served = Served { remote, transport, what };
        self.known.served(&served, at(seconds), || holder, || earlier);
    }

    fn register(&mut self, remote: SocketAddr, seconds: u64) {
        self.serve(remote, Transport::Udp, Service::Registration, seconds);
    }

    fn drop(&mut self, remote: SocketAddr, reason: Reason, carrier: Carrier, seconds: u64) {
        self.known.sampled(&sample(remote, reason, carrier, seconds), |_| None);
    }

    /// What was dropped of whom: reason, served, unserved.
    fn losses(&self, number: u32) -> Vec<(Reason, u64, u64)> {
        let account = self.known.accounts().find(|account| account.address == address(number));
        let losses = account.map(|account| account.losses).unwrap_or_default();
        losses.iter().map(|loss| (loss.reason, loss.served, loss.unserved)).collect()
    }
}

#[test]
fn what_was_dropped_where_something_is_served_soon_was_of_it() {
    let mut scene = Scene::new();
    scene.register(socket(1, 5060), 0);
    scene.drop(socket(1, 5062), Reason::ExpiredSource, Carrier::Udp, 100);
    assert_eq!(scene.losses(1), [(Reason::ExpiredSource, 0, 1)]);
    // From another port, or over another transport, it says nothing.
    scene.register(socket(1, 5064), 101);
    scene.serve(socket(1, 5062), Transport::Tcp, Service::Call(1), 102);
    assert_eq!(scene.losses(1), [(Reason::ExpiredSource, 0, 1)]);
    scene.register(socket(1, 5062), 103);
    assert_eq!(scene.losses(1), [(Reason::ExpiredSource, 1, 0)]);
    // And so was what is dropped from there afterwards, for a while.
    let window = WINDOW.as_secs();
    scene.drop(socket(1, 5062), Reason::ExpiredSource, Carrier::Udp, 103 + window);
    scene.drop(socket(1, 5062), Reason::ExpiredSource, Carrier::Udp, 104 + window);
    assert_eq!(scene.losses(1), [(Reason::ExpiredSource, 2, 1)]);
    // What is too old for it stays what it was.
    scene.register(socket(1, 5062), 200 + 2 * window);
    assert_eq!(scene.losses(1), [(Reason::ExpiredSource, 2, 1)]);
}

#[test]
fn the_packets_that_a_new_source_began_with_are_looked_back_at() {
    let mut scene = Scene::new();
    let phone = socket(1, 5060);
    // The latest first, as samples are told.
    scene.earlier = vec![
        sample(phone, Reason::NotASipRequest, Carrier::Udp, 3),
        sample(phone, Reason::UnknownSource, Carrier::Udp, 2),
        sample(phone, Reason::UnknownSource, Carrier::Udp, 1),
    ];
    scene.register(phone, 4);
    assert_eq!(scene.losses(1), [(Reason::UnknownSource, 2, 0)]);
    assert!(scene.known.losers()[0].is_hurt());
    // They are looked at once.
    scene.register(phone, 5);
    assert_eq!(scene.losses(1), [(Reason::UnknownSource, 2, 0)]);
}

#[test]
fn no_packet_makes_anybody_known_nor_does_what_is_no_call_and_no_registration() {
    let mut scene = Scene::new();
    for number in 0..1000 {
        scene.drop(socket(number, 5060), Reason::UnknownSource, Carrier::Udp, 1);
    }
    scene.serve(socket(1, 5060), Transport::Udp, Service::Other, 2);
    assert!(scene.known.is_empty() && scene.known.losers().is_empty());
}

#[test]
fn what_passes_and_what_harms_nobody_is_no_loss() {
    let mut scene = Scene::new();
    scene.register(socket(1, 5060), 0);
    let harmless = [Reason::NoConnection, Reason::NotASipRequest];
    let passing = Reason::ALL.iter().filter(|reason| reason.action() == Action::Pass);
    for reason in passing.chain(&harmless) {
        scene.drop(socket(1, 5060), *reason, Carrier::Udp, 1);
    }
    assert!(scene.losses(1).is_empty() && scene.known.losers().is_empty());
}

#[test]
fn forged_packets_hurt_nobody_and_are_bounded() {
    let mut scene = Scene::new();
    scene.register(socket(1, 5060), 0);
    for (number, port) in (1024..3024).enumerate() {
        scene.drop(socket(1, port), Reason::UnknownSource, Carrier::Udp, number as u64);
    }
    assert_eq!(scene.losses(1), [(Reason::UnknownSource, 0, 2000)]);
    assert!(!scene.known.losers()[0].is_hurt());
    // Of those that something might have come of only the last are remembered.
    scene.register(socket(1, 3023), 2000);
    scene.register(socket(1, 3023 - u16::try_from(MOST_SUSPECTS).unwrap()), 2000);
    assert_eq!(scene.losses(1), [(Reason::UnknownSource, 1, 1999)]);
}

#[test]
fn a_call_is_counted_once_however_often_it_is_answered() {
    let mut scene = Scene::new();
    for call in [1, 1, 2, 2, 2, 3] {
        scene.serve(socket(1, 5060), Transport::Udp, Service::Call(call), call);
    }
    scene.register(socket(1, 5060), 9);
    let account = scene.known.accounts().next().unwrap();
    assert_eq!((account.calls, account.registrations), (3, 1));
    assert_eq!(account.last_good, Some(NOW + 9));
}

#[test]
fn a_peer_that_was_never_served_is_told_by_its_last_address() {
    let mut scene = Scene::new();
    let peer = |_| Some("peer carrier".into());
    for number in [1, 2] {
        let sample =
            sample(socket(number, 5060), Reason::TransportNotOpened, Carrier::Tcp, number.into());
        scene.known.sampled(&sample, peer);
    }
    let [loser] = &scene.known.losers()[..] else { panic!("not one") };
    assert_eq!(
        (loser.address, &*loser.holder, loser.last_good),
        (address(2), "peer carrier", None)
    );
    assert_eq!((loser.losses[0].served, loser.losses[0].unserved), (0, 2));
    assert!(!loser.is_hurt());
}

#[test]
fn a_full_table_forgets_who_was_served_longest_ago_and_a_holder_only_his_own() {
    let mut scene = Scene::new();
    let most = u32::try_from(KnownGood::MOST_OF_A_HOLDER).unwrap();
    scene.register(socket(0, 5060), 0);
    scene.holder = Some("user mallory".into());
    for number in 1..=2 * most {
        scene.register(socket(number, 5060), number.into());
    }
    assert_eq!(scene.known.len(), 1 + KnownGood::MOST_OF_A_HOLDER);
    let is_known = |scene: &Scene, number| {
        scene.known.accounts().any(|account| account.address == address(number))
    };
    assert!(is_known(&scene, 0) && !is_known(&scene, most) && is_known(&scene, most + 1));

    let all = u32::try_from(KnownGood::CAPACITY).unwrap();
    for number in 2 * most + 1..=2 * most + all {
        scene.holder = Some(format!("user {number}").into());
        scene.register(socket(number, 5060), number.into());
    }
    assert_eq!(scene.known.len(), KnownGood::CAPACITY);
    assert!(!is_known(&scene, 0) && is_known(&scene, 2 * most + all));
}

#[test]
fn an_address_that_changes_hands_is_the_new_holders() {
    let mut scene = Scene::new();
    scene.register(socket(1, 5060), 0);
    scene.holder = Some("user bob".into());
    scene.register(socket(1, 5060), 59);
    assert_eq!(&*scene.known.accounts().next().unwrap().holder, "user alice");
    scene.register(socket(1, 5060), 61);
    assert_eq!(&*scene.known.accounts().next().unwrap().holder, "user bob");
    // Whose entry is gone by now is who he was, and who never had one may get one.
    scene.holder = None;
    scene.register(socket(1, 5060), 200);
    assert_eq!(&*scene.known.accounts().next().unwrap().holder, "user bob");
    let mut scene = Scene { holder: None, ..Scene::new() };
    scene.register(socket(1, 5060), 0);
    assert_eq!(&*scene.known.accounts().next().unwrap().holder, "no entry");
    scene.holder = Some("user bob".into());
    scene.register(socket(1, 5060), 1);
    assert_eq!(&*scene.known.accounts().next().unwrap().holder, "user bob");
}

#[test]
fn what_is_long_ago_is_forgotten() {
    const DAY: u64 = 24 * 60 * 60;
    let mut scene = Scene::new();
    scene.register(socket(1, 5060), 0);
    scene.drop(socket(1, 5060), Reason::ExpiredSource, Carrier::Udp, 1);
    scene.known.forget_old(NOW + 7 * DAY);
    assert_eq!(scene.losses(1).len(), 1);
    scene.known.forget_old(NOW + 8 * DAY);
    assert!(scene.losses(1).is_empty() && scene.known.len() == 1);
    scene.known.forget_old(NOW + 31 * DAY);
    assert!(scene.known.is_empty());
}

#[test]
fn the_file_brings_back_who_is_known_and_losses_under_the_same_policy_only() {
    let directory = tempfile::tempdir().unwrap();
    let file =
        |policy: &str| KnownGoodFile::new(directory.path(), "../node-1\n", policy.to_owned());
    assert!(file("one").read(at(0)).unwrap().is_empty());
    let mut scene = Scene::new();
    scene.register(socket(1, 5060), 0);
    scene.drop(socket(1, 5060), Reason::ExpiredSource, Carrier::Udp, 1);
    scene.drop(socket(1, 5062), Reason::UnknownSource, Carrier::Udp, 1);
    let accounts: Vec<_> = scene.known.accounts().collect();
    file("one").write(&accounts).unwrap();
    let path = directory.path().join("known-good-node-1.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let read = file("one").read(at(10)).unwrap();
    assert_eq!(read.accounts().collect::<Vec<_>>(), accounts);
    let [other] = &file("two").read(at(10)).unwrap().accounts().collect::<Vec<_>>()[..] else {
        panic!("not one");
    };
    assert_eq!((other.registrations, other.losses.len()), (1, 0));
    let long_after = at(Duration::from_hours(24 * 40).as_secs());
    assert!(file("one").read(long_after).unwrap().is_empty());

    fs::write(&path, "{\"version\":1").unwrap();
    assert!(file("one").read(at(0)).is_err());
}

#[test]
fn every_drop_has_a_remedy() {
    for reason in Reason::ALL {
        assert_eq!(remedy(*reason) == "nothing: it passes", reason.action() == Action::Pass);
    }
}
