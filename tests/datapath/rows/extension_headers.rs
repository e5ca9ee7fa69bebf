use sbc_common::Reason;

use super::{Row, both_transports, row};
use crate::ends::IPV6;
use crate::extensions::Extension;
use crate::frames::{Carried, Frame, Lie};
use crate::policy::{BOTH, Policy, opening};

const HOP: Extension = Extension::HOP_BY_HOP;
const ROUTE: Extension = Extension::ROUTING;
const DEST: Extension = Extension::DESTINATION;
const MOBILE: Extension = Extension::MOBILITY;
const ATOMIC: Extension = Extension::ATOMIC_FRAGMENT;

const WALKED: [(&str, &[Extension]); 9] = [
    ("a hop-by-hop header", &[HOP]),
    ("a routing header", &[ROUTE]),
    ("a destination options header", &[DEST]),
    ("a mobility header", &[MOBILE]),
    ("an atomic fragment header", &[ATOMIC]),
    ("hop-by-hop, destination, routing and an atomic fragment", &[HOP, DEST, ROUTE, ATOMIC]),
    ("six headers", &[HOP, DEST, ROUTE, ATOMIC, DEST, MOBILE]),
    ("a header of 16 bytes", &[Extension::Sized { number: 60, has: 1, claims: 1 }]),
    ("a header of 2048 bytes", &[Extension::Sized { number: 60, has: 255, claims: 255 }]),
];

const SEVEN: [Extension; 7] = [HOP, DEST, ROUTE, ATOMIC, DEST, MOBILE, DEST];

fn policy() -> Policy {
    Policy::edge().knowing(IPV6.peer, opening(BOTH))
}

pub(super) fn rows() -> Vec<Row> {
    [walked(), too_many(), too_long(), other_protocols()].concat()
}

fn walked() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, extensions) in WALKED {
        for (source, expected) in
            [(IPV6.stranger, Reason::UnknownSource), (IPV6.peer, Reason::TrustedSource)]
        {
            for (transport, frame) in both_transports(&IPV6, source) {
                let name = format!("{transport} of {source} behind {name}");
                rows.push(row(name, &policy(), frame.behind(extensions).build(), expected));
            }
        }
        for (what, source, expected) in [
            ("connection", IPV6.connected, Reason::TlsReachable),
            ("no connection", IPV6.stranger, Reason::NoConnection),
        ] {
            let tls = Frame::tcp(source, IPV6.edge).sent_to_tls().behind(extensions).build();
            rows.push(row(format!("TLS of {what} behind {name}"), &policy(), tls, expected));
        }
        let ssh = Frame::tcp(IPV6.stranger, IPV6.edge).sent_to(22).behind(extensions).build();
        rows.push(row(format!("ssh behind {name}"), &policy(), ssh, Reason::NotProtected));
    }
    rows
}

fn too_many() -> Vec<Row> {
    let mut rows = Vec::new();
    for count in [7, 8, 12] {
        let extensions: Vec<_> = SEVEN.into_iter().cycle().take(count).collect();
        let to = |address| Frame::udp(IPV6.peer, address).behind(&extensions).build();
        let name = format!("{count} extension headers");
        let expected = Reason::TooManyExtensionHeaders;
        rows.push(row(&name, &policy(), to(IPV6.edge), expected));
        let name = format!("{name} to another host");
        rows.push(row(name, &policy(), to(IPV6.behind), Reason::NotProtected));
    }
    rows
}

fn too_long() -> Vec<Row> {
    let bad = Reason::BadExtensionHeader;
    let reaching = |claims| Extension::Sized { number: 60, has: 0, claims };
    let to = |address, extension| Frame::udp(IPV6.peer, address).behind(&[extension]);
    let beyond = to(IPV6.edge, reaching(200)).build();
    let elsewhere = to(IPV6.behind, reaching(200)).build();
    let into_padding = to(IPV6.edge, reaching(20)).padded_with(&[0x11; 200]).build();
    let empty = Frame::new(Carried::Bare(0), IPV6.peer, IPV6.edge).build();
    let seven_bytes = Frame::new(Carried::Bare(60), IPV6.peer, IPV6.edge).with(&[17; 7]).build();
    let no_room = to(IPV6.edge, DEST).with(&[]).lying(Lie::IpLengthBy(-9)).build();
    let cut_fragment =
        Frame::new(Carried::Bare(44), IPV6.peer, IPV6.edge).with(&[17, 0, 0]).build();
    // What lies behind is neither UDP nor TCP, or nothing: no listener can be meant.
    let exactly_at_the_end =
        Frame::new(Carried::Bare(59), IPV6.peer, IPV6.edge).behind(&[DEST]).build();
    vec![
        row("an extension header that ends behind the frame", &policy(), beyond, bad),
        row("the same to another host", &policy(), elsewhere, Reason::NotProtected),
        row("an extension header that ends in the padding", &policy(), into_padding, bad),
        row("an extension header that is announced and not there", &policy(), empty, bad),
        row("an extension header of seven bytes", &policy(), seven_bytes, bad),
        row("an extension header outside the payload length", &policy(), no_room, bad),
        row("a fragment header of three bytes", &policy(), cut_fragment, bad),
        row("a header that ends with the packet", &policy(), exactly_at_the_end, NOT_PROTECTED),
    ]
}

const NOT_PROTECTED: Reason = Reason::NotProtected;

fn other_protocols() -> Vec<Row> {
    [("ICMPv6", 58), ("no next header", 59), ("ESP", 50), ("SCTP", 132), ("an unknown header", 253)]
        .map(|(name, protocol)| {
            let frame = Frame::new(Carried::Bare(protocol), IPV6.stranger, IPV6.edge);
            let frame = frame.with(&[0; 40]).behind(&[HOP, DEST]).build();
            let name = format!("{name} behind extension headers");
            row(name, &policy(), frame, NOT_PROTECTED)
        })
        .to_vec()
}
