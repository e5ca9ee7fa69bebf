use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use sbc_common::{Address, Protocol, Reason, Scrutiny, Service, SourceKey, Transports};

use crate::ends::{FAMILIES, IPV4, IPV6};
use crate::fixture::Datapath;
use crate::mutation::{change_id, mutation};
use crate::policy::{
    AMPLE_PACE, BOTH, Policy, SPENT, SPENT_PACE, denied, expired, of_unknown_lane, on_probation,
    opening, paced,
};
use crate::rows;
use crate::second_reader::Reading;

const CASES_PER_POLICY: u32 = 5_000;

fn policies() -> [Policy; 8] {
    let by_port = Policy::edge()
        .knowing("198.51.100.7:5060", opening(Transports::UDP))
        .knowing("[2001:db8:7::7]:5060", opening(BOTH))
        .knowing(IPV4.peer, expired(BOTH))
        .knowing("198.51.100.0/29", denied())
        .challenging();
    let by_address = Policy::edge()
        .knowing(IPV4.peer, opening(BOTH))
        .knowing(IPV6.peer, opening(Transports::TCP))
        .knowing(IPV6.stranger, denied());
    let by_prefix = Policy::edge()
        .knowing("198.51.100.0/28", opening(BOTH))
        .knowing("2001:db8:7::/124", opening(BOTH))
        .knowing(IPV6.only_peer, denied())
        .challenging_nobody_any_more();
    let observing = Policy::edge()
        .knowing(IPV4.peer, of_unknown_lane(8))
        .knowing(IPV6.only_peer, paced(AMPLE_PACE))
        .challenging()
        .set(|settings| settings.hop_limits = Scrutiny::Observe)
        .set(|settings| settings.reverse_path = Scrutiny::Observe)
        .observing();
    let forgetting = Policy::edge()
        .serving(IPV4.edge, 5062, Protocol::Udp, Service::Inside)
        .serving(IPV6.edge, 5062, Protocol::Udp, Service::Inside)
        .knowing(IPV4.peer, expired(BOTH))
        .knowing(IPV4.stranger, on_probation(BOTH, AMPLE_PACE))
        .knowing(IPV6.peer, on_probation(Transports::UDP, AMPLE_PACE))
        .knowing(IPV6.around_peer, expired(BOTH));
    let suspicious = Policy::edge()
        .knowing(IPV4.peer, paced(AMPLE_PACE))
        .knowing_subnet_of(IPV6.peer, paced(SPENT_PACE))
        .set(|settings| settings.hop_limits = Scrutiny::Enforce)
        .set(|settings| settings.tls_attempts_from = SPENT);
    // The routing table of the tests leads back to neither.
    let elsewhere = Policy::edge()
        .serving(IPV4.edge, 500, Protocol::Udp, Service::Ipsec)
        .serving(IPV4.edge, 0, Protocol::Esp, Service::Ipsec)
        .serving(IPV6.edge, 0, Protocol::Esp, Service::Ipsec)
        .knowing(IPV4.stranger, opening(BOTH))
        .knowing(IPV6.stranger, opening(BOTH))
        .knowing(IPV6.peer, opening(BOTH))
        .set(|settings| settings.reverse_path = Scrutiny::Enforce)
        .set(|settings| settings.early_fragments = SPENT)
        .set(|settings| settings.tls_attempts = SPENT)
        .set(|settings| settings.tunnels_pass = true);
    let only_in_ipsec = opening(BOTH.union(Transports::IPSEC)).only_in_ipsec(true);
    let through_ipsec = Policy::edge()
        .serving(IPV4.edge, 4500, Protocol::Udp, Service::Ipsec)
        .serving(IPV4.edge, 0, Protocol::Esp, Service::Ipsec)
        .serving(IPV6.edge, 0, Protocol::Esp, Service::Ipsec)
        .knowing(IPV4.around_peer, only_in_ipsec)
        .knowing(IPV6.around_peer, only_in_ipsec)
        .associating(IPV4.peer, IPV4.edge, 0x5a5a_5a5a)
        .challenging();
    [through_ipsec, forgetting, by_port, by_address, by_prefix, observing, suspicious, elsewhere]
}

