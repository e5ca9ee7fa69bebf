//! What is inside is not seen outside, and comes back as it was.

use super::scene::*;
use crate::session::{Forwarder, Registrant, RelayRefusal, WayOut};
use crate::sip::{HeaderKind, Message, NameAddr, StartLine};
use crate::transport::Flow;

/// A request of a PBX behind a proxy, to a phone that registered: `via` is the proxy's.
const CALL: &str = "INVITE sip:alice@192.168.1.2:5062 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKproxy;rport\r\n\
    Via: SIP/2.0/UDP 10.0.0.9:5060;received=10.0.0.9;branch=z9hG4bKpbx\r\n\
    Record-Route: <sip:10.0.0.5;lr;ftag=far>\r\n\
    From: <sip:bob@example.com>;tag=far\r\nTo: <sip:alice@example.com>\r\n\
    Call-ID: in\r\nCSeq: 3 INVITE\r\nMax-Forwards: 70\r\n\
    Contact: \"Bob\" <sip:bob@10.0.0.9:5080;transport=udp>;q=1\r\nUser-Agent: PBX 1.2.3\r\n\
    Content-Length: 0\r\n\r\n";

const REGISTER: &str = "REGISTER sip:example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKreg;rport\r\nMax-Forwards: 70\r\n\
    From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\n\
    Call-ID: reg\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@192.168.1.2:5062>\r\n\
    Content-Length: 0\r\n\r\n";

fn hiding() -> Forwarder {
    forwarder().hiding_inside(true)
}

fn in_from(request: &str, origin: &Flow) -> String {
    let message = Message::scan(request.as_bytes()).unwrap();
    let registrant = Some(Registrant::User("alice"));
    let forwarded = hiding().request_inwards(&message, origin, None, None, registrant).unwrap();
    text(&forwarded)
}

fn out(request: &str) -> Result<String, RelayRefusal> {
    let message = Message::scan(request.as_bytes()).unwrap();
    let way = hiding().way_out(&message)?;
    let forwarded = hiding().request_outwards(&message, &upstream(), &way)?;
    assert_eq!(forwarded.to, phone());
    Ok(text(&forwarded))
}

fn back(response: &str, arrival: &Flow) -> Result<String, RelayRefusal> {
    let message = Message::scan(response.as_bytes()).unwrap();
    Ok(text(&hiding().response(&message, arrival, None)?))
}

/// Nothing of it can be read outside but what the phone said itself.
#[track_caller]
fn assert_hidden(message: &str) {
    for inside in ["10.0.0.", "PBX", "secret"] {
        assert!(!message.contains(inside), "{inside} in {message}");
    }
}

fn with(message: &str, line: &str) -> String {
    message.replacen("Content-Length", &format!("{line}\r\nContent-Length"), 1)
}

fn uri(message: &str) -> String {
    let message = Message::scan(message.as_bytes()).unwrap();
    let StartLine::Request { uri, .. } = message.start_line() else { panic!("no request") };
    String::from_utf8_lossy(uri.raw).into_owned()
}

/// The address in the only Contact, as it is called.
fn contact(message: &str) -> String {
    let [contact] = values(message, HeaderKind::Contact).try_into().unwrap();
    let contact = NameAddr::parse(contact.as_bytes()).unwrap();
    String::from_utf8_lossy(contact.uri.raw).into_owned()
}

/// A request from outside in a dialog of `call_id`.
fn of_the_phone(method: &str, target: &str, routes: &[String], parties: [&str; 2]) -> String {
    let routes = routes.iter().map(|route| format!("Route: {route}\r\n")).collect::<Vec<_>>();
    let [from, to] = parties;
    format!(
        "{method} {target} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKback;rport\r\n{}\
         From: {from}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: 9 {method}\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n",
        routes.concat(),
        if from.contains("tag=1") { "one@192.168.1.2" } else { "in" }
    )
}

/// The phone's registration brings the PBX's call to it.
fn called() -> String {
    let path = values(&in_from(REGISTER, &phone()), HeaderKind::Path).remove(0);
    with(CALL, &format!("Route: {path}"))
}

