//! A TLS handshake opens the kernel for its peer.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Gateway, Scenario, Sipp, UdpCounters, udp_counters, wait_until};

use crate::{
    calls::ALICE,
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::{Expect as _, SOON, expect_calls},
    request::Request,
};

/// The networks of [`sources`], as grants, while the carrier's proof lasts.
pub(crate) const NETWORKS: [[&str; 3]; 2] =
    [["198.51.100.0/28", "tls", "peer carrier"], ["2001:db8:1::/124", "tls", "peer carrier"]];

/// The same before and after: they are listed, and may prove themselves.
pub(crate) const LISTED: [[&str; 3]; 2] =
    [["198.51.100.0/28", "static", "peer carrier"], ["2001:db8:1::/124", "static", "peer carrier"]];

#[test]
fn a_tls_peers_call_over_udp_goes_through_from_its_sources() -> Result<()> {
    for family in Family::ALL {
        let gateway = carrier::setup(&sources()).upstream(family).start()?;
        let status = gateway.expect_grants(&LISTED)?;
        assert!(status.grants()?.iter().all(|grant| grant.opens == ["tls"]), "{status}");
        probe_in_vain(&gateway, family, "transport-not-opened")?;
        let client = carrier::connect(&gateway, family)?;
        let status = gateway.expect_networks(&NETWORKS)?;
        assert!(status.grants()?.iter().all(|grant| grant.opens == ["udp", "tls"]), "{status}");
        call(&gateway, family, SocketAddr::new(family.neighbour(), 5070), family.upstream())?;
        let status =
            gateway.expect_verdicts(&[("transport-not-opened", 1), ("trusted-source", 3)])?;
        // Not one segment of its connection was under the limits of strangers.
        assert!(status.verdict_over("trusted-source", "tls")? > 0, "{status}");
        assert_eq!(status.verdict("tls-reachable")?, 0, "{status}");
        client.close()?;
    }
    Ok(())
}

#[test]
fn a_listed_peer_connects_while_strangers_have_spent_what_they_may_attempt() -> Result<()> {
    let limits = "[limits]\ntls-attempts = \"1/s\"\ntls-attempts-per-network = \"1/s\"";
    let gateway = carrier::setup(&sources()).table(limits).start()?;
    let stranger = Family::V4.elsewhere().to_string();
    wait_until("a stranger's attempt to be dropped", SOON, || {
        let (_, said) = gateway.sbc(&["explain", &stranger])?;
        Ok(said.contains("tls syn to 198.51.100.1:5061: drop (tls-neighbourhood-spent)"))
    })?;
    let attempted = gateway.status()?.verdict("tls-reachable")?;
    let client = carrier::connect(&gateway, Family::V4)?;
    let status = gateway.expect_networks(&NETWORKS)?;
    assert_eq!(status.verdict("tls-reachable")?, attempted, "{status}");
    assert!(status.verdict_over("trusted-source", "tls")? > 0, "{status}");
    client.close()
}

#[test]
fn a_tls_peer_without_sources_opens_the_address_that_it_came_from() -> Result<()> {
    for family in Family::ALL {
        let gateway = carrier::setup("").start()?;
        probe_in_vain(&gateway, family, "unknown-source")?;
        let client = carrier::connect(&gateway, family)?;
        let address = family.caller().to_string();
        let status = gateway.expect_grants(&[[&address, "tls", "peer carrier"]])?;
        let grant = status.grant(&address)?.unwrap();
        assert_eq!((grant.opens.join(","), grant.connections), ("udp,tls".to_owned(), 1));
        // Here the two sides of the call are of different families half of the time.
        let upstream = Family::V4.upstream();
        call(&gateway, family, SocketAddr::new(family.caller(), 5070), upstream)?;

        let neighbour = SocketAddr::new(family.neighbour(), 5070);
        let neighbour = Endpoint::bind(&gateway.internet, neighbour)?;
        neighbour.send(family.sip(), &neighbour.request("OPTIONS"))?;
        let status = gateway.expect_verdicts(&[("unknown-source", 2), ("trusted-source", 3)])?;
        assert!(status.verdict_over("tls-reachable", "tls")? > 0, "{status}");
        client.close()?;
    }
    Ok(())
}

