use super::scene::*;
use crate::session::{RelayRefusal, WayOut};
use crate::sip::Message;
use crate::transport::Flow;

/// Another proxy outside, and what it makes of a request that it got.
const PROXY: &str = "198.51.100.9:5060";

fn proxy() -> Flow {
    Flow::udp(0, PROXY.parse().unwrap())
}

/// A request with `vias` more above those that it has.
fn passed_on(request: &str, vias: usize) -> String {
    let (start_line, rest) = request.split_once("\r\n").unwrap();
    let more = vec![format!("Via: SIP/2.0/UDP {PROXY};branch=z9hG4bKp\r\n"); vias].concat();
    format!("{start_line}\r\n{more}{rest}")
}

#[test]
fn a_request_that_comes_back_as_it_was_is_a_loop() {
    let forwarded = inwards(INVITE, &phone()).unwrap();
    for vias in [1, 2, 15] {
        let returned = passed_on(&forwarded, vias);
        assert_eq!(inwards(&returned, &proxy()), Err(RelayRefusal::Loop), "{vias}");
        let fewer_hops = returned.replace("Max-Forwards: 69", "Max-Forwards: 5");
        assert_eq!(inwards(&fewer_hops, &proxy()), Err(RelayRefusal::Loop));
    }
    assert!(inwards(&passed_on(&forwarded, 16), &proxy()).is_ok(), "only so many are looked at");
}

#[test]
fn a_request_that_comes_back_to_go_elsewhere_is_a_spiral_and_passes() {
    let forwarded = passed_on(&inwards(INVITE, &phone()).unwrap(), 1);
    let elsewhere = forwarded.replace("INVITE sip:bob@example.com", "INVITE sip:bob@b.example");
    let first = inwards(&elsewhere, &proxy()).unwrap();
    assert_eq!(inwards(&passed_on(&first, 1), &proxy()), Err(RelayRefusal::Loop), "the next time");
    for (part, other) in [
        ("Call-ID: ", "Route: <sip:next.example;lr>\r\nCall-ID: "),
        ("Call-ID: ", "Route: <sip:token@203.0.113.1;lr>\r\nCall-ID: "),
        ("CSeq: 7", "CSeq: 8"),
        ("tag=1", "tag=2"),
    ] {
        let changed = forwarded.replacen(part, other, 1);
        assert!(inwards(&changed, &proxy()).is_ok(), "{other}");
    }
}

#[test]
fn what_a_proxy_inside_sends_out_unchanged_is_no_loop() {
    let forwarded = inwards(INVITE, &phone()).unwrap();
    let returned = passed_on(&forwarded, 1);
    let request = Message::scan(returned.as_bytes()).unwrap();
    let way = WayOut { to: proxy(), registered: None, is_outbound: false, is_trusted: false };
    let sent = forwarder().request_outwards_to(&request, &upstream(), &way, None).unwrap();
    // And when it comes in again, it is one.
    let again = String::from_utf8(sent.message).unwrap();
    assert!(again.starts_with("INVITE "), "{again}");
    assert_eq!(inwards(&passed_on(&again, 1), &proxy()), Err(RelayRefusal::Loop));
}

#[test]
fn the_via_of_another_element_is_no_sign_of_a_loop() {
    let forwarded = passed_on(&inwards(INVITE, &phone()).unwrap(), 1);
    let own = "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=";
    assert!(forwarded.contains(own), "{forwarded}");
    let of_another = forwarded.replace(own, "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=");
    assert!(inwards(&of_another, &proxy()).is_ok());
    let made_up = forwarded.replacen(&branch(&inwards(INVITE, &phone()).unwrap()), "z9hG4bK1", 1);
    assert!(inwards(&made_up, &proxy()).is_ok());
}

#[test]
fn a_cancel_without_the_route_that_only_led_here_gets_the_branch_of_its_invite() {
    let invite = INVITE.replace("Call-ID", "Route: <sip:203.0.113.1;lr>\r\nCall-ID");
    let cancel = INVITE.replace("INVITE", "CANCEL");
    assert_eq!(
        branch(&inwards(&cancel, &phone()).unwrap()),
        branch(&inwards(&invite, &phone()).unwrap())
    );
}

#[test]
fn a_scheme_that_nobody_serves_is_refused() {
    for (uri, passes) in [
        ("tel:+12125550100", true),
        ("URN:service:sos", true),
        ("im:bob@example.com", true),
        ("http://example.com/", false),
        ("h323:bob@example.com", false),
    ] {
        let request = INVITE.replace("INVITE sip:bob@example.com", &format!("INVITE {uri}"));
        let expected = if passes { Ok(()) } else { Err(RelayRefusal::UnknownScheme) };
        assert_eq!(inwards(&request, &phone()).map(drop), expected, "{uri}");
    }
}
