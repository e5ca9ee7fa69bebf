//! What comes in past the filter on the interface is judged in front of the daemon's sockets.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Setup, connect};

use crate::{
    endpoint::Endpoint,
    expectation::Expect as _,
    listed_peer::{of_the_peer, trusting},
};

/// Enough for a handshake, and less than it takes a host to ask again.
const A_MOMENT: Duration = Duration::from_millis(900);

#[test]
fn another_interface_is_no_way_around_the_filter() -> Result<()> {
    let gateway = trusting().guarding_sockets().start()?;
    connect(
        gateway.internet.interface("wan2", &["192.0.2.7/24", "2001:db8:3::7/64"]),
        gateway.edge.interface("outside2", &["192.0.2.1/24", "2001:db8:3::1/64"]),
    )?;
    gateway.internet.route("198.51.100.1/32", "192.0.2.1".parse()?)?;
    gateway.internet.route("2001:db8:1::1/128", "2001:db8:3::1".parse()?)?;
    only_the_peer_is_heard(&gateway)?;

    // Over TCP, from the interface's own address and then from the peer's.
    let connect = |family: Family| {
        gateway.internet.enter(|| TcpStream::connect_timeout(&family.sip(), A_MOMENT))
    };
    for (family, to, via) in [
        (Family::V4, "198.51.100.1/32", "192.0.2.1"),
        (Family::V6, "2001:db8:1::1/128", "2001:db8:3::1"),
    ] {
        let refused = connect(family)?.expect_err("a stranger is connected");
        ensure!(refused.kind() == ErrorKind::TimedOut, "{refused}");
        let caller = family.caller().to_string();
        gateway.internet.run("ip", ["route", "replace", to, "via", via, "src", &caller])?;
        connect(family)?.context("the peer's own connection")?;
    }
    let status = gateway.status()?;
    ensure!(status.verdict_at_sockets("unknown-source")? >= 4, "{status}");
    Ok(())
}

#[test]
fn a_tunnel_is_no_way_around_the_filter() -> Result<()> {
    let gateway = trusting().guarding_sockets().start()?;
    let ends = [
        (&gateway.internet, Family::V4.elsewhere(), Family::V4.gateway(), 7),
        (&gateway.edge, Family::V4.gateway(), Family::V4.elsewhere(), 1),
    ];
    for (host, local, remote, number) in ends {
        let (local, remote) = (local.to_string(), remote.to_string());
        let add = ["link", "add", "tunnel", "type", "vxlan", "id", "7", "dstport", "4789"];
        let ends = ["local", &local, "remote", &remote];
        host.run("ip", add.into_iter().chain(ends))?;
        let address = format!("192.0.2.{number}/24");
        host.run("ip", ["address", "add", &address, "dev", "tunnel"])?;
        let address = format!("2001:db8:3::{number}/64");
        host.run("ip", ["address", "add", &address, "dev", "tunnel", "nodad"])?;
        host.run("ip", ["link", "set", "tunnel", "up"])?;
    }
    // The tunnel's own packets keep their way.
    let internet = &gateway.internet;
    for (version, to, via) in
        [("-4", "198.51.100.1/32", "192.0.2.1"), ("-6", "2001:db8:1::1/128", "2001:db8:3::1")]
    {
        let sip = ["ipproto", "udp", "dport", "5060"];
        let rule = [version, "rule", "add", "pref", "1", "lookup", "7"];
        internet.run("ip", rule.into_iter().chain(sip))?;
        internet
            .run("ip", [version, "route", "add", to, "via", via, "dev", "tunnel", "table", "7"])?;
    }
    only_the_peer_is_heard(&gateway)
}

#[test]
fn who_is_on_the_same_machine_is_judged_too() -> Result<()> {
    let gateway = Setup::new().guarding_sockets().start()?;
    for family in Family::ALL {
        let local = Endpoint::bind(&gateway.edge, SocketAddr::new(family.gateway(), 5070))?;
        local.send(family.sip(), &local.request("INVITE"))?;
    }
    let status = gateway.wait_for_status("two packets dropped at the sockets", |status| {
        Ok(status.verdict_at_sockets("unknown-source")? == 2)
    })?;
    assert_eq!(status.received("udp")?, 0, "{status}");
    Ok(())
}

#[test]
fn what_observes_on_the_wire_observes_in_front_of_the_sockets() -> Result<()> {
    let gateway = Setup::new().observing().guarding_sockets().start()?;
    let local = Endpoint::bind(&gateway.edge, SocketAddr::new(Family::V4.gateway(), 5070))?;
    local.send(Family::V4.sip(), &local.request("INVITE"))?;
    let status = gateway
        .wait_for_status("a packet at the daemon", |status| Ok(status.received("udp")? == 1))?;
    assert_eq!(status.verdict_at_sockets("unknown-source")?, 1);
    Ok(())
}

/// On the way that the routes lead now, on which the interface's filter has nothing to judge.
fn only_the_peer_is_heard(gateway: &Gateway) -> Result<()> {
    ensure!(gateway.status()?.guards_sockets()?, "nothing is in front of the sockets");
    for family in Family::ALL {
        let stranger =
            Endpoint::bind(&gateway.internet, SocketAddr::new(family.elsewhere(), 5070))?;
        stranger.send(family.sip(), &stranger.request("INVITE"))?;
    }
    let status = gateway.wait_for_status("two packets dropped at the sockets", |status| {
        Ok(status.verdict_at_sockets("unknown-source")? == 2)
    })?;
    assert_eq!(status.received("udp")?, 0, "{status}");
    assert!(status.verdicts()?.is_empty(), "the interface's filter saw it: {status}");
    for family in Family::ALL {
        let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5070))?;
        let request = of_the_peer(&phone, "INVITE");
        phone.send(family.sip(), &request).context("the peer's own")?;
    }
    let status = gateway.wait_for_status("the peer's packets at the daemon", |status| {
        Ok(status.received("udp")? == 2)
    })?;
    assert_eq!(status.verdict_at_sockets("trusted-source")?, 2);
    gateway.expect_verdicts(&[])?;
    Ok(())
}
