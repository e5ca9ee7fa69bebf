//! A filter of another version is taken over, and anybody else's program is not.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::Result;
use sbc_common::maps::{self, ABI_VERSION, MapSpec};
use sbc_tests::{
    Family, Gateway, PinnedLink, Setup, UdpCounters, also_pin, pin_map, pin_passing_program,
};

use crate::{
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    flood::Flood,
    lifecycle::{filter_is_gone, has_filter, has_pins, nothing_is_left},
};

/// As older and newer versions than this one see each other.
const OTHERS: [u32; 2] = [0, ABI_VERSION + 1];

#[test]
fn a_filter_of_another_version_is_replaced_in_place_with_no_packet_in_between() -> Result<()> {
    for other in OTHERS {
        let mut gateway = Setup::new().kept_on_shutdown().start()?;
        gateway.stop()?;
        let before = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
        fs::rename(pins(&gateway, ABI_VERSION), pins(&gateway, other))?;
        // What is there besides, a program by any name and a map by another's, is nobody's business.
        pin_passing_program("watchdog", &pins(&gateway, other).join("watchdog"))?;
        also_pin(&pins(&gateway, other).join("TRUST"), &pins(&gateway, other).join("FRIENDS"))?;
        let (status, said) = gateway.sbc(&["status"])?;
        let expected = format!("the filter in /run/sbc/bpf/v{other} is another version's");
        assert!(status.code() == Some(2) && said.contains(&expected), "{said}");

        let stranger = SocketAddr::new(Family::V4.elsewhere(), 5070);
        let flood = Flood::start(&gateway.internet, stranger, Family::V4.sip())?;
        gateway.load()?;
        let sent = flood.stop()?;
        assert!(sent > 0);
        assert_eq!(gateway.edge_udp()?, UdpCounters::default(), "of {sent}");
        let after = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
        assert_eq!(after.id, before.id);
        assert_ne!(after.program, before.program);
        let mut left: Vec<_> = fs::read_dir(pins(&gateway, other))?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<Result<_>>()?;
        left.sort();
        assert_eq!(left, ["FRIENDS", "watchdog"]);

        gateway.start()?;
        let stranger = Endpoint::bind(&gateway.internet, stranger)?;
        let judged = gateway.status()?.verdict("unknown-source")?;
        stranger.send(Family::V4.sip(), &stranger.request("OPTIONS"))?;
        gateway.expect_verdicts(&[("unknown-source", judged + 1)])?;
        gateway.stop()?;
        let (status, said) = gateway.sbc(&["unload"])?;
        assert!(status.success() && said.contains("watchdog is not of any sbc"), "{said}");
        filter_is_gone(&gateway)?;
        assert!(pins(&gateway, other).join("FRIENDS").exists());
    }
    Ok(())
}

#[test]
fn a_takeover_that_was_cut_short_is_finished_by_the_next() -> Result<()> {
    let mut gateway = Setup::new().kept_on_shutdown().start()?;
    gateway.stop()?;
    let (own, other) = (link(&gateway, ABI_VERSION), link(&gateway, 0));
    let before = PinnedLink::at(&own)?;
    fs::create_dir(pins(&gateway, 0))?;
    also_pin(&own, &other)?;
    gateway.load()?;
    assert_eq!(PinnedLink::at(&own)?.id, before.id);
    assert!(!pins(&gateway, 0).exists());

    // Unloading leaves nothing of any version.
    fs::rename(pins(&gateway, ABI_VERSION), pins(&gateway, 0))?;
    let (status, said) = gateway.sbc(&["unload"])?;
    assert_eq!((status.code(), said.as_str()), (Some(0), "detached from outside\n"));
    nothing_is_left(&gateway)?;
    Ok(())
}

#[test]
fn a_filter_of_another_version_is_left_to_its_daemon_while_that_runs() -> Result<()> {
    let mut gateway = Setup::new().kept_on_shutdown().start()?;
    let before = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
    fs::rename(pins(&gateway, ABI_VERSION), pins(&gateway, 0))?;
    let (status, said) = gateway.sbc(&["load"])?;
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("another daemon holds the filter in /run/sbc/bpf/v0"), "{said}");
    assert_eq!(PinnedLink::at(&link(&gateway, 0))?, before);
    assert!(!pins(&gateway, ABI_VERSION).exists(), "something is left behind");

    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    gateway.load()?;
    assert_eq!(PinnedLink::at(&link(&gateway, ABI_VERSION))?.id, before.id);
    Ok(())
}

#[test]
fn a_program_of_somebody_else_is_named_with_the_way_to_remove_it() -> Result<()> {
    let mut gateway = Setup::new().build()?;
    let foreign = gateway.edge.path("/sys/fs/bpf/foreign");
    pin_passing_program("foreigner", &foreign)?;
    let attach = ["link", "set", "dev", "outside", "xdp", "pinned", "/sys/fs/bpf/foreign"];
    gateway.edge.run("ip", attach)?;
    for command in ["load", "run"] {
        let (status, said) = gateway.sbc(&[command])?;
        assert_eq!(status.code(), Some(2), "{said}");
        let held = "another XDP program holds interface \"outside\": number ";
        let way_out = ", \"foreigner\"; `ip link set dev outside xdp off` removes it";
        assert!(said.contains(held) && said.contains(way_out), "{said}");
        assert!(has_filter(&gateway)? && !has_pins(&gateway)?);
    }
    gateway.edge.run("ip", ["link", "set", "dev", "outside", "xdp", "off"])?;
    gateway.start()?;
    gateway.stop()?;
    Ok(())
}

#[test]
fn a_table_with_other_flags_is_refused_by_name_and_replaced_by_loading() -> Result<()> {
    let gateway = Setup::new().kept_on_shutdown().build()?;
    gateway.load()?;
    for spec in [maps::SETTINGS, maps::TRUST, maps::PREFIXES, maps::COUNTERS, maps::METERS] {
        // Of the same kind and sizes: what the programs may not write they could, or the reverse.
        let other = MapSpec { flags: spec.flags ^ maps::READ_ONLY, ..spec };
        let path = format!("/run/sbc/bpf/v{ABI_VERSION}/{}", spec.name);
        pin_map(other, &gateway.edge.path(&path))?;
        let expected = format!("pinned map {path} has another shape");
        // The programs alone read and write those.
        if spec != maps::METERS {
            let (status, said) = gateway.sbc(&["status"])?;
            assert!(status.code() == Some(2) && said.contains(&expected), "{said}");
        }
        let (status, said) = gateway.sbc(&["load"])?;
        assert!(status.success() && said.contains("its shape has changed"), "{said}");
        assert!(said.contains(&path), "{said}");
        gateway.status()?;

        // As it was made, it is taken.
        pin_map(spec, &gateway.edge.path(&path))?;
        gateway.status()?;
    }
    Ok(())
}

fn pins(gateway: &Gateway, version: u32) -> PathBuf {
    gateway.edge.path(format!("/run/sbc/bpf/v{version}"))
}

fn link(gateway: &Gateway, version: u32) -> PathBuf {
    pins(gateway, version).join("link-outside")
}
