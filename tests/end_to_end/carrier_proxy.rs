//! A carrier whose proxy, Kamailio, hands calls over TLS with certificates on both sides.
//!
//! Calls begin at the carrier; what the callee sends in them goes back over the carrier's own connection.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Authority, Calls, Family, Gateway, Issued, Kamailio, Scenario, Scratch, Sipp};

use crate::{
    carrier::{self, CARRIER},
    expectation::{Expect as _, expect_calls},
};

/// What callers of the carrier do, and the other end.
const CALLS: [(Scenario, Scenario); 5] = [
    (Scenario::Call, Scenario::Answer),
    (Scenario::HeldCall, Scenario::HangUp),
    (Scenario::ReliableCall, Scenario::AnswerReliably),
    (Scenario::EventfulCall, Scenario::AnswerEventfully),
    (Scenario::Message, Scenario::TakeMessage),
];

#[test]
fn calls_of_a_carriers_proxy_go_through_over_mutual_tls() -> Result<()> {
    for family in Family::ALL {
        let gateway = carrier::setup("").upstream(family).start()?;
        let certificate = gateway.authority()?.issue(&CARRIER)?;
        let _proxy = proxy(&gateway, family, &certificate)?;
        for (near, far) in CALLS {
            let answering = Sipp::answering(far, gateway.upstream()).start(&gateway.inside)?;
            expect_calls(&call(&gateway, family, near)?, 1);
            expect_calls(&answering.stop()?, 1);
        }
        // It may connect from any of the addresses of its host.
        let status = gateway.status()?;
        let grants = status.grants()?;
        assert!(!grants.is_empty(), "{status}");
        assert!(
            grants.iter().all(|it| it.proof == "tls" && it.holder == "peer carrier"),
            "{status}"
        );
        assert!(status.received("tls")? > 0 && status.received("udp")? == 0, "{status}");
    }
    Ok(())
}

#[test]
fn a_proxy_with_a_certificate_of_another_authority_gets_no_call_through() -> Result<()> {
    let gateway = carrier::setup("").start()?;
    let elsewhere = Scratch::new()?;
    let forged = Authority::new(elsewhere.path(), "Trusted")?.issue(&CARRIER)?;
    let _proxy = proxy(&gateway, Family::V4, &forged)?;
    let calls = call(&gateway, Family::V4, Scenario::Call)?;
    assert_eq!((calls.successful, calls.failed), (0, 1), "{}", calls.messages);
    let status = gateway.expect_outcomes(&[])?;
    assert!(status.refused_connections()?.contains_key("certificate-invalid"), "{status}");
    assert!(status.grants()?.is_empty(), "{status}");
    Ok(())
}

/// The carrier's proxy, at the caller's address.
fn proxy<'a>(gateway: &'a Gateway, family: Family, certificate: &Issued) -> Result<Kamailio<'a>> {
    let authority = gateway.authority()?.certificate();
    let listen = SocketAddr::new(family.caller(), 5060);
    Kamailio::start_as_carrier(&gateway.internet, listen, family.sips(), &authority, certificate)
}

/// A call of one of the carrier's customers, who knows nothing but the carrier's proxy.
fn call(gateway: &Gateway, family: Family, scenario: Scenario) -> Result<Calls> {
    let customer = SocketAddr::new(family.neighbour(), 5070);
    let proxy = SocketAddr::new(family.caller(), 5060);
    Sipp::calling(scenario, customer, proxy).run(&gateway.internet)
}
