//! Others' implementations of TLS: each version with each kind of key, on both sides.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Certificate, Family, Issued, TlsClient, wait_until};

use crate::{
    carrier::{self, CARRIER, sources},
    expectation::{Expect as _, SOON},
    promotion::LISTED,
};

/// As `openssl genpkey` takes them.
const KEYS: [(&str, &[&str]); 4] = [
    ("rsa-2048", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("p-256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("p-384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("ed25519", &["-algorithm", "ED25519"]),
];

#[test]
fn openssl_with_every_version_and_kind_of_key_is_let_in_by_every_kind_of_ours() -> Result<()> {
    let lines = sources() + "on-disconnect = \"remove\"\n";
    for (ours, options) in KEYS {
        let mut gateway = carrier::setup(&lines).build()?;
        let authority = gateway.authority()?;
        let folder = gateway.scratch().path().join("tls");
        let server = Certificate { name: "gateway", dns_sans: &["example.com"], ..CARRIER };
        let server = Certificate { usage: sbc_tests::Usage::Both, ..server };
        authority.issue_for(&server, &key(&folder, "gateway", options)?)?;
        let mut peers = Vec::new();
        for (theirs, options) in KEYS {
            let key = key(&folder, &format!("peer-{theirs}"), options)?;
            let name = format!("peer-{theirs}");
            let certificate = Certificate { name: &name, ..CARRIER };
            peers.push((theirs, authority.issue_for(&certificate, &key)?));
        }
        gateway.start()?;
        for version in ["-tls1_2", "-tls1_3"] {
            for (theirs, issued) in &peers {
                let what = format!("{version}: their {theirs}, our {ours}");
                let_in(&gateway, version, issued).context(what)?;
            }
        }
    }
    Ok(())
}

fn let_in(gateway: &sbc_tests::Gateway, version: &str, issued: &Issued) -> Result<()> {
    let authority = gateway.authority()?.certificate();
    let (host, caller) = (&gateway.internet, Family::V4.caller());
    let mut client = TlsClient::connect_with(
        host,
        caller,
        Family::V4.sips(),
        &authority,
        Some(issued),
        &[version],
    )?;
    client.wait_until_connected()?;
    client.send("\r\n\r\n")?;
    wait_until("a pong", SOON, || Ok(client.output()?.contains("\n\r\n")))?;
    client.close()?;
    gateway.expect_grants(&LISTED)?;
    Ok(())
}

/// A new private key.
fn key(folder: &Path, name: &str, options: &[&str]) -> Result<std::path::PathBuf> {
    let path = folder.join(format!("{name}.key"));
    // It would have the mode of what it overwrites.
    let _ = std::fs::remove_file(&path);
    let output = Command::new("openssl")
        .arg("genpkey")
        .args(options)
        .arg("-out")
        .arg(&path)
        .output()
        .context("starting openssl")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(path)
}
