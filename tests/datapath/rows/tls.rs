use sbc_common::{Lane, Protocol, Reason, Service, Transports};

use super::{Row, row};
use crate::ends::{Ends, FAMILIES};
use crate::frames::{Frame, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, VLAN};
use crate::policy::{BOTH, Policy, SPENT, denied, expired, opening, opening_for_long};

const REACHABLE: Reason = Reason::TlsReachable;
const TRUSTED: Reason = Reason::TrustedSource;
const NONE: Reason = Reason::NoConnection;
const NEIGHBOURHOOD: Reason = Reason::TlsNeighbourhoodSpent;
const ALL: Reason = Reason::TlsAttemptsSpent;

pub(super) fn rows() -> Vec<Row> {
    FAMILIES
        .iter()
        .flat_map(|ends| [attempts(ends), segments(ends), of_no_connection(ends)].concat())
        .collect()
}

/// Whose connection it could be, and is not.
fn of_no_connection(ends: &Ends) -> Vec<Row> {
    let edge = Policy::edge();
    let segment = |source| Frame::tcp(source, ends.edge).sent_to_tls();
    let trusting = Policy::edge().knowing(ends.stranger, opening(Transports::TLS));
    let known = Policy::edge().knowing(ends.stranger, opening(BOTH));
    let trusting_no_more = neighbourhood_spent().knowing(ends.stranger, opening(Transports::TLS));
    let known_no_more = neighbourhood_spent().knowing(ends.stranger, opening(BOTH));
    let busy = neighbourhood_spent().knowing(ends.connected, opening(Transports::TLS));
    let forgetting = Policy::edge().knowing(ends.connected, expired(Transports::TLS));
    let denying = Policy::edge().knowing(ends.connected, denied());
    let elsewhere = Policy::edge().serving(ends.edge, 5062, Protocol::Tcp, Service::Tls).serving(
        ends.behind,
        5061,
        Protocol::Tcp,
        Service::Tls,
    );
    let behind = Frame::tcp(ends.connected, ends.behind).sent_to_tls();
    [
        ("of the connection", &edge, segment(ends.connected), REACHABLE),
        (
            "of the connection, behind a tag",
            &edge,
            segment(ends.connected).tagged(&[VLAN]),
            REACHABLE,
        ),
        ("with options", &edge, segment(ends.connected).with_tcp_options(5), REACHABLE),
        ("with options, of none", &edge, segment(ends.stranger).with_tcp_options(5), NONE),
        ("from another port", &edge, segment(ends.connected).sent_from(5062), NONE),
        ("from another address", &edge, segment(ends.stranger), NONE),
        (
            "to a listener that is not there",
            &elsewhere,
            segment(ends.connected).sent_to(5062),
            NONE,
        ),
        ("to another listener's address", &elsewhere, behind, NONE),
        ("of none, trusted for TLS", &trusting, segment(ends.stranger), TRUSTED),
        ("of none, trusted for SIP", &known, segment(ends.stranger), REACHABLE),
        (
            "of none, trusted for TLS, beyond the budget",
            &trusting_no_more,
            segment(ends.stranger),
            NONE,
        ),
        (
            "of none, trusted for SIP, beyond the budget",
            &known_no_more,
            segment(ends.stranger),
            NONE,
        ),
        ("of the connection, trusted, beyond the budget", &busy, segment(ends.connected), TRUSTED),
        ("of the connection, expired", &forgetting, segment(ends.connected), REACHABLE),
        ("of the connection, denied", &denying, segment(ends.connected), Reason::DeniedSource),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} segment {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

fn neighbourhood_spent() -> Policy {
    Policy::edge().set(|settings| settings.tls_attempts_from = SPENT)
}

fn all_spent() -> Policy {
    Policy::edge().set(|settings| settings.tls_attempts = SPENT)
}

fn attempts(ends: &Ends) -> Vec<Row> {
    let both_spent = neighbourhood_spent().set(|settings| settings.tls_attempts = SPENT);
    let trusting = Policy::edge().knowing(ends.peer, opening(BOTH));
    let forgetting = Policy::edge().knowing(ends.peer, expired(BOTH));
    let denying = Policy::edge().knowing(ends.around_peer, denied());
    let tls = opening_for_long(Lane::Tls, Transports::TLS);
    let entered = both_spent.clone().knowing(ends.peer, tls);
    let entered_for_sip = all_spent().knowing(ends.peer, opening(BOTH));
    let was_entered = neighbourhood_spent().knowing(ends.peer, expired(Transports::TLS));
    let denied_beyond = both_spent.clone().knowing(ends.peer, denied());
    [
        ("a source trusted for SIP", &trusting, ends.peer, REACHABLE),
        ("an expired source", &forgetting, ends.peer, REACHABLE),
        ("a stranger", &denying, ends.stranger, REACHABLE),
        ("a denied source", &denying, ends.peer, Reason::DeniedSource),
        (
            "a stranger beyond his neighbourhood's budget",
            &neighbourhood_spent(),
            ends.stranger,
            NEIGHBOURHOOD,
        ),
        ("a stranger beyond the budget of all", &all_spent(), ends.stranger, ALL),
        ("a stranger beyond both budgets", &both_spent, ends.stranger, NEIGHBOURHOOD),
        ("a source trusted for TLS, beyond both budgets", &entered, ends.peer, TRUSTED),
        (
            "the neighbour of such a source, beyond both budgets",
            &entered,
            ends.neighbour,
            NEIGHBOURHOOD,
        ),
        ("a source trusted for SIP, beyond the budget", &entered_for_sip, ends.peer, REACHABLE),
        ("an expired source, beyond the budget", &was_entered, ends.peer, NEIGHBOURHOOD),
        ("a denied source, beyond both budgets", &denied_beyond, ends.peer, Reason::DeniedSource),
    ]
    .map(|(name, policy, source, expected)| {
        let frame = Frame::tcp(source, ends.edge).with(&[]).sent_to_tls().build();
        row(format!("{} TLS handshake of {name}", ends.family), policy, frame, expected)
    })
    .to_vec()
}

/// What is not an attempt to connect costs no budget: the network stack knows its connections, and would
/// answer what belongs to none.
fn segments(ends: &Ends) -> Vec<Row> {
    let spent = neighbourhood_spent();
    [
        ("SYN", TCP_SYN, NEIGHBOURHOOD),
        ("SYN and ACK", TCP_SYN | TCP_ACK, REACHABLE),
        ("ACK", TCP_ACK, REACHABLE),
        ("FIN and ACK", TCP_FIN | TCP_ACK, REACHABLE),
        ("RST", TCP_RST, REACHABLE),
    ]
    .into_iter()
    .flat_map(|(name, flags, expected)| {
        let none = if expected == REACHABLE { NONE } else { expected };
        [(ends.connected, "connected", expected), (ends.stranger, "unconnected", none)].map(
            |(source, who, expected)| {
                let frame = Frame::tcp(source, ends.edge).with(&[]).sent_to_tls();
                let frame = frame.with_tcp_flags(flags).build();
                let name = format!(
                    "{who} stranger's {name} over {} to TLS beyond the budget",
                    ends.family
                );
                row(name, &spent, frame, expected)
            },
        )
    })
    .collect()
}
