//! How the daemon and its filter begin, end and begin again.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Result, ensure};
use sbc_tests::{Family, Gateway, Setup, UdpCounters, wait_until};

use crate::{
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    promotion::{LISTED, NETWORKS},
};

#[test]
fn sigterm_ends_the_daemon_and_with_detach_its_filter() -> Result<()> {
    let mut gateway = Setup::new().start()?;
    assert!(has_filter(&gateway)? && has_pins(&gateway)?);
    knock(&gateway)?;
    gateway.expect_verdicts(&[("unknown-source", 1)])?;
    let (status, said) = gateway.sbc(&["status"])?;
    let begins = said.starts_with("filter: enforce\nattached to outside\n");
    assert!(status.success() && begins, "{said}");
    assert!(said.lines().any(|line| line.starts_with("unknown-source ")), "{said}");
    let log = gateway.stop()?;
    assert!(log.contains("the filter is detached"), "{log}");
    nothing_is_left(&gateway)?;
    assert!(!gateway.edge.path("/run/sbc/control.sock").exists());
    let (status, said) = gateway.sbc(&["status"])?;
    assert_eq!(status.code(), Some(2), "{said}");

    // Nobody listens any more, and nobody drops.
    knock(&gateway)?;
    gateway.expect_edge_udp(UdpCounters { no_port_v4: 1, ..UdpCounters::default() })
}

#[test]
fn a_filter_that_is_kept_goes_on_and_is_taken_over() -> Result<()> {
    let mut gateway = Setup::new().kept_on_shutdown().start()?;
    knock(&gateway)?;
    gateway.expect_verdicts(&[("unknown-source", 1)])?;
    gateway.stop()?;
    assert!(has_filter(&gateway)? && has_pins(&gateway)?);

    knock(&gateway)?;
    let status = gateway.expect_verdicts(&[("unknown-source", 2)])?;
    assert!(!status.has_daemon());
    assert_eq!((status.mode()?, gateway.edge_udp()?), ("enforce", UdpCounters::default()));

    gateway.start()?;
    gateway.daemon()?.wait_for_output("InPlace", SOON)?;
    knock(&gateway)?;
    let status = gateway.expect_verdicts(&[("unknown-source", 3)])?;
    assert!(status.has_daemon());

    // While the daemon runs, and after it took over a filter that was there.
    let (status, said) = gateway.sbc(&["unload"])?;
    assert!(status.success() && said.contains("the daemon goes on without it"), "{said}");
    nothing_is_left(&gateway)?;
    let log = gateway.stop()?;
    assert!(log.contains("the filter was unloaded before"), "{log}");

    gateway.start()?;
    gateway.stop()?;
    assert!(has_filter(&gateway)? && has_pins(&gateway)?);
    let (status, said) = gateway.sbc(&["unload"])?;
    assert_eq!((status.code(), said.as_str()), (Some(0), "detached from outside\n"));
    nothing_is_left(&gateway)?;
    knock(&gateway)?;
    gateway.expect_edge_udp(UdpCounters { no_port_v4: 1, ..UdpCounters::default() })?;
    let (status, said) = gateway.sbc(&["unload"])?;
    assert!(status.code() == Some(2) && said.contains("no filter is loaded"), "{said}");
    Ok(())
}

#[test]
fn a_killed_daemon_leaves_a_filter_that_enforces_and_forgets_in_time() -> Result<()> {
    let mut gateway = carrier::setup(&(sources() + "lifetime = \"2s\"")).start()?;
    let client = carrier::connect(&gateway, Family::V4)?;
    gateway.expect_networks(&NETWORKS)?;
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    drop(client);
    assert!(has_filter(&gateway)? && has_pins(&gateway)?);

    // The stranger is dropped at once, the peer as soon as its entry has expired.
    let stranger = SocketAddr::new(Family::V4.elsewhere(), 5070);
    let stranger = Endpoint::bind(&gateway.internet, stranger)?;
    stranger.send(Family::V4.sip(), &stranger.request("INVITE"))?;
    let before = gateway.status()?;
    assert_eq!((before.verdict("unknown-source")?, before.verdict("expired-source")?), (1, 0));
    gateway.wait_for_status("the peer's entry to expire", |status| {
        knock(&gateway)?;
        Ok(status.verdict("expired-source")? > 0)
    })?;

    gateway.start()?;
    gateway.daemon()?.wait_for_output("InPlace", SOON)?;
    let status = gateway.status()?;
    gateway.expect_grants(&LISTED)?;
    assert!(status.verdict("expired-source")? > 0, "the counters go on: {status}");
    gateway.stop()?;
    nothing_is_left(&gateway)?;
    Ok(())
}

