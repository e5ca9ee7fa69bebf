//! Phones that registered through the border, and are called by the telephone system behind it.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Calls, Family, Gateway, Kamailio, Scenario, Setup, Sipp};

use crate::{
    calls::{ALICE, caller, challenging},
    digest::Login,
    endpoint::{Endpoint, Heard},
    expectation::{Expect as _, SOON, expect_calls},
    request::Request,
    stream_phone::StreamPhone,
};

/// So short that tests can wait for its end: what stays open does so because of a registration.
const BRIEFLY: &str = "lifetime = \"5s\"";

#[test]
fn a_phone_behind_a_nat_is_called_over_udp_and_either_end_hangs_up() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").upstream(family).start()?;
        let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
        let registering = caller(Scenario::RegistrationBehindNat, family);
        let registration = registering.run(&gateway.internet)?;
        expect_calls(&registration, 1);
        assert!(registration.messages.contains("\r\nPath: <sip:"), "{}", registration.messages);
        let contacts = kamailio.contacts("alice")?;
        assert_eq!(contacts, ["sip:alice@192.168.1.2:5062;transport=UDP"], "not what it said");

        for (far, near) in
            [(Scenario::Answer, Scenario::Call), (Scenario::HangUp, Scenario::HeldCall)]
        {
            expect_calls(&call_alice(&gateway, family, far, near)?, 1);
        }
        gateway.expect_outcomes(&[
            ("challenged", 1),
            // The registration, and a BYE.
            ("request-relayed-inwards", 2),
            // Twice INVITE and ACK, and a BYE.
            ("request-relayed-outwards", 5),
            // Twice 180 and 200, and the 200 to a BYE.
            ("response-relayed-inwards", 5),
            // To the registration, and to the other BYE.
            ("response-relayed-outwards", 2),
        ])?;
    }
    Ok(())
}

#[test]
fn a_phone_stays_reachable_over_udp_when_the_daemon_is_killed() -> Result<()> {
    for family in Family::ALL {
        let mut gateway = challenging("").upstream(family).start()?;
        let inside = gateway.inside.clone();
        let _kamailio = Kamailio::start(&inside, gateway.upstream())?;
        let registering = caller(Scenario::RegistrationBehindNat, family);
        expect_calls(&registering.run(&gateway.internet)?, 1);
        let daemon = gateway.daemon()?;
        daemon.signal(libc::SIGKILL)?;
        daemon.wait(SOON)?;
        gateway.start()?;
        expect_calls(&call_alice(&gateway, family, Scenario::HangUp, Scenario::HeldCall)?, 1);
        gateway.expect_outcomes(&[
            ("request-relayed-inwards", 1),
            ("request-relayed-outwards", 2),
            ("response-relayed-inwards", 2),
            ("response-relayed-outwards", 1),
        ])?;
    }
    Ok(())
}

#[test]
fn a_phone_is_called_over_the_connection_that_it_registered_on() -> Result<()> {
    let gateway = setup("").tls("request").start()?;
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    for connect in [StreamPhone::over_tcp, StreamPhone::over_tls] {
        let mut phone = connect(&gateway)?;
        register_stream(&mut phone, "")?;
        assert_eq!(kamailio.contacts("alice")?, ["sip:alice@192.168.1.2:5062"]);
        let calling = Sipp::calling(Scenario::Call, inside(Family::V4), gateway.upstream());
        let calling = calling.to("alice").start(&gateway.inside)?;
        let invite = phone.hear("INVITE ")?;
        assert_eq!(invite.start_line(), "INVITE sip:alice@192.168.1.2:5062 SIP/2.0");
        phone.send(&invite.answer("180 Ringing", &[]))?;
        let contact = "Contact: <sip:alice@192.168.1.2:5062>";
        phone.send(&invite.answer("200 OK", &[contact]))?;
        phone.hear("ACK ")?;
        let bye = phone.hear("BYE ")?;
        phone.send(&bye.answer("200 OK", &[]))?;
        expect_calls(&calling.finish()?, 1);

        // The other end hangs up.
        let held = Sipp::calling(Scenario::HeldCall, inside(Family::V4), gateway.upstream());
        let held = held.to("alice").start(&gateway.inside)?;
        let invite = phone.hear("INVITE ")?;
        phone.send(&invite.answer("200 OK", &[contact]))?;
        phone.hear("ACK ")?;
        phone.send(&callees_request(&invite, "BYE"))?;
        assert!(phone.hear("SIP/2.0 200 ")?.header("CSeq").unwrap().ends_with(" BYE"));
        expect_calls(&held.finish()?, 1);
    }
    Ok(())
}

