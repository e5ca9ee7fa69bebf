//! Tools that people try a SIP system with, and those that others break into one with.
//!
//! Debian's sipsak, 0.9.8.1, knows UDP and TCP but not TLS, computes digests with MD5 only, and asks for OPTIONS as
//! "sipsak", whoever it registers as. Debian's sipvicious, 0.3.3, scans over UDP alone.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use sbc_tests::{Family, Gateway, Kamailio, Process, Setup};

use crate::{
    calls::challenging,
    expectation::{Expect as _, SOON},
    listed_peer::trusting_to_be,
};

/// It registers Alice's telephone.
const REGISTERING: [&str; 6] = ["-i", "-U", "-C", "sip:alice@198.51.100.7:5075", "-x", "600"];

#[test]
fn sipsak_registers_over_udp_and_tcp() -> Result<()> {
    let gateway = challenging("").start()?;
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    name_the_gateway(&gateway)?;
    // What it sends is shorter than a challenge, which a stranger over UDP therefore does not get.
    let unanswered = sipsak(&gateway, "udp", &REGISTERING)?;
    gateway.wait_for_status("a challenge that would amplify", |status| {
        Ok(status.outcome("would-amplify")? > 0)
    })?;
    drop(unanswered);
    let longer = format!("X-Why: {}", "as long as those of telephones ".repeat(8));
    for (transport, more) in [("udp", &["-j", &longer][..]), ("tcp", &[])] {
        let mut sipsak = sipsak(&gateway, transport, &[&REGISTERING[..], more].concat())?;
        sipsak.expect_success(SOON)?;
        let said = sipsak.output()?;
        ensure!(said.contains("SIP/2.0 401 ") && said.contains("SIP/2.0 200 "), "{said}");
        assert_eq!(kamailio.contacts("alice")?, ["sip:alice@198.51.100.7:5075"]);
    }
    Ok(())
}

#[test]
fn sipsak_of_a_listed_peer_asks_for_options_over_udp_and_tcp() -> Result<()> {
    let gateway = trusting_to_be(r#"["*@198.51.100.7"]"#).start()?;
    let _kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    name_the_gateway(&gateway)?;
    for transport in ["udp", "tcp"] {
        let mut sipsak = sipsak(&gateway, transport, &[])?;
        sipsak.expect_success(SOON)?;
        let said = sipsak.output()?;
        ensure!(said.contains("SIP/2.0 200 "), "{said}");
    }
    Ok(())
}

#[test]
fn sipvicious_finds_neither_the_system_nor_a_user() -> Result<()> {
    let closed = Setup::new().users("algorithms = [\"MD5\"]", &[["100", "100"]]).start()?;
    let challenging = challenging("").start()?;
    for (gateway, verdict) in [(&closed, "unknown-source"), (&challenging, "unknown-within-budget")]
    {
        let target = Family::V4.gateway().to_string();
        for scan in [&["svmap", &target][..], &["svwar", "-e100-103", "-mREGISTER", &target]] {
            let before = gateway.status()?.verdict(verdict)?;
            let mut command = gateway.internet.command(scan[0]);
            command.args(&scan[1..]).args(["-b", &Family::V4.caller().to_string()]);
            command.env("HOME", gateway.scratch().path());
            let mut scanner = gateway.internet.spawn(scan[0], command)?;
            scanner.wait(SOON * 2)?;
            let said = scanner.output()?;
            ensure!(said.contains("found nothing") || said.contains("found 0"), "{said}");
            gateway.wait_for_status("what was scanned for", |status| {
                Ok(status.verdict(verdict)? > before)
            })?;
        }
        gateway.expect_grants(&[])?;
    }
    closed.expect_outcomes(&[])?;
    Ok(())
}

/// Starts it as Alice, telling all that it does.
fn sipsak(gateway: &Gateway, transport: &str, more: &[&str]) -> Result<Process> {
    let caller = SocketAddr::new(Family::V4.caller(), 5075);
    let [host, port] = [caller.ip().to_string(), caller.port().to_string()];
    let mut command = gateway.internet.command("sipsak");
    command.args(["-vvv", "-E", transport, "-H", &host, "-k", &host]);
    // A connection's port is taken for a while after its end, and UDP's is where answers go.
    if transport == "udp" {
        command.args(["-l", &port]);
    }
    command.args(["-s", "sip:alice@example.com", "-u", "alice", "-a", "secret"]).args(more);
    gateway.internet.spawn("sipsak", command)
}

/// It finds a domain by name alone: DNS is not there, and the file of hosts is this host's own.
fn name_the_gateway(gateway: &Gateway) -> Result<()> {
    let line = format!("{} example.com\n", Family::V4.gateway());
    let hosts = gateway.scratch().write("hosts", line)?;
    gateway.internet.run("mount", ["--bind".as_ref(), hosts.as_os_str(), "/etc/hosts".as_ref()])?;
    Ok(())
}
