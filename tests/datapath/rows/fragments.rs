use sbc_common::{Reason, Transports};

use super::{Row, both_transports, row};
use crate::ends::{Ends, FAMILIES, IPV6};
use crate::extensions::Extension;
use crate::frames::{Carried, Frame};
use crate::policy::{BOTH, Policy, denied, expired, opening};

const FIRST: (u16, bool) = (0, true);
const MIDDLE: (u16, bool) = (92, true);
const LAST: (u16, bool) = (185, false);
const LAST_POSSIBLE: (u16, bool) = (8191, false);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        rows.extend([strangers(ends), known(ends), elsewhere(ends)].concat());
    }
    rows.extend([chains(), nested()].concat());
    rows
}

/// A stranger's fragments never pass, whatever the unknown lane does.
fn strangers(ends: &Ends) -> Vec<Row> {
    let mut rows = Vec::new();
    for (mode, policy) in
        [("dropped", Policy::edge()), ("challenged", Policy::edge().challenging())]
    {
        for (part, (offset, more)) in
            [("first", FIRST), ("middle", MIDDLE), ("last", LAST), ("last possible", LAST_POSSIBLE)]
        {
            for (transport, frame) in both_transports(ends, ends.stranger) {
                let name = format!(
                    "the {part} fragment of {} {transport} where strangers are {mode}",
                    ends.family
                );
                // What fits before the 65,535th byte.
                let frame = if offset == LAST_POSSIBLE.0 { frame.with(&[0; 7]) } else { frame };
                let frame = frame.fragment(offset, more).build();
                rows.push(row(name, &policy, frame, Reason::UnknownFragment));
            }
        }
        let name = format!("the first fragment of {} TLS where they are {mode}", ends.family);
        let tls = Frame::tcp(ends.stranger, ends.edge).sent_to(5061).fragment(0, true).build();
        rows.push(row(name, &policy, tls, Reason::UnknownFragment));
    }
    rows
}

fn known(ends: &Ends) -> Vec<Row> {
    let trusting = Policy::edge().knowing(ends.peer, opening(BOTH));
    let denying = Policy::edge().knowing(ends.peer, denied());
    let forgetting = Policy::edge().knowing(ends.peer, expired(BOTH)).challenging();
    let tcp_only = Policy::edge().knowing(ends.peer, opening(Transports::TCP));
    let port = if ends.family == "IPv6" { "[2001:db8:7::7]:5060" } else { "198.51.100.7:5060" };
    let by_port = Policy::edge().knowing(port, opening(BOTH));
    let udp = |(offset, more)| Frame::udp(ends.peer, ends.edge).fragment(offset, more).build();
    let tcp = |(offset, more)| Frame::tcp(ends.peer, ends.edge).fragment(offset, more).build();
    [
        ("first of UDP, trusted", &trusting, udp(FIRST), Reason::TrustedSource),
        ("middle of UDP, trusted", &trusting, udp(MIDDLE), Reason::EarlyFragment),
        ("last of UDP, trusted", &trusting, udp(LAST), Reason::EarlyFragment),
        ("last of TCP, trusted", &trusting, tcp(LAST), Reason::EarlyFragment),
        ("first of UDP, denied", &denying, udp(FIRST), Reason::DeniedSource),
        ("last of UDP, denied", &denying, udp(LAST), Reason::DeniedSource),
        ("first of UDP, expired", &forgetting, udp(FIRST), Reason::UnknownFragment),
        ("last of TCP, expired", &forgetting, tcp(LAST), Reason::UnknownFragment),
        ("last of UDP, trusted for TCP", &tcp_only, udp(LAST), Reason::UnknownFragment),
        ("last of TCP, trusted for TCP", &tcp_only, tcp(LAST), Reason::EarlyFragment),
        ("first of UDP, trusted port", &by_port, udp(FIRST), Reason::TrustedSource),
        // It has no ports, and an address may be shared by phones that are not trusted.
        ("last of UDP, trusted port", &by_port, udp(LAST), Reason::UnknownFragment),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} fragment: {name}", ends.family), policy, frame, expected)
    })
    .to_vec()
}

