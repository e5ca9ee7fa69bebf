//! `sbc doctor`, on gateways that things are wrong with, made so on purpose.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result, bail, ensure};
use sbc_tests::{Certificate, Family, Gateway, Setup, Usage, Validity, wait_until};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    calls::ALICE, carrier, endpoint::Endpoint, expectation::SOON, listed_peer::trusting,
    refusal_to_start::move_below,
};

/// What the doctor says.
struct Diagnosis {
    code: Option<i32>,
    said: Said,
}

#[derive(Debug, Deserialize)]
struct Said {
    findings: Vec<Row>,
    warnings: usize,
}

#[derive(Debug, Deserialize)]
struct Row {
    check: String,
    level: String,
    said: String,
    next: Option<String>,
}

impl Diagnosis {
    fn of(gateway: &Gateway) -> Result<Self> {
        let (status, said) = gateway.sbc(&["doctor", "--json"])?;
        Self::read(status.code(), &said)
    }

    fn read(code: Option<i32>, said: &str) -> Result<Self> {
        let said = serde_json::from_str(said).with_context(|| said.to_owned())?;
        Ok(Self { code, said })
    }

    /// Each is a check, a level, and a part of what is said of it or of what to do.
    fn tells(&self, expected: &[[&str; 3]]) -> Result<()> {
        for [check, level, part] in expected {
            let is_told = self.said.findings.iter().any(|row| {
                let is_said = row.said.contains(part)
                    || row.next.as_ref().is_some_and(|next| next.contains(part));
                row.check == *check && row.level == *level && is_said
            });
            ensure!(is_told, "{check}, {level}, {part:?} is not in {:#?}", self.said);
        }
        Ok(())
    }

    fn expect_no_failure(&self) -> Result<()> {
        if let Some(failure) = self.said.findings.iter().find(|row| row.level == "failure") {
            bail!("{failure:?}");
        }
        let expected = i32::from(self.said.warnings > 0);
        ensure!(self.code == Some(expected), "{:?}", self.code);
        Ok(())
    }
}

/// Writes a setting of the edge's network.
fn set(gateway: &Gateway, setting: &str, value: u32) -> Result<()> {
    let path = format!("/proc/sys/net/{setting}");
    gateway.edge.run("sh", ["-c", &format!("echo {value} > {path}")]).map(drop)
}

#[test]
fn a_gateway_with_nothing_wrong_has_no_failure_before_and_while_it_serves() -> Result<()> {
    let setup = carrier::setup("").users("algorithms = [\"MD5\"]", &[ALICE]);
    let mut gateway = setup.guarding_sockets().build()?;
    let before = Diagnosis::of(&gateway)?;
    before.expect_no_failure()?;
    before.tells(&[
        ["filter", "warning", "no filter is loaded: nothing is dropped"],
        ["daemon", "warning", "no daemon runs"],
        ["ports", "ok", "8 free"],
        ["interface", "ok", "outside is up, a veth"],
    ])?;
    gateway.start()?;
    let while_it_serves = Diagnosis::of(&gateway)?;
    while_it_serves.expect_no_failure()?;
    while_it_serves.tells(&[
        ["filter", "ok", "attached to outside, enforce"],
        ["other-programs", "ok", "ours alone holds outside"],
        ["driver", "ok", "veth runs the filter by itself"],
        ["daemon", "ok", "answers at /run/sbc/control.sock"],
        ["ports", "ok", "8 held by the daemon"],
        ["upstream", "ok", "1 targets live"],
        ["users", "ok", "1 are known"],
        ["trust-table", "ok", "entries are taken"],
        ["control-group", "ok", "version 2"],
        ["open-files", "ok", "the daemon may have"],
    ])?;
    let (_, said) = gateway.sbc(&["trust", "list", "--json"])?;
    ensure!(serde_json::from_str::<Vec<Value>>(&said).is_ok(), "{said}");
    // For people: the same, and how it ends.
    let (status, said) = gateway.sbc(&["doctor"])?;
    ensure!(status.code() == while_it_serves.code, "{said}");
    ensure!(said.contains("ok       daemon ") && !said.contains('\x1b'), "{said}");
    ensure!(said.ends_with(" ok\n") && said.contains("\n0 failures, "), "{said}");
    Ok(())
}

