//! Datagrams of several fragments, and fragments that no sender makes.

use sbc_common::{Reason, Transports};

use super::{Row, both_transports, row, row_after};
use crate::ends::{Ends, FAMILIES, IPV6};
use crate::extensions::Extension;
use crate::frames::{Carried, Frame, Lie};
use crate::policy::{BOTH, Policy, SPENT, denied, opening};

const BELONGS: Reason = Reason::LaterFragment;
const EARLY: Reason = Reason::EarlyFragment;
const OVERLAPS: Reason = Reason::OverlappingFragment;
const UNKNOWN: Reason = Reason::UnknownFragment;
const BAD: Reason = Reason::BadFragment;

/// The first fragments here are 8 + 56 bytes of UDP or 20 + 44 of TCP: eight units.
const END: u16 = 8;

pub(super) fn rows() -> Vec<Row> {
    FAMILIES
        .iter()
        .flat_map(|ends| [sequences(ends), inherited(ends), spent(ends), bad(ends)].concat())
        .chain(ipv6_only())
        .collect()
}

fn sequences(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().knowing(ends.peer, opening(BOTH));
    let mut rows = Vec::new();
    for (transport, frame) in both_transports(ends, ends.peer) {
        let payload = if transport == "UDP" { 56 } else { 44 };
        let frame = frame.with(&vec![b' '; payload]);
        let first = frame.clone().fragment(0, true);
        let at = |offset, more| frame.clone().fragment(offset, more);
        let other = Frame::new(Carried::Bare(17), ends.peer, ends.edge).with(&[0; 8]);
        let others = other.fragment(END, false);
        let before: [(&str, &[&Frame], Frame, Reason); 10] = [
            ("a middle one", &[&first], at(END, true), BELONGS),
            ("a last one", &[&first], at(END, false), BELONGS),
            ("a last one behind a gap", &[&first], at(100, false), BELONGS),
            ("a last one, sent twice", &[&first, &at(END, false)], at(END, false), BELONGS),
            ("one that overlaps the end", &[&first], at(END - 1, false), OVERLAPS),
            ("one that overlaps the header", &[&first], at(3, false), OVERLAPS),
            ("one of another datagram", &[&first], others, EARLY),
            ("an early one", &[], at(END, false), EARLY),
            ("an early one, sent twice", &[&at(END, false)], at(END, false), EARLY),
            // The later word about the same datagram counts.
            ("one after a second first", &[&first, &first], at(END, false), BELONGS),
        ];
        // A datagram of its own for each row: what was remembered for one must not serve another.
        for (number, (name, before, frame, expected)) in (1..).zip(before) {
            let own = |frame: &Frame| frame.clone().of_datagram(|id| id.wrapping_add(number << 12));
            let before: Vec<Frame> = before.iter().map(|frame| own(frame)).collect();
            let before: Vec<&Frame> = before.iter().collect();
            let name = format!("{} {transport} in fragments: {name}", ends.family);
            rows.push(row_after(&before, name, &policy, &own(&frame), expected));
        }
    }
    rows
}

/// A later fragment shares the verdict of the first, which alone has ports.
fn inherited(ends: &Ends) -> Vec<Row> {
    let port = if ends.family == "IPv6" { "[2001:db8:7::7]:5060" } else { "198.51.100.7:5060" };
    let by_port = Policy::edge().knowing(port, opening(BOTH));
    let udp_only = Policy::edge().knowing(ends.peer, opening(Transports::UDP));
    let denying = Policy::edge().knowing(ends.peer, denied());
    let parts = |frame: Frame| (frame.clone().fragment(0, true), frame.fragment(9, false));
    let from = |source| Frame::udp(source, ends.edge);
    [
        ("of a trusted port", &by_port, parts(from(ends.peer)), BELONGS),
        ("of a port beside it", &by_port, parts(from(ends.peer).sent_from(9)), UNKNOWN),
        ("of UDP, which is opened", &udp_only, parts(from(ends.peer)), BELONGS),
        ("of TCP, which is not", &udp_only, parts(Frame::tcp(ends.peer, ends.edge)), UNKNOWN),
        ("of a denied source", &denying, parts(from(ends.peer)), Reason::DeniedSource),
        ("of a stranger", &denying, parts(from(ends.stranger)), UNKNOWN),
    ]
    .map(|(name, policy, (first, last), expected)| {
        let name = format!("{} last fragment {name} after the first", ends.family);
        row_after(&[&first], name, policy, &last, expected)
    })
    .to_vec()
}

