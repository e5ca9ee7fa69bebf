use sbc_common::{Lane, Protocol, Reason, Service, Transports, UnknownAction};

use super::{Row, both_transports, row, row_after};
use crate::ends::{Ends, FAMILIES};
use crate::frames::{Carried, Frame};
use crate::policy::{BOTH, Policy, denied, expired, opening, opening_for_long};

const TRUSTED: Reason = Reason::TrustedSource;
const UNKNOWN: Reason = Reason::UnknownIpsecPeer;
const ESP: u8 = 50;

pub(super) fn rows() -> Vec<Row> {
    FAMILIES
        .iter()
        .flat_map(|ends| {
            [whole(ends), fragments(ends), associations(ends), in_clear(ends)].concat()
        })
        .collect()
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

const SPI: u32 = 0xc0de_0001;

fn esp_under(spi: u32, ends: &Ends, source: &str) -> Frame {
    let payload = [&spi.to_be_bytes()[..], &[0x5a; 60]].concat();
    Frame::new(Carried::Bare(ESP), source, ends.edge).with(&payload)
}

/// What belongs to an association passes, while it is known which there are.
fn associations(ends: &Ends) -> Vec<Row> {
    let knowing = policy(ends)
        .knowing(ends.peer, opening_for_long(Lane::Static, Transports::IPSEC))
        .knowing(ends.neighbour, opening_for_long(Lane::Static, Transports::IPSEC));
    let known = knowing.clone().associating(ends.peer, ends.edge, SPI);
    let stale = known.clone().associating_no_longer();
    let unknown = Reason::UnknownSpi;
    let in_udp =
        |source: &str, payload: &[u8]| Frame::udp(source, ends.edge).with(payload).sent_to(4500);
    let spi = SPI.to_be_bytes();
    let esp_in_udp = [&spi[..], &[0x5a; 28]].concat();
    let other = [&[1, 2, 3, 4][..], &[0x5a; 28]].concat();
    let mut rows = Vec::new();
    for (name, frame, expected) in [
        ("ESP of an association", esp_under(SPI, ends, ends.peer), TRUSTED),
        ("ESP of none", esp_under(SPI + 1, ends, ends.peer), unknown),
        ("ESP under zero", esp_under(0, ends, ends.peer), unknown),
        ("ESP of another's association", esp_under(SPI, ends, ends.neighbour), unknown),
        ("a stranger's ESP of an association", esp_under(SPI, ends, ends.stranger), UNKNOWN),
        ("ESP in UDP of an association", in_udp(ends.peer, &esp_in_udp), TRUSTED),
        ("ESP in UDP of none", in_udp(ends.peer, &other), unknown),
        ("ESP in UDP of another's", in_udp(ends.neighbour, &esp_in_udp), unknown),
        ("IKE beside ESP in UDP", in_udp(ends.peer, &[0; 32]), TRUSTED),
        ("what keeps a NAT awake", in_udp(ends.peer, &[0xff]), TRUSTED),
        ("two bytes to where ESP in UDP goes", in_udp(ends.peer, &[0xff; 2]), unknown),
        ("half a number", in_udp(ends.peer, &spi[..2]), unknown),
        ("nothing to where ESP in UDP goes", in_udp(ends.peer, &[]), unknown),
        ("a number and no more", in_udp(ends.peer, &spi), TRUSTED),
        ("IKE", Frame::udp(ends.peer, ends.edge).with(&other).sent_to(500), TRUSTED),
        (
            "ESP that is cut",
            Frame::new(Carried::Bare(ESP), ends.peer, ends.edge).with(&spi[..3]),
            unknown,
        ),
    ] {
        let name = format!("{name} over {}", ends.family);
        rows.push(row(name, &known, frame.build(), expected));
    }
    for (name, frame) in [
        ("ESP of none", esp_under(SPI + 1, ends, ends.peer)),
        ("ESP in UDP of none", in_udp(ends.peer, &other)),
    ] {
        let name = |when| format!("{name} over {}, {when}", ends.family);
        rows.push(row(name("nobody knows which there are"), &knowing, frame.build(), TRUSTED));
        rows.push(row(name("no longer known"), &stale, frame.build(), TRUSTED));
    }
    let padded = in_udp(ends.peer, &[0xff]).padded_with(&[1; 17]);
    let name = format!("what keeps a NAT awake over {}, padded", ends.family);
    rows.push(row(name, &known, padded.build(), TRUSTED));
    rows
}

/// SIP in clear of a peer that has to speak through IPsec is dropped whatever else holds.
fn in_clear(ends: &Ends) -> Vec<Row> {
    let outside = Reason::ClearOutsideIpsec;
    let listed = |transports| opening(transports).only_in_ipsec(true);
    let all = BOTH.union(Transports::IPSEC).union(Transports::TLS);
    let not_proven = policy(ends).knowing(ends.around_peer, listed(Transports::IPSEC));
    let proven = policy(ends).knowing(ends.around_peer, listed(all));
    let over = policy(ends).knowing(ends.around_peer, expired(all).only_in_ipsec(true));
    let of_a_port = format!("{}:5060", bracketed(ends.peer));
    let answered = opening_for_long(Lane::Digest, Transports::UDP).only_in_ipsec(true);
    let with_port = not_proven.clone().knowing(&of_a_port, answered);
    let dropping = not_proven.clone().set(|it| it.unknown = UnknownAction::Drop);
    let denying = not_proven.clone().knowing(ends.peer, denied());
    let mut rows = Vec::new();
    for (when, policy) in [
        ("proven nothing", &not_proven),
        ("proven itself", &proven),
        ("proven itself long ago", &over),
        ("proven itself in one port only", &with_port),
        ("proven nothing, where strangers are dropped", &dropping),
    ] {
        for (protocol, frame) in both_transports(ends, ends.peer) {
            let name = format!("{protocol} in clear over {} of who has {when}", ends.family);
            rows.push(row(name, policy, frame.build(), outside));
        }
    }
    for (name, policy, frame, expected) in [
        ("TLS", &proven, Frame::tcp(ends.peer, ends.edge).sent_to_tls(), TRUSTED),
        ("ESP", &proven, esp(ends, ends.peer), TRUSTED),
        ("ESP, not proven", &not_proven, esp(ends, ends.peer), TRUSTED),
        ("SIP, denied", &denying, Frame::udp(ends.peer, ends.edge), Reason::DeniedSource),
        ("to nobody", &proven, Frame::udp(ends.peer, ends.behind), Reason::NotProtected),
    ] {
        let name = format!("{name} over {} of who has to speak through IPsec", ends.family);
        rows.push(row(name, policy, frame.build(), expected));
    }
    let datagram = Frame::udp(ends.peer, ends.edge).with(&[b'x'; 56]);
    let (first, last) = (datagram.clone().fragment(0, true), datagram.fragment(8, false));
    let none: [&Frame; 0] = [];
    let name = |what| format!("{} fragments of SIP in clear beside IPsec: {what}", ends.family);
    rows.push(row_after(&none, name("first, proven"), &proven, &first, outside));
    rows.push(row_after(&[&first], name("last, proven"), &proven, &last, FRAGMENT));
    rows.push(row_after(&none, name("first"), &not_proven, &first, FRAGMENT));
    rows.push(row_after(&[&first], name("last"), &not_proven, &last, FRAGMENT));
    rows
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}
