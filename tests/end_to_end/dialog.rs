//! What happens in a call after its INVITE.

use anyhow::Result;
use sbc_tests::{Family, Gateway, Scenario, Sipp};

use crate::{
    calls::{caller, challenging},
    expectation::{Counts, Expect as _, expect_calls},
    listed_peer::trusting_to_be,
};

/// Whoever sipp calls as.
const ANYBODY: &str = r#"["*@example.com"]"#;

#[test]
fn the_callee_hangs_up() -> Result<()> {
    for family in Family::ALL {
        let gateway = trusting_to_be(ANYBODY).upstream(family).start()?;
        // INVITE and ACK inwards, and the answer to the BYE; 180, 200 and the BYE outwards.
        let outcomes = [
            ("request-relayed-inwards", 2),
            ("request-relayed-outwards", 1),
            ("response-relayed-inwards", 1),
            ("response-relayed-outwards", 2),
        ];
        run(&gateway, &caller(Scenario::HeldCall, family), Scenario::HangUp, &outcomes)?;
    }
    Ok(())
}

#[test]
fn the_callee_hangs_up_on_a_caller_over_tcp() -> Result<()> {
    let gateway = trusting_to_be(ANYBODY).start()?;
    let outcomes = [
        ("request-relayed-inwards", 2),
        ("request-relayed-outwards", 1),
        ("response-relayed-inwards", 1),
        ("response-relayed-outwards", 2),
    ];
    let calling = caller(Scenario::HeldCall, Family::V4).over_tcp();
    run(&gateway, &calling, Scenario::HangUp, &outcomes)
}

#[test]
fn a_call_is_changed_by_a_second_invite() -> Result<()> {
    let gateway = trusting_to_be(ANYBODY).start()?;
    // Two INVITEs, each with its ACK, and the BYE; 180 and three times 200.
    let outcomes = [("request-relayed-inwards", 5), ("response-relayed-outwards", 4)];
    run(&gateway, &caller(Scenario::ChangedCall, Family::V4), Scenario::AnswerChange, &outcomes)
}

#[test]
fn the_caller_gives_up_while_it_rings() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").start()?;
        // INVITE, CANCEL and the ACK to the 487; 180, 200 to the CANCEL, and 487.
        let outcomes = [
            ("challenged", 1),
            ("own-ack", 1),
            ("request-relayed-inwards", 3),
            ("response-relayed-outwards", 3),
        ];
        run(&gateway, &caller(Scenario::CancelledCall, family), Scenario::Ring, &outcomes)?;
    }
    Ok(())
}

#[test]
fn the_caller_gives_up_over_tcp_while_it_rings() -> Result<()> {
    let gateway = challenging("").start()?;
    let outcomes = [
        ("challenged", 1),
        ("own-ack", 1),
        ("request-relayed-inwards", 3),
        ("response-relayed-outwards", 3),
    ];
    let calling = caller(Scenario::CancelledCall, Family::V4).over_tcp();
    run(&gateway, &calling, Scenario::Ring, &outcomes)
}

#[test]
fn the_callee_is_busy() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").start()?;
        let outcomes = [
            ("challenged", 1),
            ("own-ack", 1),
            ("request-relayed-inwards", 2),
            ("response-relayed-outwards", 1),
        ];
        run(&gateway, &caller(Scenario::BusyCall, family), Scenario::Busy, &outcomes)?;
    }
    Ok(())
}

#[test]
fn ten_calls_do_not_mix() -> Result<()> {
    let gateway = challenging("").start()?;
    let answering = Sipp::answering(Scenario::Answer, gateway.upstream()).start(&gateway.inside)?;
    let calling = caller(Scenario::CallWithDigest, Family::V4).calls(10);
    expect_calls(&calling.run(&gateway.internet)?, 10);
    expect_calls(&answering.stop()?, 10);
    gateway.expect_outcomes(&[
        ("challenged", 10),
        ("own-ack", 10),
        ("request-relayed-inwards", 30),
        ("response-relayed-outwards", 30),
    ])?;
    gateway.expect_proven(&[["198.51.100.7:5070", "digest", "user alice"]])?;
    Ok(())
}

/// One call, gone through by both ends, with these outcomes in between.
fn run(gateway: &Gateway, calling: &Sipp, far: Scenario, outcomes: Counts<'_>) -> Result<()> {
    let answering = Sipp::answering(far, gateway.upstream()).start(&gateway.inside)?;
    expect_calls(&calling.run(&gateway.internet)?, 1);
    expect_calls(&answering.stop()?, 1);
    gateway.expect_outcomes(outcomes)?;
    Ok(())
}
