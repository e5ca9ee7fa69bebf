//! How the program in front of the daemon's sockets comes, stays and goes.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use sbc_common::maps::ABI_VERSION;
use sbc_tests::{
    Cgroup, Family, Gateway, PinnedLink, Setup, attach_passing_program, sbc_binary, wait_until,
};

use crate::{
    endpoint::Endpoint,
    expectation::SOON,
    lifecycle::{has_filter, has_pins, nothing_is_left},
};

#[test]
fn the_program_is_replaced_where_it_stands_and_removed_on_request() -> Result<()> {
    let mut gateway = Setup::new().guarding_sockets().kept_on_shutdown().start()?;
    expect_guarded(&gateway, 1)?;
    let before = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
    let log = gateway.stop()?;
    ensure!(log.contains("at_sockets=Attached"), "{log}");
    ensure!(gateway.status()?.guards_sockets()?, "it ended with the daemon");
    gateway.start()?;
    expect_guarded(&gateway, 2)?;
    let log = gateway.stop()?;
    ensure!(log.contains("at_sockets=InPlace"), "{log}");
    let after = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
    assert_eq!(after.id, before.id);
    assert_ne!(after.program, before.program);

    // Switched off, it goes and the filter on the interface stays.
    let text = fs::read_to_string(gateway.configuration())?;
    fs::write(gateway.configuration(), text.replace("\"require\"", "\"off\""))?;
    gateway.start()?;
    ensure!(!gateway.status()?.guards_sockets()? && has_filter(&gateway)?);
    ensure!(!link(&gateway, ABI_VERSION).exists());
    gateway.stop()?;

    fs::write(gateway.configuration(), text)?;
    gateway.start()?;
    expect_guarded(&gateway, 3)?;
    gateway.stop()?;
    let (status, said) = gateway.sbc(&["unload"])?;
    ensure!(status.success(), "{said}");
    ensure!(!has_pins(&gateway)?);
    Ok(())
}

#[test]
fn it_ends_with_a_daemon_that_detaches() -> Result<()> {
    let mut gateway = Setup::new().guarding_sockets().start()?;
    expect_guarded(&gateway, 1)?;
    gateway.stop()?;
    nothing_is_left(&gateway)?;
    Ok(())
}

#[test]
fn that_of_another_version_is_taken_over_in_place_and_unloaded() -> Result<()> {
    let mut gateway = Setup::new().guarding_sockets().kept_on_shutdown().start()?;
    for other in [0, ABI_VERSION + 1] {
        gateway.stop()?;
        let before = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
        fs::rename(pins(&gateway, ABI_VERSION), pins(&gateway, other))?;
        gateway.start()?;
        let after = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
        assert_eq!(after.id, before.id);
        assert_ne!(after.program, before.program);
        ensure!(!pins(&gateway, other).exists());
        // With tables of its own, which are new.
        expect_guarded(&gateway, 1)?;
    }
    gateway.stop()?;
    fs::rename(pins(&gateway, ABI_VERSION), pins(&gateway, 0))?;
    let (status, said) = gateway.sbc(&["unload"])?;
    ensure!(status.success() && !said.contains("left alone"), "{said}");
    nothing_is_left(&gateway)?;
    Ok(())
}

#[test]
fn that_of_a_control_group_that_is_gone_is_left_for_the_new_one() -> Result<()> {
    let mut gateway = Setup::new().guarding_sockets().kept_on_shutdown().start()?;
    let before = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
    gateway.stop()?;
    // As a service manager does from one start to the next.
    let directory = gateway.edge.path(cgroup(&gateway)?.path());
    fs::remove_dir(&directory)?;
    // The kernel lets go of the link when it has let go of the last socket.
    let sbc = sbc_binary()?.display().to_string();
    let status = ["status".as_ref(), "--config".as_ref(), gateway.configuration().as_os_str()];
    wait_until("nothing to guard", SOON, || {
        let said = gateway.edge.run(&sbc, status)?;
        Ok(said.contains("nothing is in front of the daemon's sockets"))
    })?;
    fs::create_dir(&directory)?;
    gateway.start()?;
    assert_ne!(PinnedLink::at(&link(&gateway, ABI_VERSION))?.id, before.id);
    expect_guarded(&gateway, 1)
}

