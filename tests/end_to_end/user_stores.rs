//! Users who are kept in databases.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
};

use anyhow::Result;
use sbc_tests::{
    Authority, Certificate, Family, Gateway, Host, Kamailio, Postgres, Scenario, Setup, Usage,
    Validity, wait_until,
};

use crate::{
    calls::{ALICE, caller},
    expectation::{SOON, expect_calls},
    users::{BOB, user},
};

/// A gateway whose users file has become another store, which is asked every second.
fn moved_to(store: &str, more: &str, users: &[[&str; 2]]) -> Result<Gateway> {
    let challenging = Setup::new().challenging_strangers();
    let gateway = challenging.users("algorithms = [\"MD5\"]", users).build()?;
    let path = gateway.configuration();
    let text = fs::read_to_string(path)?;
    let store = format!("store = \"{store}\"\nrefresh = \"1s\"");
    let text = text.replace("store = \"file:users.toml\"", &store);
    fs::write(path, format!("{text}\n{more}\n"))?;
    Ok(gateway)
}

fn users_file(gateway: &Gateway) -> PathBuf {
    gateway.scratch().path().join("users.toml")
}

/// Waits until sources are open because of these users' proofs, and no others.
fn expect_proofs(gateway: &Gateway, holders: &[&str]) -> Result<()> {
    gateway.wait_for_status(&format!("the proofs of {holders:?}"), |status| {
        let grants = status.grants()?;
        let found = grants.iter().filter(|grant| grant.proof == "digest");
        Ok(found.map(|grant| grant.holder.as_str()).collect::<Vec<_>>() == holders)
    })?;
    Ok(())
}

/// Waits until so many users are in force.
fn wait_until_users_are(gateway: &Gateway, count: usize) -> Result<()> {
    wait_until(&format!("{count} users"), SOON, || {
        Ok(gateway.sbc(&["status"])?.1.contains(&format!("users: {count}\n")))
    })
}

fn registers(gateway: &Gateway, [name, password]: [&str; 2]) -> Result<()> {
    let phone = caller(Scenario::Registration, Family::V4).from(name);
    expect_calls(&phone.credentials(name, password).run(&gateway.internet)?, 1);
    Ok(())
}

fn is_refused(gateway: &Gateway, [name, password]: [&str; 2]) -> Result<()> {
    let phone = caller(Scenario::RefusedRegistration, Family::V4).from(name);
    expect_calls(&phone.credentials(name, password).run(&gateway.internet)?, 1);
    Ok(())
}

#[test]
fn a_phone_registers_with_a_user_of_sqlite_and_is_shut_out_when_he_is_removed() -> Result<()> {
    let mut gateway = moved_to("sqlite:users.db", "", &[ALICE])?;
    let file = users_file(&gateway);
    user(&gateway, &["import", &file.display().to_string()], "")?;
    fs::remove_file(file)?;
    gateway.start()?;
    let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    registers(&gateway, ALICE)?;
    assert_eq!(kamailio.contacts("alice")?.len(), 1);
    expect_proofs(&gateway, &["user alice"])?;

    // Nobody tells the daemon.
    user(&gateway, &["remove", "alice"], "")?;
    expect_proofs(&gateway, &[])?;
    is_refused(&gateway, ALICE)?;
    user(&gateway, &["add", "bob"], "hidden\n")?;
    wait_until_users_are(&gateway, 1)?;
    registers(&gateway, BOB)?;
    expect_proofs(&gateway, &["user bob"])?;
    let (_, said) = gateway.sbc(&["status"])?;
    assert!(said.contains("users: 1\nusers are those of sqlite:/"), "{said}");
    Ok(())
}

/// Waits until `sbc status` says, or no longer says, why the users stay as they were.
fn wait_until_told(gateway: &Gateway, problem: Option<&str>) -> Result<()> {
    wait_until(&format!("the problem {problem:?}"), SOON, || {
        let (_, said) = gateway.sbc(&["status"])?;
        Ok(match problem {
            Some(problem) => said.contains("users stay as they were") && said.contains(problem),
            None => !said.contains("users stay as they were"),
        })
    })
}

const NEW_PASSWORD: [&str; 2] = ["alice", "changed"];

/// A statement that adds a user, or gives him another password.
fn entry([name, password]: [&str; 2]) -> String {
    format!(
        "INSERT INTO sbc.users (name, realm, md5) \
         VALUES ('{name}', 'example.com', md5('{name}:example.com:{password}')) \
         ON CONFLICT (realm, name) DO UPDATE SET md5 = excluded.md5;"
    )
}

