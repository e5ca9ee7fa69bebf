//! Everything that may be said in a call and beside one, through the border in both directions.
//!
//! Each dialog is gone through by both ends: by sipp outside with sipp behind the border, and the other way round,
//! where the proxy in between finds the phone by the Path of its registration.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Gateway, Kamailio, Scenario, Sipp};

use crate::{
    called_phone::inside,
    calls::{caller, challenging},
    expectation::{Expect as _, expect_calls},
    listed_peer::trusting_to_be,
};

/// Whoever sipp calls as.
const ANYBODY: &str = r#"["*@example.com"]"#;

/// What one end says, and the other.
const DIALOGS: [(Scenario, Scenario); 4] = [
    (Scenario::ReliableCall, Scenario::AnswerReliably),
    (Scenario::EventfulCall, Scenario::AnswerEventfully),
    (Scenario::Subscription, Scenario::Notify),
    (Scenario::Message, Scenario::TakeMessage),
];

#[test]
fn every_method_passes_between_a_caller_outside_and_the_system_inside_over_udp() -> Result<()> {
    for family in Family::ALL {
        let gateway = trusting_to_be(ANYBODY).upstream(family).start()?;
        call_inwards(&gateway, |scenario| caller(scenario, family))?;
        gateway.expect_outcomes(&[
            ("request-relayed-inwards", 17),
            ("request-relayed-outwards", 11),
            ("response-relayed-inwards", 10),
            ("response-relayed-outwards", 15),
        ])?;
    }
    Ok(())
}

#[test]
fn every_method_passes_between_a_caller_outside_and_the_system_inside_over_tcp() -> Result<()> {
    let gateway = trusting_to_be(ANYBODY).start()?;
    call_inwards(&gateway, |scenario| caller(scenario, Family::V4).over_tcp())
}

#[test]
fn every_method_passes_between_a_caller_inside_and_a_phone_over_udp() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").upstream(family).start()?;
        let _kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
        expect_calls(&caller(Scenario::RegistrationBehindNat, family).run(&gateway.internet)?, 1);
        for (near, far) in DIALOGS {
            let phone = Sipp::answering(far, SocketAddr::new(family.caller(), 5070));
            let phone = phone.start(&gateway.internet)?;
            let calling = Sipp::calling(near, inside(family), gateway.upstream()).to("alice");
            expect_calls(&calling.run(&gateway.inside)?, 1);
            expect_calls(&phone.stop()?, 1);
        }
    }
    Ok(())
}

/// Each dialog from outside inwards, as this caller has it.
fn call_inwards(gateway: &Gateway, calling: impl Fn(Scenario) -> Sipp) -> Result<()> {
    for (near, far) in DIALOGS {
        let answering = Sipp::answering(far, gateway.upstream()).start(&gateway.inside)?;
        expect_calls(&calling(near).run(&gateway.internet)?, 1);
        expect_calls(&answering.stop()?, 1);
    }
    Ok(())
}
