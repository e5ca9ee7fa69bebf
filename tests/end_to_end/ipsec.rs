//! IKE and ESP are for the peers that may use them.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result};
use sbc_tests::{Family, Host};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::Expect as _,
};

const ESP: i32 = 50;

#[test]
fn ike_and_esp_of_a_listed_peer_pass_before_any_proof_and_those_of_others_are_dropped() -> Result<()>
{
    let gateway = carrier::opening(r#"["udp", "ipsec"]"#, &sources()).start()?;
    let status = gateway.status()?;
    assert!(status.grants()?.iter().all(|grant| grant.opens == ["tls", "ipsec"]), "{status}");
    for family in Family::ALL {
        for port in [500, 4500] {
            let ike = SocketAddr::new(family.gateway(), port);
            let daemon = Endpoint::bind(&gateway.edge, ike)?;
            for address in [family.elsewhere(), family.caller()] {
                let peer = Endpoint::bind(&gateway.internet, SocketAddr::new(address, port))?;
                peer.send(ike, &"an exchange")?;
            }
            // The first one to arrive is the second one that was sent.
            assert_eq!(daemon.hear()?.from.ip(), family.caller());
        }
        for address in [family.elsewhere(), family.caller()] {
            send_esp(&gateway.internet, address, family.gateway())?;
        }
    }
    let status = gateway.expect_verdicts(&[("trusted-source", 6), ("unknown-ipsec-peer", 6)])?;
    assert_eq!(status.verdict_over("trusted-source", "ipsec")?, 6);
    Ok(())
}

#[test]
fn where_no_peer_may_use_them_ike_and_esp_are_nobodys_business() -> Result<()> {
    let gateway = carrier::setup(&sources()).start()?;
    for family in Family::ALL {
        let ike = SocketAddr::new(family.gateway(), 500);
        let daemon = Endpoint::bind(&gateway.edge, ike)?;
        let stranger = Endpoint::bind(&gateway.internet, SocketAddr::new(family.elsewhere(), 500))?;
        stranger.send(ike, &"an exchange")?;
        daemon.hear()?;
        send_esp(&gateway.internet, family.elsewhere(), family.gateway())?;
    }
    gateway.expect_verdicts(&[])?;
    Ok(())
}

#[test]
fn an_operator_is_told_who_may_use_ike() -> Result<()> {
    let gateway = carrier::opening(r#"["ipsec"]"#, &sources()).start()?;
    for (source, expected) in [
        (Family::V6.caller(), "ike to [2001:db8:1::1]:500: pass (trusted-source)"),
        (Family::V4.elsewhere(), "ike to 198.51.100.1:500: drop (unknown-ipsec-peer)"),
    ] {
        let (status, said) = gateway.sbc(&["explain", &source.to_string()])?;
        assert!(status.success() && said.lines().any(|line| line == expected), "{said}");
    }
    Ok(())
}

/// Eight bytes are the shortest ESP header (RFC 4303 §2).
fn send_esp(host: &Host, from: IpAddr, to: IpAddr) -> Result<()> {
    let sent = host.enter(move || {
        let socket = Socket::new(
            Domain::for_address(SocketAddr::new(to, 0)),
            Type::RAW,
            Some(Protocol::from(ESP)),
        )?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        socket.send_to(&[0x5a; 8], &SocketAddr::new(to, 0).into())
    })?;
    sent.with_context(|| format!("ESP from {from} to {to}"))?;
    Ok(())
}