#[test]
fn users_of_postgresql_come_and_go_and_stay_while_it_is_down() -> Result<()> {
    let database = Host::new("database")?;
    let mut postgres = Postgres::start(&database, "unused")?;
    postgres.execute(&entry(ALICE))?;
    let place = format!("postgres://sbc@{}/sbc", postgres.socket().display());
    let mut gateway = moved_to(&place, "", &[])?;
    gateway.start()?;
    let _kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
    registers(&gateway, ALICE)?;
    expect_proofs(&gateway, &["user alice"])?;

    postgres.execute(&entry(NEW_PASSWORD))?;
    expect_proofs(&gateway, &[])?;
    is_refused(&gateway, ALICE)?;
    registers(&gateway, NEW_PASSWORD)?;

    // What the tables' own checks would not let in.
    postgres.execute("ALTER TABLE sbc.users DROP CONSTRAINT users_md5_check")?;
    postgres
        .execute("INSERT INTO sbc.users (name, realm, md5) VALUES ('eve', 'example.com', 'x')")?;
    wait_until_told(&gateway, Some("user \"eve\" of realm \"example.com\": MD5 takes 32"))?;
    expect_proofs(&gateway, &["user alice"])?;
    registers(&gateway, NEW_PASSWORD)?;
    postgres
        .execute("UPDATE sbc.users SET md5 = md5(''), may_call = '{NULL}' WHERE name = 'eve'")?;
    wait_until_told(&gateway, Some("user \"eve\" of realm \"example.com\": a list has NULL"))?;
    postgres.execute("DELETE FROM sbc.users WHERE name = 'eve'")?;
    wait_until_told(&gateway, None)?;

    postgres.stop()?;
    wait_until_told(&gateway, Some(&place))?;
    registers(&gateway, NEW_PASSWORD)?;
    // A daemon that knows of nobody does not start.
    let (status, said) = gateway.sbc(&["check"])?;
    assert!(!status.success() && said.contains(&place), "{said}");
    postgres.start_again(None)?;
    wait_until_told(&gateway, None)?;
    postgres.execute(&entry(BOB))?;
    wait_until_users_are(&gateway, 2)?;
    registers(&gateway, BOB)?;
    let log = gateway.stop()?;
    assert_eq!(log.matches("takes 32 hexadecimal digits").count(), 1, "{log}");
    Ok(())
}

#[test]
fn a_database_elsewhere_is_read_over_tls_from_whom_its_authority_certifies() -> Result<()> {
    const PASSWORD: &str = "of-the-database";
    let by = |host: &str, access: &str| {
        let access = format!("[users.postgres]\npassword-file = \"password\"\n{access}");
        moved_to(&format!("postgres://sbc@{host}/sbc"), &access, &[])
    };
    let gateway = by("localhost", "ca = \"ours/ca.pem\"")?;
    let scratch = gateway.scratch();
    let ours = Authority::new(scratch.path().join("ours"), "Ours")?;
    let theirs = Authority::new(scratch.path().join("theirs"), "Theirs")?;
    let certificate = ours.issue(&Certificate {
        name: "database",
        uri_sans: &[],
        dns_sans: &["localhost"],
        usage: Usage::Server,
        validity: Validity::Valid,
    })?;
    let password = scratch.write("password", format!("{PASSWORD}\n"))?;
    fs::set_permissions(&password, Permissions::from_mode(0o600))?;
    let text = fs::read_to_string(gateway.configuration())?;
    let check = |host: &str, ca: Option<&Authority>| -> Result<String> {
        let ca = ca.map(|ca| format!("ca = \"{}\"", ca.certificate().display()));
        let changed = text.replace("ca = \"ours/ca.pem\"", ca.as_deref().unwrap_or_default());
        let changed = changed.replace("@localhost/", &format!("@{host}/"));
        fs::write(gateway.configuration(), changed)?;
        let (status, said) = gateway.sbc(&["check"])?;
        assert!(!said.contains(PASSWORD), "{said}");
        assert_eq!(status.success(), said.contains(": ok ("), "{said}");
        Ok(said)
    };
    let expect = |said: String, expected: &str| assert!(said.contains(expected), "{said}");

    let mut postgres = Postgres::start(&gateway.edge, PASSWORD)?;
    postgres.execute(&entry(ALICE))?;
    expect(check("127.0.0.1", None)?, ", 1 users,");
    expect(check("localhost", None)?, "[users.postgres] needs a ca");
    expect(check("localhost", Some(&ours))?, "server does not support TLS");
    postgres.stop()?;
    postgres.start_again(Some(&certificate))?;
    expect(check("localhost", Some(&ours))?, ", 1 users,");
    expect(check("localhost", Some(&theirs))?, "invalid peer certificate: UnknownIssuer");
    // It is for the name, not for the address.
    expect(check("127.0.0.1", Some(&ours))?, "invalid peer certificate: certificate not valid for");
    scratch.write("password", "guess")?;
    expect(check("localhost", Some(&ours))?, "password authentication failed for user \"sbc\"");
    fs::set_permissions(&password, Permissions::from_mode(0o640))?;
    expect(check("localhost", Some(&ours))?, "chmod 600");
    Ok(())
}
