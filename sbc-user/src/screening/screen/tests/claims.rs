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
            .replace("To: <sip:elsewhere.example>", "To: <sip:bob@example.com>;tag=2"),
    ] {
        assert_eq!(scene.udp(TRUNK, &good), accepted, "{good}");
    }
    for (bad, outcome) in [
        (to("sip:bob@elsewhere.example"), Outcome::DestinationNotAllowed),
        (to("tel:+44"), Outcome::DestinationNotAllowed),
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
