use sbc_common::Reason;

use super::{Row, both_transports, row};
use crate::ends::{FAMILIES, IPV4};
use crate::frames::{Frame, OLD_QINQ, SERVICE_VLAN, VLAN, ethernet};
use crate::policy::{BOTH, Policy, opening};

const TAGS: [(&str, &[u16]); 7] = [
    ("no tag", &[]),
    ("a VLAN tag", &[VLAN]),
    ("a service tag", &[SERVICE_VLAN]),
    ("an old QinQ tag", &[OLD_QINQ]),
    ("QinQ", &[SERVICE_VLAN, VLAN]),
    ("two VLAN tags", &[VLAN, VLAN]),
    ("old QinQ", &[OLD_QINQ, VLAN]),
];

pub(super) fn rows() -> Vec<Row> {
    [tagged(), too_many_tags(), cut_tags(), not_ip()].concat()
}

fn tagged() -> Vec<Row> {
    let mut rows = Vec::new();
    for ends in &FAMILIES {
        let policy = Policy::edge().knowing(ends.peer, opening(BOTH));
        for (name, tags) in TAGS {
            for (transport, frame) in both_transports(ends, ends.stranger) {
                let name = format!("a stranger's {} {transport} behind {name}", ends.family);
                rows.push(row(name, &policy, frame.tagged(tags).build(), Reason::UnknownSource));
            }
            for (transport, frame) in both_transports(ends, ends.peer) {
                let name = format!("a peer's {} {transport} behind {name}", ends.family);
                rows.push(row(name, &policy, frame.tagged(tags).build(), Reason::TrustedSource));
            }
        }
    }
    rows
}

fn too_many_tags() -> Vec<Row> {
    let frame = Frame::udp(IPV4.peer, IPV4.edge);
    let policy = Policy::edge().knowing(IPV4.peer, opening(BOTH));
    let three = frame.clone().tagged(&[SERVICE_VLAN, VLAN, VLAN]).build();
    let four = frame.tagged(&[VLAN; 4]).build();
    vec![
        row("three VLAN tags", &policy, three, Reason::TooManyVlanTags),
        row("four VLAN tags", &policy, four, Reason::TooManyVlanTags),
    ]
}

fn cut_tags() -> Vec<Row> {
    let frame = Frame::udp(IPV4.peer, IPV4.edge).tagged(&[SERVICE_VLAN, VLAN]).build();
    let policy = Policy::edge().knowing(IPV4.peer, opening(BOTH));
    [13, 14, 17, 18, 21]
        .map(|length| {
            let name = format!("QinQ cut after {length} bytes");
            row(name, &policy, frame[..length].to_vec(), Reason::FrameTooShort)
        })
        .to_vec()
}

fn not_ip() -> Vec<Row> {
    let policy = Policy::edge();
    let carrying = |tags: &[u16], ethertype, payload: &[u8]| {
        [ethernet(tags, ethertype), payload.to_vec()].concat()
    };
    let sip = Frame::udp(IPV4.stranger, IPV4.edge).build().split_off(14);
    vec![
        row("ARP", &policy, carrying(&[], 0x0806, &[0; 28]), Reason::NotIp),
        row("ARP in a VLAN", &policy, carrying(&[VLAN], 0x0806, &[0; 28]), Reason::NotIp),
        row("LLDP", &policy, carrying(&[], 0x88cc, &[0; 46]), Reason::NotIp),
        row("spanning tree", &policy, carrying(&[], 0x0026, &[0x42; 38]), Reason::NotIp),
        row("an Ethernet header alone", &policy, ethernet(&[], 0x0806), Reason::NotIp),
        row("IPv4 behind an MPLS label", &policy, carrying(&[], 0x8847, &sip), Reason::NotIp),
    ]
}