/// Alice's call through a proxy inside, which sends it out to Alice's other phone.
fn passed_through() -> String {
    let inner = in_from(INVITE, &phone());
    let path = values(&in_from(REGISTER, &phone()), HeaderKind::Path).remove(0);
    let (_, rest) = inner.split_once("\r\n").unwrap();
    format!(
        "INVITE sip:alice@192.168.1.2:5062 SIP/2.0\r\nRoute: {path}\r\n\
         Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKproxy\r\n\
         Record-Route: <sip:10.0.0.5;lr>\r\n{rest}"
    )
}

#[test]
fn a_caller_sees_of_the_inside_only_us_and_its_requests_take_the_whole_way() {
    let invite = in_from(INVITE, &phone());
    // A proxy inside, and the PBX behind it; both stay on the way.
    let ok = answer(&invite, "200 OK").replacen(
        "Record-Route: ",
        "Record-Route: <sip:10.0.0.8;lr>,\r\n <sip:10.0.0.5;lr;did=secret>, ",
        1,
    );
    let ok = with(
        &ok,
        "Contact: <sip:secret@10.0.0.9:5080>\r\nServer: PBX\r\nWarning: 392 10.0.0.5 \"a\"",
    );
    let seen = back(&ok, &upstream()).unwrap();
    assert_hidden(&seen);
    let routes = values(&seen, HeaderKind::RecordRoute);
    assert_eq!(routes.len(), 1);
    assert_eq!(back(&ok, &upstream()).unwrap(), seen, "a retransmission");

    let target = contact(&seen);
    assert!(target.ends_with("@203.0.113.1:5060"), "{target}");
    let parties = ["\"Alice\" <sip:alice@example.com>;tag=1", "<sip:bob@example.com>;tag=2"];
    for method in ["ACK", "BYE"] {
        let request = of_the_phone(method, &target, &routes, parties);
        let message = Message::scan(request.as_bytes()).unwrap();
        assert!(hiding().is_admitted(&message, &phone()));
        let passed = in_from(&request, &phone());
        assert_eq!(uri(&passed), "sip:secret@10.0.0.9:5080");
        // RFC 3261 §12.1.2: the reverse of what the answer said.
        let expected = ["<sip:10.0.0.5;lr;did=secret>", "<sip:10.0.0.8;lr>"];
        assert_eq!(values(&passed, HeaderKind::Route), expected);
    }
}

#[test]
fn a_called_phone_sees_of_the_inside_only_us_and_both_ends_go_on() {
    let invite = called();
    let seen = out(&invite).unwrap();
    assert_hidden(&seen);
    assert_eq!(values(&seen, HeaderKind::Via).len(), 1);
    assert!(values(&seen, HeaderKind::Contact)[0].starts_with("\"Bob\" <sip:"), "{seen}");
    assert!(values(&seen, HeaderKind::Contact)[0].ends_with("@203.0.113.1:5060>;q=1"), "{seen}");
    assert_eq!(out(&invite).unwrap(), seen, "a retransmission");

    // The upstream hears of its own Vias and of the whole way, as if nothing had been hidden.
    let ok = with(&answer(&seen, "200 OK"), "Contact: <sip:alice@192.168.1.2:5062>");
    let heard = back(&ok, &phone()).unwrap();
    let vias = values(&heard, HeaderKind::Via);
    assert!(vias[0].starts_with("SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKproxy"), "{vias:?}");
    assert_eq!(vias[1], "SIP/2.0/UDP 10.0.0.9:5060;received=10.0.0.9;branch=z9hG4bKpbx");
    assert_eq!(vias.len(), 2);
    let open = {
        let message = Message::scan(invite.as_bytes()).unwrap();
        let way = forwarder().way_out(&message).unwrap();
        text(&forwarder().request_outwards(&message, &upstream(), &way).unwrap())
    };
    let routes = values(&heard, HeaderKind::RecordRoute);
    assert_eq!(routes, values(&open, HeaderKind::RecordRoute), "as without hiding");
    assert_eq!(values(&heard, HeaderKind::Contact), ["<sip:alice@192.168.1.2:5062>"]);

    let parties = ["<sip:alice@example.com>;tag=2", "<sip:bob@example.com>;tag=far"];
    let hidden = values(&seen, HeaderKind::RecordRoute);
    let bye = of_the_phone("BYE", &contact(&seen), &hidden, parties);
    assert!(hiding().is_admitted(&Message::scan(bye.as_bytes()).unwrap(), &phone()));
    let passed = in_from(&bye, &phone());
    assert_eq!(uri(&passed), "sip:bob@10.0.0.9:5080;transport=udp");
    assert_eq!(values(&passed, HeaderKind::Route), ["<sip:10.0.0.5;lr;ftag=far>"]);

    // The proxy takes its own Route off before us.
    let own = routes[..2].iter().rev().map(|it| format!("Route: {it}\r\n")).collect::<Vec<_>>();
    let bye = CALL
        .replace("INVITE", "BYE")
        .replace("<sip:alice@example.com>", "<sip:alice@example.com>;tag=2")
        .replace("Call-ID", &format!("{}Call-ID", own.concat()));
    let bye = out(&bye).unwrap();
    assert_hidden(&bye);
    assert!(values(&bye, HeaderKind::Route).is_empty());
    assert!(values(&bye, HeaderKind::RecordRoute).is_empty());
}

