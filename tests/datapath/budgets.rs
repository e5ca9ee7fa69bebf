use sbc_common::{Budget, Pace, Reason};

use crate::ends::{FAMILIES, IPV4};
use crate::fixture::Datapath;
use crate::frames::Frame;
use crate::policy::{BOTH, Policy, on_probation, opening, paced};

/// One packet an hour: none comes back while the test runs.
const TEN_A_DAY: Budget = Budget { interval: HOUR, tolerance: 10 * HOUR };
const HOUR: u64 = 3_600_000_000_000;

#[test]
fn strangers_share_exactly_one_burst() {
    let mut datapath = Datapath::load();
    datapath.apply(&Policy::edge().challenging_within(TEN_A_DAY));
    let frames: Vec<_> = FAMILIES
        .iter()
        .flat_map(|ends| {
            [
                Frame::udp(ends.stranger, ends.edge),
                Frame::tcp(ends.neighbour, ends.edge).with(&[]),
                Frame::udp(ends.peer, ends.edge).sent_from(40_000),
            ]
        })
        .map(|frame| frame.build())
        .collect();

    let reasons: Vec<_> = frames
        .iter()
        .cycle()
        .take(30)
        .map(|frame| datapath.judge(frame).unwrap().0.reason)
        .collect();

    let (within, beyond) = reasons.split_at(10);
    assert!(within.iter().all(|reason| *reason == Reason::UnknownWithinBudget), "{within:?}");
    assert!(beyond.iter().all(|reason| *reason == Reason::UnknownBudgetSpent), "{beyond:?}");
}

#[test]
fn what_is_not_a_strangers_request_spends_nothing() {
    let mut datapath = Datapath::load();
    let policy = Policy::edge().challenging_within(TEN_A_DAY).knowing(IPV4.peer, opening(BOTH));
    datapath.apply(&policy);
    let free = [
        Frame::udp(IPV4.stranger, IPV4.edge).with(b"SIP/2.0 200 OK\r\n\r\n").build(),
        Frame::udp(IPV4.stranger, IPV4.edge).with(b"\r\n\r\n").build(),
        Frame::udp(IPV4.stranger, IPV4.edge).fragment(0, true).build(),
        Frame::udp(IPV4.stranger, IPV4.behind).build(),
        Frame::tcp(IPV4.stranger, IPV4.edge).sent_to(5061).build(),
        Frame::udp(IPV4.peer, IPV4.edge).build(),
    ];
    let request = Frame::udp(IPV4.stranger, IPV4.edge).build();

    for frame in free.iter().cycle().take(60) {
        let (verdict, _) = datapath.judge(frame).unwrap();
        assert_ne!(verdict.reason, Reason::UnknownWithinBudget);
    }
    let passed = (0..30)
        .filter(|_| datapath.judge(&request).unwrap().0.reason == Reason::UnknownWithinBudget)
        .count();

    assert_eq!(passed, 10);
}

#[test]
fn a_neighbourhood_spends_its_own_attempts_and_nobody_elses() {
    for ends in &FAMILIES {
        let mut datapath = Datapath::load();
        datapath.apply(&Policy::edge().set(|settings| settings.tls_attempts_from = TEN_A_DAY));
        let attempt = |source: &str| Frame::tcp(source, ends.edge).with(&[]).sent_to_tls().build();
        let (one, other) = (attempt(ends.peer), attempt(ends.neighbour));
        let reasons: Vec<_> = [&one, &other]
            .into_iter()
            .cycle()
            .take(15)
            .map(|frame| datapath.judge(frame).unwrap().0.reason)
            .collect();
        let (within, beyond) = reasons.split_at(10);
        assert!(within.iter().all(|reason| *reason == Reason::TlsReachable), "{within:?}");
        assert!(beyond.iter().all(|reason| *reason == Reason::TlsNeighbourhoodSpent), "{beyond:?}");
        // A word is shared by chance, under a seed that differs each time: 1 of 4,096.
        let elsewhere = (1..=20).filter(|number| {
            let source = match ends.family {
                "IPv4" => format!("192.0.{number}.66"),
                _ => format!("2001:db8:b{number}::66"),
            };
            datapath.judge(&attempt(&source)).unwrap().0.reason == Reason::TlsReachable
        });
        assert!(elsewhere.count() >= 18);
    }
}

#[test]
fn a_source_spends_the_budget_of_its_slot_alone() {
    let mut datapath = Datapath::load();
    // Four seconds each, the longest that an entry can say.
    let pace = |slot| Pace { interval: u32::MAX, burst: 1000, slot };
    let policy =
        Policy::edge().knowing(IPV4.peer, paced(pace(7))).knowing(IPV4.neighbour, paced(pace(8)));
    datapath.apply(&policy);
    let from = |source| Frame::udp(source, IPV4.edge).build();
    let mut passed = |source| {
        let reasons = (0..1100).map(|_| datapath.judge(&from(source)).unwrap().0.reason);
        reasons.filter(|reason| *reason == Reason::TrustedSource).count()
    };

    // One more may be earned while the test runs.
    assert!((1000..1010).contains(&passed(IPV4.peer)));
    assert!((1000..1010).contains(&passed(IPV4.neighbour)));
}

#[test]
fn whoever_spends_what_returning_may_cost_leaves_strangers_budget_to_those_who_return() {
    let mut datapath = Datapath::load();
    let pace = Pace { interval: u32::MAX, burst: 100, slot: 9 };
    let policy = Policy::edge().challenging_within(TEN_A_DAY);
    datapath.apply(&policy.knowing(IPV4.peer, on_probation(BOTH, pace)));
    let request = Frame::udp(IPV4.peer, IPV4.edge).build();
    let reasons: Vec<_> = (0..150).map(|_| datapath.judge(&request).unwrap().0.reason).collect();

    let count = |reason| reasons.iter().filter(|it| **it == reason).count();
    // One more may be earned while the test runs.
    assert!((100..105).contains(&count(Reason::OnProbation)), "{reasons:?}");
    assert_eq!(count(Reason::UnknownWithinBudget), 10);
    assert_eq!(reasons.last(), Some(&Reason::UnknownBudgetSpent));
}
