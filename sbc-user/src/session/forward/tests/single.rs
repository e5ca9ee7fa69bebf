//! One message, and what becomes of each of its parts.

use std::sync::Arc;

use super::scene::*;
use crate::config::{Assertables, Mandate, Permissions};
use crate::session::RelayRefusal;
use crate::sip::{HeaderKind, MAX_HEADERS, Message, RewriteError};

fn with(line: &str) -> String {
    INVITE.replace("CSeq: 7", &format!("{line}\r\nCSeq: 7"))
}

fn claims(pattern: &str) -> Mandate {
    let may_assert = Some(Assertables::new(vec![pattern.parse().unwrap()]));
    Mandate::of(Arc::new(Permissions { may_assert, ..Permissions::default() }), None)
}

#[test]
fn what_is_not_ours_to_change_passes_byte_for_byte() {
    let passed = inwards(INVITE, &phone()).unwrap();
    let token = |index: usize| token(&values(&passed, HeaderKind::RecordRoute)[index]);
    let expected = INVITE
        .replace(
            "v: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKabc;rport",
            &format!(
                "Record-Route: <sip:{}@10.0.0.1:5060;lr>\r\n\
                 Record-Route: <sip:{}@203.0.113.1:5060;lr>\r\n\
                 Via: SIP/2.0/UDP 10.0.0.1:5060;branch={};rport\r\n\
                 v: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKabc;received=198.51.100.7;rport=5062",
                token(0),
                token(1),
                branch(&passed)
            ),
        )
        .replace("max-forwards:  70", "max-forwards:  69");
    let mut lines: Vec<_> = expected.split("\r\n").collect();
    let mut passed_lines: Vec<_> = passed.split("\r\n").collect();
    assert_eq!(passed_lines.len(), lines.len());
    // Where among the headers our own lines stand is no matter; that the others keep their order is.
    let is_own = |line: &&str| line.starts_with("Record-Route") || line.starts_with("Via");
    let own: Vec<_> = lines.iter().filter(|line| is_own(line)).copied().collect();
    let passed_own: Vec<_> =
        passed_lines.iter().filter(|line| line.starts_with("Record-Route")).copied().collect();
    assert_eq!(passed_own, own[..2]);
    assert!(passed_lines.contains(&own[2]));
    lines.retain(|line| !is_own(line));
    passed_lines.retain(|line| !is_own(line));
    assert_eq!(passed_lines, lines);
}

#[test]
fn hops_are_counted_down_and_given_to_who_has_none() {
    let none = INVITE.replace("max-forwards:  70\r\n", "");
    assert_eq!(values(&inwards(&none, &phone()).unwrap(), HeaderKind::MaxForwards), ["70"]);
    let one = INVITE.replace(":  70", ": 1");
    assert_eq!(values(&inwards(&one, &phone()).unwrap(), HeaderKind::MaxForwards), ["0"]);
    let zero = INVITE.replace(":  70", ": 0");
    assert_eq!(inwards(&zero, &phone()), Err(RelayRefusal::TooManyHops));
}

#[test]
fn an_extension_that_every_proxy_must_know_is_refused_once_the_hops_are_counted() {
    let request = with("Proxy-Require: sec-agree");
    assert_eq!(inwards(&request, &phone()), Err(RelayRefusal::BadExtension));
    let both = request.replace(":  70", ": 0");
    assert_eq!(inwards(&both, &phone()), Err(RelayRefusal::TooManyHops), "RFC 3261 16.3");
}

#[test]
fn the_credentials_that_were_for_us_go_no_further_and_all_others_do() {
    let request = with("Proxy-Authorization: Digest ours\r\nproxy-authorization: Digest theirs");
    let message = Message::scan(request.as_bytes()).unwrap();
    let consumed = message.header(HeaderKind::ProxyAuthorization).unwrap();
    let forwarded =
        forwarder().request_inwards(&message, &phone(), Some(&consumed), None, None).unwrap();

    let passed = String::from_utf8(forwarded.message).unwrap();
    assert!(!passed.contains("Digest ours"));
    assert!(passed.contains("proxy-authorization: Digest theirs\r\n"));
}