#[test]
fn cancel_and_ack_have_the_branch_of_their_invite_though_they_have_fewer_vias() {
    let invite = called();
    let pbx = "Via: SIP/2.0/UDP 10.0.0.9:5060;received=10.0.0.9;branch=z9hG4bKpbx\r\n";
    let route = "Record-Route: <sip:10.0.0.5;lr;ftag=far>\r\n";
    let cancel = invite.replace("INVITE", "CANCEL").replace(pbx, "").replace(route, "");
    let passed = out(&cancel).unwrap();
    assert_hidden(&passed);
    assert_eq!(branch(&passed), branch(&out(&invite).unwrap()));
    let heard = back(&answer(&passed, "200 OK"), &phone()).unwrap();
    assert_eq!(values(&heard, HeaderKind::Via).len(), 1);
}

#[test]
fn two_phones_that_call_each_other_through_the_upstream_do_not_see_it() {
    let seen = out(&passed_through()).unwrap();
    assert_hidden(&seen);
    let rung = with(&answer(&seen, "200 OK"), "Contact: <sip:alice@192.168.1.2:5062>");
    let heard = back(&rung, &phone()).unwrap();
    assert_eq!(values(&heard, HeaderKind::RecordRoute).len(), 5);
    // The proxy takes its own Via off.
    let own = values(&heard, HeaderKind::Via).remove(0);
    let answered = heard.replacen(&format!("Via: {own}\r\n"), "", 1);
    let ok = back(&answered, &upstream()).unwrap();
    assert_hidden(&ok);
    let routes = values(&ok, HeaderKind::RecordRoute);
    let parties = ["\"Alice\" <sip:alice@example.com>;tag=1", "<sip:bob@example.com>;tag=2"];
    let bye = of_the_phone("BYE", &contact(&ok), &routes, parties);
    let passed = in_from(&bye, &phone());
    assert_eq!(uri(&passed), "sip:alice@192.168.1.2:5062");
    assert_eq!(values(&passed, HeaderKind::Route).len(), 3, "{passed}");
    // The proxy takes its Route off, and what is left leads out.
    let via = "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKbye";
    let bye = passed.replacen("Route: <sip:10.0.0.5;lr>", via, 1);
    assert_ne!(bye, passed);
    let bye = out(&bye).unwrap();
    assert_hidden(&bye);
    assert_eq!(uri(&bye), "sip:alice@192.168.1.2:5062");
}

#[test]
fn where_nothing_is_hidden_a_call_that_passes_twice_keeps_both_ways() {
    let invite = inwards(INVITE, &phone()).unwrap();
    let routes: Vec<_> = lines_of(&invite, "Record-Route").collect();
    let [admission, delivery] = [routes[0], routes[1]];
    let other = Flow::udp(0, "198.51.100.77:5060".parse().unwrap());
    let through = with(&invite, "Subject: through");
    let message = Message::scan(through.as_bytes()).unwrap();
    let way = WayOut { to: other, registered: None, is_outbound: false, is_trusted: false };
    let sent = forwarder().request_outwards_to(&message, &upstream(), &way, None).unwrap();
    let sent = text(&sent);
    let ok = answered(&sent);
    let (to, back) = response(&ok, &other).unwrap();
    assert_eq!(to, upstream());
    let all: Vec<_> = lines_of(&back, "Record-Route").collect();
    assert_eq!(all, lines_of(&sent, "Record-Route").collect::<Vec<_>>());
    assert_eq!(all[all.len() - 2..], [admission, delivery], "the caller's way is as it was");
}

