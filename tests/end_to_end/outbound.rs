//! Calls that the upstream begins, to peers outside.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Authority, Certificate, Family, Issued, Scenario, Setup, Sipp, Usage, Validity};

use crate::{
    endpoint::Endpoint,
    expectation::{Expect as _, expect_calls},
    promotion::{LISTED, NETWORKS},
    request::Request,
    tls_end::TlsEnd,
};

fn carrier(requirements: &str, target: &str) -> Setup {
    let sources = Family::SOURCES;
    Setup::new().table(&format!(
        "[[peer]]\nname = \"carrier\"\n{requirements}\nsources = {sources}\ntarget = \"{target}\"\n\
         [[route]]\nhost = \"carrier.example\"\npeer = \"carrier\"\n\
         [[route]]\nuser = \"+44*\"\npeer = \"carrier\"\nrewrite-host = true"
    ))
}

#[test]
fn a_call_takes_its_route_to_a_carrier_over_udp_and_either_end_hangs_up() -> Result<()> {
    for family in Family::ALL {
        let place = SocketAddr::new(family.caller(), 5070);
        let setup = carrier("require = [\"static\"]\nopens = [\"udp\"]", &format!("sip:{place}"));
        let gateway = setup.upstream(family).start()?;
        for (far, near) in
            [(Scenario::Answer, Scenario::Call), (Scenario::HangUp, Scenario::HeldCall)]
        {
            let answering = Sipp::answering(far, place).start(&gateway.internet)?;
            let calling = Sipp::calling(near, gateway.upstream(), family.sip_inside());
            let calls = calling.domain("carrier.example").run(&gateway.inside)?;
            expect_calls(&calls, 1);
            expect_calls(&answering.stop()?, 1);
        }
        gateway.expect_outcomes(&[
            // A BYE.
            ("request-relayed-inwards", 1),
            // Twice INVITE and ACK, and a BYE.
            ("request-relayed-outwards", 5),
            // Twice 180 and 200, and the 200 to a BYE.
            ("response-relayed-inwards", 5),
            ("response-relayed-outwards", 1),
        ])?;
        let elsewhere = Sipp::calling(Scenario::Call, gateway.upstream(), family.sip_inside());
        let calls = elsewhere.domain("elsewhere.example").run(&gateway.inside)?;
        assert!(calls.messages.contains("SIP/2.0 404 "), "{}", calls.messages);
    }
    Ok(())
}

fn certificate(authority: &Authority, uri: &str) -> Result<Issued> {
    authority.issue(&Certificate {
        name: uri.trim_start_matches("sip:"),
        uri_sans: &[uri],
        dns_sans: &[],
        usage: Usage::Both,
        validity: Validity::Valid,
    })
}

#[test]
fn a_carrier_that_needs_tls_is_called_over_tls_and_both_prove_who_they_are() -> Result<()> {
    let place = SocketAddr::new(Family::V4.caller(), 5061);
    let requirements = "require = [\"tls\"]\nidentities = [\"carrier.example\"]\nopens = [\"udp\"]";
    let setup = carrier(requirements, &format!("sips:{}", place.ip()));
    let gateway = setup.tls("require").start()?;
    let authority = gateway.authority()?;
    let own = certificate(authority, "sip:carrier.example")?;
    let others = certificate(authority, "sip:other.example")?;
    let pbx = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let to = Family::V4.sip_inside();
    let invite = Request {
        uri: "sip:+4420@10.0.0.1".to_owned(),
        to: "<sip:+4420@10.0.0.1>".to_owned(),
        ..pbx.request("INVITE")
    };

    let somebody = TlsEnd::listen(&gateway, &gateway.internet, place, &others)?;
    // A 503 would say that nobody can be reached.
    pbx.ask(to, &invite, 500)?;
    assert!(!somebody.said()?.contains("INVITE"), "{}", somebody.said()?);
    gateway.expect_grants(&LISTED)?;
    drop(somebody);

    let mut carrier = TlsEnd::listen(&gateway, &gateway.internet, place, &own)?;
    gateway.wait_for_target(&place, "alive")?;
    let invite = Request { call_id: "again".to_owned(), ..invite.next() };
    pbx.send(to, &invite)?;
    let arrived = carrier.hear("INVITE ")?;
    assert_eq!(arrived.start_line(), format!("INVITE sip:+4420@{} SIP/2.0", place.ip()));
    let routes = arrived.headers("Record-Route");
    assert!(routes[0].contains("@198.51.100.1:5061;transport=tls;lr"), "{routes:?}");
    let said = carrier.said()?;
    assert!(said.contains("CN = gateway") || said.contains("CN=gateway"), "{said}");
    carrier.send(&arrived.answer("200 OK", &["Contact: <sip:carrier@198.51.100.7>"]))?;
    let answer = pbx.hear()?;
    assert_eq!(answer.start_line(), "SIP/2.0 200 OK");
    pbx.send(to, &answer.follow_up(&invite, "ACK"))?;
    carrier.hear("ACK ")?;

    // The carrier hangs up, over the connection that we made; a new call of its is the peer's as well.
    let bye = Request {
        uri: format!("sip:pbx@{}", pbx.local),
        from: answer.header("To").unwrap_or_default().to_owned(),
        to: invite.from.clone(),
        call_id: invite.call_id.clone(),
        ..carrier.request("BYE").header(format!("Route: {}", routes.join(", ")))
    };
    carrier.send(&bye)?;
    let heard = pbx.hear()?;
    assert!(heard.start_line().starts_with("BYE "), "{}", heard.text);
    pbx.send(heard.from, &heard.answer("200 OK", &[]))?;
    carrier.hear("SIP/2.0 200 ")?;
    carrier.send(&carrier.request("INVITE"))?;
    assert!(pbx.hear()?.start_line().starts_with("INVITE "));
    gateway.expect_networks(&NETWORKS)?;
    Ok(())
}
