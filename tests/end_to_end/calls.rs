//! Whole calls of users who answer a challenge.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Calls, Family, Gateway, Scenario, Setup, Sipp, UdpCounters, udp_counters};

use crate::{
    digest::Login,
    endpoint::Endpoint,
    expectation::{Expect as _, expect_calls},
};

pub(crate) const ALICE: [&str; 2] = ["alice", "secret"];

#[test]
fn an_invite_without_credentials_gets_one_407_and_goes_no_further() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").start()?;
        let calling = caller(Scenario::ChallengedInvite, family).credentials("alice", "");
        let calls = calling.run(&gateway.internet)?;
        expect_calls(&calls, 1);
        assert_eq!(calls.messages.matches("SIP/2.0 407 ").count(), 1, "{}", calls.messages);
        gateway.expect_verdicts(&[("unknown-within-budget", 2)])?;
        let status = gateway.expect_outcomes(&[("challenged", 1), ("own-ack", 1)])?;
        assert!(status.grants()?.is_empty());
        assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    }
    Ok(())
}

#[test]
fn with_correct_credentials_a_stranger_makes_a_whole_call() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").upstream(family).start()?;
        let calls = call(&gateway, &caller(Scenario::CallWithDigest, family))?;
        assert_eq!(calls.messages.matches("SIP/2.0 407 ").count(), 1, "{}", calls.messages);
        // Two INVITEs and the ACK to the 407 as a stranger's; ACK and BYE as a proven source's.
        gateway.expect_verdicts(&[("unknown-within-budget", 3), ("trusted-source", 2)])?;
        let source = SocketAddr::new(family.caller(), 5070).to_string();
        let status = gateway.expect_proven(&[[&source, "digest", "user alice"]])?;
        assert_eq!(status.grant(&source)?.unwrap().opens, ["udp"]);
    }
    Ok(())
}

#[test]
fn what_an_answer_to_a_challenge_opened_closes_after_its_lifetime() -> Result<()> {
    let gateway = challenging("lifetime = \"2s\"").start()?;
    call(&gateway, &caller(Scenario::CallWithDigest, Family::V4))?;
    gateway.expect_verdicts(&[("unknown-within-budget", 3), ("trusted-source", 2)])?;
    gateway.expect_proven(&[])?;
    let phone = SocketAddr::new(Family::V4.caller(), 5070);
    let phone = Endpoint::bind(&gateway.internet, phone)?;
    phone.ask(Family::V4.sip(), &phone.request("INVITE").with_body(), 407)?;
    gateway.expect_verdicts(&[
        ("unknown-within-budget", 3),
        ("trusted-source", 2),
        ("on-probation", 1),
    ])?;
    Ok(())
}

#[test]
fn a_listed_source_is_let_up_and_challenged_all_the_same() -> Result<()> {
    for family in Family::ALL {
        let gateway = office().start()?;
        call(&gateway, &caller(Scenario::CallWithDigest, family))?;
        gateway.expect_verdicts(&[("trusted-source", 5)])?;
        let elsewhere = SocketAddr::new(family.elsewhere(), 5070);
        let elsewhere = Endpoint::bind(&gateway.internet, elsewhere)?;
        elsewhere.send(family.sip(), &elsewhere.request("INVITE").with_body())?;
        gateway.expect_verdicts(&[("trusted-source", 5), ("unknown-source", 1)])?;
    }
    Ok(())
}

#[test]
fn a_listed_source_calls_over_tcp() -> Result<()> {
    for family in Family::ALL {
        let gateway = office().upstream(family).start()?;
        call(&gateway, &caller(Scenario::CallWithDigest, family).over_tcp())?;
        let status = gateway.status()?;
        assert_eq!((status.received("tcp")?, status.received("udp")?), (5, 0));
        assert!(status.verdict("trusted-source")? >= 5, "{status}");
        assert_eq!(status.verdict("unknown-source")?, 0);
    }
    Ok(())
}