#[test]
fn a_call_is_changed_by_the_phone_and_another_given_up_by_its_caller() -> Result<()> {
    let gateway = setup("").start()?;
    let _kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    let (phone, to) = (phone(&gateway, Family::V4.caller())?, Family::V4.sip());
    register(&phone)?;
    let pbx = Endpoint::bind(&gateway.inside, inside(Family::V4))?;

    let invite = pbx.request("INVITE");
    let invite = Request {
        uri: "sip:alice@example.com".to_owned(),
        from: "<sip:carol@example.com>;tag=carol".to_owned(),
        to: "<sip:alice@example.com>".to_owned(),
        ..invite
    };
    pbx.send(gateway.upstream(), &invite)?;
    let arrived = hear(&phone, "INVITE ")?;
    phone.send(to, &arrived.answer("180 Ringing", &[]))?;
    hear(&pbx, "SIP/2.0 180 ")?;
    let cancel = Request { method: "CANCEL", ..invite.clone() };
    pbx.send(gateway.upstream(), &cancel)?;
    let cancelled = hear(&phone, "CANCEL ")?;
    // RFC 3261 §17.2.3: what is hidden in it is not compared, and a CANCEL has less of it.
    let transaction =
        |heard: &Heard| heard.headers("Via")[0].split(";v=").next().map(str::to_owned);
    assert_eq!(transaction(&cancelled), transaction(&arrived), "one transaction");
    phone.send(to, &cancelled.answer("200 OK", &[]))?;
    phone.send(to, &arrived.answer("487 Request Terminated", &[]))?;
    hear(&phone, "ACK ")?;
    hear(&pbx, "SIP/2.0 487 ")?;

    let again = Request { call_id: "again".to_owned(), ..invite.next() };
    pbx.send(gateway.upstream(), &again)?;
    let arrived = hear(&phone, "INVITE ")?;
    let contact = "Contact: <sip:alice@192.168.1.2:5062>";
    phone.send(to, &arrived.answer("200 OK", &[contact]))?;
    let answer = hear(&pbx, "SIP/2.0 200 ")?;
    let ack = Request { cseq: again.cseq, ..answer.follow_up(&again, "ACK") };
    pbx.send(gateway.upstream(), &ack)?;
    hear(&phone, "ACK ")?;
    phone.send(to, &callees_request(&arrived, "INVITE"))?;
    let changed = hear(&pbx, "INVITE ")?;
    pbx.send(changed.from, &changed.answer("200 OK", &["Contact: <sip:carol@10.0.0.66:5070>"]))?;
    hear(&phone, "SIP/2.0 200 ")?;
    phone.send(to, &callees_request(&arrived, "ACK"))?;
    hear(&pbx, "ACK ")?;
    Ok(())
}

