use sbc_common::{Lane, Protocol, Reason, Service, Transports};

use super::{Row, row, row_after};
use crate::ends::{Ends, FAMILIES};
use crate::frames::{Carried, Frame};
use crate::policy::{BOTH, Policy, denied, expired, opening, opening_for_long};

const TRUSTED: Reason = Reason::TrustedSource;
const UNKNOWN: Reason = Reason::UnknownIpsecPeer;
const ESP: u8 = 50;

pub(super) fn rows() -> Vec<Row> {
    FAMILIES.iter().flat_map(|ends| [whole(ends), fragments(ends)].concat()).collect()
}

fn policy(ends: &Ends) -> Policy {
    Policy::edge()
        .serving(ends.edge, 500, Protocol::Udp, Service::Ipsec)
        .serving(ends.edge, 4500, Protocol::Udp, Service::Ipsec)
        .serving(ends.edge, 0, Protocol::Esp, Service::Ipsec)
        .challenging()
}

fn esp(ends: &Ends, source: &str) -> Frame {
    Frame::new(Carried::Bare(ESP), source, ends.edge).with(&[0x5a; 64])
}

fn whole(ends: &Ends) -> Vec<Row> {
    let ipsec = Transports::IPSEC;
    let entered = policy(ends).knowing(ends.peer, opening_for_long(Lane::Ipsec, ipsec));
    let listed = policy(ends).knowing(ends.around_peer, opening(ipsec));
    let for_sip = policy(ends).knowing(ends.peer, opening(BOTH));
    let forgetting = policy(ends).knowing(ends.peer, expired(ipsec));
    let denying = policy(ends).knowing(ends.peer, denied());
    let mut rows = Vec::new();
    for (name, policy, source, expected) in [
        ("a peer", &entered, ends.peer, TRUSTED),
        ("a peer's neighbour", &entered, ends.neighbour, UNKNOWN),
        ("a peer by its prefix", &listed, ends.peer, TRUSTED),
        ("a stranger", &listed, ends.stranger, UNKNOWN),
        ("a source trusted for SIP", &for_sip, ends.peer, UNKNOWN),
        ("a former peer", &forgetting, ends.peer, UNKNOWN),
        ("a denied source", &denying, ends.peer, Reason::DeniedSource),
    ] {
        let ike = |port| Frame::udp(source, ends.edge).with(&[0; 28]).sent_to(port);
        for (protocol, frame) in
            [("IKE", ike(500)), ("IKE or ESP in UDP", ike(4500)), ("ESP", esp(ends, source))]
        {
            let name = format!("{protocol} over {} of {name}", ends.family);
            rows.push(row(name, policy, frame.build(), expected));
        }
    }
    let name = format!("clear SIP over {} of an IPsec peer", ends.family);
    let sip = Frame::udp(ends.peer, ends.edge).with(b"\r\n").build();
    rows.push(row(name, &entered, sip, Reason::NotASipRequest));
    let elsewhere = Frame::new(Carried::Bare(ESP), ends.stranger, ends.behind).with(&[0; 64]);
    let name = format!("ESP over {} to another host", ends.family);
    rows.push(row(name, &entered, elsewhere.build(), Reason::NotProtected));
    let name = format!("IKE over {} where it is none of ours", ends.family);
    let ike = Frame::udp(ends.stranger, ends.edge).sent_to(500).build();
    rows.push(row(name, &Policy::edge(), ike, Reason::NotProtected));
    rows
}

fn fragments(ends: &Ends) -> Vec<Row> {
    let entry = opening_for_long(Lane::Ipsec, Transports::IPSEC);
    let policy = policy(ends).knowing(ends.peer, entry);
    let datagram = esp(ends, ends.peer);
    let (first, last) = (datagram.clone().fragment(0, true), datagram.fragment(8, false));
    let ike = Frame::udp(ends.peer, ends.edge).with(&[0; 56]).sent_to(500);
    let (ike_first, ike_last) = (ike.clone().fragment(0, true), ike.fragment(8, false));
    let strange = esp(ends, ends.stranger).fragment(0, true);
    let strange_last = esp(ends, ends.stranger).fragment(8, false);
    let late = esp(ends, ends.peer).fragment(8, false);
    // A later fragment of UDP may be of any service, and this source is not trusted for all.
    let ike_late = ike_last.clone();
    let belongs = Reason::LaterFragment;
    let none: [&Frame; 0] = [];
    let name = |what| format!("{} IPsec fragments: {what}", ends.family);
    vec![
        row_after(&none, name("first of ESP"), &policy, &first, TRUSTED),
        row_after(&[&first], name("last of ESP"), &policy, &last, belongs),
        row_after(&none, name("last of ESP, early"), &policy, &late, Reason::EarlyFragment),
        row_after(&none, name("last of IKE, early"), &policy, &ike_late, Reason::UnknownFragment),
        row_after(&none, name("first of IKE"), &policy, &ike_first, TRUSTED),
        row_after(&[&ike_first], name("last of IKE"), &policy, &ike_last, belongs),
        row_after(&none, name("a stranger's first of ESP"), &policy, &strange, FRAGMENT),
        row_after(&none, name("a stranger's last of ESP"), &policy, &strange_last, FRAGMENT),
    ]
}

const FRAGMENT: Reason = Reason::UnknownFragment;
