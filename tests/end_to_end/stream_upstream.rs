//! An upstream that is reached over TCP or TLS, in another family than who calls it.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Certificate, Family, Scenario, Sipp, Usage, Validity};

use crate::{
    calls::caller,
    endpoint::Endpoint,
    expectation::{Expect as _, expect_calls},
    listed_peer::{of_the_peer, trusting, trusting_to_be},
    request::Request,
    tls_end::TlsEnd,
};

#[test]
fn calls_reach_it_over_tcp_whatever_the_caller_speaks_and_either_end_hangs_up() -> Result<()> {
    for (outside, inside) in [(Family::V6, Family::V4), (Family::V4, Family::V6)] {
        let target = inside.upstream();
        let setup = trusting_to_be(r#"["*@example.com"]"#).upstream(inside);
        let gateway = setup
            .targets(&format!(
                "targets = [\"sip:{target};transport=tcp\"]\nprobe = {{ enabled = false }}"
            ))
            .start()?;
        for (far, near) in
            [(Scenario::Answer, Scenario::Call), (Scenario::HangUp, Scenario::HeldCall)]
        {
            let answering = Sipp::answering(far, target).over_tcp().start(&gateway.inside)?;
            gateway.wait_for_target(&target, "alive")?;
            let calling = caller(near, outside);
            expect_calls(&calling.run(&gateway.internet)?, 1);
            let answered = answering.stop()?;
            expect_calls(&answered, 1);
            assert!(answered.messages.contains("\r\nVia: SIP/2.0/TCP "), "{}", answered.messages);
            gateway.wait_for_target(&target, "dead")?;
        }
    }
    Ok(())
}

#[test]
fn it_proves_itself_over_tls_and_so_do_we() -> Result<()> {
    let target = SocketAddr::new(Family::V4.upstream().ip(), 5061);
    let setup = trusting().tls("require").upstream_tls();
    let text = format!(
        "targets = [{{ uri = \"sips:{}\", identity = \"pbx.example\" }}]\nprobe = {{ enabled = false }}",
        target.ip()
    );
    let mut gateway = setup.targets(&text).build()?;
    let authority = gateway.authority()?;
    let issue = |name, uri| {
        authority.issue(&Certificate {
            name,
            uri_sans: &[uri],
            dns_sans: &[],
            usage: Usage::Server,
            validity: Validity::Valid,
        })
    };
    let (own, others) = (issue("pbx", "sip:pbx.example")?, issue("other", "sip:other.example")?);
    gateway.start()?;
    let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V6.caller(), 5070))?;
    let to = Family::V6.sip();

    let somebody = TlsEnd::listen(&gateway, &gateway.inside, target, &others)?;
    gateway.wait_for_target(&target, "dead")?;
    phone.send(to, &of_the_peer(&phone, "INVITE"))?;
    gateway.expect_outcomes(&[("upstream-down", 1)])?;
    assert!(!somebody.said()?.contains("INVITE"), "{}", somebody.said()?);
    drop(somebody);

    let mut pbx = TlsEnd::listen(&gateway, &gateway.inside, target, &own)?;
    gateway.wait_for_target(&target, "alive")?;
    let invite = of_the_peer(&phone, "INVITE").next();
    phone.send(to, &invite)?;
    let arrived = pbx.hear("INVITE ")?;
    assert!(
        arrived.headers("Via")[0].starts_with("SIP/2.0/TLS 10.0.0.1:5061;"),
        "{}",
        arrived.text
    );
    let routes = arrived.headers("Record-Route");
    assert!(routes[0].contains("@10.0.0.1:5061;transport=tls;lr"), "{routes:?}");
    assert!(routes[1].contains("@[2001:db8:1::1]:5060;lr"), "{routes:?}");
    pbx.send(&arrived.answer("200 OK", &["Contact: <sip:pbx@10.0.0.5>"]))?;
    let answer = phone.hear()?;
    assert_eq!(answer.start_line(), "SIP/2.0 200 OK");
    phone.send(to, &answer.follow_up(&invite, "ACK"))?;
    pbx.hear("ACK ")?;

    // The other end hangs up, over the connection that we made.
    let bye = Request {
        uri: format!("sip:alice@{}", phone.local),
        from: answer.header("To").unwrap_or_default().to_owned(),
        to: invite.from.clone(),
        call_id: invite.call_id.clone(),
        ..pbx.request("BYE").header(format!("Route: {}", routes.join(", ")))
    };
    pbx.send(&bye)?;
    let heard = phone.hear()?;
    assert!(heard.start_line().starts_with("BYE "), "{}", heard.text);
    phone.send(to, &heard.answer("200 OK", &[]))?;
    pbx.hear("SIP/2.0 200 ")?;
    Ok(())
}
