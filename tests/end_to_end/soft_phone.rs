//! A phone that people use, baresip, behind the border's digest: it registers, calls and is called.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Baresip, Family, Gateway, Kamailio, Scenario, Sipp};

use crate::{
    called_phone::inside,
    calls::{ALICE, challenging},
    expectation::{Expect as _, expect_calls},
};

#[test]
fn baresip_registers_calls_and_is_called_over_udp() -> Result<()> {
    let gateway = challenging("").start()?;
    use_phone(&gateway, "udp", Family::V4.sip())?;
    gateway.expect_proven(&[["198.51.100.7:5070", "digest", "user alice"]])?;
    Ok(())
}

#[test]
fn baresip_registers_calls_and_is_called_over_tcp() -> Result<()> {
    let gateway = challenging("").start()?;
    use_phone(&gateway, "tcp", Family::V4.sip())
}

#[test]
fn baresip_registers_calls_and_is_called_over_tls() -> Result<()> {
    let gateway = challenging("").tls("request").start()?;
    use_phone(&gateway, "tls", Family::V4.sips())
}

#[test]
fn two_of_them_call_each_other_one_outside_over_tls_and_one_inside() -> Result<()> {
    let gateway = challenging("").tls("request").start()?;
    let _kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    let places = [Family::V4.caller(), Family::V4.intruder()];
    let [outside, inside] = places.map(|address| SocketAddr::new(address, 5070));
    let (internet, system) = (&gateway.internet, gateway.upstream());
    let mut alice = Baresip::start(internet, outside, "tls", Family::V4.sips(), ALICE)?;
    let mut bob = Baresip::start(&gateway.inside, inside, "udp", system, ["bob", ""])?;
    alice.wait_until_registered()?;
    bob.wait_until_registered()?;
    call(&mut alice, &mut bob, "sip:bob@example.com")?;
    call(&mut bob, &mut alice, "sip:alice@example.com")
}

/// One calls the other, who hangs up.
fn call(one: &mut Baresip, other: &mut Baresip, uri: &str) -> Result<()> {
    one.dial(uri)?;
    other.wait_for_event("CALL_ESTABLISHED")?;
    one.wait_for_event("CALL_ESTABLISHED")?;
    other.hang_up()?;
    one.wait_for_event("CALL_CLOSED")?;
    other.wait_for_event("CALL_CLOSED")
}

fn use_phone(gateway: &Gateway, transport: &str, proxy: SocketAddr) -> Result<()> {
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
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

    for scenario in [Scenario::Call, Scenario::ChangedCall] {
        let calling = Sipp::calling(scenario, inside(Family::V4), gateway.upstream());
        expect_calls(&calling.to("alice").run(&gateway.inside)?, 1);
        phone.wait_for_event("CALL_CLOSED")?;
    }
    let held = Sipp::calling(Scenario::HeldCall, inside(Family::V4), gateway.upstream());
    let held = held.to("alice").start(&gateway.inside)?;
    phone.wait_for_event("CALL_ESTABLISHED")?;
    phone.hang_up()?;
    expect_calls(&held.finish()?, 1);
    Ok(())
}
