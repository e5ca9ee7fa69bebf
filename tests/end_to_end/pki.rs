//! Certificates of `sbc pki`, as OpenSSL and the daemon see them.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Issued, Scratch, sbc_binary, wait_until};

use crate::{
    carrier::{self, show, sources},
    expectation::{Expect as _, SOON},
    promotion::{LISTED, NETWORKS},
};

/// Runs a program to its end; returns what it said.
fn said(program: &Path, directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(directory).output()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{arguments:?}: {text}");
    Ok(text)
}

fn pki(directory: &Path, arguments: &[&str]) -> Result<String> {
    let (command, rest) = arguments.split_first().context("which command?")?;
    let all = [&["pki", command, "--dir", "pki"], rest].concat();
    said(&sbc_binary()?, directory, &all)
}

fn openssl(directory: &Path, arguments: &[&str]) -> Result<String> {
    said("openssl".as_ref(), directory, arguments)
}

#[test]
fn openssl_agrees_with_what_it_makes() -> Result<()> {
    let scratch = Scratch::new()?;
    let folder = scratch.path();
    let init = pki(folder, &["init"])?;
    assert!(init.contains("[tls]\nclient-ca = \"/") && init.contains("crls = [\"/"), "{init}");
    let server = pki(folder, &["server", "sip.example.com", "192.0.2.1"])?;
    assert!(server.contains("pki/servers/sip.example.com.pem\"\nkey = \""), "{server}");
    let peer = pki(folder, &["peer", "carrier.example"])?;
    assert!(peer.contains("identities = [\"carrier.example\"]"), "{peer}");

    let authority = ["-CAfile", "pki/ca.pem", "-x509_strict"];
    let verify = |more: &[&str]| openssl(folder, &[&["verify"], &authority[..], more].concat());
    let host = ["-verify_hostname", "sip.example.com", "pki/servers/sip.example.com.pem"];
    verify(&[&["-purpose", "sslserver"], &host[..]].concat())?;
    verify(&["-purpose", "sslclient", "pki/peers/carrier.example.pem"])?;
    let list = ["-crl_check", "-CRLfile", "pki/crl.pem", "pki/peers/carrier.example.pem"];
    verify(&list)?;
    let text = openssl(folder, &["crl", "-in", "pki/crl.pem", "-noout", "-text"])?;
    assert!(text.contains("No Revoked Certificates"), "{text}");
    let of = ["-CAfile", "pki/ca.pem", "-in", "pki/crl.pem", "-noout"];
    let verified = openssl(folder, &[&["crl"], &of[..]].concat())?;
    assert!(verified.contains("verify OK"), "{verified}");
    let names = openssl(
        folder,
        &["x509", "-in", "pki/servers/sip.example.com.pem", "-noout", "-ext", "subjectAltName"],
    )?;
    for name in ["URI:sip:sip.example.com", "DNS:sip.example.com", "IP Address:192.0.2.1"] {
        assert!(names.contains(name), "{names}");
    }

    fs::copy(folder.join("pki/peers/carrier.example.pem"), folder.join("revoked.pem"))?;
    pki(folder, &["revoke", "carrier.example"])?;
    let text = openssl(folder, &["crl", "-in", "pki/crl.pem", "-noout", "-text"])?;
    let serial = openssl(folder, &["x509", "-in", "revoked.pem", "-noout", "-serial"])?;
    let serial = serial.trim().trim_start_matches("serial=");
    assert!(text.contains(&format!("Serial Number: {serial}")), "{serial}: {text}");
    let refused = verify(&["-crl_check", "-CRLfile", "pki/crl.pem", "revoked.pem"]).unwrap_err();
    assert!(refused.to_string().contains("certificate revoked"), "{refused}");
    pki(folder, &["crl"])?;
    let text = openssl(folder, &["crl", "-in", "pki/crl.pem", "-noout", "-crlnumber"])?;
    assert!(text.contains("0x03") || text.contains("=03"), "{text}");
    Ok(())
}

#[test]
fn a_peer_of_its_own_authority_is_let_in_until_it_is_revoked() -> Result<()> {
    let certificate = "certificate = { ca = \"pki/ca.pem\", crls = [\"pki/crl.pem\"] }\n";
    let mut gateway = carrier::setup(&(sources() + certificate)).build()?;
    let folder = gateway.scratch().path().to_owned();
    pki(&folder, &["init"])?;
    pki(&folder, &["peer", "carrier.example"])?;
    gateway.start()?;
    let file = |kind| folder.join(format!("pki/peers/carrier.example.{kind}"));
    let issued = Issued { chain: file("pem"), key: file("key") };
    let caller = Family::V4.caller();
    let mut client = show(&gateway, Family::V4, caller, Some(&issued))?;
    client.wait_until_connected()?;
    gateway.expect_networks(&NETWORKS)?;
    // The common authority does not speak for it.
    let other = gateway.authority()?.issue(&carrier::CARRIER)?;
    show(&gateway, Family::V4, caller, Some(&other))?.wait_until_closed()?;
    gateway.expect_refused_connections(&[("certificate-unknown-issuer", 1)])?;

    pki(&folder, &["revoke", "carrier.example"])?;
    let daemon = gateway.daemon()?;
    daemon.signal(1)?;
    wait_until("the configuration to be read anew", SOON, || {
        Ok(daemon.output()?.contains("the configuration was read anew"))
    })?;
    client.wait_until_closed()?;
    gateway.expect_grants(&LISTED)?;
    Ok(())
}