#[test]
fn a_daemon_without_any_capability_is_guarded_by_what_was_loaded_before() -> Result<()> {
    let mut gateway = Setup::new().guarding_sockets().for_service_user().build()?;
    gateway.load()?;
    ensure!(gateway.status()?.guards_sockets()?);
    gateway.start_without_privileges()?;
    expect_guarded(&gateway, 1)?;
    let metadata = fs::metadata(link(&gateway, ABI_VERSION))?;
    assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (0, 0o600));
    let mut status = gateway.spawn_without_privileges(&["status"])?;
    let (ended, said) = (status.wait(SOON)?, status.output()?);
    ensure!(ended.success() && said.contains("in front of the daemon's sockets"), "{said}");
    let log = gateway.stop()?;
    ensure!(log.contains("at_sockets=Before"), "{log}");

    let before = PinnedLink::at(&link(&gateway, ABI_VERSION))?;
    gateway.load()?;
    assert_eq!(PinnedLink::at(&link(&gateway, ABI_VERSION))?.id, before.id);

    // A filter that does not guard it is not what it asked for.
    let text = fs::read_to_string(gateway.configuration())?;
    let elsewhere = Cgroup::new(&gateway.inside)?;
    let own = cgroup(&gateway)?.path().display().to_string();
    let other = text.replace(&own, &elsewhere.path().display().to_string());
    fs::write(gateway.configuration(), &other)?;
    gateway.load()?;
    let refused = "does not guard this process's sockets";
    let mut daemon = gateway.spawn_without_privileges(&["run"])?;
    let (ended, said) = (daemon.wait(SOON)?, daemon.output()?);
    ensure!(ended.code() == Some(2) && said.contains(refused), "{said}");
    fs::write(gateway.configuration(), other.replace("\"require\"", "\"auto\""))?;
    gateway.start_without_privileges()?;
    let log = gateway.stop()?;
    ensure!(log.contains("WARN") && log.contains(refused), "{log}");
    let (status, said) = gateway.sbc(&["unload"])?;
    ensure!(status.success() && !has_pins(&gateway)?, "{said}");
    Ok(())
}

#[test]
fn whoever_loads_for_a_daemon_has_to_say_where_that_will_be() -> Result<()> {
    let gateway = Setup::new().guarding_sockets().build()?;
    let expected = "[kernel] cgroup has to name the control group";
    let (status, said) = gateway.sbc(&["load"])?;
    ensure!(status.code() == Some(2) && said.contains(expected), "{said}");
    nothing_is_left(&gateway)?;
    let text = fs::read_to_string(gateway.configuration())?;
    fs::write(gateway.configuration(), text.replace("\"require\"", "\"auto\""))?;
    let (status, said) = gateway.sbc(&["load"])?;
    ensure!(status.success() && said.contains("WARN") && said.contains(expected), "{said}");
    ensure!(has_filter(&gateway)? && !gateway.status()?.guards_sockets()?);
    Ok(())
}