#[test]
fn the_user_who_runs_the_daemon_sees_what_concerns_him() -> Result<()> {
    let mut gateway = trusting().for_service_user().build()?;
    gateway.load()?;
    gateway.start_without_privileges()?;
    let mut nobody = gateway.spawn_without_privileges(&["doctor", "--json"])?;
    let code = nobody.wait(SOON)?.code();
    let told = Diagnosis::read(code, &nobody.output()?)?;
    told.expect_no_failure()?;
    told.tells(&[
        ["privileges", "ok", "running it takes none"],
        ["filter", "ok", "attached to outside, enforce"],
        ["ports", "ok", "6 held by the daemon"],
        ["daemon", "ok", "answers at "],
        ["state-directory", "ok", "state"],
    ])
}

/// A peer whose name leads nowhere, and whose rule nobody will fulfil for long; and a listener that is not here.
const BROKEN: &str = r#"
[[peer]]
name = "moved"
require = ["tls"]
identities = ["moved.example"]
certificate = { usage = "client-auth" }
target = "sips:moved.example"
may-assert = ["*@moved.example"]
[dns]
servers = ["127.0.0.1:9"]
[[listen]]
transport = "udp"
address = "192.0.2.99:5060"
"#;

#[test]
fn each_of_many_broken_things_is_named_with_what_to_do() -> Result<()> {
    let setup = Setup::new().tls("require").tls_lines("crls = [\"tls/revoked.pem\"]");
    let setup = setup.targets("targets = [\"sip:192.0.2.5\"]").table(BROKEN);
    let gateway = setup.for_service_user().build()?;
    let authority = gateway.authority()?;
    authority.revoke(&[], false)?;
    authority.issue(&Certificate {
        name: "gateway",
        uri_sans: &["sip:example.com"],
        dns_sans: &[],
        usage: Usage::Client,
        validity: Validity::Expired,
    })?;
    let configuration = gateway.configuration();
    let text = fs::read_to_string(configuration)?;

    // Somebody else's program, a port that is taken, and a network stack that is not as it should be.
    move_below(&gateway, &gateway.scratch().path().join("other"))?;
    let others = fs::read_to_string(configuration)?.replace("user = \"nobody\"\n", "");
    fs::write(configuration, others)?;
    gateway.load()?;
    fs::write(configuration, &text)?;
    let _holder = Endpoint::bind(&gateway.edge, Family::V4.sip())?;
    gateway.edge.run("ip", ["link", "set", "outside", "mtu", "1280"])?;
    for place in ["outside", "all"] {
        set(&gateway, &format!("ipv4/conf/{place}/rp_filter"), 0)?;
    }
    set(&gateway, "ipv4/conf/outside/forwarding", 1)?;
    set(&gateway, "ipv4/tcp_syncookies", 0)?;

    // Files that the daemon's user cannot use, and one that others may.
    let scratch = gateway.scratch().path();
    fs::set_permissions(scratch.join("tls/gateway.key"), Permissions::from_mode(0o640))?;
    fs::set_permissions(configuration, Permissions::from_mode(0o602))?;
    fs::create_dir(scratch.join("state"))?;
    fs::set_permissions(scratch.join("state"), Permissions::from_mode(0o700))?;

    let told = Diagnosis::of(&gateway)?;
    ensure!(told.code == Some(2), "{:?}", told.code);
    let address = format!("UDP {} is held by ", Family::V4.sip());
    told.tells(&[
        ["configuration", "failure", "gateway.key"],
        ["other-programs", "failure", "another XDP program holds outside"],
        ["ports", "failure", &address],
        ["mtu", "warning", "1280 bytes"],
        ["reverse-path", "warning", "rp_filter is 0 on outside"],
        ["forwarding", "warning", "192.0.2.5 has a public address"],
        ["network-stack", "warning", "no SYN cookies"],
        ["addresses", "failure", "192.0.2.99 is not an address of this machine"],
        ["names", "failure", "moved.example of peer \"moved\": the DNS does not answer"],
        ["certificates", "failure", "has expired"],
        ["certificate-usage", "failure", "not for servers"],
        ["certificate-usage", "warning", "peer \"moved\" has usage = \"client-auth\""],
        ["revocation-lists", "failure", "past its next update"],
        ["files", "failure", "gateway.key is open to others than its owner (mode 0640)"],
        ["files", "warning", "sbc.toml can be written by others"],
        ["state-directory", "failure", "user \"nobody\" cannot write"],
        ["filter", "warning", "no filter is loaded"],
        ["daemon", "warning", "no daemon runs"],
    ])?;
    gateway.edge.run("ip", ["link", "set", "outside", "down"])?;
    Diagnosis::of(&gateway)?.tells(&[["interface", "failure", "ip link set outside up"]])?;

    // Without a configuration there is the machine.
    fs::write(configuration, text.replace("\"outside\"", "\"wan0\""))?;
    Diagnosis::of(&gateway)?.tells(&[["interface", "failure", "\"wan0\""]])?;
    fs::write(configuration, "version = 1\nmode = \"enfroce\"\n")?;
    let told = Diagnosis::of(&gateway)?;
    told.tells(&[["configuration", "failure", "enfroce"], ["kernel", "ok", "Linux "]])?;
    ensure!(told.code == Some(2), "{:?}", told.code);
    Ok(())
}

