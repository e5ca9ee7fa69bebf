use sbc_common::{Reason, Transports};

use super::{Row, row};
use crate::ends::{Ends, FAMILIES};
use crate::frames::{Frame, INVITE};
use crate::policy::{AMPLE_PACE, BOTH, Policy, denied, expired, on_probation, opening};

const METHODS: [&str; 14] = [
    "INVITE",
    "REGISTER",
    "OPTIONS",
    "ACK",
    "BYE",
    "CANCEL",
    "MESSAGE",
    "NOTIFY",
    "PRACK",
    "PUBLISH",
    "INFO",
    "REFER",
    "SUBSCRIBE",
    "UPDATE",
];

/// A binding request, with which phones keep their NAT open (RFC 5626 §4.4.2).
const STUN: &[u8] = b"\x00\x01\x00\x00\x21\x12\xa4\x42\x00\x00\x00\x00\x00\x00\x00\x00";

/// First bytes that no SIP request has.
const NOT_REQUESTS: [&[u8]; 15] = [
    b"",
    b"\r\n\r\n",
    b"\r\n",
    b"\0\0\0\0",
    b"ACK sip:a@b",
    b"INVITE",
    b"\r\nINVITE sip:a@b SIP/2.0\r\n\r\n",
    b"invite sip:a@b SIP/2.0\r\n\r\n",
    b"INVITES sip:a@b SIP/2.0\r\n\r\n",
    b"INVITE\tsip:a@b SIP/2.0\r\n\r\n",
    b"SIP/3.0 200 OK\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    STUN,
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        rows.extend([requests(ends), others(ends), connections(ends), known(ends)].concat());
        rows.extend(returning(ends));
    }
    rows
}

fn requests(ends: &Ends) -> Vec<Row> {
    let frame = |payload: &[u8]| Frame::udp(ends.stranger, ends.edge).with(payload);
    let mut rows = Vec::new();
    for method in METHODS {
        let request = frame(format!("{method} sip:a@b SIP/2.0\r\n\r\n").as_bytes()).build();
        let name = format!("a stranger's {method} over {} UDP", ends.family);
        let policy = Policy::edge().challenging();
        rows.push(row(name, &policy, request, Reason::UnknownWithinBudget));
    }
    let spent = Policy::edge().challenging_nobody_any_more();
    let name = format!("a stranger's INVITE over {} UDP beyond the budget", ends.family);
    rows.push(row(name, &spent, frame(INVITE).build(), Reason::UnknownBudgetSpent));
    rows
}

fn others(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().challenging();
    let spent = Policy::edge().challenging_nobody_any_more();
    let frame = |payload: &[u8]| Frame::udp(ends.stranger, ends.edge).with(payload).build();
    let mut rows = Vec::new();
    for payload in NOT_REQUESTS {
        let name = format!("a stranger's \"{}\" over {}", payload.escape_ascii(), ends.family);
        rows.push(row(name, &policy, frame(payload), Reason::NotASipRequest));
    }
    let response = frame(b"SIP/2.0 200 OK\r\n\r\n");
    let name = format!("a stranger's response over {}", ends.family);
    rows.push(row(&name, &policy, response.clone(), Reason::ResponseFromStranger));
    // Noise is told apart before it could cost anything.
    let name = format!("{name} beyond the budget");
    rows.push(row(name, &spent, response, Reason::ResponseFromStranger));
    rows
}

fn connections(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().challenging();
    let spent = Policy::edge().challenging_nobody_any_more();
    let syn = || Frame::tcp(ends.stranger, ends.edge).with(&[]);
    let within = Reason::UnknownWithinBudget;
    [
        ("SYN", &policy, syn(), within),
        ("SYN with options", &policy, syn().with_tcp_options(5), within),
        // What a segment holds is judged once the stream is put together.
        ("segment", &policy, syn().with(b"SIP/2.0 200 OK\r\n\r\n"), within),
        ("SYN beyond the budget", &spent, syn(), Reason::UnknownBudgetSpent),
        ("SYN to the TLS port", &spent, syn().sent_to(5061), Reason::TlsReachable),
        ("SYN to the ssh port", &spent, syn().sent_to(22), Reason::NotProtected),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("a stranger's {} {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

/// Challenging strangers changes nothing for those who are known, for better or worse.
fn known(ends: &Ends) -> Vec<Row> {
    let knowing = |entry| Policy::edge().challenging_nobody_any_more().knowing(ends.peer, entry);
    let frame = |payload: &[u8]| Frame::udp(ends.peer, ends.edge).with(payload);
    let trusting = knowing(opening(BOTH));
    let tcp_only = Policy::edge().challenging().knowing(ends.peer, opening(Transports::TCP));
    let forgetting = Policy::edge().challenging().knowing(ends.peer, expired(BOTH));
    [
        ("trusted ping", &trusting, frame(b"\r\n\r\n"), Reason::TrustedSource),
        ("trusted pong", &trusting, frame(b"\r\n"), Reason::TrustedSource),
        ("trusted STUN", &trusting, frame(STUN), Reason::TrustedSource),
        ("trusted empty datagram", &trusting, frame(b""), Reason::TrustedSource),
        ("expired ping", &forgetting, frame(b"\r\n\r\n"), Reason::NotASipRequest),
        ("expired STUN", &forgetting, frame(STUN), Reason::NotASipRequest),
        ("trusted response", &trusting, frame(b"SIP/2.0 200 OK\r\n\r\n"), Reason::TrustedSource),
        ("denied INVITE", &knowing(denied()), frame(INVITE), Reason::DeniedSource),
        ("expired INVITE", &forgetting, frame(INVITE), Reason::UnknownWithinBudget),
        ("INVITE over UDP, trusted for TCP", &tcp_only, frame(INVITE), Reason::UnknownWithinBudget),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} challenge: {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

/// Who was trusted of late is heard before strangers are, and no more than heard.
fn returning(ends: &Ends) -> Vec<Row> {
    let edge = |entry| Policy::edge().knowing(ends.peer, entry);
    let dropping = edge(on_probation(BOTH, AMPLE_PACE));
    let spent = Policy::edge().challenging_nobody_any_more();
    let of_tcp = spent.clone().knowing(ends.peer, on_probation(Transports::TCP, AMPLE_PACE));
    let spent = spent.knowing(ends.peer, on_probation(BOTH, AMPLE_PACE));
    let frame = |payload: &[u8]| Frame::udp(ends.peer, ends.edge).with(payload);
    let segment = Frame::tcp(ends.peer, ends.edge);
    let fragment = frame(INVITE).fragment(0, true);
    [
        ("INVITE where strangers are dropped", &dropping, frame(INVITE), Reason::OnProbation),
        ("INVITE beyond strangers' budget", &spent, frame(INVITE), Reason::OnProbation),
        ("segment", &dropping, segment.clone(), Reason::OnProbation),
        ("response", &dropping, frame(b"SIP/2.0 200 OK\r\n\r\n"), Reason::ResponseFromStranger),
        ("ping", &dropping, frame(b"\r\n\r\n"), Reason::NotASipRequest),
        ("INVITE over UDP, trusted over TCP", &of_tcp, frame(INVITE), Reason::UnknownBudgetSpent),
        ("fragment", &dropping, fragment, Reason::UnknownFragment),
        ("connection over TLS", &dropping, segment.with(&[]).sent_to(5061), Reason::TlsReachable),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} probation: {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}
