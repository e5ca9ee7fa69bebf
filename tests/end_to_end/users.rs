//! Users who come and go while the daemon runs.

use std::{
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result};
use sbc_tests::{Family, Gateway, Setup};

use crate::{
    calls::ALICE,
    digest::Login,
    endpoint::{Endpoint, ends},
    reload::reload,
    request::Request,
};

const READ_ANEW: &str = "the users were read anew";
const AS_THEY_WERE: &str = "the users stay as they were";
const BOB: [&str; 2] = ["bob", "hidden"];

fn challenging(users: &[[&str; 2]]) -> Result<Gateway> {
    Setup::new().challenging_strangers().users("algorithms = [\"SHA-256\"]", users).start()
}

/// A question that is relayed, of a user of this name.
fn question(phone: &Endpoint, user: &str) -> Request {
    let request = phone.request("OPTIONS").with_body();
    Request { from: request.from.replace("alice", user), ..request }
}

/// Asks as a user, who has to be challenged first; returns what he says after that.
fn challenged(phone: &Endpoint, [user, password]: [&str; 2]) -> Result<Request> {
    let request = question(phone, user);
    let refusal = phone.ask(Family::V4.sip(), &request, 407)?;
    Login(user, password).answer(&request, &refusal)
}

fn proves(phone: &Endpoint, upstream: &Endpoint, user: [&str; 2]) -> Result<()> {
    phone.send(Family::V4.sip(), &challenged(phone, user)?)?;
    upstream.hear().map(drop)
}

fn is_refused(phone: &Endpoint, user: [&str; 2]) -> Result<()> {
    let answer = challenged(phone, user)?;
    phone.ask(Family::V4.sip(), &answer, 407).map(drop)
}

/// Waits until exactly these places are open for a user's proof.
fn expect_proofs(gateway: &Gateway, proofs: &[[&str; 2]]) -> Result<()> {
    gateway.wait_for_status(&format!("the proofs {proofs:?}"), |status| {
        let grants = status.grants()?;
        let found = grants.iter().filter(|grant| grant.proof == "digest");
        let found: Vec<_> = found.map(|it| [it.source.as_str(), it.holder.as_str()]).collect();
        Ok(found == proofs)
    })?;
    Ok(())
}

fn replace(gateway: &Gateway, text: &str) -> Result<()> {
    Ok(fs::write(gateway.scratch().path().join("users.toml"), text)?)
}

#[test]
fn who_is_added_is_heard_after_the_reload_and_who_is_removed_is_shut_out_at_once() -> Result<()> {
    // The test's own entries of both.
    let both = fs::read_to_string(challenging(&[ALICE, BOB])?.scratch().path().join("users.toml"))?;
    let mut gateway = challenging(&[ALICE])?;
    let (alice, upstream) = ends(&gateway)?;
    let bob = SocketAddr::new(Family::V4.neighbour(), 5070);
    let bob = Endpoint::bind(&gateway.internet, bob)?;
    let [alices, bobs] = [&alice, &bob].map(|phone| phone.local.to_string());
    proves(&alice, &upstream, ALICE)?;
    is_refused(&bob, BOB)?;
    let alices = [alices.as_str(), "user alice"];
    expect_proofs(&gateway, &[alices])?;

    replace(&gateway, &both)?;
    reload(&mut gateway, READ_ANEW)?;
    proves(&bob, &upstream, BOB)?;
    let bobs = [bobs.as_str(), "user bob"];
    expect_proofs(&gateway, &[alices, bobs])?;

    let first = both.find("[[user]]").context("an entry")?;
    let second = both.rfind("[[user]]").context("two entries")?;
    replace(&gateway, &format!("{}{}", &both[..first], &both[second..]))?;
    reload(&mut gateway, READ_ANEW)?;
    expect_proofs(&gateway, &[bobs])?;
    let before = gateway.status()?;
    let verdict = |name: &str| before.verdict(name);
    let (trusted, unknown) = (verdict("trusted-source")?, verdict("unknown-within-budget")?);
    // Her port is a stranger's, and her password nobody's.
    is_refused(&alice, ALICE)?;
    gateway.wait_for_status("alice as a stranger", |status| {
        let is = (status.verdict("trusted-source")?, status.verdict("unknown-within-budget")?);
        Ok(is == (trusted, unknown + 2))
    })?;
    expect_proofs(&gateway, &[bobs])?;
    Ok(())
}

#[test]
fn a_file_that_cannot_be_used_changes_nobody() -> Result<()> {
    let mut gateway = challenging(&[ALICE])?;
    let (phone, upstream) = ends(&gateway)?;
    let path = gateway.scratch().path().join("users.toml");
    let good = fs::read_to_string(&path)?;
    let phones = phone.local.to_string();
    proves(&phone, &upstream, ALICE)?;
    let broken = good.replace("alice", "bob") + "[[user]]\nname = \"carol\"\n";
    for (text, mode, problem) in [
        (&broken, 0o600, "user \"carol\" needs md5"),
        (&"realm = \"example.com\"\n".to_owned(), 0o640, "chmod 600"),
    ] {
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        reload(&mut gateway, AS_THEY_WERE)?;
        let (_, said) = gateway.sbc(&["status"])?;
        assert!(said.contains("users: 1\n") && said.contains(problem), "{said}");
        expect_proofs(&gateway, &[[&phones, "user alice"]])?;
        proves(&phone, &upstream, ALICE)?;
    }
    fs::remove_file(&path)?;
    reload(&mut gateway, AS_THEY_WERE)?;
    proves(&phone, &upstream, ALICE)?;

    fs::write(&path, good)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    reload(&mut gateway, READ_ANEW)?;
    let (_, said) = gateway.sbc(&["status"])?;
    assert!(said.contains("users: 1\n") && !said.contains("as they were"), "{said}");
    expect_proofs(&gateway, &[[&phones, "user alice"]])?;
    Ok(())
}
