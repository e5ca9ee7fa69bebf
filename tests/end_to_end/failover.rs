//! Several targets of the upstream, some of which die.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Scenario, Setup, Sipp, wait_for};

use crate::{
    calls::caller,
    endpoint::{Endpoint, Heard},
    expectation::{Expect as _, SOON, expect_calls},
    listed_peer::trusting_to_be,
    request::Request,
    stream_phone::{StreamPhone, message},
};

const EAGER: &str = "probe = { interval = \"1s\", timeout = \"1s\", failures = 1 }";

/// Whoever is listed calls as somebody of example.com.
fn setup(targets: &[SocketAddr]) -> Setup {
    let uris: Vec<_> = targets.iter().map(|target| format!("sip:{target}")).collect();
    let lines = format!("targets = {uris:?}\n{EAGER}");
    trusting_to_be(r#"["*@example.com"]"#).targets(&lines)
}

fn two() -> [SocketAddr; 2] {
    [Family::V4.upstream(), SocketAddr::new(Family::V4.intruder(), 5060)]
}

fn calls(number: u32) -> Sipp {
    caller(Scenario::Call, Family::V4).calls(number)
}

#[test]
fn calls_go_on_at_another_target_when_one_dies_and_come_back_when_it_does() -> Result<()> {
    let targets = two();
    let gateway = setup(&targets).start()?;
    let answering = |target| Sipp::answering(Scenario::Answer, target).start(&gateway.inside);
    let [mut dying, staying] = [answering(targets[0])?, answering(targets[1])?];
    for target in &targets {
        gateway.wait_for_target(target, "alive")?;
    }
    let calling = calls(80).start(&gateway.internet)?;
    wait_for("calls at both", SOON, || {
        let [one, other] = [dying.messages(), staying.messages()];
        Ok([one, other].iter().all(|it| it.contains("INVITE ")).then_some(()))
    })?;
    dying.process().signal(libc::SIGKILL)?;
    gateway.wait_for_target(&targets[0], "dead")?;
    let made = calling.finish()?;
    // A call that was answered there is over; one that was not is answered by the other.
    assert!(made.successful >= 77, "{} failed: {}", made.failed, made.errors);
    drop(dying);

    expect_calls(&calls(20).run(&gateway.internet)?, 20);
    let back = answering(targets[0])?;
    gateway.wait_for_target(&targets[0], "alive")?;
    expect_calls(&calls(20).run(&gateway.internet)?, 20);
    assert!(back.messages().contains("INVITE "), "none of 20 calls");
    Ok(())
}

#[test]
fn when_none_lives_who_is_connected_is_told_and_who_may_be_forged_is_not() -> Result<()> {
    let targets = two();
    let gateway = setup(&targets).start()?;
    for target in &targets {
        gateway.wait_for_target(target, "dead")?;
    }
    let mut phone = StreamPhone::over_tcp(&gateway)?;
    phone.send(&phone.request("INVITE"))?;
    let refusal = phone.hear("SIP/2.0 ")?;
    assert_eq!(refusal.start_line(), "SIP/2.0 503 Service Unavailable");
    let wait: u8 = refusal.header("Retry-After").context("for how long?")?.parse()?;
    assert!((10..20).contains(&wait), "{wait}");
    let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V4.caller(), 5070))?;
    phone.send(Family::V4.sip(), &phone.request("INVITE").with_body())?;
    gateway.expect_outcomes(&[("upstream-down", 2)])?;
    assert!(!phone.has_heard()?);
    Ok(())
}

#[test]
fn a_request_that_is_too_large_for_udp_goes_over_tcp_where_that_is_known_to_work() -> Result<()> {
    let target = Family::V4.upstream();
    // Over UDP nobody answers here, and nobody minds.
    let patient = "probe = { interval = \"1s\", timeout = \"1s\", failures = 255 }";
    let lines = format!("targets = [\"sip:{target}\"]\n{patient}");
    let gateway = trusting_to_be(r#"["*@example.com"]"#).targets(&lines).start()?;
    let upstream = Endpoint::bind(&gateway.inside, target)?;
    let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V4.caller(), 5070))?;
    let to = Family::V4.sip();
    let large = Request { call_id: "large".to_owned(), ..phone.request("INVITE") };
    let large = large.header(format!("Subject: {}", "x".repeat(1300)));
    phone.send(to, &large)?;
    let arrived = hear(&upstream, "INVITE ")?;
    assert!(
        arrived.headers("Via")[0].starts_with("SIP/2.0/UDP "),
        "it is not known: {}",
        arrived.text
    );

    let mut stream = accept(&gateway, target)?;
    wait_for("large requests to go over TCP", SOON, || {
        if let Ok(question) = stream.hear("OPTIONS ") {
            stream.send(&question.answer("200 OK", &[]))?;
        }
        Ok(gateway.status()?.has_large_over_tcp(&target)?.then_some(()))
    })?;
    let large = Request { call_id: "another".to_owned(), ..large };
    phone.send(to, &large)?;
    let arrived = stream.wait_for("INVITE ")?;
    assert!(
        arrived.headers("Via")[0].starts_with("SIP/2.0/TCP 10.0.0.1:5060;"),
        "{}",
        arrived.text
    );
    let cancel = Request { method: "CANCEL", headers: Vec::new(), ..large };
    phone.send(to, &cancel)?;
    stream.wait_for("CANCEL ")?;
    let small = Request { call_id: "small".to_owned(), ..phone.request("INVITE") };
    phone.send(to, &small)?;
    assert_eq!(hear(&upstream, "INVITE ")?.header("Call-ID"), Some("small"));
    Ok(())
}

/// Waits for a message that begins so, past all others.
fn hear(end: &Endpoint, start: &str) -> Result<Heard> {
    loop {
        let heard = end.hear()?;
        if heard.text.starts_with(start) {
            return Ok(heard);
        }
    }
}

/// What has come in over TCP.
struct Stream {
    connection: TcpStream,
    said: Vec<u8>,
    heard: usize,
}

fn accept(gateway: &Gateway, local: SocketAddr) -> Result<Stream> {
    let listener = gateway.inside.enter(|| TcpListener::bind(local))??;
    listener.set_nonblocking(true)?;
    let stream = wait_for("a connection", SOON, || match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(_) => Ok(None),
    })?;
    stream.set_nonblocking(true)?;
    Ok(Stream { connection: stream, said: Vec::new(), heard: 0 })
}

impl Stream {
    fn send(&mut self, message: &impl ToString) -> Result<()> {
        Ok(self.connection.write_all(message.to_string().as_bytes())?)
    }

    /// The next message that begins so, if it has come.
    fn hear(&mut self, start: &str) -> Result<Heard> {
        // It ends with the error that there is no more now.
        let _ = self.connection.read_to_end(&mut self.said);
        let rest = self.said.get(self.heard..).context("less was said than before")?;
        let (text, end) = message(std::str::from_utf8(rest)?, start).context("not yet")?;
        self.heard += end;
        Ok(Heard { text: text.to_owned(), from: self.connection.peer_addr()? })
    }

    fn wait_for(&mut self, start: &str) -> Result<Heard> {
        let heard = wait_for(&format!("a message {start:?}"), SOON, || Ok(self.hear(start).ok()))?;
        ensure!(heard.text.starts_with(start));
        Ok(heard)
    }
}
