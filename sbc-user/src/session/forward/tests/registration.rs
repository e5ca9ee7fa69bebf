//! A phone registers, and is called by what its registration left with the registrar.

use super::scene::*;
use crate::session::{Forwarded, Registrant, RelayRefusal, granted_seconds};
use crate::sip::{HeaderKind, Message};
use crate::transport::{Flow, Transport};

const ALICE: Registrant<'_> = Registrant::User("alice");

const REGISTER: &str = "REGISTER sip:example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKreg;rport\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:alice@example.com>;tag=1\r\n\
    To: <sip:alice@example.com>\r\n\
    Call-ID: reg@192.168.1.2\r\n\
    CSeq: 1 REGISTER\r\n\
    Contact: <sip:alice@192.168.1.2:5062>;reg-id=1\r\n\
    Content-Length: 0\r\n\r\n";

fn tcp_phone() -> Flow {
    Flow { transport: Transport::Tcp, listener: 1, ..tls_phone() }
}

fn registered(request: &str, origin: &Flow, registrant: Registrant<'_>) -> String {
    let message = Message::scan(request.as_bytes()).unwrap();
    let forwarded =
        forwarder().request_inwards(&message, origin, None, None, Some(registrant)).unwrap();
    String::from_utf8(forwarded.message).unwrap()
}

/// The only Path in a registration from `origin`.
fn path(origin: &Flow) -> String {
    let [path] = values(&registered(REGISTER, origin, ALICE), HeaderKind::Path).try_into().unwrap();
    path
}

/// A request of the upstream to the phone, along these routes.
fn call(method: &str, routes: &[String]) -> String {
    let routes: Vec<_> = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
    format!(
        "{method} sip:alice@192.168.1.2:5062 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKcall;rport\r\n{}\
         From: <sip:bob@example.com>;tag=far\r\nTo: <sip:alice@example.com>\r\n\
         Call-ID: in@10.0.0.5\r\nCSeq: 3 {method}\r\nMax-Forwards: 70\r\n\
         Record-Route: <sip:10.0.0.5;lr>\r\nContact: <sip:bob@10.0.0.9>\r\n\
         Content-Length: 0\r\n\r\n",
        routes.concat()
    )
}