#[test]
fn a_phone_is_open_for_as_long_as_it_is_registered_and_others_for_the_lifetime_of_a_proof()
-> Result<()> {
    let gateway = setup(BRIEFLY).start()?;
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    let registered = phone(&gateway, Family::V4.caller())?;
    register(&registered)?;
    let other = phone(&gateway, Family::V4.neighbour())?;
    let options = other.request("OPTIONS").with_body();
    let refusal = other.ask(Family::V4.sip(), &options, 407)?;
    other.send(Family::V4.sip(), &Login("alice", "secret").answer(&options, &refusal)?)?;
    hear(&other, "SIP/2.0 200 ")?;
    let status = gateway.expect_proven(&[["198.51.100.7:5070", "digest", "user alice"]])?;
    let left = status.grant("198.51.100.7:5070")?.unwrap().expires_in.unwrap();
    assert!((500..=632).contains(&left), "{status}");
    assert_eq!(kamailio.contacts("alice")?.len(), 1);

    let pbx = Endpoint::bind(&gateway.inside, inside(Family::V4))?;
    pbx.send(gateway.upstream(), &to_alice(&pbx, "hello"))?;
    let message = hear(&registered, "MESSAGE ")?;
    registered.send(Family::V4.sip(), &message.answer("202 Accepted", &[]))?;
    hear(&pbx, "SIP/2.0 202 ")?;
    Ok(())
}

#[test]
fn a_call_to_a_phone_whose_entry_has_expired_is_refused_at_once() -> Result<()> {
    let gateway = setup(BRIEFLY).start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let phone = phone(&gateway, Family::V4.caller())?;
    // The registrar never answers: nothing is prolonged.
    let register = phone.request("REGISTER").with_body();
    let refusal = phone.ask(Family::V4.sip(), &register, 401)?;
    phone.send(Family::V4.sip(), &Login("alice", "secret").answer(&register, &refusal)?)?;
    let path = upstream.hear()?.header("Path").unwrap().to_owned();
    gateway.expect_proven(&[])?;
    let call = |route: &str| to_alice(&upstream, "x").header(format!("Route: {route}"));
    upstream.ask(Family::V4.sip_inside(), &call(&path), 480)?;
    let (start, end) = path.split_at(12);
    let forged = format!("{start}{}{}", if end.starts_with('A') { "B" } else { "A" }, &end[1..]);
    upstream.ask(Family::V4.sip_inside(), &call(&forged), 403)?;
    gateway.expect_outcomes(&[
        ("challenged", 1),
        ("request-relayed-inwards", 1),
        ("flow-expired", 1),
        ("forged-route", 1),
    ])?;
    assert!(!phone.has_heard()?);
    Ok(())
}

#[test]
fn the_caller_hears_at_once_that_the_connection_of_a_phone_is_gone() -> Result<()> {
    let gateway = setup("").tls("request").start()?;
    let _kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    let pbx = Endpoint::bind(&gateway.inside, inside(Family::V4))?;
    for (count, (more, status)) in [("", 480), (";reg-id=1", 430)].into_iter().enumerate() {
        for (half, connect) in
            [StreamPhone::over_tcp, StreamPhone::over_tls].into_iter().enumerate()
        {
            let mut phone = connect(&gateway)?;
            register_stream(&mut phone, more)?;
            drop(phone);
            let gone = u64::try_from(2 * count + half)? + 1;
            gateway.wait_for_status("a call to nobody", |told| {
                pbx.send(gateway.upstream(), &to_alice(&pbx, "x"))?;
                let heard = pbx.hear()?;
                let is_gone = heard.start_line().starts_with(&format!("SIP/2.0 {status} "));
                Ok(is_gone && told.outcome("connection-gone")? >= gone)
            })?;
        }
    }
    Ok(())
}

#[test]
fn the_operator_is_told_once_that_the_registrar_repeats_no_path() -> Result<()> {
    let mut gateway = setup("").start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let phone = phone(&gateway, Family::V4.caller())?;
    for _ in 0..2 {
        let register = phone.request("REGISTER").with_body();
        let refusal = phone.ask(Family::V4.sip(), &register, 401)?;
        phone.send(Family::V4.sip(), &Login("alice", "secret").answer(&register, &refusal)?)?;
        let arrived = upstream.hear()?;
        let contact = "Contact: <sip:alice@192.168.1.2:5062>;expires=60";
        upstream.send(arrived.from, &arrived.answer("200 OK", &[contact]))?;
        hear(&phone, "SIP/2.0 200 ")?;
    }
    let log = gateway.stop()?;
    assert_eq!(log.matches("repeats no Path").count(), 1, "{log}");
    Ok(())
}

