use super::*;

#[test]
fn a_peer_says_and_calls_what_its_policy_lists() {
    let listed = "may-assert = [\"*@trunk.example\"]\nmay-call = [\"tel:+1*\", \"*@example.com\"]\n\
                  contact-hosts = [\"192.0.2.0/28\", \"*.trunk.example\"]\nfalse-claims = \"refuse\"";
    let peers = PEERS.replace("may-assert = [\"*@trunk.example\"]", listed);
    let mut scene = Scene { config: sample::config(&peers), ..Scene::new() };
    let invite = request("INVITE", "me@trunk.example", "");
    let line = |line: &str| request("INVITE", "me@trunk.example", &format!("{line}\r\n"));
    let to = |target: &str| invite.replace(TARGET, target);
    let tagged = |request: &str| request.replace("\r\nCall-ID", ";tag=2\r\nCall-ID");
    let accepted = Told::Accepted(None, false);
    for good in [
        invite.clone(),
        to("tel:+1-212"),
        line("Contact: <sip:a@192.0.2.1>, <sip:sbc.trunk.example>"),
        line("P-Asserted-Identity: <sip:you@trunk.example>"),
        to("sip:elsewhere.example").replace("INVITE", "CANCEL"),
        to("sip:elsewhere.example")
            .replace("INVITE", "REGISTER")
            .replace("To: <sip:elsewhere.example>", "To: <sip:me@trunk.example>"),
        to("sip:elsewhere.example")
            .replace("INVITE", "BYE")
            .replace("To: <sip:elsewhere.example>", "To: <sip:bob@example.com>;tag=2"),
        line("Route: <sip:203.0.113.1;lr>"),
    ] {
        assert_eq!(scene.udp(TRUNK, &good), accepted, "{good}");
    }
    for (bad, outcome) in [
        (to("sip:bob@elsewhere.example"), Outcome::DestinationNotAllowed),
        (to("tel:+44"), Outcome::DestinationNotAllowed),
        // A tag in To is no proof of a dialog, and neither is a token that we did not make.
        (tagged(&to("tel:+44")), Outcome::DestinationNotAllowed),
        (
            tagged(&to("tel:+44")).replace("Max-", "Route: <sip:AAAA@203.0.113.1:5060;lr>\r\nMax-"),
            Outcome::DestinationNotAllowed,
        ),
        (line("Route: <sip:elsewhere.example;lr>"), Outcome::DestinationNotAllowed),
        (
            line("Route: <sip:203.0.113.1;lr>, <sip:198.51.100.7;lr>"),
            Outcome::DestinationNotAllowed,
        ),
        (to("sip:bob@example.com;MAddr=198.51.100.7"), Outcome::DestinationNotAllowed),
        (line("Contact: <sip:a@192.0.2.99>"), Outcome::ContactNotAllowed),
        (line("Contact: <sip:a@192.0.2.1>, <tel:+1>"), Outcome::ContactNotAllowed),
        (line("P-Asserted-Identity: <sip:you@example.com>"), Outcome::IdentityNotAllowed),
        (line("Remote-Party-ID: <sip:you@example.com>"), Outcome::IdentityNotAllowed),
    ] {
        let reply = scene.udp(TRUNK, &bad).reply(outcome);
        assert!(reply.starts_with("SIP/2.0 403 "), "{reply}");
    }
}

#[test]
fn a_peer_that_was_called_is_in_that_dialog_who_it_was_called() {
    let mut scene = Scene::new();
    let called = "sip:+1@10.0.0.1";
    let invite =
        request("INVITE", "pbx@10.0.0.5", "").replace("<sip:bob@example.com>", "<sip:+1@10.0.0.1>");
    let invite = Message::scan(invite.as_bytes()).unwrap();
    let peer = Flow::udp(0, TRUNK.parse().unwrap());
    let upstream = Flow::udp(1, "10.0.0.5:5060".parse().unwrap());
    let token = scene.forwarder.seal().admission_of_callee(&invite, &peer, &upstream);
    let caller_tag = String::from_utf8_lossy(invite.from().tag.unwrap()).into_owned();
    let route = format!("Route: <sip:{token}@203.0.113.1:5060;lr>\r\n");
    let bye = request("BYE", called.trim_start_matches("sip:"), &route)
        .replace("To: <sip:bob@example.com>", &format!("To: <sip:pbx@10.0.0.5>;tag={caller_tag}"));
    assert_eq!(scene.udp(TRUNK, &bye), Told::Accepted(None, false));
    let other = bye.replace("From: <sip:+1@", "From: <sip:+2@");
    scene.udp(TRUNK, &other).reply(Outcome::IdentityNotAllowed);
}

/// A request of a dialog that its sender was admitted to when it called.
fn in_dialog(scene: &Scene, remote: &str, request: &str) -> String {
    let invite = Message::scan(request.as_bytes()).unwrap();
    let caller = Flow::udp(0, remote.parse().unwrap());
    let upstream = Flow::udp(1, "10.0.0.5:5060".parse().unwrap());
    let token = scene.forwarder.seal().admission(&invite, &caller, &upstream);
    let route = format!("\r\nRoute: <sip:{token}@203.0.113.1:5060;lr>\r\nMax-");
    request.replace("\r\nMax-", &route).replace("\r\nCall-ID", ";tag=2\r\nCall-ID")
}

#[test]
fn in_its_dialog_a_peer_calls_whom_it_likes_and_is_where_it_may_be() {
    let listed = "may-assert = [\"*@trunk.example\"]\nmay-call = [\"*@example.com\"]\n\
                  contact-hosts = [\"192.0.2.0/28\"]";
    let peers = PEERS.replace("may-assert = [\"*@trunk.example\"]", listed);
    let mut scene = Scene { config: sample::config(&peers), ..Scene::new() };
    let contact = |host: &str| {
        let line = format!("Contact: <sip:a@{host}>\r\n");
        let request = request("INVITE", "me@trunk.example", &line);
        in_dialog(&scene, TRUNK, &request.replace(TARGET, "sip:pbx@10.0.0.5"))
    };
    let [own, victims] = ["192.0.2.1", "198.51.100.7"].map(contact);
    assert_eq!(scene.udp(TRUNK, &own), Told::Accepted(None, false));
    scene.udp(TRUNK, &victims).reply(Outcome::ContactNotAllowed);
    // The token was given to somebody else.
    scene.udp("192.0.2.2:5060", &own).reply(Outcome::DestinationNotAllowed);
}

#[test]
fn a_phone_is_where_its_office_may_be_in_dialogs_too() {
    let listed = "may-assert = [\"*@office.example\"]\ncontact-hosts = [\"192.0.2.128/28\"]";
    let peers = PEERS.replace("may-assert = [\"*@office.example\"]", listed);
    let mut scene = Scene { config: sample::config(&peers), ..Scene::new() };
    let contact = |host: &str| {
        let line = format!("Contact: <sip:a@{host}>\r\n");
        in_dialog(&scene, OFFICE, &request("UPDATE", "me@office.example", &line))
    };
    let [own, victims] = ["192.0.2.129", "198.51.100.7"].map(contact);
    assert_eq!(scene.udp(OFFICE, &own), Told::Accepted(None, false));
    scene.udp(OFFICE, &victims).reply(Outcome::ContactNotAllowed);
}