#[test]
fn mutated_frames_meet_the_same_reason_in_the_kernel_and_on_the_host() {
    let mut rows = rows::all();
    for row in &mut rows {
        row.before.iter_mut().chain([&mut row.frame]).for_each(|frame| change_id(frame, |_| 0));
    }
    let rows: Vec<_> = rows.into_iter().map(|row| (row.before, row.frame)).collect();
    let mutated = (prop::sample::select(rows), prop::collection::vec(mutation(), 1..5)).prop_map(
        |((before, mut frame), mutations)| {
            for mutation in &mutations {
                mutation.apply(&mut frame);
            }
            (before.into_iter().map(Hex).collect::<Vec<_>>(), Hex(frame))
        },
    );
    let cases = Cell::new(0_u16);
    let met: RefCell<HashMap<Reason, u32>> = RefCell::default();
    for (policy, seed) in policies().iter().zip(0..) {
        // Each policy begins without memory: a source that the last one trusted and this one does not know
        // has datagrams that the host remembers, and that the kernel's gate does not ask about.
        let datapath = RefCell::new(Datapath::load());
        datapath.borrow_mut().apply(policy);
        let judged = runner(seed).run(&mutated, |(before, Hex(frame))| {
            // Nobody comes back to a datagram after seconds: that is when the program forgets it, and
            // its clock and ours are read one after the other.
            cases.set(cases.get().wrapping_add(1));
            for Hex(mut frame) in before.into_iter().chain([Hex(frame)]) {
                change_id(&mut frame, |id| id ^ cases.get());
                let judged = datapath.borrow_mut().judge(&frame);
                let (verdict, _) =
                    judged.map_err(|wrong| TestCaseError::fail(wrong.to_string()))?;
                *met.borrow_mut().entry(verdict.reason).or_default() += 1;
                agrees_with_second_reader(policy, &frame, verdict.reason)?;
            }
            Ok(())
        });
        judged.unwrap_or_else(|failure| panic!("{failure}\n{policy:?}"));
    }
    let met = met.into_inner();
    println!("{met:?}");
    let missed: Vec<_> = Reason::ALL.iter().filter(|reason| !met.contains_key(*reason)).collect();
    assert!(missed.is_empty(), "the frames are too tame to meet {missed:?}");
}

/// A frame that a failed test shows in one line.
struct Hex(Vec<u8>);

impl fmt::Debug for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Deterministic: a failure is the same tomorrow and elsewhere.
fn runner(seed: u8) -> TestRunner {
    let config = Config { cases: CASES_PER_POLICY, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

/// What passes as SIP is what another parser sees too, as far as it reads.
fn agrees_with_second_reader(
    policy: &Policy,
    frame: &[u8],
    reason: Reason,
) -> Result<(), TestCaseError> {
    let Some(reading) = Reading::of(frame) else { return Ok(()) };
    let may_be_to = |port| reading.ports.is_none_or(|(_, to)| to == port);
    let is_whole = !reading.is_fragment;
    let needed = [
        (Reason::TrustedSource, knows(policy, reading.source)),
        (Reason::TlsReachable, is_whole && reading.may_be_tcp && may_be_to(5061)),
        (Reason::UnknownWithinBudget, is_whole && may_be_to(5060)),
        (Reason::OnProbation, is_whole && may_be_to(5060)),
        (Reason::NotProtected, !reading.is_sip_to_the_edge()),
    ];
    prop_assert!(!needed.contains(&(reason, false)), "{} and {:?}", reason.name(), reading);
    Ok(())
}

/// Says whether the policy has an entry that speaks for `source`.
fn knows(policy: &Policy, source: IpAddr) -> bool {
    let source = Address::from(source);
    let is_listed =
        |key: &SourceKey| key.address == if key.is_subnet() { source.subnet() } else { source };
    policy.sources.iter().any(|(key, _)| is_listed(key))
        || policy.prefixes.iter().any(|(prefix, _)| prefix.contains(&source))
}

impl Reading {
    fn is_sip_to_the_edge(&self) -> bool {
        let is_to_edge = FAMILIES.iter().any(|ends| ends.edge.parse() == Ok(self.destination));
        is_to_edge && self.ports.is_some_and(|(_, to)| to == 5060)
    }
}
