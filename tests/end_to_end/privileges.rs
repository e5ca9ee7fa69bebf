//! A filter that is loaded with privileges, and a daemon that has none.

use std::{
    fs,
    net::SocketAddr,
    os::unix::{fs::MetadataExt as _, process::ExitStatusExt as _},
};

use anyhow::{Context as _, Result, ensure};
use sbc_common::maps::ABI_VERSION;
use sbc_tests::{Family, Gateway, Process, Setup, UdpCounters};

use crate::{
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    lifecycle::{filter_is_gone, has_filter, has_pins, has_pins_below, nothing_is_left},
    listed_peer::{of_the_peer, trusting},
    promotion::NETWORKS,
    refusal_to_start::move_below,
};

#[test]
fn a_daemon_without_any_capability_promotes_a_peer_in_a_filter_that_was_loaded_before() -> Result<()>
{
    let lines = sources() + "lifetime = \"1h\"";
    let mut gateway = carrier::setup(&lines).for_service_user().build()?;
    gateway.load()?;
    // The policy is there from the first packet on: nobody listens yet, and nobody has to.
    let stranger = stranger(&gateway)?;
    stranger.send(Family::V4.sip(), &stranger.request("OPTIONS"))?;
    let status = gateway.expect_verdicts(&[("unknown-source", 1)])?;
    assert!(!status.has_daemon() && status.mode()? == "enforce", "{status}");
    assert_eq!(gateway.edge_udp()?, UdpCounters::default());

    gateway.start_without_privileges()?;
    expect_no_privileges(gateway.daemon()?)?;
    let client = carrier::connect(&gateway, Family::V4)?;
    gateway.expect_networks(&NETWORKS)?;
    let peer = SocketAddr::new(Family::V4.neighbour(), 5070);
    let peer = Endpoint::bind(&gateway.internet, peer)?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let invite = peer.request("INVITE");
    peer.send(Family::V4.sip(), &invite)?;
    let heard = upstream.hear()?;
    upstream.send(Family::V4.sip_inside(), &heard.answer("486 Busy Here", &[]))?;
    assert_eq!(peer.hear()?.start_line(), "SIP/2.0 486 Busy Here");
    stranger.send(Family::V4.sip(), &stranger.request("OPTIONS"))?;
    gateway.expect_verdicts(&[("unknown-source", 2), ("trusted-source", 1)])?;

    // Killed and begun again, it is still what it was; the peer's entry outlives it.
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    drop(client);
    gateway.start_without_privileges()?;
    gateway.expect_networks(&NETWORKS)?;
    let said = gateway.stop()?;
    assert!(said.contains("the filter stays attached"), "{said}");
    assert!(has_filter(&gateway)? && has_pins(&gateway)?);
    let (status, said) = gateway.sbc(&["unload"])?;
    assert_eq!((status.code(), said.as_str()), (Some(0), "detached from outside\n"));
    nothing_is_left(&gateway)?;
    Ok(())
}

#[test]
fn the_tables_are_the_service_users_alone_and_the_link_is_roots() -> Result<()> {
    let mut gateway = trusting().for_service_user().build()?;
    gateway.load()?;
    gateway.start_without_privileges()?;
    let pins = format!("/run/sbc/bpf/v{ABI_VERSION}");
    let owner = |name: &str| -> Result<(u32, u32)> {
        let metadata = fs::metadata(gateway.edge.path(format!("{pins}/{name}")))?;
        Ok((metadata.uid(), metadata.mode() & 0o7777))
    };
    assert_eq!((owner("TRUST")?, owner("SETTINGS")?), ((65_534, 0o660), (65_534, 0o660)));
    assert_eq!((owner("")?, owner("link-outside")?), ((0, 0o750), (0, 0o600)));

    // Another user, and another user of the same group, who gets as far as the files.
    let map = format!("{pins}/TRUST");
    for ids in [["1234", "1234"], ["1234", "65534"]] {
        expect_denied(&gateway, ids, &["cat", &map])?;
    }
    // He himself, with what takes the filter away.
    let nobody = ["65534", "65534"];
    let link = format!("{pins}/link-outside");
    let moved = format!("{pins}/link-moved");
    for attempt in [
        &["cat", &link][..],
        &["rm", "-f", &link],
        &["mv", &link, &moved],
        &["mv", &pins, "/run/sbc/bpf/v0"],
        &["rmdir", "/run/sbc/bpf"],
        &["mv", "/run/sbc/bpf", "/run/sbc/other"],
        &["chmod", "777", &pins],
    ] {
        expect_denied(&gateway, nobody, attempt)?;
    }
    let mut unload = gateway.spawn_without_privileges(&["unload"])?;
    assert_eq!(unload.wait(SOON)?.code(), Some(2), "{}", unload.output()?);
    assert!(has_filter(&gateway)? && has_pins(&gateway)?);
    Ok(())
}