#[test]
fn where_nothing_can_be_guarded_there_is_a_warning_or_no_filter_at_all() -> Result<()> {
    let mut gateway = Setup::new().build()?;
    let text = fs::read_to_string(gateway.configuration())?;
    let elsewhere = Cgroup::new(&gateway.inside)?;
    // So that the edge sees it too.
    let _own = Cgroup::new(&gateway.edge)?;
    let elsewhere = elsewhere.path().display().to_string();
    let named = |path: &str| format!("cgroup = {path:?}\n");
    let not_there = "[kernel] cgroup: /run/cgroup/nowhere: No such file";
    let no_group = "[kernel] cgroup: /run: it is no control group of version 2";
    let not_in = format!("[kernel] cgroup: this process is not in {elsewhere}");
    for (line, expected) in [
        (named("/run/cgroup/nowhere"), not_there),
        (named("/run"), no_group),
        (named(&elsewhere), not_in.as_str()),
        (String::new(), "in no control group of version 2"),
    ] {
        if line.is_empty() {
            without_cgroups(&gateway)?;
        }
        let guarding = |how: &str| {
            text.replace("socket-filter = \"off\"\n", &format!("socket-filter = {how:?}\n{line}"))
        };
        fs::write(gateway.configuration(), guarding("require"))?;
        let (status, said) = gateway.sbc(&["run"])?;
        ensure!(status.code() == Some(2) && said.contains(expected), "{said}");
        nothing_is_left(&gateway)?;
        fs::write(gateway.configuration(), guarding("auto"))?;
        gateway.start()?;
        ensure!(has_filter(&gateway)? && !gateway.status()?.guards_sockets()?);
        let log = gateway.stop()?;
        ensure!(log.contains("WARN") && log.contains(expected), "{log}");
    }
    Ok(())
}

#[test]
fn programs_of_others_stay_beside_it_or_keep_it_out() -> Result<()> {
    let gateway = Setup::new().guarding_sockets().build()?;
    let directory = gateway.edge.path(cgroup(&gateway)?.path());
    attach_passing_program(&directory, false)?;
    let (status, said) = gateway.sbc(&["run"])?;
    ensure!(status.code() == Some(2) && said.contains("leaves no room for a second"), "{said}");
    nothing_is_left(&gateway)?;

    let mut gateway = Setup::new().guarding_sockets().build()?;
    let directory = gateway.edge.path(cgroup(&gateway)?.path());
    attach_passing_program(&directory, true)?;
    gateway.start()?;
    expect_guarded(&gateway, 1)?;
    attach_passing_program(&directory, true)?;
    // Whoever wants to be alone comes too late.
    ensure!(attach_passing_program(&directory, false).is_err());
    expect_guarded(&gateway, 2)?;
    let below = directory.join("below");
    fs::create_dir(&below)?;
    let attached = attach_passing_program(&below, false);
    fs::remove_dir(&below)?;
    attached
}

/// A packet that the interface's filter has not seen is the `count`th that is dropped in front of the
/// sockets.
fn expect_guarded(gateway: &Gateway, count: u64) -> Result<()> {
    ensure!(gateway.status()?.guards_sockets()?, "nothing is in front of the sockets");
    let local = Endpoint::bind(&gateway.edge, SocketAddr::new(Family::V4.gateway(), 5070))?;
    local.send(Family::V4.sip(), &local.request("INVITE"))?;
    let status = gateway.wait_for_status("a packet dropped at the sockets", |status| {
        Ok(status.verdict_at_sockets("unknown-source")? == count)
    })?;
    assert_eq!(status.received("udp")?, 0, "{status}");
    Ok(())
}

/// Takes all control groups of the second version out of the edge's sight.
fn without_cgroups(gateway: &Gateway) -> Result<()> {
    let mounts = gateway.edge.run("cat", ["/proc/self/mounts"])?;
    for mount in mounts.lines().filter(|line| line.split(' ').nth(2) == Some("cgroup2")) {
        let place = mount.split(' ').nth(1).context("a mount without a place")?;
        // Others are hidden below another mount.
        if gateway.edge.path(place).join("cgroup.controllers").exists() {
            gateway.edge.run("umount", ["-l", place])?;
        }
    }
    Ok(())
}

fn cgroup(gateway: &Gateway) -> Result<&Cgroup> {
    gateway.cgroup().context("the daemon has no control group of its own")
}

fn pins(gateway: &Gateway, version: u32) -> PathBuf {
    gateway.edge.path(Path::new("/run/sbc/bpf").join(format!("v{version}")))
}

fn link(gateway: &Gateway, version: u32) -> PathBuf {
    pins(gateway, version).join("socket-link")
}
