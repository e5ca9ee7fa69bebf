//! Users whom a directory says to let in: a real one, `slapd`.

use std::{
    fmt::Write as _,
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
};

use anyhow::Result;
use sbc_tests::{Authority, Certificate, Family, Gateway, Setup, Slapd, Usage, Validity};

use crate::{
    calls::ALICE,
    digest::Login,
    endpoint::{Endpoint, ends},
    expectation::SOON,
    reload::reload,
    request::Request,
};

const BOB: [&str; 2] = ["bob", "hidden"];
const FILTER: &str = "(&(objectClass=inetOrgPerson)(!(employeeType=disabled)))";

/// Someone with this number.
fn person(name: &str, number: &str) -> String {
    format!(
        "dn: uid={name},dc=example\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nuid: {name}\n\
         telephoneNumber: {number}\n\n"
    )
}

/// A gateway whose users answer for what this directory says, asked every second.
fn gateway(url: &str, more: &str) -> Result<Gateway> {
    let table = format!(
        "[directory]\nurl = \"{url}\"\nbase = \"dc=example\"\nfilter = \"{FILTER}\"\n\
         bind-dn = \"{}\"\nbind-password-file = \"password\"\nuser-attribute = \"uid\"\n\
         identity-attributes = [\"uid\", \"telephoneNumber\"]\nrefresh = \"1s\"\n{more}",
        Slapd::READER
    );
    let setup = Setup::new().challenging_strangers().table(&table);
    let gateway = setup.users("algorithms = [\"SHA-256\"]", &[ALICE, BOB]).build()?;
    let password = gateway.scratch().write("password", Slapd::PASSWORD)?;
    fs::set_permissions(password, Permissions::from_mode(0o600))?;
    Ok(gateway)
}

/// A question of a user who says to be this one.
fn question(phone: &Endpoint, from: &str) -> Request {
    let request = phone.request("OPTIONS").with_body();
    Request { from: request.from.replace("alice", from), ..request }
}

/// Asks as a user who says to be this one, challenged first; expects this refusal, or to be relayed.
fn asks(
    [phone, upstream]: [&Endpoint; 2],
    [user, password]: [&str; 2],
    from: &str,
    refusal: Option<u16>,
) -> Result<()> {
    let request = question(phone, from);
    let challenge = phone.ask(Family::V4.sip(), &request, 407)?;
    let answer = Login(user, password).answer(&request, &challenge)?;
    if let Some(status) = refusal {
        return phone.ask(Family::V4.sip(), &answer, status).map(drop);
    }
    phone.send(Family::V4.sip(), &answer)?;
    upstream.hear().map(drop)
}

fn said(gateway: &Gateway) -> Result<String> {
    Ok(gateway.sbc(&["status"])?.1)
}

/// Waits until `sbc status` says so.
fn expect_status(gateway: &Gateway, text: &str) -> Result<()> {
    sbc_tests::wait_until(&format!("{text:?} in the status"), SOON, || {
        let said = said(gateway)?;
        anyhow::ensure!(said.contains(text), "{said}");
        Ok(true)
    })
}

fn expect_proofs(gateway: &Gateway, holders: &[&str]) -> Result<()> {
    gateway.wait_for_status(&format!("the proofs of {holders:?}"), |status| {
        let grants = status.grants()?;
        let found = grants.iter().filter(|grant| grant.proof == "digest");
        Ok(found.map(|grant| grant.holder.as_str()).collect::<Vec<_>>() == holders)
    })?;
    Ok(())
}

