//! Credentials that prove nothing.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Scenario, Setup, UdpCounters, udp_counters};

use crate::{
    calls::{ALICE, caller, challenging},
    digest::Login,
    endpoint::{Endpoint, Heard, ends},
    expectation::{Expect as _, expect_calls},
    request::Request,
};

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answer() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let gateway = setup.users("algorithms = [\"SHA-256\", \"MD5\"]", &[ALICE]).start()?;
    let phone = SocketAddr::new(Family::V4.caller(), 5070);
    let phone = Endpoint::bind(&gateway.internet, phone)?;
    for (method, status) in [("INVITE", 407), ("REGISTER", 401), ("OPTIONS", 407)] {
        let request = phone.request(method).with_body();
        let refusal = phone.ask(Family::V4.sip(), &request, status)?;
        let next = request.next();
        let answer_to = |login: Login<'_>| -> Result<Heard> {
            let answer = login.answer(&request, &refusal)?;
            // The same call, transaction and caller: the credentials are all that differs.
            let answer = Request { via: next.via.clone(), ..answer };
            phone.ask(Family::V4.sip(), &answer, status)
        };
        let wrong = answer_to(Login("alice", "guess"))?;
        let unknown = answer_to(Login("nobody", "guess"))?;
        assert_eq!(without_nonces(&wrong.text), without_nonces(&unknown.text));
        assert!(!wrong.text.contains("stale"), "{}", wrong.text);
    }
    let status = gateway.expect_outcomes(&[("challenged", 3), ("wrong-credentials", 6)])?;
    assert!(status.grants()?.is_empty());
    gateway.expect_verdicts(&[("unknown-within-budget", 9)])?;
    assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    Ok(())
}

#[test]
fn a_caller_who_guesses_is_challenged_again_and_never_promoted() -> Result<()> {
    let gateway = challenging("").start()?;
    for (user, calls) in [("alice", 1), ("nobody", 2)] {
        let guessing = caller(Scenario::RefusedCall, Family::V4).credentials(user, "guess");
        expect_calls(&guessing.run(&gateway.internet)?, 1);
        // Each is challenged, guesses, is challenged again, and acknowledges both.
        let outcomes =
            [("challenged", calls), ("wrong-credentials", calls), ("own-ack", 2 * calls)];
        gateway.expect_outcomes(&outcomes)?;
    }
    let status = gateway.expect_verdicts(&[("unknown-within-budget", 8)])?;
    assert!(status.grants()?.is_empty());
    assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    Ok(())
}

#[test]
fn an_answer_counts_once_and_only_from_where_it_was_asked() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let gateway = setup.users("algorithms = [\"SHA-256\"]", &[ALICE]).start()?;
    let upstream = Endpoint::bind(&gateway.inside, Family::V4.upstream())?;
    let bind = |address| Endpoint::bind(&gateway.internet, SocketAddr::new(address, 5070));
    let (phone, thief) = (bind(Family::V4.caller())?, bind(Family::V4.neighbour())?);
    let to = Family::V4.sip();
    let options = phone.request("OPTIONS").with_body();
    let refusal = phone.ask(to, &options, 407)?;
    let answered = Login("alice", "secret").answer(&options, &refusal)?;
    // The thief saw it on its way, and was faster.
    thief.ask(to, &answered, 407)?;
    phone.send(to, &answered)?;
    upstream.hear()?;
    // A retransmission is not a replay; the same answer in another request is.
    phone.send(to, &answered)?;
    upstream.hear()?;
    let replayed = Request { call_id: "another".to_owned(), ..answered };
    assert!(phone.ask(to, &replayed, 407)?.text.contains("stale=true"));
    gateway.expect_outcomes(&[
        ("challenged", 1),
        ("foreign-nonce", 1),
        ("request-relayed-inwards", 2),
        ("replayed-credentials", 1),
    ])?;
    gateway.expect_proven(&[["198.51.100.7:5070", "digest", "user alice"]])?;
    Ok(())
}

#[test]
fn the_route_of_a_call_admits_nobody_but_its_caller() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let gateway = setup.users("algorithms = [\"SHA-256\"]", &[ALICE]).start()?;
    let (phone, upstream) = ends(&gateway)?;
    let to = Family::V4.sip();
    let invite = phone.request("INVITE").with_body();
    let refusal = phone.ask(to, &invite, 407)?;
    let invite = Login("alice", "secret").answer(&invite, &refusal)?;
    phone.send(to, &invite)?;
    let arrived = upstream.hear()?;
    upstream.send(arrived.from, &arrived.answer("200 OK", &["Contact: <sip:pbx@10.0.0.5>"]))?;
    let answer = phone.hear()?;

    let bye = answer.follow_up(&invite, "BYE").with_body();
    // Another port is another phone; and a call's route is none in another call.
    let thief = SocketAddr::new(Family::V4.caller(), 5072);
    let thief = Endpoint::bind(&gateway.internet, thief)?;
    thief.ask(to, &bye, 407)?;
    let another = Request { call_id: "another".to_owned(), ..bye.clone() };
    phone.ask(to, &another, 407)?;
    thief.send(to, &answer.follow_up(&invite, "ACK"))?;
    phone.send(to, &bye)?;
    assert!(upstream.hear()?.start_line().starts_with("BYE "));
    gateway.expect_outcomes(&[
        ("challenged", 3),
        ("unchallengeable", 1),
        ("request-relayed-inwards", 2),
        ("response-relayed-outwards", 1),
    ])?;
    assert!(!upstream.has_heard()?);
    Ok(())
}

#[test]
fn a_user_may_call_as_nobody_else() -> Result<()> {
    let gateway = challenging("").start()?;
    let posing = caller(Scenario::RefusedCall, Family::V4).from("bob");
    let calls = posing.run(&gateway.internet)?;
    expect_calls(&calls, 1);
    assert!(calls.messages.contains("SIP/2.0 403 "), "{}", calls.messages);
    let outcomes = [("challenged", 1), ("identity-not-allowed", 1), ("own-ack", 2)];
    let status = gateway.expect_outcomes(&outcomes)?;
    assert!(status.grants()?.is_empty());
    assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    Ok(())
}

/// What may differ between two answers to the same request.
fn without_nonces(message: &str) -> String {
    let mut parts = message.split("nonce=\"");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once('"').map_or("", |(_, rest)| rest);
    }
    text
}