#[test]
fn loading_again_leaves_a_daemon_alone_and_takes_its_filter_over_when_it_has_ended() -> Result<()> {
    let mut gateway = trusting().for_service_user().build()?;
    gateway.load()?;
    gateway.start_without_privileges()?;
    let (status, said) = gateway.sbc(&["load"])?;
    assert!(status.code() == Some(2) && said.contains("another daemon holds the filter"), "{said}");
    let mut second = gateway.spawn_without_privileges(&["run"])?;
    assert_eq!(second.wait(SOON)?.code(), Some(2), "{}", second.output()?);
    gateway.stop()?;

    let (status, said) = gateway.sbc(&["load"])?;
    assert!(status.success() && said.contains("InPlace"), "{said}");
    gateway.start_without_privileges()?;
    let peer = SocketAddr::new(Family::V4.caller(), 5070);
    let peer = Endpoint::bind(&gateway.internet, peer)?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    peer.send(Family::V4.sip(), &of_the_peer(&peer, "INVITE"))?;
    upstream.hear()?;
    Ok(())
}

#[test]
fn a_daemon_without_privileges_says_what_has_to_be_done_first() -> Result<()> {
    let gateway = Setup::new().for_service_user().build()?;
    let said = refusal(&gateway)?;
    assert!(said.contains("missing CAP_BPF") && said.contains("`sbc load`"), "{said}");
    nothing_is_left(&gateway)?;

    // A filter, but none that is his.
    gateway.load()?;
    let text = fs::read_to_string(gateway.configuration())?;
    let roots = text.replace("user = \"nobody\"\n", "");
    fs::write(gateway.configuration(), &roots)?;
    gateway.load()?;
    let said = refusal(&gateway)?;
    assert!(said.contains("is not this user's: name the user in [kernel] user"), "{said}");
    fs::write(gateway.configuration(), &text)?;
    gateway.load()?;

    // A filter that is his, with tables of another size, or on another interface.
    for (part, other, expected) in [
        ("[kernel]\n", "[kernel]\ntrust-entries = 2048\n", "`sbc load` replaces it"),
        ("name = \"outside\"", "name = \"lo\"", "not attached to \"lo\": run `sbc load`"),
    ] {
        fs::write(gateway.configuration(), text.replace(part, other))?;
        let said = refusal(&gateway)?;
        assert!(said.contains(expected), "{said}");
    }

    // What he could not do at the end is refused at the beginning.
    let detaching = roots.replace("on-shutdown = \"keep\"", "on-shutdown = \"detach\"");
    fs::write(gateway.configuration(), detaching)?;
    let said = refusal(&gateway)?;
    assert!(said.contains("on-shutdown is detach"), "{said}");
    assert!(has_filter(&gateway)?);

    // One whose interface has gone and come back without it.
    fs::write(gateway.configuration(), &text)?;
    let ends = ["type", "veth", "peer", "name", "lost"];
    gateway.edge.run("ip", ["link", "delete", "outside"])?;
    gateway.edge.run("ip", ["link", "add", "outside"].into_iter().chain(ends))?;
    let said = refusal(&gateway)?;
    assert!(said.contains("not attached to \"outside\": run `sbc load`"), "{said}");
    Ok(())
}

#[test]
fn pins_that_the_service_user_could_remove_are_not_made() -> Result<()> {
    let gateway = Setup::new().for_service_user().build()?;
    move_below(&gateway, &gateway.scratch().path().join("own"))?;
    let (status, said) = gateway.sbc(&["load"])?;
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("user \"nobody\" may remove what is in"), "{said}");
    filter_is_gone(&gateway)?;
    assert!(!has_pins_below(&gateway, &gateway.scratch().path().join("own/bpf"))?);

    let text = fs::read_to_string(gateway.configuration())?;
    fs::write(gateway.configuration(), text.replace("\"nobody\"", "\"nobody-here\""))?;
    let (status, said) = gateway.sbc(&["load"])?;
    assert!(status.code() == Some(2) && said.contains("no user \"nobody-here\""), "{said}");
    Ok(())
}

/// What `sbc run` says to user "nobody" who must not succeed.
fn refusal(gateway: &Gateway) -> Result<String> {
    let mut daemon = gateway.spawn_without_privileges(&["run"])?;
    let status = daemon.wait(SOON)?;
    let said = daemon.output()?;
    ensure!(status.code() == Some(2), "{status}: {said}");
    Ok(said)
}

fn stranger(gateway: &Gateway) -> Result<Endpoint> {
    Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V4.elsewhere(), 5070))
}

/// Every set of capabilities is empty, and none can be had.
fn expect_no_privileges(daemon: &Process) -> Result<()> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim).with_context(|| format!("no {name} in {status}"))
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        ensure!(field(set)? == "0000000000000000", "{status}");
    }
    ensure!(field("NoNewPrivs:")? == "1", "{status}");
    ensure!(field("Uid:")?.split('\t').all(|id| id == "65534"), "{status}");
    Ok(())
}

/// A command on the edge, as a user and a group, is refused by the kernel.
fn expect_denied(gateway: &Gateway, [user, group]: [&str; 2], command: &[&str]) -> Result<()> {
    let mut setpriv = gateway.edge.command("setpriv");
    let ids = [format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()];
    setpriv.args(ids).args(command).env("LC_ALL", "C");
    let output = setpriv.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.signal().is_none() && !output.status.success(), "{command:?}: {said}");
    let reasons = ["Permission denied", "Operation not permitted", "Device or resource busy"];
    ensure!(reasons.iter().any(|reason| said.contains(reason)), "{command:?}: {said}");
    Ok(())
}
