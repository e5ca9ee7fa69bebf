//! What a verdict is counted under, beside its reason.

use sbc_common::{Carrier, Family, Lane, Protocol, Reason, Service, Transports, Verdict};

use crate::ends::{Ends, FAMILIES};
use crate::fixture::Datapath;
use crate::frames::{Carried, Frame};
use crate::policy::{BOTH, Policy, denied, expired, opening_for_long};

#[test]
fn a_verdict_tells_lane_family_and_carrier() {
    let mut datapath = Datapath::load();
    for ends in &FAMILIES {
        let family = if ends.family == "IPv4" { Family::Ipv4 } else { Family::Ipv6 };
        for (name, policy, frame, (reason, lane, carrier)) in labelled(ends) {
            datapath.apply(&policy);
            let (verdict, _) = datapath.judge(&frame.build()).unwrap();
            let expected = Verdict { reason, lane, family, carrier };
            assert_eq!(verdict, expected, "{} {name}", ends.family);
        }
    }
    datapath.counts_nothing_else();
}

#[test]
fn a_frame_that_cannot_be_read_is_of_no_family() {
    let mut datapath = Datapath::load();
    let (verdict, _) = datapath.judge(&crate::frames::ethernet(&[], 0x0806)).unwrap();
    assert_eq!(verdict, Verdict::unread(Reason::NotIp));
    datapath.counts_nothing_else();
}

type Labels = (Reason, Option<Lane>, Carrier);

fn labelled(ends: &Ends) -> Vec<(String, Policy, Frame, Labels)> {
    let edge = || {
        Policy::edge().serving(ends.edge, 500, Protocol::Udp, Service::Ipsec).serving(
            ends.edge,
            0,
            Protocol::Esp,
            Service::Ipsec,
        )
    };
    let every = BOTH.union(Transports::TLS).union(Transports::IPSEC);
    let esp = |source: &str| Frame::new(Carried::Bare(50), source, ends.edge).with(&[0; 32]);
    let mut labelled = Vec::new();
    let frames = |source: &str| {
        [
            (Frame::udp(source, ends.edge), Carrier::Udp),
            (Frame::tcp(source, ends.edge), Carrier::Tcp),
            (Frame::tcp(source, ends.edge).sent_to_tls(), Carrier::Tls),
            (Frame::udp(source, ends.edge).sent_to(500), Carrier::Ipsec),
            (esp(source), Carrier::Ipsec),
            (Frame::udp(source, ends.edge).fragment(0, true), Carrier::Udp),
            // The port that would tell TLS from clear text is in another fragment.
            (Frame::tcp(source, ends.edge).fragment(0, true).sent_to_tls(), Carrier::Tcp),
            (esp(source).fragment(0, true), Carrier::Ipsec),
        ]
    };
    for lane in [Lane::Static, Lane::Digest, Lane::Tls, Lane::Ipsec, Lane::Dns] {
        let policy = edge().knowing(ends.peer, opening_for_long(lane, every));
        for (frame, carrier) in frames(ends.peer) {
            let labels = (Reason::TrustedSource, Some(lane), carrier);
            labelled.push((format!("in lane {}", lane.name()), policy.clone(), frame, labels));
        }
    }
    let denying = edge().knowing(ends.around_peer, denied());
    for (frame, carrier) in frames(ends.peer) {
        let labels = (Reason::DeniedSource, Some(Lane::Denied), carrier);
        labelled.push(("denied".to_owned(), denying.clone(), frame, labels));
    }
    let forgetting = edge().knowing(ends.peer, expired(BOTH));
    let tunnel = Frame::new(Carried::Bare(47), ends.peer, ends.edge).with(&[0; 32]);
    let ssh = Frame::tcp(ends.peer, ends.edge).sent_to(22);
    let single = [
        ("expired", Frame::udp(ends.peer, ends.edge), (Reason::ExpiredSource, None, Carrier::Udp)),
        ("a stranger", esp(ends.stranger), (Reason::UnknownIpsecPeer, None, Carrier::Ipsec)),
        ("a tunnel", tunnel, (Reason::Tunnel, None, Carrier::Other)),
        ("ssh", ssh, (Reason::NotProtected, None, Carrier::Tcp)),
    ];
    labelled.extend(
        single.map(|(name, frame, labels)| (name.to_owned(), forgetting.clone(), frame, labels)),
    );
    labelled
}