/// The values of a header that has one in each line.
fn lines_of<'m>(message: &'m str, name: &'m str) -> impl Iterator<Item = &'m str> {
    message.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A 200 that repeats what it has to.
fn answered(request: &str) -> String {
    let kept = request.lines().skip(1).filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        ["via", "v", "record-route", "from", "to", "call-id", "cseq"].contains(&name.as_str())
    });
    let lines: Vec<_> = kept
        .map(|line| if line.starts_with("To:") { format!("{line};tag=9") } else { line.to_owned() })
        .collect();
    format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", lines.join("\r\n"))
}

#[test]
fn a_registrar_is_not_seen_and_contacts_of_registrations_pass_as_they_are() {
    let passed = in_from(REGISTER, &phone());
    let path_inside = values(&passed, HeaderKind::Path).remove(0);
    let lines = format!(
        "Path: <sip:10.0.0.7;lr>, {path_inside}\r\nService-Route: <sip:secret@10.0.0.8;lr>\r\n\
         Contact: <sip:alice@192.168.1.2:5062>;expires=60"
    );
    let seen = back(&with(&answer(&passed, "200 OK"), &lines), &upstream()).unwrap();
    assert_hidden(&seen);
    assert_eq!(values(&seen, HeaderKind::Contact), ["<sip:alice@192.168.1.2:5062>;expires=60"]);
    let [path] = values(&seen, HeaderKind::Path).try_into().unwrap();
    assert!(path.ends_with("@203.0.113.1:5060;lr>"), "{path}");
    let promised = lines.replace(&path_inside, &path_inside.replace(";lr>", ";lr;ob>"));
    let promised = back(&with(&answer(&passed, "200 OK"), &promised), &upstream()).unwrap();
    assert!(values(&promised, HeaderKind::Path)[0].ends_with("@203.0.113.1:5060;lr;ob>"));
    let service = values(&seen, HeaderKind::ServiceRoute);
    let parties = ["<sip:alice@example.com>;tag=5", "<sip:bob@example.com>"];
    let message = of_the_phone("MESSAGE", "sip:bob@example.com", &service, parties);
    let routes = values(&in_from(&message, &phone()), HeaderKind::Route);
    assert_eq!(routes, ["<sip:secret@10.0.0.8;lr>"]);
}

#[test]
fn the_upstreams_own_registration_knows_its_contact_again() {
    let register = called().replace("INVITE", "REGISTER");
    let seen = out(&register).unwrap();
    assert_hidden(&seen);
    let bound = values(&seen, HeaderKind::Contact).remove(0);
    let heard =
        back(&with(&answer(&seen, "200 OK"), &format!("Contact: {bound}")), &phone()).unwrap();
    assert_eq!(values(&heard, HeaderKind::Contact), values(CALL, HeaderKind::Contact));
}

#[test]
fn where_a_redirection_or_transfer_leads_outside_is_left_alone() {
    let invite = in_from(INVITE, &phone());
    let lines = "Contact: <sip:bob@10.0.0.9>, <sip:bob@elsewhere.example>, <tel:+12125550100>";
    let seen = back(&with(&answer(&invite, "302 Moved"), lines), &upstream()).unwrap();
    assert_hidden(&seen);
    let contacts = values(&seen, HeaderKind::Contact);
    assert_eq!(contacts[1..], ["<sip:bob@elsewhere.example>", "<tel:+12125550100>"]);

    let refer = called().replace("INVITE", "REFER");
    for (target, is_hidden) in [
        ("<sip:secret@10.0.0.9?Replaces=a%3Bto-tag%3Db>", true),
        ("<sip:carol@elsewhere.example>", false),
    ] {
        let seen = out(&with(&refer, &format!("Refer-To: {target}"))).unwrap();
        let [referred] = values(&seen, HeaderKind::ReferTo).try_into().unwrap();
        assert_eq!(referred != target, is_hidden, "{referred}");
        if is_hidden {
            assert_hidden(&seen);
            assert!(referred.ends_with("?Replaces=a%3Bto-tag%3Db>"), "{referred}");
        }
        // The phone may have another phone, or the upstream, call there.
        let parties = ["<sip:alice@example.com>;tag=2", "<sip:bob@example.com>;tag=far"];
        let refer = of_the_phone("REFER", "sip:bob@example.com", &[], parties);
        let passed = in_from(&with(&refer, &format!("Refer-To: {referred}")), &phone());
        assert_eq!(values(&passed, HeaderKind::ReferTo), [target]);
    }
}

