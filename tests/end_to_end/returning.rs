//! Those who come back after an outage, all at once.

use std::time::Instant;

use anyhow::Result;
use sbc_tests::{Family, Gateway, Scenario, Setup, Sipp, wait_until};

use crate::{
    calls::caller,
    expectation::{SOON, expect_calls},
};

const PHONES: u32 = 5000;

/// The office's address is shared by all of its phones, each with a port of its own.
#[test]
fn five_thousand_phones_behind_one_address_register_again_at_once() -> Result<()> {
    let gateway = office(PHONES)?;
    let answering = Sipp::answering(Scenario::Answer, gateway.upstream());
    let answering = answering.start(&gateway.inside)?;
    // One of them did before the outage; it is what makes the address known.
    let early = caller(Scenario::Registration, Family::V4).credentials("phone0", "secret0");
    expect_calls(&early.run(&gateway.internet)?, 1);

    let phones = caller(Scenario::RegistrationOfMany, Family::V4).phones(&users(PHONES))?;
    let start = Instant::now();
    let calls = phones.rate(PHONES).run(&gateway.internet)?;

    let took = start.elapsed();
    println!("all were back after {:.1} s", took.as_secs_f64());
    expect_calls(&calls, PHONES.into());
    for refusal in ["SIP/2.0 403", "SIP/2.0 503", "SIP/2.0 500"] {
        assert!(!calls.messages.contains(refusal), "somebody was denied by {refusal}");
    }
    wait_until("the end of all registrations behind", SOON, || {
        Ok(answering.calls()?.successful >= PHONES.into())
    })?;
    Ok(())
}

/// Strangers are challenged within the default budget.
fn office(phones: u32) -> Result<Gateway> {
    let users = users(phones);
    let users: Vec<[&str; 2]> =
        users.iter().map(|user| user.each_ref().map(String::as_str)).collect();
    Setup::new().challenging_strangers().users("algorithms = [\"MD5\"]", &users).start()
}

fn users(phones: u32) -> Vec<[String; 2]> {
    (0..phones).map(|number| [format!("phone{number}"), format!("secret{number}")]).collect()
}