#[test]
fn users_are_let_in_as_the_directory_says_while_it_lives_and_as_it_said_while_it_does_not()
-> Result<()> {
    let at = SocketAddr::new(Family::V4.intruder(), 636);
    let mut gateway = gateway(&format!("ldaps://{}", at.ip()), "ca = \"ldap/authority.pem\"\n")?;
    let authority = Authority::new(gateway.scratch().path().join("ldap"), "Directory")?;
    let address = at.ip().to_string();
    let certificate = authority.issue(&Certificate {
        name: "slapd",
        uri_sans: &[],
        dns_sans: &["dc1.example", &address],
        usage: Usage::Server,
        validity: Validity::Valid,
    })?;
    // More than one page, and than are given without pages.
    let mut entries = person("Alice", "+1 212 555 0001") + &person("bob", "+1 212 555 0002");
    for number in 0..1200 {
        let _ = write!(entries, "{}", person(&format!("other{number}"), "+1"));
    }
    let inside = gateway.inside.clone();
    let files = (authority.certificate(), certificate);
    let mut slapd = Slapd::start(&inside, at, (&files.0, &files.1), &entries)?;
    gateway.start()?;
    expect_status(&gateway, "directory: 2 users are let in and 0 are not")?;
    expect_status(&gateway, "of 1202 people")?;
    let (alice, upstream) = ends(&gateway)?;
    let bob = SocketAddr::new(Family::V4.neighbour(), 5070);
    let bob = Endpoint::bind(&gateway.internet, bob)?;
    let [alices, bobs] = [[&alice, &upstream], [&bob, &upstream]];
    asks(alices, ALICE, "alice", None)?;
    asks(bobs, BOB, "+1-212-555-0002", None)?;
    asks(bobs, BOB, "+12125550001", Some(403))?;
    expect_proofs(&gateway, &["user alice", "user bob"])?;

    let disabled = "dn: uid=Alice,dc=example\nchangetype: modify\nadd: employeeType\n\
        employeeType: disabled\n";
    slapd.change(disabled)?;
    expect_proofs(&gateway, &["user bob"])?;
    expect_status(&gateway, "directory: 1 users are let in and 1 are not")?;
    asks(alices, ALICE, "alice", Some(407))?;

    slapd.stop()?;
    expect_status(&gateway, "directory stays as it was: ldaps://")?;
    asks(bobs, BOB, "bob", None)?;
    asks(alices, ALICE, "alice", Some(407))?;
    slapd.start_again()?;
    let enabled = "dn: uid=Alice,dc=example\nchangetype: modify\ndelete: employeeType\n";
    slapd.change(enabled)?;
    expect_status(&gateway, "directory: 2 users are let in and 0 are not")?;
    assert!(!said(&gateway)?.contains("stays as it was"));
    asks(alices, ALICE, "alice", None)?;

    let log = gateway.daemon()?.output()?;
    let told = log.matches("the directory does not answer, and what it said before holds").count();
    // Refused, and perhaps cut off first.
    assert!((1..=2).contains(&told), "{log}");
    assert!(!log.contains(Slapd::PASSWORD), "{log}");
    Ok(())
}

#[test]
fn nobody_is_let_in_before_a_directory_answers_whose_certificate_and_password_are_good()
-> Result<()> {
    let at = SocketAddr::new(Family::V4.intruder(), 389);
    let more = "ca = \"ldap/authority.pem\"\nstart-tls = true\n";
    let mut gateway = gateway(&format!("ldap://{at}"), more)?;
    let authority = Authority::new(gateway.scratch().path().join("ldap"), "Directory")?;
    let issue = |name: &str, address: &str| {
        authority.issue(&Certificate {
            name,
            uri_sans: &[],
            dns_sans: &[address],
            usage: Usage::Server,
            validity: Validity::Valid,
        })
    };
    let password = gateway.scratch().write("password", "of-somebody-else")?;
    gateway.start()?;
    expect_status(&gateway, "directory: no answer yet, and 2 users are not let in")?;
    let (phone, upstream) = ends(&gateway)?;
    let ends = [&phone, &upstream];
    asks(ends, ALICE, "alice", Some(407))?;

    let inside = gateway.inside.clone();
    let entries = person("alice", "+1 212 555 0001");
    let (root, others) = (authority.certificate(), issue("others", "10.0.0.99")?);
    let slapd = Slapd::start_in_clear(&inside, at, (&root, &others), &entries)?;
    expect_status(&gateway, "certificate")?;
    drop(slapd);
    let own = issue("own", &at.ip().to_string())?;
    let mut slapd = Slapd::start_in_clear(&inside, at, (&root, &own), &entries)?;
    expect_status(&gateway, "49 (invalid credentials)")?;
    asks(ends, ALICE, "alice", Some(407))?;
    fs::write(password, format!("{}\n", Slapd::PASSWORD))?;
    expect_status(&gateway, "directory: 1 users are let in and 1 are not")?;
    asks(ends, ALICE, "alice", None)?;

    // Emptied by accident: she stays, until the operator says that it is meant.
    slapd.change("dn: uid=alice,dc=example\nchangetype: delete\n")?;
    reload(&mut gateway, "the users are let in as the directory says")?;
    expect_status(&gateway, "directory: 0 users are let in and 2 are not")?;
    expect_proofs(&gateway, &[])?;
    Ok(())
}
