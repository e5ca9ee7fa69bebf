//! The configuration is read anew while messages arrive.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Certificate, Family, Gateway, Scenario, Setup, Sipp, TlsClient, wait_until};

use crate::{
    calls::caller,
    carrier::{self, CARRIER},
    endpoint::ends,
    expectation::{SOON, expect_calls},
    listed_peer::of_the_peer,
};

const HANG_UP: i32 = 1;

/// Has the daemon read its files anew, and waits until it says so in these words.
pub(crate) fn reload(gateway: &mut Gateway, expected: &str) -> Result<()> {
    let daemon = gateway.daemon()?;
    let before = daemon.output()?.matches(expected).count();
    daemon.signal(HANG_UP)?;
    wait_until(&format!("{expected:?} in the log"), SOON, || {
        Ok(daemon.output()?.matches(expected).count() > before)
    })
}

/// Another one who proves himself by certificate.
const GUEST: Certificate<'_> =
    Certificate { name: "guest", uri_sans: &["sip:guest.example"], ..CARRIER };

/// The caller over IPv4 by his address, and over TLS a carrier and a guest.
const LISTED: &str = "[[peer]]\nname = \"listed\"\nrequire = [\"static\"]\n\
    sources = [\"198.51.100.7\"]\nopens = [\"udp\", \"tcp\"]\n\
    may-assert = [\"*@example.com\", \"*@carrier.example\"]\n";
const BY_TLS: &str = "[[peer]]\nname = \"carrier\"\nrequire = [\"tls\"]\n\
    identities = [\"carrier.example\"]\nopens = [\"udp\"]\nmay-assert = [\"*@carrier.example\"]\n";
const GUESTS: &str = "[[peer]]\nname = \"guest\"\nrequire = [\"tls\"]\n\
    identities = [\"guest.example\"]\nopens = [\"udp\"]\nmay-assert = [\"*@guest.example\"]\n\
    lifetime = \"1h\"\n";

fn setup() -> Setup {
    Setup::new().tls("require").table(&[LISTED, BY_TLS, GUESTS].concat())
}

/// Writes one text in the place of another.
fn change(gateway: &Gateway, changes: &[(&str, &str)]) -> Result<()> {
    let mut text = fs::read_to_string(gateway.configuration())?;
    for (old, new) in changes {
        ensure!(text.contains(old), "{old} is not there: {text}");
        text = text.replace(old, new);
    }
    Ok(fs::write(gateway.configuration(), text)?)
}

fn sbc_reload(gateway: &Gateway) -> Result<String> {
    let (status, said) = gateway.sbc(&["reload"])?;
    ensure!(status.success(), "{status}: {said}");
    Ok(said)
}

/// Says who holds what, at this moment.
fn holders(gateway: &Gateway) -> Result<Vec<String>> {
    let grants = gateway.status()?.grants()?;
    Ok(grants.into_iter().map(|grant| format!("{} {}", grant.source, grant.holder)).collect())
}

fn over_tcp(gateway: &Gateway) -> Result<TcpStream> {
    let connect = || TcpStream::connect_timeout(&Family::V4.sip(), SOON);
    let stream = gateway.internet.enter(connect)??;
    stream.set_read_timeout(Some(SOON))?;
    Ok(stream)
}

/// Whoever is at the other end of a connection answers a keepalive (RFC 5626 §3.5.1).
fn is_there(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(b"\r\n\r\n")?;
    let mut pong = [0; 2];
    stream.read_exact(&mut pong)?;
    ensure!(&pong == b"\r\n", "{pong:?}");
    Ok(())
}

fn at(gateway: &Gateway, family: Family, certificate: &Certificate<'_>) -> Result<TlsClient> {
    let issued = gateway.authority()?.issue(certificate)?;
    let mut client = carrier::show(gateway, family, family.caller(), Some(&issued))?;
    client.wait_until_connected()?;
    Ok(client)
}

