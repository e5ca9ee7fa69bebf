use sbc_common::{Lane, Reason, Transports, TrustEntry};

use super::{Row, both_transports, row};
use crate::ends::{Ends, FAMILIES, IPV4, IPV6};
use crate::frames::Frame;
use crate::policy::{
    BOTH, Policy, denied, denied_until_long_ago, expired, of_unknown_lane, opening,
    opening_for_long,
};

const TRUSTED: Reason = Reason::TrustedSource;
const UNKNOWN: Reason = Reason::UnknownSource;
const EXPIRED: Reason = Reason::ExpiredSource;
const DENIED: Reason = Reason::DeniedSource;
const NOT_OPENED: Reason = Reason::TransportNotOpened;

/// What is entered for the peer's port, for its address, for its address as a prefix, and for the
/// prefix around it; and what comes of a datagram of the peer.
type Precedence = (&'static str, [Option<TrustEntry>; 4], Reason);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        rows.extend([precedences(ends), lanes(ends), transports(ends), neighbours(ends)].concat());
    }
    rows.extend(families());
    rows
}

fn precedences(ends: &Ends) -> Vec<Row> {
    let udp = Some(opening(Transports::UDP));
    let tcp = Some(opening(Transports::TCP));
    let gone = Some(expired(BOTH));
    let bad = Some(denied());
    let was_bad = Some(denied_until_long_ago());
    let odd = Some(of_unknown_lane(9));
    let table: [Precedence; 29] = [
        ("nothing", [None, None, None, None], UNKNOWN),
        ("a port", [udp, None, None, None], TRUSTED),
        ("an address", [None, udp, None, None], TRUSTED),
        ("a prefix", [None, None, None, udp], TRUSTED),
        ("an expired port", [gone, None, None, None], EXPIRED),
        ("an expired address", [None, gone, None, None], EXPIRED),
        ("an expired prefix", [None, None, None, gone], EXPIRED),
        ("an expired port under a live address", [gone, udp, None, None], TRUSTED),
        ("an expired port and address under a live prefix", [gone, gone, None, udp], TRUSTED),
        ("an expired port under a denied address", [gone, bad, None, None], DENIED),
        ("all of them expired", [gone, gone, None, gone], EXPIRED),
        ("a port for TCP", [tcp, None, None, None], NOT_OPENED),
        ("a port for TCP under an address", [tcp, udp, None, None], TRUSTED),
        ("a port and address for TCP under a prefix", [tcp, tcp, None, udp], TRUSTED),
        ("an address for TCP under a denied prefix", [None, tcp, None, bad], DENIED),
        ("all of them for TCP", [tcp, tcp, None, tcp], NOT_OPENED),
        ("an expired port under an address for TCP", [gone, tcp, None, None], NOT_OPENED),
        ("a port for TCP under an expired address", [tcp, gone, None, None], NOT_OPENED),
        ("a trusted port at a denied address", [udp, bad, None, None], TRUSTED),
        ("a denied port at a trusted address", [bad, udp, None, None], DENIED),
        ("a trusted address in a denied prefix", [None, udp, None, bad], TRUSTED),
        ("a denied address in a trusted prefix", [None, bad, None, udp], DENIED),
        ("a formerly denied address in a trusted prefix", [None, was_bad, None, udp], TRUSTED),
        ("a long prefix denied in a trusted one", [None, None, bad, udp], DENIED),
        ("a long prefix trusted in a denied one", [None, None, udp, bad], TRUSTED),
        // The kernel's trie tells of the longest prefix alone.
        ("a long prefix expired in a trusted one", [None, None, gone, udp], EXPIRED),
        ("a long prefix expired in a denied one", [None, None, gone, bad], EXPIRED),
        ("a port of an unknown lane", [odd, None, None, None], UNKNOWN),
        ("a port of an unknown lane at a trusted address", [odd, udp, None, None], TRUSTED),
    ];
    table
        .into_iter()
        .map(|(name, entries, expected)| {
            let port = format!("{}:5060", bracketed(ends.peer));
            let sources = [port.as_str(), ends.peer, ends.only_peer, ends.around_peer];
            let known = sources.into_iter().zip(entries);
            let policy = known
                .filter_map(|(source, entry)| Some((source, entry?)))
                .fold(Policy::edge(), |policy, (source, entry)| policy.knowing(source, entry));
            let frame = Frame::udp(ends.peer, ends.edge).build();
            row(format!("{} with {name}", ends.family), &policy, frame, expected)
        })
        .collect()
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

fn lanes(ends: &Ends) -> Vec<Row> {
    let mut rows = Vec::new();
    for lane in [Lane::Static, Lane::Digest, Lane::Tls, Lane::Ipsec, Lane::Dns] {
        let policy = Policy::edge().knowing(ends.peer, opening_for_long(lane, BOTH));
        for (transport, frame) in both_transports(ends, ends.peer) {
            let name = format!("{} {transport} in the {} lane", ends.family, lane.name());
            rows.push(row(name, &policy, frame.build(), TRUSTED));
        }
    }
    for lane in [0, 8, 255] {
        let policy = Policy::edge()
            .knowing(ends.peer, of_unknown_lane(lane))
            .knowing(ends.around_peer, of_unknown_lane(lane));
        for (transport, frame) in both_transports(ends, ends.peer) {
            let name = format!("{} {transport} in a lane of number {lane}", ends.family);
            rows.push(row(name, &policy, frame.build(), UNKNOWN));
        }
    }
    rows
}

fn transports(ends: &Ends) -> Vec<Row> {
    let mut rows = Vec::new();
    for (opened, transports, reasons) in [
        ("nothing", Transports::NONE, [NOT_OPENED, NOT_OPENED]),
        ("UDP", Transports::UDP, [TRUSTED, NOT_OPENED]),
        ("TCP", Transports::TCP, [NOT_OPENED, TRUSTED]),
        ("both", BOTH, [TRUSTED, TRUSTED]),
    ] {
        let policy = Policy::edge().knowing(ends.peer, opening(transports));
        let frames = both_transports(ends, ends.peer);
        for ((transport, frame), expected) in frames.into_iter().zip(reasons) {
            let name = format!("{} {transport} where {opened} is opened", ends.family);
            rows.push(row(name, &policy, frame.build(), expected));
        }
    }
    rows
}

fn neighbours(ends: &Ends) -> Vec<Row> {
    let phone = format!("{}:5060", bracketed(ends.peer));
    let by_port = Policy::edge().knowing(&phone, opening(BOTH));
    let by_address = Policy::edge().knowing(ends.peer, opening(BOTH));
    let by_prefix = Policy::edge().knowing(ends.around_peer, opening(BOTH));
    let from = |source| Frame::udp(source, ends.edge);
    [
        ("a trusted port's neighbour", &by_port, from(ends.peer).sent_from(5061), UNKNOWN),
        ("a trusted port seen from port zero", &by_port, from(ends.peer).sent_from(0), UNKNOWN),
        ("a trusted port number elsewhere", &by_port, from(ends.neighbour), UNKNOWN),
        ("any port of a trusted address", &by_address, from(ends.peer).sent_from(40_000), TRUSTED),
        ("port zero of a trusted address", &by_address, from(ends.peer).sent_from(0), TRUSTED),
        ("a trusted address's neighbour", &by_address, from(ends.neighbour), UNKNOWN),
        ("a neighbour in a trusted prefix", &by_prefix, from(ends.neighbour), TRUSTED),
        ("a stranger outside a trusted prefix", &by_prefix, from(ends.stranger), UNKNOWN),
        ("what a trusted address receives", &by_address, Frame::udp(ends.edge, ends.peer), PASSING),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{}: {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

const PASSING: Reason = Reason::NotProtected;

/// One table serves both address families.
fn families() -> Vec<Row> {
    let every_ipv4 = Policy::edge().knowing("0.0.0.0/0", opening(BOTH));
    let every_ipv6 = Policy::edge().knowing("2000::/3", opening(BOTH));
    let udp = |ends: &Ends| Frame::udp(ends.stranger, ends.edge).build();
    vec![
        row("IPv4 where all of IPv4 is trusted", &every_ipv4, udp(&IPV4), TRUSTED),
        row("IPv6 where all of IPv4 is trusted", &every_ipv4, udp(&IPV6), UNKNOWN),
        row("IPv4 where all of IPv6 is trusted", &every_ipv6, udp(&IPV4), UNKNOWN),
        row("IPv6 where all of IPv6 is trusted", &every_ipv6, udp(&IPV6), TRUSTED),
    ]
}
