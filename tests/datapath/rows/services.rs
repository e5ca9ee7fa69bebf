use sbc_common::{Protocol, Reason, Service};

use super::{Row, row};
use crate::ends::{Ends, FAMILIES, IPV4};
use crate::frames::{Carried, Frame};
use crate::policy::{BOTH, Policy, denied, opening};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        rows.extend([ports(ends), inside(ends), untouched(ends)].concat());
    }
    rows.extend([addresses(), edges_of_the_port_range()].concat());
    rows
}

fn ports(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge();
    let udp = || Frame::udp(ends.stranger, ends.edge);
    let tcp = || Frame::tcp(ends.stranger, ends.edge);
    [
        ("UDP to 5060", udp(), Reason::UnknownSource),
        ("TCP to 5060", tcp(), Reason::UnknownSource),
        ("TCP to 5061", tcp().with(&[]).sent_to(5061), Reason::TlsReachable),
        ("UDP to 5061, where only TLS listens", udp().sent_to(5061), Reason::NotProtected),
        // In the same word of the bit set of ports.
        ("UDP to 5062", udp().sent_to(5062), Reason::NotProtected),
        ("UDP to 5059", udp().sent_to(5059), Reason::NotProtected),
        // The same bit of the next word.
        ("UDP to 5124", udp().sent_to(5124), Reason::NotProtected),
        ("UDP to port zero", udp().sent_to(0), Reason::NotProtected),
        ("UDP from 5060 to a media port", udp().sent_to(20_000), Reason::NotProtected),
    ]
    .map(|(name, frame, expected)| {
        row(format!("{} {name}", ends.family), &policy, frame.build(), expected)
    })
    .to_vec()
}

/// The socket towards the upstream is nobody's business who is outside, trusted or not.
fn inside(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge()
        .serving(ends.edge, 5070, Protocol::Udp, Service::Inside)
        .serving(ends.upstream_side, 5060, Protocol::Udp, Service::Inside)
        .knowing(ends.peer, opening(BOTH))
        .challenging();
    let beside = |source| Frame::udp(source, ends.edge).sent_to(5070);
    let within = |source| Frame::udp(source, ends.upstream_side);
    [
        ("a stranger beside SIP", beside(ends.stranger), Reason::InsideService),
        ("a stranger", within(ends.stranger), Reason::InsideService),
        ("a trusted source", within(ends.peer), Reason::InsideService),
        ("a first fragment", within(ends.peer).fragment(0, true), Reason::InsideService),
        ("a stranger's last fragment", within(ends.stranger).fragment(9, false), FRAGMENT),
        ("who means another port", within(ends.stranger).sent_to(53), Reason::NotProtected),
        ("who speaks TCP", Frame::tcp(ends.stranger, ends.upstream_side), Reason::NotProtected),
    ]
    .map(|(name, frame, expected)| {
        row(format!("{} inside: {name}", ends.family), &policy, frame.build(), expected)
    })
    .to_vec()
}

const FRAGMENT: Reason = Reason::UnknownFragment;

/// What is not SIP is none of the filter's business, whoever sends it.
fn untouched(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().knowing(ends.stranger, denied());
    let bare = |protocol| Frame::new(Carried::Bare(protocol), ends.stranger, ends.edge);
    [
        ("ssh", Frame::tcp(ends.stranger, ends.edge).with(b"SSH-2.0-").sent_to(22)),
        ("DNS", Frame::udp(ends.stranger, ends.edge).sent_to(53)),
        ("ICMP", bare(1).with(&[8, 0, 0, 0, 0, 0, 0, 0])),
        ("ICMPv6", bare(58).with(&[135, 0, 0, 0, 0, 0, 0, 0])),
        ("ESP", bare(50).with(&[0; 24])),
        ("a protocol without a payload", bare(112)),
        // What hosts and routers on the way have to say about our own packets: path MTU and closed ports.
        ("an ICMP error about our SIP", bare(1).with(&error(ends, [3, 4]))),
        ("an ICMPv6 error about our SIP", bare(58).with(&error(ends, [2, 0]))),
    ]
    .map(|(name, frame)| {
        let name = format!("{name} over {} from a denied source", ends.family);
        row(name, &policy, frame.build(), Reason::NotProtected)
    })
    .to_vec()
}

/// An error of this type and code that quotes a datagram which the edge sent.
fn error(ends: &Ends, [kind, code]: [u8; 2]) -> Vec<u8> {
    let ours = Frame::udp(ends.edge, ends.stranger).build().split_off(14);
    [vec![kind, code, 0, 0, 0, 0, 5, 0xdc], ours].concat()
}

fn addresses() -> Vec<Row> {
    let two = Policy::empty()
        .serving("203.0.113.10", 5060, Protocol::Udp, Service::ClearSip)
        .serving("203.0.113.20", 5060, Protocol::Tcp, Service::ClearSip);
    let udp = |to| Frame::udp(IPV4.stranger, to).build();
    let tcp = |to| Frame::tcp(IPV4.stranger, to).build();
    vec![
        row("UDP to the address with UDP", &two, udp("203.0.113.10"), Reason::UnknownSource),
        row("TCP to the address with UDP", &two, tcp("203.0.113.10"), Reason::NotProtected),
        row("UDP to the address with TCP", &two, udp("203.0.113.20"), Reason::NotProtected),
        row("TCP to the address with TCP", &two, tcp("203.0.113.20"), Reason::UnknownSource),
        row("UDP to a third address", &two, udp(IPV4.behind), Reason::NotProtected),
        row("UDP where nothing is protected", &Policy::empty(), udp(IPV4.edge), NOT_PROTECTED),
    ]
}

const NOT_PROTECTED: Reason = Reason::NotProtected;

fn edges_of_the_port_range() -> Vec<Row> {
    [1, 63, 64, 65_535]
        .into_iter()
        .flat_map(|port| {
            let policy = Policy::empty().serving(IPV4.edge, port, Protocol::Udp, Service::ClearSip);
            let frame = |port| Frame::udp(IPV4.stranger, IPV4.edge).sent_to(port).build();
            let beside = port.wrapping_add(1);
            [
                row(format!("the port {port}"), &policy, frame(port), Reason::UnknownSource),
                row(format!("beside the port {port}"), &policy, frame(beside), NOT_PROTECTED),
            ]
        })
        .collect()
}