/// Strangers are challenged, with SHA-256.
fn setup(lines: &str) -> Setup {
    let users = format!("algorithms = [\"SHA-256\"]\n{lines}");
    Setup::new().challenging_strangers().users(&users, &[ALICE])
}

/// Where the caller is: beside the telephone system.
pub(crate) fn inside(family: Family) -> SocketAddr {
    SocketAddr::new(family.intruder(), 5070)
}

/// A call of somebody inside to Alice, whose phone sipp is, at the port that it registered from.
fn call_alice(gateway: &Gateway, family: Family, far: Scenario, near: Scenario) -> Result<Calls> {
    let phone = Sipp::answering(far, SocketAddr::new(family.caller(), 5070));
    let phone = phone.start(&gateway.internet)?;
    let calling = Sipp::calling(near, inside(family), gateway.upstream()).to("alice");
    let calls = calling.run(&gateway.inside)?;
    expect_calls(&phone.stop()?, 1);
    Ok(calls)
}

fn phone(gateway: &Gateway, address: std::net::IpAddr) -> Result<Endpoint> {
    Endpoint::bind(&gateway.internet, SocketAddr::new(address, 5070))
}

/// Alice registers from behind a NAT, over UDP.
fn register(phone: &Endpoint) -> Result<()> {
    let request = behind_nat(phone.request("REGISTER"), "");
    let refusal = phone.ask(Family::V4.sip(), &request, 401)?;
    let answer = Login("alice", "secret").answer(&request, &refusal)?;
    phone.ask(Family::V4.sip(), &answer, 200)?;
    Ok(())
}

fn register_stream(phone: &mut StreamPhone, more: &str) -> Result<()> {
    let request = behind_nat(phone.request("REGISTER"), more);
    phone.send(&request)?;
    let refusal = phone.hear("SIP/2.0 401 ")?;
    phone.send(&Login("alice", "secret").answer(&request, &refusal)?)?;
    phone.hear("SIP/2.0 200 ")?;
    Ok(())
}

fn behind_nat(request: Request, more: &str) -> Request {
    let headers = [
        "Max-Forwards: 70",
        "Expires: 600",
        "Supported: path, outbound",
        &format!("Contact: <sip:alice@192.168.1.2:5062>{more}"),
    ];
    let headers = headers.map(str::to_owned).to_vec();
    Request { headers, ..request }.with_body()
}

/// A request in the dialog of a call that the phone got.
fn callees_request(invite: &Heard, method: &'static str) -> Request {
    let header = |name: &str| invite.header(name).unwrap_or_default().to_owned();
    let contact = header("Contact");
    let uri = contact.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
    let routes = invite.headers("Record-Route").join(", ");
    let request = Request::new(method, "UDP", SocketAddr::from(([192, 168, 1, 2], 5062)));
    Request {
        uri,
        from: format!("{};tag=far", header("To")),
        to: header("From"),
        call_id: header("Call-ID"),
        ..request
    }
    .header(format!("Route: {routes}"))
}

/// A message to Alice from inside.
fn to_alice(pbx: &Endpoint, text: &str) -> Request {
    let request = Request {
        uri: "sip:alice@example.com".to_owned(),
        from: "<sip:carol@example.com>;tag=carol".to_owned(),
        to: "<sip:alice@example.com>".to_owned(),
        body: text.to_owned(),
        ..pbx.request("MESSAGE")
    };
    request.header("Content-Type: text/plain")
}

/// The next message that begins so; others, which are repeated or provisional, are let by.
fn hear(end: &Endpoint, start: &str) -> Result<Heard> {
    loop {
        let heard = end.hear()?;
        if heard.text.starts_with(start) {
            return Ok(heard);
        }
    }
}