fn elsewhere(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge();
    let udp = |(offset, more), to| Frame::udp(ends.stranger, to).fragment(offset, more);
    let ssh = Frame::tcp(ends.stranger, ends.edge).sent_to(22).fragment(0, true);
    let icmp = Frame::new(Carried::Bare(1), ends.stranger, ends.edge).with(&[0; 64]);
    let tiny = Frame::new(Carried::Bare(6), ends.stranger, ends.edge).with(&[0; 8]);
    let tiny = tiny.fragment(0, true);
    [
        ("first to another host", &policy, udp(FIRST, ends.behind), Reason::NotProtected),
        ("last to another host", &policy, udp(LAST, ends.behind), Reason::NotProtected),
        ("first to another port", &policy, ssh, Reason::UnknownFragment),
        ("of another protocol", &policy, icmp.fragment(9, false), Reason::UnknownFragment),
        ("too small for its TCP header", &policy, tiny, Reason::BadTcpHeader),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} fragment {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

/// The chain of IPv6 headers has to be in the first fragment (RFC 7112 §5).
fn chains() -> Vec<Row> {
    let policy = Policy::edge().knowing(IPV6.peer, opening(BOTH));
    let dest = Extension::DESTINATION;
    let later = Extension::Fragment { offset: 9, more: false };
    let from = |source| Frame::udp(source, IPV6.edge);
    let bad = Reason::BadExtensionHeader;
    [
        ("first, behind options", from(IPV6.peer).behind(&[dest]).fragment(0, true), TRUSTED),
        (
            "first, before options",
            from(IPV6.peer).behind(&[Extension::FIRST_FRAGMENT, dest]),
            TRUSTED,
        ),
        ("last, behind options", from(IPV6.peer).behind(&[dest]).fragment(9, false), EARLY),
        ("last, in the middle of options", from(IPV6.peer).behind(&[later, dest]), bad),
        (
            "first, of a stranger, before options",
            from(IPV6.stranger).behind(&[Extension::FIRST_FRAGMENT, dest]),
            Reason::UnknownFragment,
        ),
        (
            "the last of seven headers, and first",
            from(IPV6.stranger).behind(&[dest; 6]).fragment(0, true),
            Reason::TooManyExtensionHeaders,
        ),
        (
            "the last of six headers, and later",
            from(IPV6.stranger).behind(&[dest; 5]).fragment(9, false),
            Reason::UnknownFragment,
        ),
    ]
    .map(|(name, frame, expected)| {
        row(format!("a chain: {name}"), &policy, frame.build(), expected)
    })
    .to_vec()
}

const TRUSTED: Reason = Reason::TrustedSource;
const EARLY: Reason = Reason::EarlyFragment;

/// A fragment stays one, whatever a second fragment header says.
fn nested() -> Vec<Row> {
    let policy = Policy::edge().challenging();
    let first = Extension::FIRST_FRAGMENT;
    let atomic = Extension::ATOMIC_FRAGMENT;
    let later = Extension::Fragment { offset: 9, more: false };
    let mut rows = Vec::new();
    for (name, headers) in [
        ("atomic in first", [first, atomic]),
        ("first in atomic", [atomic, first]),
        ("first in first", [first, first]),
        ("last in first", [first, later]),
    ] {
        for (transport, frame) in both_transports(&IPV6, IPV6.stranger) {
            let name = format!("a fragment of {transport}, {name}");
            rows.push(row(name, &policy, frame.behind(&headers).build(), Reason::UnknownFragment));
        }
    }
    let tls = Frame::tcp(IPV6.stranger, IPV6.edge).sent_to(5061).behind(&[first, atomic]).build();
    rows.push(row("a fragment of TLS, atomic in first", &policy, tls, Reason::UnknownFragment));
    let whole = Frame::udp(IPV6.stranger, IPV6.edge).behind(&[atomic, atomic]).build();
    rows.push(row("atomic in atomic", &policy, whole, Reason::UnknownWithinBudget));
    rows
}
