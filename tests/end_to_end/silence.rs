//! What the filter does when the daemon gives no sign of life.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use sbc_tests::{Family, Gateway, Setup, UdpCounters, wait_until};

use crate::{
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    lifecycle::has_filter,
};

const SILENCE: &str = "4s";

#[test]
fn a_killed_daemons_silence_lets_everything_pass_until_the_next_one_lives() -> Result<()> {
    let mut gateway = Setup::new().passing_after(SILENCE).start()?;
    knock(&gateway)?;
    gateway.expect_verdicts(&[("unknown-source", 1)])?;
    // A daemon that only waits for work is not silent.
    let (start, mut was_silent) = (Instant::now(), false);
    wait_until("more than the longest silence to be over", SOON, || {
        was_silent |= gateway.status()?.has_ended_enforcement()?;
        Ok(start.elapsed() > Duration::from_secs(5))
    })?;
    assert!(!was_silent);
    kill(&mut gateway)?;
    knock(&gateway)?;
    gateway.expect_verdicts(&[("unknown-source", 2)])?;
    gateway.expect_edge_udp(UdpCounters::default())?;

    wait_for_the_end(&gateway)?;
    knock(&gateway)?;
    // The same verdict, and nobody who listens.
    gateway.expect_verdicts(&[("unknown-source", 3)])?;
    let passed = UdpCounters { no_port_v4: 1, ..UdpCounters::default() };
    gateway.expect_edge_udp(passed)?;
    let (status, said) = gateway.sbc(&["status"])?;
    assert!(status.success() && said.contains("EVERYTHING PASSES"), "{said}");

    gateway.start()?;
    let status = gateway.status()?;
    assert!(!status.has_ended_enforcement()?, "{status}");
    knock(&gateway)?;
    gateway.expect_verdicts(&[("unknown-source", 4)])?;
    gateway.expect_edge_udp(passed)
}

#[test]
fn without_a_word_about_silence_a_killed_daemons_filter_goes_on() -> Result<()> {
    let mut gateway = Setup::new().start()?;
    kill(&mut gateway)?;
    // As long as in the other tests, where everything passes then.
    wait_until("a long silence", SOON, || Ok(gateway.status()?.heartbeat_age()? > 4))?;
    knock(&gateway)?;
    let status = gateway.expect_verdicts(&[("unknown-source", 1)])?;
    assert!(!status.has_ended_enforcement()?, "{status}");
    gateway.expect_edge_udp(UdpCounters::default())?;
    let (status, said) = gateway.sbc(&["status"])?;
    let tells = said.contains("last heartbeat") && said.contains("goes on without one");
    assert!(status.success() && tells, "{said}");
    Ok(())
}

#[test]
fn a_daemon_that_is_stopped_is_silent_too() -> Result<()> {
    let mut gateway = Setup::new().kept_on_shutdown().passing_after(SILENCE).start()?;
    let log = gateway.stop()?;
    assert!(log.contains("enforces_for=4s"), "{log}");
    assert!(has_filter(&gateway)?);
    knock(&gateway)?;
    gateway.expect_verdicts(&[("unknown-source", 1)])?;
    gateway.expect_edge_udp(UdpCounters::default())?;
    wait_for_the_end(&gateway)?;
    knock(&gateway)?;
    gateway.expect_verdicts(&[("unknown-source", 2)])?;
    gateway.expect_edge_udp(UdpCounters { no_port_v4: 1, ..UdpCounters::default() })
}

#[test]
fn a_filter_that_was_loaded_waits_as_long_for_its_daemon() -> Result<()> {
    let setup = carrier::setup(&sources()).passing_after(SILENCE).for_service_user();
    let mut gateway = setup.build()?;
    gateway.load()?;
    knock(&gateway)?;
    gateway.expect_verdicts(&[("transport-not-opened", 1)])?;
    gateway.expect_edge_udp(UdpCounters::default())?;
    wait_for_the_end(&gateway)?;
    knock(&gateway)?;
    gateway.expect_verdicts(&[("transport-not-opened", 2)])?;
    let passed = UdpCounters { no_port_v4: 1, ..UdpCounters::default() };
    gateway.expect_edge_udp(passed)?;

    gateway.start_without_privileges()?;
    knock(&gateway)?;
    let status = gateway.expect_verdicts(&[("transport-not-opened", 3)])?;
    assert!(!status.has_ended_enforcement()?, "{status}");
    gateway.expect_edge_udp(passed)
}

#[test]
fn a_daemon_that_hangs_is_silent() -> Result<()> {
    let mut gateway = Setup::new().passing_after(SILENCE).start()?;
    gateway.daemon()?.signal(libc::SIGSTOP)?;
    // It asks the daemon first, for longer than that takes.
    let asked = gateway.sbc(&["status"]);
    gateway.daemon()?.signal(libc::SIGCONT)?;
    let (status, said) = asked?;
    let tells = said.contains("EVERYTHING PASSES") && said.contains("no daemon answers");
    assert!(status.success() && tells, "{said}");
    wait_until("the daemon to be heard of again", SOON, || {
        Ok(!gateway.status()?.has_ended_enforcement()?)
    })
}

fn kill(gateway: &mut Gateway) -> Result<()> {
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    Ok(())
}

fn wait_for_the_end(gateway: &Gateway) -> Result<()> {
    wait_until("silence to end enforcement", SOON, || gateway.status()?.has_ended_enforcement())
}

/// An OPTIONS of a stranger.
fn knock(gateway: &Gateway) -> Result<()> {
    let local = SocketAddr::new(Family::V4.caller(), 5070);
    let stranger = Endpoint::bind(&gateway.internet, local)?;
    stranger.send(Family::V4.sip(), &stranger.request("OPTIONS"))
}
