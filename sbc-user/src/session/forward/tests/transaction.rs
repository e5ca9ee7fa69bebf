use super::scene::*;
use crate::session::RelayRefusal;
use crate::sip::HeaderKind;
use crate::transport::Flow;

#[test]
fn a_response_goes_back_where_its_request_came_from() {
    for origin in [phone(), tls_phone()] {
        let request = inwards(INVITE, &origin).unwrap();
        let (to, ringing) = response(&answer(&request, "180 Ringing"), &upstream()).unwrap();
        assert_eq!(to, origin);
        let vias = values(&ringing, HeaderKind::Via);
        assert_eq!(vias.len(), 1);
        assert!(vias[0].starts_with("SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKabc;received="));
    }
}

#[test]
fn several_vias_in_one_line_are_several_vias() {
    let lower = "v: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKabc;rport";
    let two = format!("{lower}, SIP/2.0/TCP 192.168.1.3;branch=z9hG4bKlower");
    let request = inwards(&INVITE.replace(lower, &two), &phone()).unwrap();
    let answer = answer(&request, "200 OK");
    let vias = values(&answer, HeaderKind::Via);
    assert_eq!(vias.len(), 3);

    for line in [vias.join(", "), vias.join(",\r\n\t"), vias.join("\r\nv: ")] {
        let mut lines: Vec<_> = answer.split("\r\n").filter(|it| !it.starts_with("Via")).collect();
        let line = format!("Via: {line}");
        lines.insert(1, &line);
        let (to, passed) = response(&lines.join("\r\n"), &upstream()).unwrap();
        assert_eq!(to, phone());
        assert_eq!(values(&passed, HeaderKind::Via), vias[1..]);
    }
}

#[test]
fn cancel_and_the_ack_to_a_rejection_get_the_branch_of_their_invite() {
    let invite = inwards(INVITE, &phone()).unwrap();
    let cancel = inwards(&INVITE.replace("INVITE", "CANCEL"), &phone()).unwrap();
    let ack = INVITE
        .replace("INVITE", "ACK")
        .replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=2");
    let ack = inwards(&ack, &phone()).unwrap();
    assert_eq!(branch(&cancel), branch(&invite));
    assert_eq!(branch(&ack), branch(&invite));
    assert_eq!(branch(&inwards(INVITE, &phone()).unwrap()), branch(&invite), "a retransmission");
}

#[test]
fn another_transaction_gets_another_branch() {
    let first = branch(&inwards(INVITE, &phone()).unwrap());
    for (part, other) in
        [("branch=z9hG4bKabc", "branch=z9hG4bKabd"), ("CSeq: 7", "CSeq: 8"), ("tag=1", "tag=11")]
    {
        let request = INVITE.replace(part, other);
        assert_ne!(branch(&inwards(&request, &phone()).unwrap()), first, "{other}");
    }
    let neighbour = Flow::udp(0, "198.51.100.7:5063".parse().unwrap());
    assert_ne!(branch(&inwards(INVITE, &neighbour).unwrap()), first);
}

#[test]
fn an_element_that_sends_no_branch_is_answered_all_the_same() {
    let old = INVITE.replace(";branch=z9hG4bKabc", "");
    let request = inwards(&old, &phone()).unwrap();
    assert_eq!(response(&answer(&request, "200 OK"), &upstream()).unwrap().0, phone());
}

#[test]
fn a_response_to_nothing_that_we_forwarded_goes_nowhere() {
    let request = inwards(INVITE, &phone()).unwrap();
    let ok = answer(&request, "200 OK");
    assert!(response(&ok, &upstream()).is_ok());

    let token = branch(&request);
    let forged = token.replace(&token[20..24], "AAAA");
    for (what, part, other) in [
        ("another element's Via", "10.0.0.1:5060", "10.0.0.2:5060"),
        ("another port", "10.0.0.1:5060", "10.0.0.1:5061"),
        ("a forged branch", &*token, &*forged),
        ("no cookie", "z9hG4bK", "z9hG4bX"),
        ("another call", "Call-ID: one", "Call-ID: two"),
        ("another transaction", "CSeq: 7", "CSeq: 8"),
        ("another caller", "tag=1", "tag=3"),
        ("another way back", "192.168.1.2:5062;branch", "192.168.1.9:5062;branch"),
    ] {
        let other = ok.replace(part, other);
        assert_ne!(other, ok, "{what}");
        assert_eq!(response(&other, &upstream()), Err(RelayRefusal::NotOurs), "{what}");
    }

    let alone: Vec<_> =
        ok.split("\r\n").filter(|line| !line.contains("192.168.1.2:5062;b")).collect();
    assert_eq!(response(&alone.join("\r\n"), &upstream()), Err(RelayRefusal::NotOurs));
}

#[test]
fn a_response_to_the_inside_cannot_be_given_from_the_outside() {
    let request = inwards(INVITE, &phone()).unwrap();
    let ok = answer(&request, "200 OK").replace("10.0.0.1:5060", "203.0.113.1:5060");
    assert_eq!(response(&ok, &phone()), Err(RelayRefusal::NotOurs));
}
