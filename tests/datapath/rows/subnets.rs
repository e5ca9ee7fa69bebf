//! Entries for the /64 around an IPv6 address.

use sbc_common::{Lane, Reason, Transports, TrustEntry};

use super::{Row, row};
use crate::ends::{IPV4, IPV6};
use crate::frames::Frame;
use crate::policy::{BOTH, Policy, denied, expired, opening, opening_for_long};

const TRUSTED: Reason = Reason::TrustedSource;
const UNKNOWN: Reason = Reason::UnknownSource;
const EXPIRED: Reason = Reason::ExpiredSource;
const DENIED: Reason = Reason::DeniedSource;
const NOT_OPENED: Reason = Reason::TransportNotOpened;

/// Another address of the peer's /64, with nothing in common below.
const ELSEWHERE_INSIDE: &str = "2001:db8:7:0:ffff:ffff:ffff:fffe";
/// An address of the next /64.
const NEXT: &str = "2001:db8:7:1::7";

/// What is entered for the peer's port, for its address, for the /64 around it, and for the prefix around
/// that; and what comes of a datagram of the peer.
type Precedence = (&'static str, [Option<TrustEntry>; 4], Reason);

pub(super) fn rows() -> Vec<Row> {
    [members(), precedences(), fragments()].concat()
}

fn members() -> Vec<Row> {
    let entry = opening_for_long(Lane::Digest, BOTH);
    let trusting = Policy::edge().knowing_subnet_of(IPV6.peer, entry);
    let denying = Policy::edge().knowing_subnet_of(IPV6.peer, denied()).challenging();
    let of_ipv4 = Policy::edge().knowing_subnet_of(IPV4.peer, opening(BOTH));
    let of_zero = Policy::edge().knowing_subnet_of("::", opening(BOTH));
    let by_address = Policy::edge().knowing("2001:db8:7::", opening(BOTH));
    let from = |source| Frame::udp(source, IPV6.edge);
    let ipv4 = || Frame::udp(IPV4.peer, IPV4.edge);
    [
        ("its address", &trusting, from(IPV6.peer), TRUSTED),
        ("its network address", &trusting, from("2001:db8:7::"), TRUSTED),
        ("its other end", &trusting, from(ELSEWHERE_INSIDE).sent_from(40_000), TRUSTED),
        ("the next one", &trusting, from(NEXT), UNKNOWN),
        ("a stranger", &trusting, from(IPV6.stranger), UNKNOWN),
        ("its other end, denied", &denying, from(ELSEWHERE_INSIDE), DENIED),
        ("the next one, where it is denied", &denying, from(NEXT), Reason::UnknownWithinBudget),
        // All IPv4 addresses in mapped form share their first 64 bits.
        ("one made of an IPv4 address", &of_ipv4, ipv4(), UNKNOWN),
        ("one that would hold every IPv4 address", &of_zero, ipv4(), UNKNOWN),
        ("an entry for its network address alone", &by_address, from(IPV6.peer), UNKNOWN),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("a /64: {name}"), policy, frame.build(), expected)
    })
    .to_vec()
}

fn precedences() -> Vec<Row> {
    let udp = Some(opening(Transports::UDP));
    let tcp = Some(opening(Transports::TCP));
    let gone = Some(expired(BOTH));
    let bad = Some(denied());
    let table: [Precedence; 12] = [
        ("alone", [None, None, udp, None], TRUSTED),
        ("expired", [None, None, gone, None], EXPIRED),
        ("for TCP", [None, None, tcp, None], NOT_OPENED),
        ("under a denied port", [bad, None, udp, None], DENIED),
        ("under a denied address", [None, bad, udp, None], DENIED),
        ("denied under a trusted port", [udp, None, bad, None], TRUSTED),
        ("denied under a trusted address", [None, udp, bad, None], TRUSTED),
        ("in a denied prefix", [None, None, udp, bad], TRUSTED),
        ("denied in a trusted prefix", [None, None, bad, udp], DENIED),
        ("expired in a trusted prefix", [None, None, gone, udp], TRUSTED),
        ("with an expired port and address", [gone, gone, udp, bad], TRUSTED),
        ("for TCP with an expired address", [None, gone, tcp, gone], NOT_OPENED),
    ];
    table
        .into_iter()
        .map(|(name, [port, address, subnet, prefix], expected)| {
            let known = [("[2001:db8:7::7]:5060", port), (IPV6.peer, address)];
            let known = known.into_iter().chain([("2001:db8::/32", prefix)]);
            let policy = known
                .filter_map(|(source, entry)| Some((source, entry?)))
                .fold(Policy::edge(), |policy, (source, entry)| policy.knowing(source, entry));
            let policy = match subnet {
                Some(entry) => policy.knowing_subnet_of(IPV6.peer, entry),
                None => policy,
            };
            let frame = Frame::udp(IPV6.peer, IPV6.edge).build();
            row(format!("a /64 {name}"), &policy, frame, expected)
        })
        .collect()
}

fn fragments() -> Vec<Row> {
    let policy = Policy::edge().knowing_subnet_of(IPV6.peer, opening(BOTH));
    let from = |source| Frame::udp(source, IPV6.edge);
    let inside = from(ELSEWHERE_INSIDE);
    vec![
        row("a first fragment of a /64", &policy, inside.fragment(0, true).build(), TRUSTED),
        row(
            "an early fragment of a /64",
            &policy,
            from(IPV6.peer).fragment(9, false).build(),
            Reason::EarlyFragment,
        ),
        row(
            "a fragment beside a /64",
            &policy,
            from(NEXT).fragment(9, false).build(),
            Reason::UnknownFragment,
        ),
    ]
}
