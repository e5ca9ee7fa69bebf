//! Users whose passwords the telephone system keeps: it asks, and what it accepts is their proof.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{
    Baresip, Family, Gateway, Kamailio, Scenario, Setup, Sipp, UdpCounters, udp_counters,
};

use crate::{
    called_phone::inside,
    calls::{ALICE, caller},
    endpoint::{Endpoint, ends},
    expectation::{Expect as _, expect_calls},
    request::Request,
};

const PHONE: &str = "198.51.100.7:5070";

#[test]
fn baresip_registers_with_the_upstream_calls_and_is_called_over_udp() -> Result<()> {
    let gateway = asking_upstream("").start()?;
    use_phone(&gateway, "udp", Family::V4.sip())?;
    expect_open(&gateway)?;
    Ok(())
}

#[test]
fn baresip_registers_with_the_upstream_calls_and_is_called_over_tcp() -> Result<()> {
    let gateway = asking_upstream("").start()?;
    use_phone(&gateway, "tcp", Family::V4.sip())
}

#[test]
fn baresip_registers_with_the_upstream_calls_and_is_called_over_tls() -> Result<()> {
    let gateway = asking_upstream("").tls("request").start()?;
    use_phone(&gateway, "tls", Family::V4.sips())
}

#[test]
fn a_registration_and_a_call_that_the_upstream_accepts_open_the_kernel() -> Result<()> {
    for (scenario, proxied) in [
        (Scenario::RegistrationAfterTwoChallenges, false),
        (Scenario::CallAfterTwoChallenges, true),
    ] {
        let gateway = asking_upstream("").start()?;
        let kamailio = Kamailio::start_with_digest(&gateway.inside, gateway.upstream(), ALICE[1])?;
        let callee = SocketAddr::new(Family::V4.intruder(), 5071);
        kamailio.add_contact("callee", &format!("sip:callee@{callee}"))?;
        let answering = Sipp::answering(Scenario::Answer, callee).start(&gateway.inside)?;
        let calls = caller(scenario, Family::V4).run(&gateway.internet)?;
        expect_calls(&calls, 1);
        assert_eq!(calls.messages.matches("stale=true").count(), 1, "{}", calls.messages);
        expect_open(&gateway)?;
        expect_calls(&answering.stop()?, u64::from(proxied));
    }
    Ok(())
}

#[test]
fn a_wrong_password_opens_nothing_and_is_tried_but_so_often() -> Result<()> {
    let gateway = asking_upstream("").table("[digest]\nfailed-proofs-per-source = \"3 in 10m\"");
    let gateway = gateway.start()?;
    let _kamailio = Kamailio::start_with_digest(&gateway.inside, gateway.upstream(), ALICE[1])?;
    let guessing = caller(Scenario::RegistrationRefusedAfterTwoChallenges, Family::V4);
    for guess in ["guess", "secre", "Secret", "secret1"] {
        let calls = guessing.clone().credentials("alice", guess).run(&gateway.internet)?;
        expect_calls(&calls, 1);
    }
    let status = gateway.expect_outcomes(&[
        ("challenged", 4),
        ("request-relayed-inwards", 7),
        ("response-relayed-outwards", 7),
        ("too-many-failures", 1),
    ])?;
    assert!(status.grants()?.is_empty());
    Ok(())
}

#[test]
fn an_upstream_that_accepts_without_asking_opens_nothing() -> Result<()> {
    let mut gateway = asking_upstream("").start()?;
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    let phone = Endpoint::bind(&gateway.internet, PHONE.parse()?)?;
    shows_that_it_receives(&phone, &phone.request("REGISTER").with_body(), 401)?;
    let status =
        gateway.wait_for_status("an answer", |it| Ok(it.outcome("upstream-did-not-ask")? == 1))?;
    assert!(status.grants()?.is_empty() && !phone.has_heard()?);
    assert_eq!(kamailio.contacts("alice")?.len(), 1, "the upstream has believed it");
    let log = gateway.stop()?;
    assert_eq!(log.matches("without asking who sends them").count(), 1, "{log}");
    Ok(())
}

#[test]
fn what_could_be_forged_never_reaches_the_upstream() -> Result<()> {
    let gateway = asking_upstream("").start()?;
    let (phone, thief) = (
        Endpoint::bind(&gateway.internet, PHONE.parse()?)?,
        Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V4.neighbour(), 5070))?,
    );
    let to = Family::V4.sip();
    let register = phone.request("REGISTER").with_body();
    let asked = phone.ask(to, &register, 401)?;
    // The thief has seen what the phone was asked, and answers from elsewhere.
    let seen = register.next().header(answer(&asked.text));
    assert!(!thief.ask(to, &seen, 401)?.text.contains("stale"));
    for method in ["OPTIONS", "SUBSCRIBE", "ACK", "CANCEL", "BYE"] {
        thief.send(to, &thief.request(method).with_body())?;
    }
    let small = Request { headers: Vec::new(), ..thief.request("REGISTER") };
    thief.send(to, &small)?;
    gateway.expect_outcomes(&[
        ("challenged", 1),
        ("foreign-nonce", 1),
        ("proof-missing", 3),
        ("unchallengeable", 2),
        ("would-amplify", 1),
    ])?;
    assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    Ok(())
}

