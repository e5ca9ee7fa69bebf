//! Users who are kept in databases.

use std::{fs, path::PathBuf};

use anyhow::Result;
use sbc_tests::{Family, Gateway, Kamailio, Scenario, Setup, wait_until};

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
