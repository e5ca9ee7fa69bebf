//! Those who go on guessing passwords.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Gateway, Setup};

use crate::{
    calls::ALICE, digest::Login, endpoint::Endpoint, expectation::Expect as _, request::Request,
};

const GUESSES: u64 = 5;

fn guarded(ban: &str) -> Result<Gateway> {
    let bans = format!("[trust]\nban = \"{ban}\"\nban-after = \"{GUESSES} in 5m\"");
    let setup = Setup::new().challenging_strangers().table(&bans);
    setup.users("algorithms = [\"SHA-256\"]", &[ALICE]).start()
}

fn bind(gateway: &Gateway, family: Family) -> Result<[Endpoint; 2]> {
    let bind = |address| Endpoint::bind(&gateway.internet, SocketAddr::new(address, 5070));
    Ok([bind(family.neighbour())?, bind(family.caller())?])
}

fn question(endpoint: &Endpoint) -> Request {
    endpoint.request("OPTIONS").with_body()
}

/// As many wrong answers as it takes.
fn guess(guesser: &Endpoint, to: SocketAddr) -> Result<()> {
    for _ in 0..GUESSES {
        let asking = question(guesser);
        let refusal = guesser.ask(to, &asking, 407)?;
        guesser.ask(to, &Login("alice", "guess").answer(&asking, &refusal)?, 407)?;
    }
    Ok(())
}

#[test]
fn who_goes_on_guessing_is_denied_on_the_wire_until_the_operator_lifts_it() -> Result<()> {
    for family in [Family::V4, Family::V6] {
        let gateway = guarded("enforce")?;
        let [guesser, phone] = bind(&gateway, family)?;
        guess(&guesser, family.sip())?;
        let denied = gateway.wait_for_status("a ban", |status| {
            Ok(status.grants()?.iter().any(|grant| grant.holder == "offender"))
        })?;
        let ban = denied.grants()?.remove(0);
        assert_eq!(ban.proof, "denied");
        assert!(ban.expires_in.is_some_and(|left| (290..=300).contains(&left)), "{ban:?}");

        guesser.send(family.sip(), &question(&guesser))?;
        gateway.wait_for_status("a drop", |status| Ok(status.verdict("denied-source")? == 1))?;
        if family == Family::V4 {
            phone.ask(family.sip(), &question(&phone), 407)?;
        }

        let (ended, shown) = gateway.sbc(&["trust", "list"])?;
        assert!(ended.success() && shown.contains("offender"), "{shown}");
        let (ended, lifted) = gateway.sbc(&["trust", "lift", &family.neighbour().to_string()])?;
        assert!(ended.success() && lifted.trim() == ban.source, "{lifted}");
        let (ended, said) = gateway.sbc(&["trust", "lift", &family.neighbour().to_string()])?;
        assert_eq!((ended.code(), said.as_str()), (Some(1), ""), "there is none any more");
        guesser.ask(family.sip(), &question(&guesser), 407)?;
    }
    Ok(())
}

#[test]
fn who_would_be_banned_is_told_while_bans_are_observed() -> Result<()> {
    let mut gateway = guarded("observe")?;
    let [guesser, _] = bind(&gateway, Family::V4)?;
    guess(&guesser, Family::V4.sip())?;
    guesser.ask(Family::V4.sip(), &question(&guesser), 407)?;
    gateway.expect_verdicts(&[("unknown-within-budget", 2 * GUESSES + 1)])?;
    assert!(gateway.status()?.grants()?.is_empty());
    let (_, said) = gateway.sbc(&["status"])?;
    assert!(said.contains("sources that would have been banned: 1"), "{said}");
    let log = gateway.stop()?;
    assert!(log.contains("would be banned"), "{log}");
    Ok(())
}
