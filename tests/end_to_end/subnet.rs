//! What an IPv6 address proved opens the /64 around it.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use sbc_tests::{Family, Gateway, Setup};

use crate::{
    calls::ALICE,
    carrier::{self, CARRIER},
    digest::Login,
    endpoint::Endpoint,
    expectation::Expect as _,
};

const SITE: &str = "2001:db8:7::7";
const SAME_SITE: &str = "2001:db8:7::8:8";
const OTHER_SITE: &str = "2001:db8:7:1::9";

/// Starts it, with sites behind the host on the internet: everybody there is by default in the /64 of
/// the gateway, which is nobody's site.
fn start(setup: &Setup) -> Result<Gateway> {
    let gateway = setup.start()?;
    for address in [SITE, SAME_SITE, OTHER_SITE] {
        let address = format!("{address}/64");
        gateway.internet.run("ip", ["addr", "add", &address, "dev", "wan", "nodad"])?;
    }
    let way = Family::V6.caller().to_string();
    gateway.edge.run("ip", ["route", "add", "2001:db8:7::/48", "via", &way])?;
    Ok(gateway)
}

fn phone(gateway: &Gateway, address: &str) -> Result<Endpoint> {
    Endpoint::bind(&gateway.internet, SocketAddr::new(address.parse()?, 5070))
}

fn connect(gateway: &Gateway) -> Result<sbc_tests::TlsClient> {
    let certificate = gateway.authority()?.issue(&CARRIER)?;
    let local: IpAddr = SITE.parse()?;
    let mut client = carrier::show(gateway, Family::V6, local, Some(&certificate))?;
    client.wait_until_connected()?;
    gateway.wait_for_status("the proof", |status| Ok(status.grant(SITE)?.is_some()))?;
    Ok(client)
}

#[test]
fn a_tls_peer_speaks_from_all_of_its_site_and_from_no_other() -> Result<()> {
    let gateway = start(&carrier::setup(""))?;
    let client = connect(&gateway)?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    for (address, heard) in [(SITE, true), (OTHER_SITE, false), (SAME_SITE, true)] {
        let server = phone(&gateway, address)?;
        server.send(Family::V6.sip(), &server.request("OPTIONS"))?;
        if heard {
            let via = upstream.hear()?.text;
            assert!(via.contains(address), "{via}");
        }
    }
    gateway.expect_verdicts(&[("trusted-source", 2), ("unknown-source", 1)])?;
    let (_, said) = gateway.sbc(&["status"])?;
    assert!(said.contains("peer carrier, all of 2001:db8:7::/64"), "{said}");
    client.close()
}

#[test]
fn a_site_with_a_denied_address_is_not_opened_around_who_proved() -> Result<()> {
    let denied = format!("[denied]\nsources = [\"{SAME_SITE}\"]");
    for (table, verdict) in
        [(denied.as_str(), "denied-source"), ("[trust]\nipv6-subnet = false", "unknown-source")]
    {
        let gateway = start(&carrier::setup("").table(table))?;
        let _client = connect(&gateway)?;
        for address in [SAME_SITE, SITE] {
            let server = phone(&gateway, address)?;
            server.send(Family::V6.sip(), &server.request("OPTIONS"))?;
        }
        gateway.expect_verdicts(&[("trusted-source", 1), (verdict, 1)])?;
    }
    Ok(())
}

#[test]
fn a_phone_that_takes_another_address_of_its_site_still_passes_and_is_challenged() -> Result<()> {
    let users = Setup::new().users("algorithms = [\"SHA-256\"]", &[ALICE]);
    let gateway = start(&users.challenging_strangers())?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let first = phone(&gateway, SITE)?;
    let invite = first.request("INVITE").with_body();
    let refusal = first.ask(Family::V6.sip(), &invite, 407)?;
    let [user, password] = ALICE;
    first.send(Family::V6.sip(), &Login(user, password).answer(&invite, &refusal)?)?;
    upstream.hear()?;
    let source = format!("[{SITE}]:5070");
    gateway.expect_proven(&[[&source, "digest", "user alice"]])?;

    let second = phone(&gateway, SAME_SITE)?;
    second.ask(Family::V6.sip(), &second.request("INVITE").with_body(), 407)?;
    let other = phone(&gateway, OTHER_SITE)?;
    other.ask(Family::V6.sip(), &other.request("INVITE").with_body(), 407)?;
    gateway.expect_verdicts(&[("unknown-within-budget", 3), ("trusted-source", 1)])?;
    let (_, said) = gateway.sbc(&["explain", SAME_SITE])?;
    assert!(said.contains("entry 2001:db8:7::/64: digest, opens udp, "), "{said}");
    Ok(())
}