#[test]
fn a_false_claim_goes_no_further_with_all_of_its_kind() {
    let request = with(
        "P-Asserted-Identity: <sip:alice@example.com>, <tel:+1>\r\n\
         P-Preferred-Identity: <sip:alice@example.com>\r\n\
         Remote-Party-ID: \"CEO\" <sip:ceo@example.com>;party=calling",
    );
    let message = Message::scan(request.as_bytes()).unwrap();
    let passed = |mandate: Option<&Mandate>| {
        let forwarded =
            forwarder().request_inwards(&message, &phone(), None, mandate, None).unwrap();
        let passed = String::from_utf8(forwarded.message).unwrap();
        [HeaderKind::PAssertedIdentity, HeaderKind::PPreferredIdentity, HeaderKind::RemotePartyId]
            .map(|kind| values(&passed, kind).len())
    };
    assert_eq!(passed(None), [2, 1, 1]);
    assert_eq!(passed(Some(&claims("*@example.com"))), [0, 1, 1], "one false value is enough");
    assert_eq!(passed(Some(&claims("alice@example.com"))), [0, 1, 0]);
    assert_eq!(passed(Some(&Mandate::mute())), [0, 0, 0]);
}

#[test]
fn a_diversion_is_told_of_by_who_may_divert() {
    let request = with(
        "Diversion: <tel:+1-212-555>;reason=unknown\r\nHistory-Info: <sip:bob@b.example>;index=1",
    );
    let message = Message::scan(request.as_bytes()).unwrap();
    let passed = |mandate: Option<&Mandate>| {
        let forwarded =
            forwarder().request_inwards(&message, &phone(), None, mandate, None).unwrap();
        let passed = String::from_utf8(forwarded.message).unwrap();
        [HeaderKind::Diversion, HeaderKind::HistoryInfo].map(|kind| values(&passed, kind).len())
    };
    let diverting = |pattern: &str| {
        let may_divert = Some(Assertables::new(vec![pattern.parse().unwrap()]));
        Mandate::of(Arc::new(Permissions { may_divert, ..Permissions::default() }), None)
    };
    assert_eq!(passed(None), [1, 1]);
    assert_eq!(passed(Some(&claims("alice@example.com"))), [1, 1], "it says nothing about it");
    assert_eq!(passed(Some(&diverting("tel:+1212*"))), [1, 0]);
    assert_eq!(passed(Some(&diverting("*@b.example"))), [0, 1]);
    assert_eq!(passed(Some(&Mandate::mute())), [0, 0]);
}

#[test]
fn a_response_claims_no_more_than_a_request() {
    let (_, routes) = route_sets(&phone());
    let (_, invite) = outwards(&in_dialog("INVITE", 9, false, &routes)).unwrap();
    let claim = "P-Asserted-Identity: <sip:ceo@example.com>\r\nContent-Length";
    let ok = answer(&invite, "200 OK").replace("Content-Length", claim);
    let message = Message::scan(ok.as_bytes()).unwrap();
    let passed = |mandate: Option<&Mandate>| {
        let forwarded = forwarder().response(&message, &phone(), mandate).unwrap();
        String::from_utf8(forwarded.message).unwrap().contains("ceo")
    };
    assert!(passed(None));
    assert!(passed(Some(&claims("*@example.com"))));
    assert!(!passed(Some(&Mandate::mute())));
}

#[test]
fn a_message_without_length_gets_one_before_it_enters_a_stream() {
    let (_, routes) = route_sets(&tls_phone());
    let bye = in_dialog("BYE", 9, false, &routes).replace("Content-Length: 0\r\n", "");
    let (_, bye) = outwards(&(bye + "body")).unwrap();
    assert_eq!(values(&bye, HeaderKind::ContentLength), ["4"]);
}