#[test]
fn a_peer_that_was_promoted_by_an_earlier_daemon_is_not_locked_out_by_the_next() -> Result<()> {
    let lines = sources() + "lifetime = \"1h\"";
    let mut gateway = carrier::setup(&lines).kept_on_shutdown().start()?;
    let client = carrier::connect(&gateway, Family::V4)?;
    gateway.expect_networks(&NETWORKS)?;
    gateway.stop()?;
    drop(client);
    gateway.start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    knock(&gateway)?;
    upstream.hear()?;
    gateway.expect_verdicts(&[("trusted-source", 1)])?;
    gateway.expect_outcomes(&[("request-relayed-inwards", 1)])?;
    Ok(())
}

#[test]
fn a_driver_without_native_xdp_gets_a_warning_and_the_filter_moves_with_the_configuration()
-> Result<()> {
    let mut gateway = Setup::new().kept_on_shutdown().build()?;
    let outside = fs::read_to_string(gateway.configuration())?;
    let loopback = outside
        .replace("[interface.outside]\nname = \"outside\"", "[interface.outside]\nname = \"lo\"");
    assert_ne!(loopback, outside);
    fs::write(gateway.configuration(), loopback)?;
    gateway.start()?;
    gateway.daemon()?.wait_for_output("generic mode", SOON)?;
    assert!(gateway.edge.run("ip", ["link", "show", "dev", "lo"])?.contains("xdpgeneric"));
    gateway.stop()?;

    fs::write(gateway.configuration(), outside)?;
    gateway.start()?;
    assert!(has_filter(&gateway)?);
    assert!(!gateway.edge.run("ip", ["link", "show", "dev", "lo"])?.contains("xdp"));
    Ok(())
}

/// An OPTIONS from the internet.
fn knock(gateway: &Gateway) -> Result<()> {
    let local = SocketAddr::new(Family::V4.caller(), 5070);
    let stranger = Endpoint::bind(&gateway.internet, local)?;
    stranger.send(Family::V4.sip(), &stranger.request("OPTIONS"))
}

/// Whether an XDP program is attached to the outer interface.
pub(crate) fn has_filter(gateway: &Gateway) -> Result<bool> {
    let link = gateway.edge.run("ip", ["link", "show", "dev", "outside"])?;
    Ok(link.contains("xdp"))
}

/// Waits until no XDP program is attached to the outer interface: the kernel lets go of a link some time
/// after the last of its holders.
pub(crate) fn filter_is_gone(gateway: &Gateway) -> Result<()> {
    wait_until("the filter to go", SOON, || Ok(!has_filter(gateway)?))
}

/// Waits until nothing of the filter is left.
pub(crate) fn nothing_is_left(gateway: &Gateway) -> Result<()> {
    filter_is_gone(gateway)?;
    ensure!(!has_pins(gateway)?, "something is still pinned");
    Ok(())
}

/// Whether anything is pinned at the default place.
pub(crate) fn has_pins(gateway: &Gateway) -> Result<bool> {
    has_pins_below(gateway, Path::new("/run/sbc/bpf"))
}

/// Whether anything is pinned in this BPF file system, where some kernels put files of their own.
pub(crate) fn has_pins_below(gateway: &Gateway, root: &Path) -> Result<bool> {
    let root = gateway.edge.path(root);
    if !root.exists() {
        return Ok(false);
    }
    let names = fs::read_dir(root)?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<Result<_>>()?;
    Ok(names.iter().any(|name| name != "maps.debug" && name != "progs.debug"))
}