#[test]
fn while_peers_change_no_call_is_lost_and_no_connection_ends_that_is_not_about_them() -> Result<()>
{
    const CALLS: u32 = 600;
    const ROUNDS: usize = 6;
    let mut gateway = setup().start()?;
    let (internet, inside) = (gateway.internet.clone(), gateway.inside.clone());
    let answering = Sipp::answering(Scenario::AnswerAfterRinging, gateway.upstream());
    let answering = answering.pausing(Duration::from_secs(1)).start(&inside)?;
    let mut stream = over_tcp(&gateway)?;
    is_there(&mut stream)?;
    let mut carrier = at(&gateway, Family::V6, &CARRIER)?;
    let calling = caller(Scenario::Call, Family::V4).calls(CALLS).rate(75);
    let calling = calling.pausing(Duration::from_secs(1)).start(&internet)?;
    gateway.wait_for_status("calls at every stage", |status| {
        Ok(status.outcome("request-relayed-inwards")? >= 300)
    })?;

    // The carrier stands elsewhere each time, with another lifetime; others come and go.
    let first = fs::read_to_string(gateway.configuration())?;
    let others = "[[peer]]\nname = \"other\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
                  sources = [\"192.0.2.0/28\"]\nmay-assert = [\"*@other.example\"]\n";
    let listed = LISTED.replace("\"udp\", \"tcp\"", "\"tcp\", \"udp\"");
    let carriers = format!("{BY_TLS}lifetime = \"2h\"\nbudget = \"500/s\"\n");
    let second = [others, GUESTS, &carriers, &listed].concat();
    let second = first.replace(&[LISTED, BY_TLS, GUESTS].concat(), &second);
    ensure!(second != first, "nothing has changed: {first}");
    for round in 0..ROUNDS {
        fs::write(gateway.configuration(), if round % 2 == 0 { &second } else { &first })?;
        if round % 3 == 0 {
            reload(&mut gateway, "the configuration was read anew")?;
        } else {
            let said = sbc_reload(&gateway)?;
            assert!(said.contains("0 connections were cut"), "{said}");
        }
        is_there(&mut stream)?;
        let held = holders(&gateway)?;
        assert!(held.iter().any(|it| it.ends_with("peer carrier")), "{held:?}");
        assert_eq!(held.iter().any(|it| it.ends_with("peer other")), round % 2 == 0, "{held:?}");
    }
    let calls = calling.finish()?;
    expect_calls(&calls, CALLS.into());
    expect_calls(&answering.stop()?, CALLS.into());
    let status = gateway.status()?;
    // None of its packets was a stranger's, for the kernel or for the daemon.
    assert_eq!(status.verdict("unknown-source")?, 0, "{status}");
    assert_eq!(status.verdict("transport-not-opened")?, 0, "{status}");
    carrier.send("\r\n\r\n")?;
    wait_until("a pong", SOON, || Ok(carrier.output()?.contains("\n\r\n")))?;
    Ok(())
}

#[test]
fn who_is_removed_is_out_at_once_with_his_connections_and_nobody_else_is() -> Result<()> {
    let gateway = setup().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let mut stream = over_tcp(&gateway)?;
    let mut guest = at(&gateway, Family::V6, &GUEST)?;
    phone.send(Family::V4.sip(), &of_the_peer(&phone, "OPTIONS"))?;
    is_there(&mut stream)?;
    upstream.hear()?;
    change(&gateway, &[(LISTED, "")])?;
    let said = sbc_reload(&gateway)?;
    assert!(said.contains("1 connections were cut"), "{said}");
    let held = holders(&gateway)?;
    assert!(held.iter().all(|it| it.ends_with("peer guest")) && !held.is_empty(), "{held:?}");
    let mut rest = Vec::new();
    // What ends by a reset is over as well.
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    let before = gateway.status()?.verdict("unknown-source")?;
    phone.send(Family::V4.sip(), &of_the_peer(&phone, "OPTIONS"))?;
    gateway.wait_for_status("a stranger", |status| {
        Ok(status.verdict("unknown-source")? == before + 1)
    })?;
    guest.send("\r\n\r\n")?;
    wait_until("a pong", SOON, || Ok(guest.output()?.contains("\n\r\n")))?;

    change(&gateway, &[(GUESTS, "")])?;
    sbc_reload(&gateway)?;
    assert_eq!(holders(&gateway)?, Vec::<String>::new());
    guest.wait_until_closed()?;
    Ok(())
}

#[test]
fn a_file_in_which_anything_is_wrong_changes_nothing_and_the_operator_is_told_where() -> Result<()>
{
    let mut gateway = setup().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let _guest = at(&gateway, Family::V6, &GUEST)?;
    let good = fs::read_to_string(gateway.configuration())?;
    let held = holders(&gateway)?;
    assert!(!held.is_empty());
    let typo = ("name = \"listed\"\nrequire", "name = \"listed\"\nreqiure");
    let contradiction = ("identities = [\"carrier.example\"]\n", "");
    let restart = ("[kernel]\n", "[kernel]\ntrust-entries = 5000\n");
    let missing = ("client-ca = \"", "client-ca = \"nowhere/");
    for (wrong, said) in [
        (typo, &["did you mean `require`?", "line ", "column 1"][..]),
        (contradiction, &["[[peer]] \"carrier\"", "identities is empty", "line "]),
        (restart, &["kernel.trust-entries needs a restart"]),
        (missing, &["nowhere"]),
    ] {
        // Who would be removed is not.
        change(&gateway, &[wrong, (GUESTS, "")])?;
        let (status, refused) = gateway.sbc(&["reload"])?;
        assert!(!status.success(), "{refused}");
        for said in said {
            assert!(refused.contains(said), "{said}: {refused}");
        }
        reload(&mut gateway, "the configuration stays as it was")?;
        fs::write(gateway.configuration(), &good)?;
        assert_eq!(holders(&gateway)?, held);
        phone.send(Family::V4.sip(), &of_the_peer(&phone, "OPTIONS"))?;
        upstream.hear()?;
    }
    sbc_reload(&gateway)?;
    assert_eq!(holders(&gateway)?, held);
    Ok(())
}

#[test]
fn what_a_reload_would_change_is_told_before_and_no_secret_is() -> Result<()> {
    let gateway = setup().start()?;
    let check = |arguments: &[&str]| -> Result<String> {
        let (status, said) = gateway.sbc(&[&["check"], arguments].concat())?;
        ensure!(status.success(), "{status}: {said}");
        Ok(said)
    };
    assert!(check(&[])?.contains("has the same configuration"), "{}", check(&[])?);
    let stranger = "[unknown]\naction = \"challenge\"\n[[peer]]\nname = \"new\"\n\
                    require = [\"static\"]\nopens = [\"udp\"]\nsources = [\"192.0.2.1\"]\n";
    change(
        &gateway,
        &[
            ("may-assert = [\"*@carrier.example\"]\n", "may-assert = [\"*@hidden.example\"]\n"),
            (GUESTS, stranger),
            ("[kernel]\n", "[kernel]\ntrust-entries = 5000\n"),
        ],
    )?;
    let said = check(&[])?;
    for line in [
        "  added    unknown.action\n",
        "  added    peer \"new\"\n",
        "  removed  peer \"guest\"\n",
        "  changed  peer \"carrier\".may-assert\n",
        "  added    kernel.trust-entries (needs a restart)\n",
        "it will be refused",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("hidden"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&check(&["--json"])?)?;
    assert_eq!(json["reload"]["changes"]["removed"], serde_json::json!(["peer \"guest\""]));
    let needing = &json["reload"]["changes"]["need-restart"];
    assert_eq!(*needing, serde_json::json!(["kernel.trust-entries"]));

    let mut gateway = gateway;
    gateway.stop()?;
    let (_, said) = gateway.sbc(&["check"])?;
    assert!(said.contains("no daemon answers at "), "{said}");
    Ok(())
}

#[test]
fn the_members_of_a_group_may_ask_for_the_status_and_change_nothing() -> Result<()> {
    let mut gateway = setup().build()?;
    let asked = |gateway: &Gateway, arguments: &[&str]| -> Result<(bool, String)> {
        let mut asker = gateway.spawn_without_privileges(arguments)?;
        let status = asker.wait(SOON)?;
        Ok((status.success(), asker.output()?))
    };
    gateway.start()?;
    let (_, said) = asked(&gateway, &["status"])?;
    assert!(!said.contains("messages"), "{said}");
    gateway.stop()?;
    let text = fs::read_to_string(gateway.configuration())?;
    fs::write(gateway.configuration(), text + "[control]\ngroup = \"nogroup\"\n")?;
    for folder in [gateway.scratch().path(), gateway.configuration().parent().context("a folder")?]
    {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    fs::set_permissions(gateway.configuration(), fs::Permissions::from_mode(0o644))?;
    gateway.start()?;
    let (is_told, said) = asked(&gateway, &["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(&said)?;
    assert!(is_told && !status["daemon"].is_null(), "{said}");
    for refused in [&["reload"][..], &["trust", "lift"], &["capture", "-w", "/dev/null"]] {
        let (is_done, said) = asked(&gateway, refused)?;
        assert!(!is_done && said.contains("root and the user of the daemon alone"), "{said}");
    }
    sbc_reload(&gateway)?;
    Ok(())
}
