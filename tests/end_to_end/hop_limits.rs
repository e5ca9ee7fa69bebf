//! A peer's TLS connection tells how far away it is, and its UDP is held against that.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Gateway, Setup};

use crate::{
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::Expect as _,
    syn_flood::set_cookies,
};

/// What every host here sends with, and the gateway is next to all of them.
const USUAL: u32 = 64;
const STRANGE: u32 = 57;

fn setup(hop_limits: &str, lines: &str) -> Setup {
    carrier::setup(lines).kernel(&format!("hop-limits = \"{hop_limits}\""))
}

/// Sends a request from the peer's address, as the peer or as somebody at another distance.
fn send(gateway: &Gateway, family: Family, hop_limit: u32) -> Result<()> {
    let peer = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5070))?;
    peer.set_hop_limit(hop_limit)?;
    peer.send(family.sip(), &peer.request("OPTIONS"))
}

#[test]
fn while_observing_what_comes_from_elsewhere_in_a_peers_name_is_counted_and_passes() -> Result<()> {
    for family in Family::ALL {
        let gateway = setup("observe", &sources()).start()?;
        let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
        let client = carrier::connect(&gateway, family)?;
        let address = family.caller().to_string();
        let status =
            gateway.wait_for_status("the proof", |status| Ok(status.grant(&address)?.is_some()))?;
        assert_eq!(status.grant(&address)?.unwrap().hop_limits, Some([61, 67]), "{status}");
        assert!(status.networks()?.iter().all(|it| it.hop_limits.is_none()), "{status}");
        for hop_limit in [USUAL, STRANGE] {
            send(&gateway, family, hop_limit)?;
            upstream.hear()?;
        }
        gateway.expect_verdicts(&[("trusted-source", 1), ("suspect-source", 1)])?;
        client.close()?;
    }
    Ok(())
}

#[test]
fn while_enforcing_it_is_dropped_and_the_peer_itself_passes() -> Result<()> {
    for family in Family::ALL {
        let gateway = setup("enforce", &sources()).start()?;
        let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
        let client = carrier::connect(&gateway, family)?;
        let address = family.caller().to_string();
        gateway.wait_for_status("the proof", |status| Ok(status.grant(&address)?.is_some()))?;
        for hop_limit in [STRANGE, USUAL + 100, USUAL] {
            send(&gateway, family, hop_limit)?;
        }
        upstream.hear()?;
        // Another host of the peer's network may be anywhere.
        let neighbour =
            Endpoint::bind(&gateway.internet, SocketAddr::new(family.neighbour(), 5070))?;
        neighbour.set_hop_limit(STRANGE)?;
        neighbour.send(family.sip(), &neighbour.request("OPTIONS"))?;
        upstream.hear()?;
        gateway.expect_verdicts(&[("trusted-source", 2), ("strange-hop-limit", 2)])?;

        let (_, said) = gateway.sbc(&["explain", &address])?;
        assert!(said.contains("peer carrier, hop limits 61 to 67, "), "{said}");
        let expected = format!("udp invite to {}: pass (trusted-source)", family.sip());
        assert!(said.lines().any(|line| line == expected), "{said}");
        let (_, said) = gateway.sbc(&["status"])?;
        assert!(said.contains("peer carrier, hop limits 61 to 67\n"), "{said}");
        client.close()?;
    }
    Ok(())
}

#[test]
fn switched_off_nothing_is_learned() -> Result<()> {
    let gateway = setup("off", "").start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let _client = carrier::connect(&gateway, Family::V4)?;
    let address = Family::V4.caller().to_string();
    let status =
        gateway.wait_for_status("the proof", |status| Ok(status.grant(&address)?.is_some()))?;
    assert_eq!(status.grant(&address)?.unwrap().hop_limits, None);
    send(&gateway, Family::V4, STRANGE)?;
    upstream.hear()?;
    gateway.expect_verdicts(&[("trusted-source", 1)])?;
    Ok(())
}

#[test]
fn a_connection_under_syn_cookies_is_held_to_what_an_earlier_one_told() -> Result<()> {
    let gateway = setup("enforce", "on-disconnect = \"remove\"").start()?;
    let address = Family::V4.caller().to_string();
    let told = "hop limits 61 to 67";
    for (cookies, said) in [(2, "distance unknown"), (1, told), (2, told)] {
        set_cookies(&gateway, cookies)?;
        let client = carrier::connect(&gateway, Family::V4)?;
        gateway.wait_for_status("the proof", |status| Ok(status.grant(&address)?.is_some()))?;
        let (_, status) = gateway.sbc(&["status"])?;
        assert!(status.contains(&format!("peer carrier, {said}\n")), "{cookies}: {status}");
        client.close()?;
        gateway.wait_for_status("its end", |status| Ok(status.grant(&address)?.is_none()))?;
    }
    Ok(())
}
