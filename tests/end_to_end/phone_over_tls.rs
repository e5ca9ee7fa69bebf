//! A phone that encrypts, has no certificate, and answers a challenge.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Setup, TlsClient, wait_for};

use crate::{
    carrier,
    digest::Login,
    endpoint::{Endpoint, Heard},
    expectation::{Expect as _, SOON},
    request::Request,
};

#[test]
fn a_phone_without_certificate_is_challenged_over_tls_and_then_calls() -> Result<()> {
    let users = "algorithms = [\"SHA-256\", \"MD5\"]";
    let gateway = Setup::new().tls("request").users(users, &[["alice", "secret"]]).start()?;
    let upstream = Endpoint::bind(&gateway.inside, Family::V4.upstream())?;
    let caller = Family::V4.caller();
    let mut phone = carrier::show(&gateway, Family::V4, caller, None)?;
    phone.wait_until_connected()?;

    let invite = Request::new("INVITE", "TLS", SocketAddr::new(caller, 5061));
    phone.send(invite.to_string())?;
    let refusal = hear(&phone, "407")?;
    // On a stream there is nobody to be flooded: every algorithm is offered, best first.
    let challenges = refusal.headers("Proxy-Authenticate");
    assert!(challenges[0].contains("=SHA-256,") && challenges[1].contains("=MD5,"));

    phone.send(Login("alice", "secret").answer(&invite, &refusal)?.to_string())?;
    let arrived = upstream.hear()?;
    upstream.send(arrived.from, &arrived.answer("200 OK", &["Contact: <sip:pbx@10.0.0.5>"]))?;
    let answer = hear(&phone, "200")?;
    let [route] = answer.headers("Record-Route").try_into().unwrap();
    assert!(route.ends_with("@198.51.100.1:5061;transport=tls;lr>"), "{}", answer.text);

    for method in ["ACK", "BYE"] {
        phone.send(answer.follow_up(&invite, method).to_string())?;
        let arrived = upstream.hear()?;
        assert_eq!(arrived.start_line(), format!("{method} sip:pbx@10.0.0.5 SIP/2.0"));
        assert!(arrived.headers("Route").is_empty(), "{}", arrived.text);
    }

    let status = gateway.expect_outcomes(&[
        ("challenged", 1),
        ("request-relayed-inwards", 3),
        ("response-relayed-outwards", 1),
    ])?;
    assert_eq!(status.received("tls")?, 4);
    // The kernel's doors for clear text stay shut: what was proved is this connection.
    let [grant] = status.grants()?.try_into().unwrap();
    assert_eq!((grant.proof.as_str(), grant.opens.len()), ("digest", 0));
    let clear = Endpoint::bind(&gateway.internet, SocketAddr::new(caller, 5070))?;
    clear.send(Family::V4.sip(), &clear.request("OPTIONS"))?;
    gateway.expect_verdicts(&[("unknown-source", 1)])?;
    Ok(())
}

/// The message with this status, among what openssl writes.
fn hear(phone: &TlsClient, status: &str) -> Result<Heard> {
    let status = format!("SIP/2.0 {status} ");
    let text = wait_for(&format!("the end of {status:?}"), SOON, || {
        let said = phone.output()?;
        let message = said.rfind(&status).map(|start| said[start..].to_owned());
        Ok(message.filter(|message| message.contains("\r\n\r\n")))
    })?;
    Ok(Heard { text, from: Family::V4.sips() })
}
