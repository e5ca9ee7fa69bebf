//! Certificates that are revoked, and files that are read anew while peers are connected.

use std::fs;

use anyhow::Result;
use sbc_tests::{Authority, Certificate, Family, Gateway, Issued, TlsClient, Usage, wait_until};

use crate::{
    carrier::{self, CARRIER, show, sources},
    expectation::{Expect as _, SOON},
    promotion::{LISTED, NETWORKS},
    reload::reload,
};

const OFFICE: &str = "[[peer]]\nname = \"office\"\nrequire = [\"tls\"]\n\
                      identities = [\"office.example\"]\nopens = [\"udp\"]\n\
                      may-assert = [\"*@office.example\"]";
const OFFICES: Certificate<'_> =
    Certificate { name: "office", uri_sans: &["sip:office.example"], ..CARRIER };

/// A gateway that looks its peers up in a list, of which nobody is on yet.
fn start(lines: &str, more: &str) -> Result<Gateway> {
    let setup = carrier::setup(lines).table(OFFICE);
    let mut gateway = setup.tls_lines(&format!("crls = [\"tls/revoked.pem\"]\n{more}")).build()?;
    gateway.authority()?.revoke(&[], true)?;
    gateway.start()?;
    Ok(gateway)
}

fn connect(gateway: &Gateway, family: Family, shown: &Issued) -> Result<TlsClient> {
    let mut client = show(gateway, family, family.caller(), Some(shown))?;
    client.wait_until_connected()?;
    Ok(client)
}

const READ_ANEW: &str = "the configuration was read anew";
const AS_THEY_WERE: &str = "the configuration stays as it was";

#[test]
fn who_is_revoked_loses_connection_and_entries_at_the_reload_and_nobody_else_does() -> Result<()> {
    let mut gateway = start(&(sources() + "lifetime = \"1h\"\n"), "")?;
    let carriers = gateway.authority()?.issue(&CARRIER)?;
    let offices = gateway.authority()?.issue(&OFFICES)?;
    let mut revoked = connect(&gateway, Family::V4, &carriers)?;
    let mut kept = show(&gateway, Family::V6, Family::V6.elsewhere(), Some(&offices))?;
    kept.wait_until_connected()?;
    let office = Family::V6.elsewhere().to_string();
    let shut = [LISTED.as_slice(), &[[office.as_str(), "tls", "peer office"]]].concat();
    gateway.expect_networks(&NETWORKS)?;

    gateway.authority()?.revoke(&[&carriers], true)?;
    reload(&mut gateway, READ_ANEW)?;
    revoked.wait_until_closed()?;
    gateway.expect_grants(&shut)?;
    gateway.expect_refused_connections(&[("certificate-revoked", 1)])?;
    // The other one is heard on the connection that it had.
    kept.send("\r\n\r\n")?;
    wait_until("a pong", SOON, || Ok(kept.output()?.contains("\n\r\n")))?;

    let mut again = show(&gateway, Family::V4, Family::V4.caller(), Some(&carriers))?;
    let (_, said) = again.wait_until_closed()?;
    assert!(said.contains("certificate revoked"), "{said}");
    gateway.expect_refused_connections(&[("certificate-revoked", 2)])?;
    gateway.expect_grants(&shut)?;
    Ok(())
}

#[test]
fn what_a_peer_has_left_open_is_shut_when_it_is_revoked_after_it_has_gone() -> Result<()> {
    let mut gateway = start(&(sources() + "lifetime = \"1h\"\n"), "")?;
    let carriers = gateway.authority()?.issue(&CARRIER)?;
    connect(&gateway, Family::V4, &carriers)?.close()?;
    gateway.expect_networks(&NETWORKS)?;
    reload(&mut gateway, READ_ANEW)?;
    gateway.expect_networks(&NETWORKS)?;
    gateway.authority()?.revoke(&[&carriers], true)?;
    reload(&mut gateway, READ_ANEW)?;
    gateway.expect_grants(&LISTED)?;
    Ok(())
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() -> Result<()> {
    let mut gateway = start(&sources(), "")?;
    let carriers = gateway.authority()?.issue(&CARRIER)?;
    let _connected = connect(&gateway, Family::V4, &carriers)?;
    gateway.expect_networks(&NETWORKS)?;
    let list = gateway.authority()?.revoke(&[&carriers], true)?;
    let folder = gateway.scratch().path().join("tls");
    // The list is good now and would end the connection, but the key is not.
    let key = fs::read(folder.join("gateway.key"))?;
    fs::write(folder.join("gateway.key"), "")?;
    reload(&mut gateway, AS_THEY_WERE)?;
    fs::write(folder.join("gateway.key"), key)?;
    let good = fs::read(&list)?;
    fs::write(&list, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")?;
    reload(&mut gateway, AS_THEY_WERE)?;
    let _another = connect(&gateway, Family::V6, &carriers)?;
    let status = gateway.wait_for_status("two connections", |status| {
        Ok(status.networks()?.iter().all(|grant| grant.connections == 2))
    })?;
    assert!(status.refused_connections()?.values().all(|count| *count == 0), "{status}");
    fs::write(&list, good)?;
    reload(&mut gateway, READ_ANEW)?;
    gateway.expect_grants(&LISTED)?;
    gateway.expect_refused_connections(&[("certificate-revoked", 2)])?;
    Ok(())
}

#[test]
fn our_own_certificate_is_replaced_between_two_handshakes() -> Result<()> {
    let mut gateway = start(&sources(), "")?;
    let carriers = gateway.authority()?.issue(&CARRIER)?;
    let _connected = connect(&gateway, Family::V4, &carriers)?;
    let folder = gateway.scratch().path().join("tls");
    let theirs = Authority::new(gateway.scratch().path().join("new"), "New")?;
    let own = theirs.issue(&Certificate { name: "new", usage: Usage::Both, ..OFFICES })?;
    fs::copy(&own.chain, folder.join("gateway.pem"))?;
    fs::copy(&own.key, folder.join("gateway.key"))?;
    reload(&mut gateway, READ_ANEW)?;
    let remote = Family::V6.sips();
    let caller = Family::V6.caller();
    let (ours, new) = (gateway.authority()?.certificate(), theirs.certificate());
    let internet = &gateway.internet;
    let mut refused = TlsClient::connect(internet, caller, remote, &ours, Some(&carriers))?;
    let (_, said) = refused.wait_until_closed()?;
    assert!(said.contains("verify failed") || said.contains("unable to"), "{said}");
    TlsClient::connect(internet, caller, remote, &new, Some(&carriers))?.wait_until_connected()?;
    gateway.wait_for_status("the first connection to be there still", |status| {
        Ok(status.networks()?.iter().all(|grant| grant.connections >= 1))
    })?;
    Ok(())
}

#[test]
fn under_an_expired_list_peers_are_refused_unless_the_operator_only_wants_to_be_told() -> Result<()>
{
    for (policy, is_let_in) in [("refuse", false), ("warn", true)] {
        let mut gateway = start(&sources(), &format!("expired-crls = \"{policy}\""))?;
        let carriers = gateway.authority()?.issue(&CARRIER)?;
        gateway.authority()?.revoke(&[], false)?;
        reload(&mut gateway, "is past its next update")?;
        let mut client = show(&gateway, Family::V4, Family::V4.caller(), Some(&carriers))?;
        if is_let_in {
            client.wait_until_connected()?;
            gateway.expect_networks(&NETWORKS)?;
        } else {
            client.wait_until_closed()?;
            gateway.expect_refused_connections(&[("revocation-list-expired", 1)])?;
            gateway.expect_grants(&LISTED)?;
        }
    }
    Ok(())
}