/// A request of the phone in the dialog that `invite` made.
fn of_the_callee(method: &str, invite: &str) -> String {
    let routes = values(invite, HeaderKind::RecordRoute).join(", ");
    format!(
        "{method} sip:bob@10.0.0.9 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKback;rport\r\nRoute: {routes}\r\n\
         From: <sip:alice@example.com>;tag=2\r\nTo: <sip:bob@example.com>;tag=far\r\n\
         Call-ID: in@10.0.0.5\r\nCSeq: 9 {method}\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_registration_gets_one_path_and_keeps_its_contact() {
    let passed = registered(REGISTER, &phone(), ALICE);
    let [path] = values(&passed, HeaderKind::Path).try_into().unwrap();
    assert!(path.ends_with("@10.0.0.1:5060;lr>"), "{path}");
    assert_eq!(values(&passed, HeaderKind::Contact), ["<sip:alice@192.168.1.2:5062>;reg-id=1"]);
    assert_eq!(values(&passed, HeaderKind::Supported), ["path"]);
    assert!(values(&passed, HeaderKind::RecordRoute).is_empty());
    assert_eq!(registered(REGISTER, &phone(), ALICE), passed, "a retransmission");
}

#[test]
fn the_path_stands_in_front_of_others_and_support_is_said_once() {
    let request = REGISTER.replace(
        "Content-Length",
        "Path: <sip:edge.example;lr>\r\nk: gruu, PATH\r\nContent-Length",
    );
    let passed = registered(&request, &phone(), ALICE);
    let paths = values(&passed, HeaderKind::Path);
    assert_eq!(paths.len(), 2);
    assert_eq!(paths[1], "<sip:edge.example;lr>");
    assert_eq!(values(&passed, HeaderKind::Supported), ["gruu", "PATH"]);
}

#[test]
fn nobody_else_gets_a_path() {
    let options = REGISTER.replace("REGISTER", "OPTIONS");
    assert!(values(&registered(&options, &phone(), ALICE), HeaderKind::Path).is_empty());
    assert!(values(&inwards(REGISTER, &phone()).unwrap(), HeaderKind::Path).is_empty());
}

#[test]
fn failure_of_the_flow_is_promised_to_who_asks_for_it_over_a_stream_and_is_next_to_us() {
    let is_promised = |request: &str, origin: &Flow| {
        let passed = registered(request, origin, ALICE);
        let promised = values(&passed, HeaderKind::Path)[0].ends_with(";lr;ob>");
        let path = values(&passed, HeaderKind::Path).remove(0);
        let way = forwarder().way_out(&Message::scan(call("INVITE", &[path]).as_bytes()).unwrap());
        assert_eq!(way.unwrap().is_outbound, promised);
        promised
    };
    let asking = REGISTER.replace("Content-Length", "Supported: outbound, path\r\nContent-Length");
    assert!(is_promised(&asking, &tls_phone()));
    assert!(!is_promised(&asking, &phone()), "keepalives over UDP are not answered");
    assert!(!is_promised(&asking.replace(";reg-id=1", ""), &tls_phone()));
    assert!(!is_promised(REGISTER, &tls_phone()), "it does not ask");
    let proxied =
        asking.replace("Max-Forwards", "Via: SIP/2.0/UDP 10.9.9.9;branch=z\r\nMax-Forwards");
    assert!(!is_promised(&proxied, &tls_phone()));
}

#[test]
fn a_call_of_the_upstream_finds_the_phone_by_the_path() {
    for origin in [phone(), tcp_phone(), tls_phone()] {
        for method in ["INVITE", "CANCEL", "OPTIONS", "NOTIFY", "MESSAGE", "ACK"] {
            let (to, passed) = outwards(&call(method, &[path(&origin)])).unwrap();
            assert_eq!(to, origin);
            assert!(values(&passed, HeaderKind::Route).is_empty(), "{passed}");
            let transport = origin.transport.name();
            let vias = values(&passed, HeaderKind::Via);
            assert!(vias[0].starts_with(&format!("SIP/2.0/{transport} 203.0.113.1:")), "{vias:?}");
        }
    }
}

#[test]
fn a_path_says_whose_registration_it_was() {
    let way = |path: String| {
        let request = call("INVITE", &[path]);
        let way = forwarder().way_out(&Message::scan(request.as_bytes()).unwrap()).unwrap();
        way.registered.unwrap()
    };
    let of_alice = way(path(&phone()));
    assert!(of_alice.is_of(ALICE, &seal()));
    assert!(!of_alice.is_of(Registrant::User("bob"), &seal()));
    assert!(!of_alice.is_of(Registrant::Peer("alice"), &seal()));
    let other = crate::session::TokenSeal::new(crate::session::RoutingKey::new([8; 32]));
    assert!(!of_alice.is_of(ALICE, &other));
}

#[test]
fn a_path_that_is_not_ours_or_not_the_first_leads_nowhere() {
    let path = path(&phone());
    let forged = path.replace(&token(&path)[4..8], "AAAA");
    let nobody = "<sip:AAAA@10.0.0.1:5060;lr>".to_owned();
    let elsewhere = path.replace("10.0.0.1", "10.0.0.2");
    let gone = seal().registration(ALICE, &Flow { listener: 99, ..phone() });
    for (what, routes, refusal) in [
        ("forged", vec![forged], RelayRefusal::ForgedRoute),
        ("second", vec![nobody, path.clone()], RelayRefusal::ForgedRoute),
        ("no listener", vec![format!("<sip:{gone}@10.0.0.1;lr>")], RelayRefusal::ForgedRoute),
        ("another host's", vec![elsewhere], RelayRefusal::NoRoute),
    ] {
        assert_eq!(outwards(&call("INVITE", &routes)), Err(refusal), "{what}");
    }
    let proxy = "<sip:10.0.0.1:5060;lr>".to_owned();
    assert_eq!(outwards(&call("INVITE", &[proxy, path.clone()])).unwrap().0, phone());
    let stolen = in_dialog("BYE", 8, true, &[path]);
    assert!(!is_admitted(&stolen, &phone()), "it admits nobody from outside");
}

#[test]
fn the_phone_that_is_called_is_admitted_to_the_dialog_and_the_caller_reaches_it() {
    for origin in [phone(), tls_phone()] {
        let (_, invite) = outwards(&call("INVITE", &[path(&origin)])).unwrap();
        let routes = values(&invite, HeaderKind::RecordRoute);
        assert_eq!(routes.len(), 3);
        assert!(routes[0].contains("@203.0.113.1:50"), "the phone's side first: {routes:?}");
        assert!(routes[1].ends_with("@10.0.0.1:5060;lr>"), "{routes:?}");
        assert_eq!(routes[2], "<sip:10.0.0.5;lr>");

        let (to, ok) = response(&answer(&invite, "200 OK"), &origin).unwrap();
        assert_eq!(to, upstream());
        let mut calling = values(&ok, HeaderKind::RecordRoute);
        calling.reverse();

        let bye = of_the_callee("BYE", &invite);
        assert!(is_admitted(&bye, &origin));
        let bye = inwards(&bye, &origin).unwrap();
        assert_eq!(values(&bye, HeaderKind::Route), ["<sip:10.0.0.5;lr>"]);

        let again = call("INVITE", &calling[1..])
            .replace("To: <sip:alice@example.com>", "To: <sip:alice@example.com>;tag=2");
        let (to, again) = outwards(&again).unwrap();
        assert_eq!(to, origin);
        assert_eq!(values(&again, HeaderKind::RecordRoute), ["<sip:10.0.0.5;lr>"]);
    }
}

#[test]
fn the_admission_of_a_callee_is_for_its_own_dialog_identity_and_source() {
    let (_, invite) = outwards(&call("INVITE", &[path(&phone())])).unwrap();
    let bye = of_the_callee("BYE", &invite);
    assert!(is_admitted(&bye, &phone()));
    for (what, part, other) in [
        ("another identity", "From: <sip:alice@", "From: <sip:ceo@"),
        ("another far end", ";tag=far", ";tag=near"),
        ("no dialog", ";tag=far", ""),
        ("another call", "in@10.0.0.5", "out@10.0.0.5"),
        ("a binding", "BYE", "REGISTER"),
    ] {
        let request = bye.replace(part, other);
        assert_ne!(request, bye);
        assert!(!is_admitted(&request, &phone()), "{what}");
    }
    let neighbour = Flow::udp(0, "198.51.100.7:5063".parse().unwrap());
    assert!(!is_admitted(&bye, &neighbour));
}

#[test]
fn the_longest_that_a_registrar_grants_counts() {
    let granted = |lines: &str| {
        let request = registered(REGISTER, &phone(), ALICE);
        let ok =
            answer(&request, "200 OK").replace("Content-Length", &format!("{lines}Content-Length"));
        granted_seconds(&Message::scan(ok.as_bytes()).unwrap())
    };
    assert_eq!(granted("Contact: <sip:a@b>;expires=60, <sip:c@d>;expires=600\r\n"), Some(600));
    assert_eq!(granted("Contact: <sip:a@b>\r\nExpires: 300\r\n"), Some(300));
    assert_eq!(granted("Contact: sip:a@b;EXPIRES=99999999999999999999\r\n"), Some(u32::MAX));
    assert_eq!(granted("Contact: <sip:a@b>\r\n"), None);
    assert_eq!(granted("Contact: <sip:a@b;expires=60>;expires=\"70\"\r\n"), None);
    assert_eq!(granted("Expires: 300\r\n"), None, "nothing is registered");
}

#[test]
fn more_than_the_longest_is_not_passed_on() {
    let request = registered(REGISTER, &phone(), ALICE);
    let lines = "Contact: <sip:a@b>;expires=60;q=1, <sip:c@d>;expires=86400\r\nExpires: 86400\r\n";
    let ok =
        answer(&request, "200 OK").replace("Content-Length", &format!("{lines}Content-Length"));
    let message = Message::scan(ok.as_bytes()).unwrap();
    let relay = forwarder();
    let to = relay.way_back(&message, &upstream()).unwrap();
    assert_eq!(to, phone());
    let written = |longest| {
        let Forwarded { message, .. } = relay.registration_answer(&message, to, longest).unwrap();
        let text = String::from_utf8(message).unwrap();
        (values(&text, HeaderKind::Contact), values(&text, HeaderKind::Expires))
    };
    let (contacts, expires) = written(Some(7200));
    assert_eq!(contacts, ["<sip:a@b>;expires=60;q=1", "<sip:c@d>;expires=7200"]);
    assert_eq!(expires, ["7200"]);
    assert_eq!(written(None).1, ["86400"]);
}
