use sbc_common::Reason;

use super::{Row, row};
use crate::ends::{Ends, FAMILIES};
use crate::frames::{
    Carried, Frame, Lie, TCP_ACK, TCP_FIN, TCP_PUSH, TCP_RST, TCP_SYN, TCP_URGENT,
};
use crate::policy::{BOTH, Policy, opening};

pub(super) fn rows() -> Vec<Row> {
    FAMILIES.iter().flat_map(|ends| [udp(ends), tcp(ends), flags(ends)].concat()).collect()
}

fn udp(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().knowing(ends.peer, opening(BOTH));
    let frame = || Frame::udp(ends.peer, ends.edge);
    let to_another = || Frame::udp(ends.peer, ends.behind);
    let bare = |bytes: &[u8]| Frame::new(Carried::Bare(17), ends.peer, ends.edge).with(bytes);
    let bad = Reason::BadUdpHeader;
    let trusted = Reason::TrustedSource;
    [
        ("a length of zero", frame().lying(Lie::UdpLength(0)), bad),
        ("a length of seven", frame().lying(Lie::UdpLength(7)), bad),
        ("a length of one more than there is", frame().lying(Lie::UdpLengthBy(1)), bad),
        ("a length of 65535", frame().lying(Lie::UdpLength(u16::MAX)), bad),
        (
            "a length that only padding could satisfy",
            frame().lying(Lie::UdpLengthBy(4)).padded_with(&[0; 8]),
            bad,
        ),
        ("a length of less than there is", frame().lying(Lie::UdpLengthBy(-3)), trusted),
        ("no payload", frame().with(&[]), trusted),
        ("no header", bare(&[]), bad),
        ("seven bytes of header", bare(&[0x13, 0xc4, 0x13, 0xc4, 0, 8, 0]), bad),
        (
            "a header that continues in the padding",
            bare(&[0x13, 0xc4, 0x13, 0xc4]).padded_with(&[0, 8, 0, 0]),
            bad,
        ),
        (
            "a wrong length to another host",
            to_another().lying(Lie::UdpLength(3)),
            Reason::NotProtected,
        ),
    ]
    .map(|(name, frame, expected)| {
        row(format!("{} UDP with {name}", ends.family), &policy, frame.build(), expected)
    })
    .to_vec()
}

fn tcp(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().knowing(ends.peer, opening(BOTH));
    let frame = || Frame::tcp(ends.peer, ends.edge);
    let bare = |bytes: &[u8]| Frame::new(Carried::Bare(6), ends.peer, ends.edge).with(bytes);
    let bad = Reason::BadTcpHeader;
    let trusted = Reason::TrustedSource;
    [
        ("a data offset of zero", frame().lying(Lie::TcpDataOffset(0)), bad),
        ("a data offset of four words", frame().lying(Lie::TcpDataOffset(4)), bad),
        ("a data offset beyond the packet", frame().with(&[]).lying(Lie::TcpDataOffset(6)), bad),
        (
            "a data offset in the padding",
            frame().with(&[]).lying(Lie::TcpDataOffset(6)).padded_with(&[0; 26]),
            bad,
        ),
        ("a wrong data offset to the TLS port", frame().sent_to(5061).lying(FOUR_WORDS), bad),
        ("the longest options", frame().with_tcp_options(10), trusted),
        ("options and no payload", frame().with(&[]).with_tcp_options(10), trusted),
        ("no header", bare(&[]), bad),
        ("nineteen bytes of header", bare(&[0x50; 19]), bad),
        ("a header that continues in the padding", bare(&[0x50; 12]).padded_with(&[0x50; 8]), bad),
        (
            "a wrong data offset to another host",
            Frame::tcp(ends.peer, ends.behind).lying(FOUR_WORDS),
            Reason::NotProtected,
        ),
    ]
    .map(|(name, frame, expected)| {
        row(format!("{} TCP with {name}", ends.family), &policy, frame.build(), expected)
    })
    .to_vec()
}

/// What no TCP sends tells a scanner something by what comes back, and never more than once.
fn flags(ends: &Ends) -> Vec<Row> {
    let policy = Policy::edge().knowing(ends.peer, opening(BOTH));
    let impossible = [
        ("none", 0),
        ("PSH alone", TCP_PUSH),
        ("FIN alone", TCP_FIN),
        ("FIN, PSH and URG", TCP_FIN | TCP_PUSH | TCP_URGENT),
        ("SYN and FIN", TCP_SYN | TCP_FIN),
        ("SYN and RST", TCP_SYN | TCP_RST),
        ("SYN, FIN and ACK", TCP_SYN | TCP_FIN | TCP_ACK),
        ("RST and FIN", TCP_RST | TCP_FIN),
        ("all of them", 0xff),
    ];
    let usual = [
        ("SYN", TCP_SYN),
        ("SYN with ECN", TCP_SYN | 0xc0),
        ("SYN and PSH", TCP_SYN | TCP_PUSH),
        ("SYN and ACK", TCP_SYN | TCP_ACK),
        ("ACK", TCP_ACK),
        ("PSH and ACK", TCP_PUSH | TCP_ACK),
        ("FIN and ACK", TCP_FIN | TCP_ACK),
        ("RST", TCP_RST),
        ("RST and ACK", TCP_RST | TCP_ACK),
    ];
    let mut rows = Vec::new();
    for (name, flags) in impossible {
        for (to, frame, expected) in [
            ("SIP", Frame::tcp(ends.peer, ends.edge), Reason::BadTcpHeader),
            ("TLS", Frame::tcp(ends.stranger, ends.edge).sent_to_tls(), Reason::BadTcpHeader),
            ("a fragment", Frame::tcp(ends.peer, ends.edge).fragment(0, true), BAD),
            ("another host", Frame::tcp(ends.peer, ends.behind), Reason::NotProtected),
        ] {
            let name = format!("{} TCP flags to {to}: {name}", ends.family);
            rows.push(row(name, &policy, frame.with_tcp_flags(flags).build(), expected));
        }
    }
    for (name, flags) in usual {
        let frame = Frame::tcp(ends.peer, ends.edge).with_tcp_flags(flags).build();
        let name = format!("{} TCP flags to SIP: {name}", ends.family);
        rows.push(row(name, &policy, frame, Reason::TrustedSource));
    }
    rows
}

const BAD: Reason = Reason::BadTcpHeader;
const FOUR_WORDS: Lie = Lie::TcpDataOffset(4);
