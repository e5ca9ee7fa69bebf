//! Trust ends by itself.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use sbc_tests::{Family, Gateway, wait_until};

use crate::{
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    promotion::{LISTED, NETWORKS},
};

#[test]
fn a_connection_renews_its_entry_which_outlives_it_by_its_lifetime_and_no_longer() -> Result<()> {
    let gateway = carrier::setup(&(sources() + "lifetime = \"2s\"\n")).start()?;
    let probe = Probe::new(&gateway)?;
    let client = carrier::connect(&gateway, Family::V4)?;
    gateway.expect_networks(&NETWORKS)?;

    // Twice the lifetime and more, in which not one request is lost.
    let (start, mut passed) = (Instant::now(), 0);
    wait_until("five seconds of requests that pass", SOON, || {
        probe.passes()?;
        passed += 1;
        Ok(start.elapsed() > Duration::from_secs(5))
    })?;
    let status = gateway.expect_verdicts(&[("trusted-source", passed)])?;
    assert_eq!(status.outcome("request-relayed-inwards")?, passed);
    assert!(status.grants()?.iter().all(|grant| grant.connections == 1), "{status}");

    client.close()?;
    let status = gateway.wait_for_status("the connection's end", |status| {
        Ok(status.grants()?.iter().all(|grant| grant.connections == 0))
    })?;
    assert!(status.grants()?.iter().all(|grant| grant.expires_in <= Some(2)), "{status}");
    probe.passes()?;
    let closed = Instant::now();
    gateway.expect_grants(&LISTED)?;
    assert!(closed.elapsed() > Duration::from_secs(1), "a lifetime that was no lifetime");
    probe.is_sent()?;
    gateway.expect_verdicts(&[("trusted-source", passed + 1), ("transport-not-opened", 1)])?;
    Ok(())
}

#[test]
fn a_peers_policy_may_remove_its_entry_with_its_last_connection() -> Result<()> {
    let lines = sources() + "lifetime = \"1h\"\non-disconnect = \"remove\"\n";
    let gateway = carrier::setup(&lines).start()?;
    let probe = Probe::new(&gateway)?;
    let first = carrier::connect(&gateway, Family::V4)?;
    let second = carrier::connect(&gateway, Family::V6)?;
    let connections = |wanted: u64| {
        gateway.wait_for_status(&format!("{wanted} connections"), |status| {
            let networks = status.networks()?;
            Ok(networks.iter().all(|grant| grant.connections == wanted))
        })
    };
    connections(2)?;
    first.close()?;
    connections(1)?;
    probe.passes()?;
    second.close()?;
    gateway.expect_grants(&LISTED)?;
    probe.is_sent()?;
    gateway.expect_verdicts(&[("trusted-source", 1), ("transport-not-opened", 1)])?;
    Ok(())
}

#[test]
fn a_connection_that_is_cut_counts_as_ended() -> Result<()> {
    let lines = sources() + "lifetime = \"1h\"\non-disconnect = \"remove\"\n";
    let gateway = carrier::setup(&lines).start()?;
    let client = carrier::connect(&gateway, Family::V4)?;
    gateway.expect_networks(&NETWORKS)?;
    // Killed: the kernel ends the connection without a word of TLS.
    drop(client);
    gateway.expect_grants(&LISTED)?;
    Ok(())
}

/// The peer's server and the upstream.
struct Probe {
    peer: Endpoint,
    upstream: Endpoint,
}

impl Probe {
    fn new(gateway: &Gateway) -> Result<Self> {
        let peer = SocketAddr::new(Family::V4.neighbour(), 5070);
        Ok(Self {
            peer: Endpoint::bind(&gateway.internet, peer)?,
            upstream: Endpoint::bind(&gateway.inside, Family::V4.upstream())?,
        })
    }

    fn is_sent(&self) -> Result<()> {
        self.peer.send(Family::V4.sip(), &self.peer.request("OPTIONS"))
    }

    fn passes(&self) -> Result<()> {
        self.is_sent()?;
        self.upstream.hear()?;
        Ok(())
    }
}
