//! What is seen outside of what is inside.

use anyhow::Result;
use sbc_tests::{Family, Setup};

use crate::{
    calls::ALICE,
    digest::Login,
    endpoint::{Heard, ends},
    expectation::SOON,
    listed_peer::{of_the_peer, trusting},
    request::Request,
};

/// What an upstream says about itself.
const CONTACT: &str = "Contact: <sip:pbx@10.0.0.9:5080;transport=udp>";
const ROUTE: &str = "Record-Route: <sip:10.0.0.8;lr;did=1>";

#[test]
fn a_caller_sees_no_address_of_the_inside_and_the_call_outlives_a_killed_daemon() -> Result<()> {
    let mut gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let invite = of_the_peer(&phone, "INVITE");
    phone.send(Family::V4.sip(), &invite)?;
    let arrived = upstream.hear()?;
    let server = "Server: PBX 1.2.3";
    let ok = arrived.answer("200 OK", &[CONTACT, server]);
    let ok = ok.replacen("Record-Route: ", &format!("{ROUTE}\r\nRecord-Route: "), 1);
    upstream.send(arrived.from, &ok)?;
    let answer = phone.hear()?;
    assert_hidden(&answer);
    assert_eq!(answer.headers("Record-Route").len(), 1);
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    gateway.start()?;
    for method in ["ACK", "BYE"] {
        phone.send(Family::V4.sip(), &answer.follow_up(&invite, method))?;
        let arrived = upstream.hear()?;
        let expected = format!("{method} sip:pbx@10.0.0.9:5080;transport=udp SIP/2.0");
        assert_eq!(arrived.start_line(), expected);
        assert_eq!(arrived.headers("Route"), ["<sip:10.0.0.8;lr;did=1>"]);
    }
    Ok(())
}

#[test]
fn a_called_phone_sees_no_address_of_the_inside_and_answers_reach_who_asked() -> Result<()> {
    let users = "algorithms = [\"SHA-256\"]";
    let gateway = Setup::new().challenging_strangers().users(users, &[ALICE]).start()?;
    let (phone, upstream) = ends(&gateway)?;
    let register = phone.request("REGISTER").with_body();
    let challenge = phone.ask(Family::V4.sip(), &register, 401)?;
    phone.send(Family::V4.sip(), &Login("alice", "secret").answer(&register, &challenge)?)?;
    let arrived = upstream.hear()?;
    let contact = format!("Contact: <sip:alice@{}>;expires=600", phone.local);
    let path = arrived.header("Path").unwrap_or_default().to_owned();
    let ok = arrived.answer("200 OK", &[&contact, &format!("Path: {path}")]);
    upstream.send(arrived.from, &ok)?;
    let registered = phone.hear()?;
    assert_hidden(&registered);
    assert!(registered.text.contains(&contact), "{}", registered.text);

    let invite = Request { to: "<sip:alice@example.com>".to_owned(), ..upstream.request("INVITE") };
    let invite = Request { from: "<sip:bob@example.com>;tag=far".to_owned(), ..invite };
    let lines = vec!["Max-Forwards: 70".to_owned(), CONTACT.to_owned(), ROUTE.to_owned()];
    let invite = Request { headers: lines, ..invite }.header(format!("Route: {path}"));
    let second = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKpbx";
    let invite = Request { via: format!("{}, {second}", invite.via), ..invite };
    upstream.send(Family::V4.sip_inside(), &invite)?;
    let rung = phone.hear()?;
    assert_hidden(&rung);
    assert_eq!(rung.headers("Via").len(), 1);
    phone.send(Family::V4.sip(), &rung.answer("200 OK", &[&contact]))?;
    let answered = upstream.hear()?;
    let vias = answered.headers("Via");
    assert!(vias.len() == 2 && vias[1] == second, "{}", answered.text);
    let routes = answered.headers("Record-Route").join(", ");
    assert!(routes.ends_with("<sip:10.0.0.8;lr;did=1>"), "{routes}");
    assert!(routes.contains("@10.0.0.1:5060;lr>"), "{routes}");
    Ok(())
}

#[test]
fn an_operator_may_show_what_is_inside() -> Result<()> {
    let gateway = trusting().table("[session]\nhide-topology = false").start()?;
    let (phone, upstream) = ends(&gateway)?;
    phone.send(Family::V4.sip(), &of_the_peer(&phone, "INVITE"))?;
    let arrived = upstream.hear()?;
    upstream.send(arrived.from, &arrived.answer("200 OK", &[CONTACT]))?;
    let answer = phone.hear()?;
    assert!(answer.text.contains(CONTACT), "{}", answer.text);
    assert_eq!(answer.headers("Record-Route"), arrived.headers("Record-Route"));
    Ok(())
}

#[track_caller]
fn assert_hidden(heard: &Heard) {
    for inside in ["10.0.0.", "PBX"] {
        assert!(!heard.text.contains(inside), "{inside} in {}", heard.text);
    }
}