#[test]
fn sha_256_is_offered_first_and_proves_as_much() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let gateway = setup.users("algorithms = [\"SHA-256\", \"MD5\"]", &[ALICE]).start()?;
    for family in Family::ALL {
        let phone = SocketAddr::new(family.caller(), 5070);
        let phone = Endpoint::bind(&gateway.internet, phone)?;
        let upstream = Endpoint::bind(&gateway.inside, Family::V4.upstream())?;
        let invite = phone.request("INVITE").with_body();
        let refusal = phone.ask(family.sip(), &invite, 407)?;
        let [sha, md5] = refusal.headers("Proxy-Authenticate").try_into().unwrap();
        assert!(sha.contains("algorithm=SHA-256,") && md5.contains("algorithm=MD5,"));
        let invite = Login("alice", "secret").answer(&invite, &refusal)?;
        phone.send(family.sip(), &invite)?;
        let arrived = upstream.hear()?;
        assert_eq!(arrived.start_line(), "INVITE sip:callee@example.com SIP/2.0");
        assert_eq!(arrived.body(), invite.body);
        let contact = "Contact: <sip:pbx@10.0.0.5>";
        upstream.send(arrived.from, &arrived.answer("200 OK", &[contact]))?;
        let answer = phone.hear()?;
        assert_eq!(answer.start_line(), "SIP/2.0 200 OK");

        for method in ["ACK", "BYE"] {
            phone.send(family.sip(), &answer.follow_up(&invite, method))?;
            assert!(upstream.hear()?.start_line().starts_with(method));
        }
    }
    gateway.expect_outcomes(&[
        ("challenged", 2),
        ("request-relayed-inwards", 6),
        ("response-relayed-outwards", 2),
    ])?;
    gateway.expect_verdicts(&[("unknown-within-budget", 4), ("trusted-source", 4)])?;
    Ok(())
}

#[test]
fn a_user_is_trusted_at_no_more_places_than_configured() -> Result<()> {
    let users = "algorithms = [\"SHA-256\"]\nsources-per-user = 2";
    let setup = Setup::new().challenging_strangers().users(users, &[ALICE]);
    let gateway = setup.start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    for port in [5071, 5072, 5073] {
        let phone = SocketAddr::new(Family::V4.caller(), port);
        let phone = Endpoint::bind(&gateway.internet, phone)?;
        let options = phone.request("OPTIONS").with_body();
        let refusal = phone.ask(Family::V4.sip(), &options, 407)?;
        let answer = Login("alice", "secret").answer(&options, &refusal)?;
        phone.send(Family::V4.sip(), &answer)?;
        upstream.hear()?;
    }
    // The oldest made room.
    let sources = ["198.51.100.7:5072", "198.51.100.7:5073"];
    gateway.expect_proven(&sources.map(|source| [source, "digest", "user alice"]))?;
    Ok(())
}

/// Strangers are challenged, with what sipp understands.
pub(crate) fn challenging(lines: &str) -> Setup {
    let users = format!("algorithms = [\"MD5\"]\n{lines}");
    Setup::new().challenging_strangers().users(&users, &[ALICE, ["bob", "hidden"]])
}

/// Strangers are dropped, and those whose addresses are listed have to answer a challenge.
fn office() -> Setup {
    let sources = Family::SOURCES;
    Setup::new().users("algorithms = [\"MD5\"]", &[ALICE]).table(&format!(
        "[[peer]]\nname = \"office\"\nrequire = [\"static\", \"digest\"]\nsources = {sources}\n\
         opens = [\"udp\", \"tcp\"]\nmay-assert = [\"*@example.com\"]"
    ))
}

/// One who knows Alice's password.
pub(crate) fn caller(scenario: Scenario, family: Family) -> Sipp {
    let local = SocketAddr::new(family.caller(), 5070);
    Sipp::calling(scenario, local, family.sip()).credentials("alice", "secret")
}

/// A whole call, that begins with a challenge and ends with BYE, as all three parties saw it.
fn call(gateway: &Gateway, caller: &Sipp) -> Result<Calls> {
    let target = gateway.upstream();
    let answering = Sipp::answering(Scenario::Answer, target).start(&gateway.inside)?;
    let calls = caller.run(&gateway.internet)?;
    expect_calls(&calls, 1);
    expect_calls(&answering.stop()?, 1);
    gateway.expect_outcomes(&[
        ("challenged", 1),
        ("own-ack", 1),
        ("request-relayed-inwards", 3),
        ("response-relayed-outwards", 3),
    ])?;
    Ok(calls)
}
