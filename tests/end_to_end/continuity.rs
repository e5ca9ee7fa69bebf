//! A call needs no memory of the daemon's.

use anyhow::Result;
use sbc_tests::Family;

use crate::{
    endpoint::ends,
    expectation::{Expect as _, SOON},
    listed_peer::{of_the_peer, trusting},
    request::Request,
};

#[test]
fn a_call_outlives_a_daemon_that_is_killed() -> Result<()> {
    let mut gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let (to, back) = (Family::V4.sip(), Family::V4.sip_inside());
    let invite = of_the_peer(&phone, "INVITE");
    phone.send(to, &invite)?;
    let arrived = upstream.hear()?;

    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    gateway.start()?;

    // The answer to a request that the daemon never saw, and the rest of that call in both directions.
    upstream.send(back, &arrived.answer("200 OK", &["Contact: <sip:pbx@10.0.0.5>"]))?;
    let answer = phone.hear()?;
    assert_eq!(answer.start_line(), "SIP/2.0 200 OK");
    phone.send(to, &answer.follow_up(&invite, "ACK"))?;
    assert!(upstream.hear()?.start_line().starts_with("ACK "));
    let routes = arrived.headers("Record-Route").join(", ");
    let bye = Request {
        uri: format!("sip:alice@{}", phone.local),
        from: answer.header("To").unwrap_or_default().to_owned(),
        to: invite.from.clone(),
        call_id: invite.call_id.clone(),
        ..upstream.request("BYE").header(format!("Route: {routes}"))
    };
    upstream.send(back, &bye)?;
    let heard = phone.hear()?;
    assert_eq!(heard.start_line(), format!("BYE sip:alice@{} SIP/2.0", phone.local));
    assert!(heard.headers("Route").is_empty(), "{}", heard.text);
    phone.send(to, &heard.answer("200 OK", &[]))?;
    assert_eq!(upstream.hear()?.start_line(), "SIP/2.0 200 OK");
    gateway.expect_outcomes(&[
        ("request-relayed-inwards", 1),
        ("request-relayed-outwards", 1),
        ("response-relayed-inwards", 1),
        ("response-relayed-outwards", 1),
    ])?;
    gateway.expect_verdicts(&[("trusted-source", 3)])?;
    Ok(())
}