#[test]
fn who_is_not_proven_reaches_the_upstream_as_far_as_the_budget_goes() -> Result<()> {
    let budget = ", budget-per-source = \"1/s burst 3\"";
    let gateway = asking_upstream(budget).start()?;
    let (phone, upstream) = ends(&gateway)?;
    for _ in 0..20 {
        let register = phone.request("REGISTER").with_body();
        phone.send(Family::V4.sip(), &register)?;
        let asked = loop {
            let heard = phone.hear()?;
            if heard.start_line().starts_with("SIP/2.0 401 ") {
                break heard;
            }
            assert!(heard.start_line().starts_with("SIP/2.0 503 "), "{}", heard.text);
        };
        phone.send(Family::V4.sip(), &register.next().header(answer(&asked.text)))?;
    }
    let status = gateway.wait_for_status("20 requests", |status| {
        let passed = status.outcome("request-relayed-inwards")?;
        Ok(passed + status.outcome("unproven-budget-spent")? == 20)
    })?;
    let passed = status.outcome("request-relayed-inwards")?;
    assert!((3..20).contains(&passed), "{status}");
    for _ in 0..passed {
        assert!(upstream.hear()?.start_line().starts_with("REGISTER "));
    }
    assert!(!upstream.has_heard()?);
    Ok(())
}

#[test]
fn a_phone_goes_on_though_the_daemon_restarts_between_challenge_and_answer() -> Result<()> {
    let mut gateway = asking_upstream("").kept_on_shutdown().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let to = Family::V4.sip();
    let register = phone.request("REGISTER").with_body();
    let passed = shows_that_it_receives(&phone, &register, 401)?;
    let arrived = upstream.hear()?;
    let asked = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"0815\", opaque=\"own\"";
    upstream.send(arrived.from, &arrived.answer("401 Unauthorized", &[asked]))?;
    let theirs = phone.hear()?;
    gateway.stop()?;
    gateway.start()?;
    phone.send(to, &passed.next().header(answer(&theirs.text)))?;
    let arrived = upstream.hear()?;
    assert!(arrived.header("Authorization").unwrap_or_default().ends_with("opaque=\"own\""));
    gateway.stop()?;
    gateway.start()?;
    let contact = "Contact: <sip:alice@198.51.100.7:5070>;expires=60";
    upstream.send(arrived.from, &arrived.answer("200 OK", &[contact]))?;
    assert!(phone.hear()?.start_line().starts_with("SIP/2.0 200 "));
    expect_open(&gateway)?;
    Ok(())
}

/// Waits until the phone's place is open for Alice.
fn expect_open(gateway: &Gateway) -> Result<()> {
    gateway.wait_for_status("the entry of the phone", |status| {
        let grant = status.grant(PHONE)?;
        Ok(grant.is_some_and(|it| (&*it.proof, &*it.holder) == ("digest", "user alice")))
    })?;
    Ok(())
}

/// Strangers are asked, and the upstream decides.
fn asking_upstream(more: &str) -> Setup {
    Setup::new().challenging_strangers().table(&format!(
        "[users]\nstore = \"upstream\"\nupstream = {{ realm = \"example.com\"{more} }}"
    ))
}

/// Answers our own challenge to a request, which then goes on; yields the request that did.
fn shows_that_it_receives(phone: &Endpoint, request: &Request, status: u16) -> Result<Request> {
    let asked = phone.ask(Family::V4.sip(), request, status)?;
    let shown = request.next().header(answer(&asked.text));
    phone.send(Family::V4.sip(), &shown)?;
    Ok(Request { headers: request.headers.clone(), ..shown })
}

/// Credentials for the challenge to a REGISTER, with a response that nobody here can judge.
fn answer(challenge: &str) -> String {
    let quoted = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
        Some(format!(", {name}=\"{}\"", rest.split('"').next()?))
    };
    let returned: String = ["realm", "nonce", "opaque"].into_iter().filter_map(quoted).collect();
    format!(
        "Authorization: Digest username=\"alice\"{returned}, uri=\"sip:example.com\", \
         response=\"0123456789abcdef0123456789abcdef\""
    )
}

fn use_phone(gateway: &Gateway, transport: &str, proxy: SocketAddr) -> Result<()> {
    let kamailio = Kamailio::start_with_digest(&gateway.inside, gateway.upstream(), ALICE[1])?;
    let local = SocketAddr::new(Family::V4.caller(), 5070);
    let mut phone = Baresip::start(&gateway.internet, local, transport, proxy, ALICE)?;
    phone.wait_until_registered()?;
    assert_eq!(kamailio.contacts("alice")?.len(), 1);

    let bob = SocketAddr::new(Family::V4.intruder(), 5071);
    kamailio.add_contact("bob", &format!("sip:bob@{bob}"))?;
    let answering = Sipp::answering(Scenario::Answer, bob).start(&gateway.inside)?;
    phone.dial("sip:bob@example.com")?;
    phone.wait_for_event("CALL_ESTABLISHED")?;
    phone.hang_up()?;
    phone.wait_for_event("CALL_CLOSED")?;
    expect_calls(&answering.stop()?, 1);

    let calling = Sipp::calling(Scenario::CallWithDigest, inside(Family::V4), gateway.upstream());
    let calling = calling.credentials("carol", ALICE[1]).to("alice");
    expect_calls(&calling.run(&gateway.inside)?, 1);
    phone.wait_for_event("CALL_CLOSED")
}