fn spent(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge()
        .knowing(ends.peer, opening(BOTH))
        .set(|settings| settings.early_fragments = SPENT);
    let datagram = Frame::udp(ends.peer, ends.edge);
    let (first, last) = (datagram.clone().fragment(0, true), datagram.fragment(9, false));
    let early = Frame::udp(ends.peer, ends.edge).fragment(9, false);
    let name = |what| format!("{} fragment beyond the budget: {what}", ends.family);
    vec![
        row_after(&[], name("early"), &policy, &early, Reason::EarlyFragmentsSpent),
        row_after(&[&first], name("after the first"), &policy, &last, BELONGS),
    ]
}

/// Not even a trusted source sends such fragments, and nobody learns whether he is trusted.
fn bad(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().knowing(ends.peer, opening(BOTH));
    let denying = Policy::edge().knowing(ends.peer, denied());
    let udp = |source| Frame::udp(source, ends.edge);
    let tcp = || Frame::tcp(ends.peer, ends.edge).with(&[0; 24]);
    let ragged = |frame: Frame| frame.with(&[0; 21]).fragment(0, true).lying(Lie::Ragged);
    let middle = |frame: Frame| frame.with(&[0; 21]).fragment(9, true).lying(Lie::Ragged);
    let beyond = |frame: Frame, bytes| frame.with(&vec![0; bytes]).fragment(8190, false);
    let bare = |protocol| Frame::new(Carried::Bare(protocol), ends.peer, ends.edge);
    let elsewhere = Frame::udp(ends.peer, ends.behind);
    [
        ("ragged first", &policy, ragged(udp(ends.peer)), BAD),
        ("ragged first of a stranger", &policy, ragged(udp(ends.stranger)), BAD),
        ("ragged first of a denied source", &denying, ragged(udp(ends.peer)), BAD),
        ("ragged middle", &policy, middle(udp(ends.peer)), BAD),
        ("ragged middle of another protocol", &policy, middle(bare(132)), BAD),
        ("ragged first to another host", &policy, ragged(elsewhere.clone()), NOT_PROTECTED),
        ("that ends with byte 65535", &policy, beyond(udp(ends.peer), 15), EARLY),
        ("that ends behind it", &policy, beyond(udp(ends.peer), 16), BAD),
        ("that ends behind it, elsewhere", &policy, beyond(elsewhere, 16), NOT_PROTECTED),
        ("without a byte", &policy, udp(ends.peer).with(&[]).fragment(9, false), BAD),
        ("without a byte, and more", &policy, bare(132).fragment(0, true), BAD),
        ("of TCP at offset 1", &policy, tcp().fragment(1, false), BAD),
        ("of TCP at offset 2", &policy, tcp().fragment(2, true), BAD),
        ("of TCP at offset 3", &policy, tcp().fragment(3, false), EARLY),
        ("of UDP at offset 1", &policy, udp(ends.peer).fragment(1, false), EARLY),
        ("tiny, of UDP", &policy, bare(17).with(&[0; 0]).fragment(0, true), BAD),
        ("tiny, of TCP", &policy, bare(6).with(&[0; 16]).fragment(0, true), Reason::BadTcpHeader),
    ]
    .map(|(name, policy, frame, expected)| {
        row(format!("{} fragment {name}", ends.family), policy, frame.build(), expected)
    })
    .to_vec()
}

const NOT_PROTECTED: Reason = Reason::NotProtected;

/// IPv6 gives an identification to a datagram whose fragment header stands behind other headers.
fn ipv6_only() -> Vec<Row> {
    let policy = Policy::edge().knowing(IPV6.peer, opening(BOTH));
    let datagram = Frame::udp(IPV6.peer, IPV6.edge).behind(&[Extension::HOP_BY_HOP]);
    let first = datagram.clone().fragment(0, true);
    let last = datagram.clone().fragment(20, false);
    // An atomic fragment (RFC 6946) is no first one, and speaks for nothing.
    let other = Frame::udp(IPV6.peer, IPV6.edge);
    let atomic = other.clone().fragment(0, false);
    let stray = other.fragment(20, false);
    vec![
        row_after(&[&first], "a last fragment behind options", &policy, &last, BELONGS),
        row_after(&[&atomic], "a last fragment after an atomic one", &policy, &stray, EARLY),
    ]
}
