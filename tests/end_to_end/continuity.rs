//! A call needs no memory of the daemon's.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Scenario, Sipp, wait_until};

use crate::{
    calls::caller,
    endpoint::ends,
    expectation::{Expect as _, SOON, expect_calls},
    listed_peer::{of_the_peer, trusting, trusting_to_be},
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

#[test]
fn a_thousand_calls_outlive_a_daemon_that_is_killed_among_them() -> Result<()> {
    const CALLS: u64 = 1000;
    let mut gateway = trusting_to_be(r#"["*@example.com"]"#).start()?;
    let (internet, inside) = (gateway.internet.clone(), gateway.inside.clone());
    // Longer than what is said is repeated while nobody answers: sipp tells an INVITE that is repeated from a new
    // one only as long as it rings.
    let answering = Sipp::answering(Scenario::AnswerAfterRinging, gateway.upstream());
    let answering = answering.pausing(Duration::from_secs(4)).start(&inside)?;
    // One begins every 8 ms for 8 s; at a time 500 of them ring and 250 talk.
    let calling = caller(Scenario::Call, Family::V4).calls(u32::try_from(CALLS)?).rate(125);
    let calling = calling.pausing(Duration::from_secs(2)).start(&internet)?;

    // After 7 s: 875 INVITEs, 375 ACKs and 125 BYEs.
    gateway.wait_for_status("calls at every stage", |status| {
        Ok(status.outcome("request-relayed-inwards")? >= 1375)
    })?;
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    gateway.start()?;

    let calls = calling.finish()?;
    let far = answering.calls()?;
    ensure!(far.failed == 0, "at the other end: {}", far.errors);
    expect_calls(&calls, CALLS);
    let sent = |method: &str| calls.messages.matches(&format!("\n{method} sip:")).count();
    for method in ["INVITE", "BYE"] {
        let sent = u64::try_from(sent(method))?;
        assert!(sent > CALLS, "{sent} {method}: the daemon was not missed");
    }
    wait_until("the end of all calls at the other end", SOON, || {
        let calls = answering.calls()?;
        ensure!(calls.failed == 0, "{}", calls.errors);
        Ok(calls.successful == CALLS)
    })?;
    expect_calls(&answering.stop()?, CALLS);
    Ok(())
}

#[test]
fn a_call_outlives_its_routing_key_for_as_long_as_the_operator_says() -> Result<()> {
    const DAY: u64 = 86_400;
    let mut gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    phone.send(Family::V4.sip(), &of_the_peer(&phone, "INVITE"))?;
    let invite = upstream.hear()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for (changed, outcome) in [(6 * DAY, "request-relayed-outwards"), (8 * DAY, "stale-route")] {
        gateway.stop()?;
        change_key(&gateway, now - changed)?;
        gateway.start()?;
        let routes = invite.headers("Record-Route").join(", ");
        let info = Request {
            to: invite.header("From").unwrap_or_default().to_owned(),
            call_id: invite.header("Call-ID").unwrap_or_default().to_owned(),
            ..upstream.request("INFO").header(format!("Route: {routes}"))
        };
        upstream.send(Family::V4.sip_inside(), &info)?;
        let heard = if outcome == "stale-route" { upstream.hear()? } else { phone.hear()? };
        let expected = if outcome == "stale-route" { "SIP/2.0 480 " } else { "INFO " };
        assert!(heard.start_line().starts_with(expected), "{}", heard.text);
        gateway.expect_outcomes(&[(outcome, 1)])?;
    }
    Ok(())
}

/// Dates the first key long back, and a second one at `begins`.
fn change_key(gateway: &Gateway, begins: u64) -> Result<()> {
    let directory = gateway.configuration().parent().context("the configuration has no place")?;
    let path = directory.join("state/routing.key");
    let text = fs::read_to_string(&path)?;
    let mut lines = text.lines();
    let (head, first) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let key = first.split(' ').nth(2).context("the file has no key")?;
    let second = "5a".repeat(32);
    fs::write(&path, format!("{head}\n0 1000 {key}\n1 {begins} {second}\n"))?;
    Ok(())
}
