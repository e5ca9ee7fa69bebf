//! Kamailio behind the border, as the registrar.

use anyhow::Result;
use sbc_tests::{Family, Kamailio, Scenario};

use crate::{
    calls::{caller, challenging},
    expectation::{Expect as _, expect_calls},
    listed_peer::trusting_to_be,
};

#[test]
fn a_registration_is_challenged_and_then_reaches_the_registrar() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").upstream(family).start()?;
        let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
        let calls = caller(Scenario::Registration, family).run(&gateway.internet)?;
        expect_calls(&calls, 1);
        assert_eq!(calls.messages.matches("SIP/2.0 401 ").count(), 1, "{}", calls.messages);
        let [contact] = kamailio.contacts("alice")?.try_into().unwrap();
        let host = calls.messages.split("Contact: <").nth(1).and_then(|it| it.split('>').next());
        assert_eq!(Some(contact.as_str()), host, "not what the phone said");
        gateway.expect_outcomes(&[
            ("challenged", 1),
            ("request-relayed-inwards", 1),
            ("response-relayed-outwards", 1),
        ])?;
        gateway.expect_verdicts(&[("unknown-within-budget", 2)])?;
    }
    Ok(())
}

#[test]
fn for_a_listed_source_the_registrars_own_challenge_passes_through() -> Result<()> {
    let gateway = trusting_to_be(r#"["*@example.com"]"#).start()?;
    let password = "the registrar's";
    let kamailio = Kamailio::start_with_digest(&gateway.inside, gateway.upstream(), password)?;
    let phone = caller(Scenario::Registration, Family::V4).credentials("bob", password);
    expect_calls(&phone.run(&gateway.internet)?, 1);
    assert_eq!(kamailio.contacts("bob")?.len(), 1);
    let outcomes = [("request-relayed-inwards", 2), ("response-relayed-outwards", 2)];
    gateway.expect_outcomes(&outcomes)?;
    gateway.expect_verdicts(&[("trusted-source", 2)])?;
    Ok(())
}

#[test]
fn nobody_registers_somebody_elses_address() -> Result<()> {
    let gateway = challenging("").start()?;
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    let posing = caller(Scenario::RefusedRegistration, Family::V4).from("bob");
    let calls = posing.run(&gateway.internet)?;
    expect_calls(&calls, 1);
    assert!(calls.messages.contains("SIP/2.0 403 "), "{}", calls.messages);
    let outcomes = [("challenged", 1), ("identity-not-allowed", 1)];
    let status = gateway.expect_outcomes(&outcomes)?;
    assert!(status.grants()?.is_empty());
    assert!(kamailio.contacts("bob")?.is_empty());
    assert!(kamailio.contacts("alice")?.is_empty());
    Ok(())
}

#[test]
fn a_wrong_password_registers_nobody() -> Result<()> {
    let gateway = challenging("").start()?;
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    let guessing = caller(Scenario::RefusedRegistration, Family::V4).credentials("alice", "guess");
    expect_calls(&guessing.run(&gateway.internet)?, 1);
    gateway.expect_outcomes(&[("challenged", 1), ("wrong-credentials", 1)])?;
    assert!(kamailio.contacts("alice")?.is_empty());
    Ok(())
}