#[test]
fn an_address_without_brackets_gets_them() {
    let bare = called()
        .replace("\"Bob\" <sip:bob@10.0.0.9:5080;transport=udp>;q=1", "sip:bob@10.0.0.9:5080;q=1");
    let seen = out(&bare).unwrap();
    let [contact] = values(&seen, HeaderKind::Contact).try_into().unwrap();
    assert!(
        contact.starts_with("<sip:") && contact.ends_with("@203.0.113.1:5060>;q=1"),
        "{contact}"
    );
}

#[test]
fn what_was_sealed_for_another_call_or_is_forged_reveals_nothing() {
    let seen = out(&called()).unwrap();
    let ok = answer(&seen, "200 OK");
    let token = seen.split(";v=").nth(1).unwrap().split("\r\n").next().unwrap();
    let other = called().replace("Call-ID: in", "Call-ID: out");
    let elsewhere = out(&other).unwrap();
    let of_another = elsewhere.split(";v=").nth(1).unwrap().split("\r\n").next().unwrap();
    for forged in ["AAAA", of_another, &token[..token.len() - 4]] {
        let forged = ok.replace(token, forged);
        assert_eq!(back(&forged, &phone()), Err(RelayRefusal::NotOurs), "{forged}");
    }
    let parties = ["<sip:alice@example.com>;tag=2", "<sip:bob@example.com>;tag=far"];
    let routes = values(&elsewhere, HeaderKind::RecordRoute);
    let bye = of_the_phone("BYE", "sip:AAAA@203.0.113.1", &routes, parties);
    let passed = in_from(&bye, &phone());
    assert_eq!(uri(&passed), "sip:AAAA@203.0.113.1", "somebody's number, for all we know");
    assert!(values(&passed, HeaderKind::Route).is_empty());
}

#[test]
fn more_than_a_kilobyte_of_vias_or_routes_is_refused() {
    let pbx = "Via: SIP/2.0/UDP 10.0.0.9:5060;received=10.0.0.9;branch=z9hG4bKpbx\r\n";
    let many = called().replace(pbx, &pbx.repeat(20));
    assert_eq!(out(&many), Err(RelayRefusal::TooMuchToHide));
    let route = "Record-Route: <sip:10.0.0.5;lr;ftag=far>\r\n";
    let many = called().replace(route, &route.repeat(40));
    assert_eq!(out(&many), Err(RelayRefusal::TooMuchToHide));
    let invite = in_from(INVITE, &phone());
    let long = format!("Contact: <sip:{}@10.0.0.9>", "x".repeat(1100));
    let ok = with(&answer(&invite, "200 OK"), &long);
    assert_eq!(back(&ok, &upstream()), Err(RelayRefusal::TooMuchToHide));
}

#[test]
fn messages_hardly_grow() {
    let sizes = |message: &str| {
        let message = Message::scan(message.as_bytes()).unwrap();
        let way = forwarder().way_out(&message).unwrap();
        [forwarder(), hiding()]
            .map(|relay| relay.request_outwards(&message, &upstream(), &way).unwrap().message.len())
    };
    let [open, hidden] = sizes(&called());
    println!("INVITE outwards, two Vias and one Record-Route: {open} -> {hidden}");
    assert!(hidden <= open + 50, "{open} -> {hidden}");
    let [open, hidden] = sizes(&passed_through());
    println!("INVITE from one phone to another: {open} -> {hidden}");
    assert!(hidden <= open + 200 && hidden < 1300, "{open} -> {hidden}");

    let invite = in_from(INVITE, &phone());
    let ok = with(&answer(&invite, "200 OK"), "Contact: <sip:bob@10.0.0.9:5080>");
    let open = response(&ok, &upstream()).unwrap().1.len();
    let hidden = back(&ok, &upstream()).unwrap().len();
    println!("200 to INVITE outwards, of a PBX alone: {open} -> {hidden}");
    assert!(hidden <= open, "{open} -> {hidden}");
}
