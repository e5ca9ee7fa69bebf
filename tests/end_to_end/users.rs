//! Users who come and go while the daemon runs.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Setup, sbc_binary};

use crate::{
    calls::ALICE,
    digest::Login,
    endpoint::{Endpoint, ends},
    expectation::SOON,
    reload::reload,
    request::Request,
};

const READ_ANEW: &str = "the configuration was read anew";
const AS_THEY_WERE: &str = "the configuration stays as it was";
pub(crate) const BOB: [&str; 2] = ["bob", "hidden"];

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

/// Runs `sbc user` to its end, with a password on standard input; returns what it said if it succeeded.
pub(crate) fn user(gateway: &Gateway, arguments: &[&str], password: &str) -> Result<String> {
    let mut command = Command::new(sbc_binary()?);
    command.arg("user").args(arguments).arg("--config").arg(gateway.configuration());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // Who asks for none may have ended by now.
    let _ = child.stdin.take().context("no pipe to sbc user")?.write_all(password.as_bytes());
    let output = child.wait_with_output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

#[test]
fn users_are_added_removed_and_given_other_passwords_while_the_daemon_runs() -> Result<()> {
    let mut gateway = challenging(&[ALICE])?;
    let (phone, upstream) = ends(&gateway)?;
    user(&gateway, &["add", "bob"], "hidden\n")?;
    user(&gateway, &["passwd", "alice"], "changed")?;
    let listed = user(&gateway, &["list"], "")?;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    is_refused(&phone, BOB)?;
    reload(&mut gateway, READ_ANEW)?;
    proves(&phone, &upstream, BOB)?;
    is_refused(&phone, ALICE)?;
    proves(&phone, &upstream, ["alice", "changed"])?;

    user(&gateway, &["remove", "bob"], "")?;
    let listed: serde_json::Value =
        serde_json::from_str(&user(&gateway, &["list", "--json"], "")?)?;
    let hashes = ["sha-512-256", "sha-256", "md5"];
    let alice = serde_json::json!({ "name": "alice", "realm": "example.com", "hashes": hashes });
    assert_eq!(listed, serde_json::json!([alice]));
    reload(&mut gateway, READ_ANEW)?;
    is_refused(&phone, BOB)?;
    Ok(())
}

#[test]
fn a_change_that_cannot_be_made_is_refused_and_changes_nothing() -> Result<()> {
    let gateway = challenging(&[ALICE])?;
    let path = gateway.scratch().path().join("users.toml");
    let before = fs::read(&path)?;
    for (arguments, password, problem) in [
        (&["add", "alice"][..], "x", "there is a user \"alice\" in the realm"),
        (&["remove", "bob"], "", "there is no user \"bob\" in the realm"),
        (&["passwd", "alice", "--realm", "b.example"], "x", "there is no user \"alice\""),
        (&["passwd", "alice"], "", "the password is empty"),
        (&["add", "a:b"], "x", "the name has a colon"),
        (&["add", "bob", "--may-assert", "bob"], "x", "\"bob\" is not an identity"),
    ] {
        let said = user(&gateway, arguments, password).unwrap_err().to_string();
        assert!(said.contains(problem), "{said}");
        assert_eq!(fs::read(&path)?, before);
    }
    fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    let said = user(&gateway, &["add", "bob"], "x").unwrap_err().to_string();
    assert!(said.contains("chmod 600"), "{said}");
    fs::remove_file(&path)?;
    let said = user(&gateway, &["add", "bob"], "x").unwrap_err().to_string();
    assert!(said.contains("--realm"), "{said}");
    user(&gateway, &["add", "bob", "--realm", "example.com"], "x")?;
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o7777, 0o600);
    assert!(user(&gateway, &["list"], "")?.starts_with("bob "));
    Ok(())
}

#[test]
fn a_terminal_is_asked_twice_and_shows_nothing() -> Result<()> {
    let mut gateway = challenging(&[ALICE])?;
    let (phone, upstream) = ends(&gateway)?;
    for (again, is_taken) in [("another-secret", false), ("unseen-secret", true)] {
        let configuration = gateway.configuration().display().to_string();
        let program = sbc_binary()?.display().to_string();
        let command = format!("{program} user passwd alice --config {configuration}");
        let mut script = gateway.edge.command("script");
        script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped());
        let mut terminal = gateway.edge.spawn("script", script)?;
        let mut keys = terminal.take_stdin().context("no pipe to the terminal")?;
        for (question, password) in [("New password: ", "unseen-secret"), ("again: ", again)] {
            terminal.wait_for_output(question, SOON)?;
            keys.write_all(format!("{password}\r").as_bytes())?;
        }
        assert_eq!(terminal.wait(SOON)?.success(), is_taken);
        let said = terminal.output()?;
        assert!(!said.contains("secret"), "{said}");
        assert_eq!(said.contains("these are two passwords"), !is_taken, "{said}");
    }
    reload(&mut gateway, READ_ANEW)?;
    proves(&phone, &upstream, ["alice", "unseen-secret"])?;
    Ok(())
}
