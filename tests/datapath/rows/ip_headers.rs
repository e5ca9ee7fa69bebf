use sbc_common::Reason;

use super::{Row, both_transports, row};
use crate::ends::{FAMILIES, IPV4, IPV6};
use crate::frames::{Carried, Frame, Lie, ethernet};
use crate::policy::{BOTH, Policy, opening};

const MAPPED_PEER: &str = "::ffff:198.51.100.7";
const MAPPED_EDGE: &str = "::ffff:203.0.113.10";

pub(super) fn rows() -> Vec<Row> {
    [ipv4_options(), padding(), wrong_lengths(), wrong_versions(), mapped(), borrowed()].concat()
}

fn knowing_both_peers() -> Policy {
    Policy::edge().knowing(IPV4.peer, opening(BOTH)).knowing(IPV6.peer, opening(BOTH))
}

fn ipv4_options() -> Vec<Row> {
    let policy = knowing_both_peers();
    let mut rows = Vec::new();
    for words in 0..=10 {
        for (source, expected) in
            [(IPV4.stranger, Reason::UnknownSource), (IPV4.peer, Reason::TrustedSource)]
        {
            for (transport, frame) in both_transports(&IPV4, source) {
                let name = format!("{transport} of {source} behind {words} words of IPv4 options");
                rows.push(row(name, &policy, frame.with_ipv4_options(words).build(), expected));
            }
        }
    }
    rows
}

fn padding() -> Vec<Row> {
    let policy = knowing_both_peers();
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        for (transport, frame) in both_transports(ends, ends.peer) {
            let name = format!("a peer's padded {} {transport}", ends.family);
            let frame = frame.with(b"\r\n\r\n").padded_with(&[0; 18]).build();
            rows.push(row(name, &policy, frame, Reason::TrustedSource));
        }
        let name = format!("a stranger's padded {} UDP", ends.family);
        let frame = Frame::udp(ends.stranger, ends.edge).with(b"\r\n\r\n").padded_with(&[0xff; 18]);
        rows.push(row(name, &policy, frame.build(), Reason::UnknownSource));
    }
    rows
}

fn wrong_lengths() -> Vec<Row> {
    let policy = knowing_both_peers();
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        for (transport, frame) in both_transports(ends, ends.peer) {
            let name = format!("{} {transport} that says one byte more than it has", ends.family);
            let frame = frame.lying(Lie::IpLengthBy(1)).build();
            rows.push(row(name, &policy, frame, Reason::BadIpHeader));
        }
        let name = format!("{} to another host that says one byte more", ends.family);
        let frame = Frame::udp(ends.peer, ends.behind).lying(Lie::IpLengthBy(1)).build();
        rows.push(row(name, &policy, frame, Reason::BadIpHeader));
        let name = format!("{} cut in its header", ends.family);
        let frame = Frame::udp(ends.peer, ends.edge).build()[..14 + 19].to_vec();
        rows.push(row(name, &policy, frame, Reason::BadIpHeader));
    }
    let frame = || Frame::udp(IPV4.peer, IPV4.edge).with(&[]);
    let shorter = frame().lying(Lie::IpLengthBy(-9)).build();
    let no_header = frame().lying(Lie::Ipv4HeaderLength(0)).build();
    let four_words = frame().lying(Lie::Ipv4HeaderLength(4)).build();
    let longer = frame().lying(Lie::Ipv4HeaderLength(8)).build();
    let name = "an IPv4 header alone that says it is longer";
    let alone = Frame::new(Carried::Bare(17), IPV4.peer, IPV4.edge);
    let alone = alone.lying(Lie::Ipv4HeaderLength(6)).build();
    let bad = Reason::BadIpHeader;
    rows.extend([
        row("IPv4 whose total is shorter than its header", &policy, shorter, bad),
        row("IPv4 without a header length", &policy, no_header, bad),
        row("IPv4 with a header of four words", &policy, four_words, bad),
        row("IPv4 with a header longer than the packet", &policy, longer, bad),
        row(name, &policy, alone, bad),
    ]);
    rows
}

fn wrong_versions() -> Vec<Row> {
    let policy = knowing_both_peers();
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        for version in [0, 4, 5, 6, 15] {
            let frame = Frame::udp(ends.peer, ends.edge).lying(Lie::IpVersion(version)).build();
            let is_true = (ends.family == "IPv4") == (version == 4)
                && (ends.family == "IPv6") == (version == 6);
            let expected = if is_true { Reason::TrustedSource } else { Reason::BadIpHeader };
            let name = format!("{} that says version {version}", ends.family);
            rows.push(row(name, &policy, frame, expected));
        }
    }
    let ipv6 = Frame::udp(IPV6.peer, IPV6.edge).build().split_off(14);
    let disguised = [ethernet(&[], 0x0800), ipv6].concat();
    rows.push(row("IPv6 under the EtherType of IPv4", &policy, disguised, Reason::BadIpHeader));
    rows
}

/// No such address may appear on a wire: it would be looked up as the IPv4 address it contains.
fn mapped() -> Vec<Row> {
    let policy = knowing_both_peers();
    let bad = Reason::MappedAddress;
    let from = Frame::udp(MAPPED_PEER, IPV6.edge).build();
    let to = Frame::udp(IPV6.peer, MAPPED_EDGE).build();
    let both = Frame::tcp(MAPPED_PEER, MAPPED_EDGE).build();
    let elsewhere = Frame::udp(MAPPED_PEER, IPV6.behind).build();
    vec![
        row("a mapped source", &policy, from, bad),
        row("a mapped destination", &policy, to, bad),
        row("a mapped source and destination", &policy, both, bad),
        row("a mapped source to another host", &policy, elsewhere, bad),
    ]
}

/// Addresses that resemble the mapped form of a trusted IPv4 address.
fn borrowed() -> Vec<Row> {
    let policy = knowing_both_peers().knowing("198.51.100.0/24", opening(BOTH));
    ["::198.51.100.7", "::fffe:198.51.100.7", "64:ff9b::198.51.100.7", "1::ffff:198.51.100.7"]
        .map(|source| {
            let frame = Frame::udp(source, IPV6.edge).build();
            row(format!("IPv6 source {source}"), &policy, frame, Reason::UnknownSource)
        })
        .to_vec()
}