#[test]
fn what_is_wrong_with_a_daemon_that_runs_is_named() -> Result<()> {
    let eager = "probe = { interval = \"1s\", timeout = \"1s\", failures = 1 }";
    let target = Family::V4.upstream();
    let setup = Setup::new().targets(&format!("targets = [\"sip:{target}\"]\n{eager}"));
    let users = "algorithms = [\"MD5\"]\nrefresh = \"1s\"";
    let setup = setup.users(users, &[ALICE]).challenging_strangers();
    let mut gateway = setup.kept_on_shutdown().start()?;
    gateway.wait_for_target(&target, "dead")?;
    let file = gateway.scratch().path().join("users.toml");
    let users = fs::read_to_string(&file)?;
    fs::write(&file, "realm = \"example.com\"\n[[user]]\nnam = \"alice\"\n")?;
    wait_until("stale users", SOON, || {
        let told = Diagnosis::of(&gateway)?;
        Ok(told.tells(&[["users", "warning", "users stay as they were"]]).is_ok())
    })?;
    let told = Diagnosis::of(&gateway)?;
    told.tells(&[["upstream", "failure", "no target lives: sip:10.0.0.5:5060"]])?;

    // Another program in front of it sees less, and says so.
    let mut nobody = gateway.spawn_without_privileges(&["doctor", "--json"])?;
    let code = nobody.wait(SOON)?.code();
    let told = Diagnosis::read(code, &nobody.output()?)?;
    told.tells(&[
        ["privileges", "unseen", "sudo sbc doctor"],
        ["kernel", "ok", "Linux "],
        ["configuration", "failure", "sbc.toml"],
    ])?;

    let (status, said) = gateway.sbc(&["unload"])?;
    ensure!(status.success(), "{said}");
    Diagnosis::of(&gateway)?.tells(&[["filter", "failure", "nothing is dropped there"]])?;
    gateway.stop()?;

    fs::write(&file, users)?;
    gateway.start()?;
    gateway.daemon()?.kill();
    let told = Diagnosis::of(&gateway)?;
    told.tells(&[["daemon", "failure", "the filter is loaded and no daemon runs"]])?;
    ensure!(told.code == Some(2), "{:?}", told.code);
    Ok(())
}