#[test]
fn a_request_that_would_grow_too_large_is_refused() {
    let large = INVITE.replace("kept", &"k".repeat(65_535 - INVITE.len()));
    assert!(matches!(inwards(&large, &phone()), Err(RelayRefusal::Unwritable(_))));
}

#[test]
fn a_message_that_would_have_more_headers_than_we_read_is_refused() {
    let scanned = |text: &str| Message::scan(text.as_bytes()).unwrap().headers().count();
    let with =
        |count: usize| INVITE.replace("Contact:", &format!("{}Contact:", "X: 1\r\n".repeat(count)));
    let fits = with(MAX_HEADERS - 3 - scanned(INVITE));
    let forwarded = inwards(&fits, &phone()).unwrap();
    assert_eq!(scanned(&forwarded), MAX_HEADERS, "Via and two Record-Routes more");
    for more in 1..=3 {
        let grows = with(MAX_HEADERS - 3 - scanned(INVITE) + more);
        assert_eq!(
            inwards(&grows, &phone()),
            Err(RelayRefusal::Unwritable(RewriteError::TooManyHeaders))
        );
    }
    // The answer has one Via less, so there is room for the length that a stream needs.
    let (_, routes) = route_sets(&tls_phone());
    let bye = in_dialog("BYE", 9, true, &routes);
    let bye = inwards(&bye, &tls_phone()).unwrap();
    let full = answer(&bye, "200 OK").replace("Content-Length: 0\r\n", "");
    let full = full.replace(
        "\r\n\r\n",
        &format!("\r\n{}\r\n", "X: 1\r\n".repeat(MAX_HEADERS - scanned(&full))),
    );
    let (_, passed) = response(&full, &upstream()).unwrap();
    assert_eq!(scanned(&passed), MAX_HEADERS);
}

#[test]
fn only_the_upstream_is_the_upstream() {
    let relay = forwarder();
    assert!(relay.is_upstream(&upstream()));
    let other_port = crate::transport::Flow::udp(INSIDE, "10.0.0.5:40000".parse().unwrap());
    assert!(relay.is_upstream(&other_port), "it may send from any port");
    let forged_outside = crate::transport::Flow::udp(0, "10.0.0.5:5060".parse().unwrap());
    assert!(!relay.is_upstream(&forged_outside));
    let neighbour = crate::transport::Flow::udp(INSIDE, "10.0.0.6:5060".parse().unwrap());
    assert!(!relay.is_upstream(&neighbour));
}

#[test]
fn a_request_to_a_peer_may_get_the_host_of_the_peer() {
    let relay = forwarder();
    let way = crate::session::WayOut {
        to: phone(),
        registered: None,
        is_outbound: false,
        is_trusted: false,
    };
    for (uri, expected) in [
        ("sip:+44@10.0.0.1", "sip:+44@carrier.example:5070"),
        ("sip:+44@10.0.0.1:5060;user=phone", "sip:+44@carrier.example:5070;user=phone"),
        ("sip:[2001:db8::1];x=a:b", "sip:carrier.example:5070;x=a:b"),
        ("tel:+44-20;ext=1", "sip:+44-20;ext=1@carrier.example:5070;user=phone"),
        ("urn:service:sos", "urn:service:sos"),
    ] {
        let request = INVITE.replace("INVITE sip:bob@example.com ", &format!("INVITE {uri} "));
        let request = Message::scan(request.as_bytes()).unwrap();
        let host = Some("carrier.example:5070");
        let forwarded = relay.request_outwards_to(&request, &upstream(), &way, host).unwrap();
        let text = String::from_utf8(forwarded.message).unwrap();
        assert!(text.starts_with(&format!("INVITE {expected} SIP/2.0\r\n")), "{text}");
    }
}