#[test]
fn the_proof_opens_only_the_transports_that_the_policy_names() -> Result<()> {
    let gateway = carrier::setup(&sources()).start()?;
    let _client = carrier::connect(&gateway, Family::V4)?;
    gateway.expect_networks(&NETWORKS)?;
    let connect = || {
        let patience = std::time::Duration::from_millis(200);
        std::net::TcpStream::connect_timeout(&Family::V4.sip(), patience)
    };
    gateway.internet.enter(connect)?.expect_err("somebody answered over TCP");
    gateway.expect_verdicts(&[("transport-not-opened", 1)])?;
    Ok(())
}

#[test]
fn over_its_connection_a_tls_peer_calls_and_is_called_back_without_a_challenge() -> Result<()> {
    let setup = carrier::setup(&sources()).users("algorithms = [\"SHA-256\"]", &[ALICE]);
    for family in Family::ALL {
        let gateway = setup.start()?;
        let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
        let mut client = carrier::connect(&gateway, family)?;
        let invite = Request::new("INVITE", "TLS", SocketAddr::new(family.caller(), 5061));
        client.send(invite.to_string())?;
        let arrived = upstream.hear()?;
        upstream.send(arrived.from, &arrived.answer("200 OK", &[]))?;
        let bye = Request {
            from: format!("{};tag=far", invite.to),
            to: invite.from.clone(),
            call_id: invite.call_id.clone(),
            ..upstream.request("BYE")
        };
        let routes = arrived.headers("Record-Route").join(", ");
        upstream.send(arrived.from, &bye.header(format!("Route: {routes}")))?;
        wait_until("an answer and a BYE", SOON, || {
            let said = client.output()?;
            Ok(said.contains("SIP/2.0 200 OK\r\n") && said.contains("BYE sip:callee@"))
        })?;
        let status = gateway.expect_outcomes(&[
            ("request-relayed-inwards", 1),
            ("response-relayed-outwards", 1),
            ("request-relayed-outwards", 1),
        ])?;
        assert_eq!((status.received("tls")?, status.received("udp")?), (1, 0));
    }
    Ok(())
}

#[test]
fn while_observing_clear_text_beside_a_peers_connection_still_lacks_its_proof() -> Result<()> {
    let gateway = carrier::setup("").observing().start()?;
    let _client = carrier::connect(&gateway, Family::V4)?;
    gateway.expect_grants(&[["198.51.100.7", "tls", "peer carrier"]])?;
    let upstream = Endpoint::bind(&gateway.inside, Family::V4.upstream())?;
    let send = |address| -> Result<()> {
        let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(address, 5070))?;
        phone.send(Family::V4.sip(), &phone.request("OPTIONS"))
    };
    send(Family::V4.neighbour())?;
    send(Family::V4.caller())?;
    assert!(upstream.hear()?.start_line().starts_with("OPTIONS "));
    gateway.expect_verdicts(&[("unknown-source", 1), ("trusted-source", 1)])?;
    gateway.expect_outcomes(&[("proof-missing", 1), ("request-relayed-inwards", 1)])?;
    assert_eq!(udp_counters(&gateway.inside)?.received_v4, 1);
    Ok(())
}

/// The peer's own address opens no clear text as long as nobody has shown the certificate.
fn probe_in_vain(gateway: &Gateway, family: Family, reason: &str) -> Result<()> {
    let before = gateway.edge_udp()?;
    let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5090))?;
    phone.send(family.sip(), &phone.request("INVITE"))?;
    let status = gateway.expect_verdicts(&[(reason, 1)])?;
    assert_eq!(gateway.edge_udp()? - before, UdpCounters::default());
    assert_eq!(status.received("udp")?, 0);
    Ok(())
}

/// A whole call from `local` to the upstream, seen by both ends and by the daemon in between.
fn call(gateway: &Gateway, family: Family, local: SocketAddr, upstream: SocketAddr) -> Result<()> {
    let answering = Sipp::answering(Scenario::Answer, upstream).start(&gateway.inside)?;
    let calling = Sipp::calling(Scenario::Call, local, family.sip());
    expect_calls(&calling.run(&gateway.internet)?, 1);
    expect_calls(&answering.stop()?, 1);
    // INVITE, ACK and BYE; 180 and 200 to the INVITE, 200 to the BYE.
    let status = gateway
        .expect_outcomes(&[("request-relayed-inwards", 3), ("response-relayed-outwards", 3)])?;
    assert_eq!(status.received("udp")?, 3);
    Ok(())
}
