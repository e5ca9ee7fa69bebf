//! A policy changes under traffic, and nobody gets a verdict that neither the old nor the new one has.

use std::{fs, net::SocketAddr};

use anyhow::{Result, ensure};
use sbc_tests::{Family, Gateway, Setup, wait_for};

use crate::{expectation::SOON, flood::Flood};

/// Two policies. Under both of them the caller is trusted, by other networks each time, and whoever is
/// elsewhere is a stranger; the neighbour is denied by one and trusted by the other, and the caller
/// over IPv6 the other way round.
const POLICIES: [&str; 2] = [
    "[[peer]]\nname = \"one\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
     sources = [\"198.51.100.0/29\", \"2001:db8:1::7\"]\n\
     [denied]\nsources = [\"198.51.100.8/31\"",
    "[[peer]]\nname = \"two\"\nrequire = [\"static\"]\nopens = [\"udp\", \"tcp\"]\n\
     sources = [\"198.51.100.6/31\", \"198.51.100.8\"]\n\
     [denied]\nsources = [\"2001:db8:1::/125\"",
];
const ROUNDS: usize = 6;

/// One of the policies, with so many networks of its own besides that a change takes a while.
fn policy(round: usize) -> String {
    let which = round % 2;
    let [one, two] = POLICIES;
    let others: Vec<_> =
        (0..2000).map(|it| format!("\"10.{which}.{}.{}\"", it / 256, it % 256)).collect();
    format!("{}, {}]", if which == 0 { one } else { two }, others.join(", "))
}

#[test]
fn a_daemon_that_is_killed_and_begins_again_with_another_policy_opens_and_closes_nothing_in_between()
-> Result<()> {
    let mut gateway = Setup::new().kept_on_shutdown().table(&policy(0)).start()?;
    change_under_traffic(&mut gateway, |gateway| {
        kill(gateway)?;
        gateway.start()
    })
}

#[test]
fn a_daemon_without_privileges_changes_the_policy_as_well() -> Result<()> {
    let mut gateway = Setup::new().for_service_user().table(&policy(0)).build()?;
    gateway.load()?;
    gateway.start_without_privileges()?;
    change_under_traffic(&mut gateway, |gateway| {
        kill(gateway)?;
        gateway.start_without_privileges()
    })
}

#[test]
fn a_reload_opens_and_closes_nothing_in_between() -> Result<()> {
    let mut gateway = Setup::new().table(&policy(0)).start()?;
    change_under_traffic(&mut gateway, reload)
}

#[test]
fn a_daemon_without_privileges_reloads_as_well() -> Result<()> {
    let mut gateway = Setup::new().for_service_user().table(&policy(0)).build()?;
    gateway.load()?;
    gateway.start_without_privileges()?;
    change_under_traffic(&mut gateway, reload)
}

fn reload(gateway: &mut Gateway) -> Result<()> {
    let (status, said) = gateway.sbc(&["reload"])?;
    ensure!(status.success(), "{status}: {said}");
    Ok(())
}

fn kill(gateway: &mut Gateway) -> Result<()> {
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    Ok(())
}

fn change_under_traffic(
    gateway: &mut Gateway,
    put_in_force: fn(&mut Gateway) -> Result<()>,
) -> Result<()> {
    let flood = |family: Family, address| {
        Flood::start(&gateway.internet, SocketAddr::new(address, 5070), family.sip())
    };
    let trusted = flood(Family::V4, Family::V4.caller())?;
    let stranger = flood(Family::V4, Family::V4.elsewhere())?;
    let changing =
        [flood(Family::V4, Family::V4.neighbour())?, flood(Family::V6, Family::V6.caller())?];

    let first = fs::read_to_string(gateway.configuration())?;
    for round in 1..=ROUNDS {
        let text = first.replace(&policy(0), &policy(round));
        fs::write(gateway.configuration(), text)?;
        put_in_force(gateway)?;
    }

    let (trusted, stranger) = (trusted.stop()?, stranger.stop()?);
    let changing: u64 = changing.into_iter().map(Flood::stop).sum::<Result<_>>()?;
    let status = wait_for("every packet to be judged", SOON, || {
        let status = gateway.status()?;
        let judged: u64 = status.verdicts()?.values().sum();
        ensure!(
            judged == trusted + stranger + changing,
            "{judged} of {trusted}, {stranger}, {changing}: {status}"
        );
        Ok(Some(status))
    })?;
    // A stranger that passed, or anybody else who was taken for one, would be missing or too many.
    let (unknown, denied) = (status.verdict("unknown-source")?, status.verdict("denied-source")?);
    let passed = status.verdict("trusted-source")?;
    assert_eq!(unknown, stranger, "{status}");
    assert_eq!(passed + denied, trusted + changing, "{status}");
    // Nothing ever denied the caller, and both of the others had their turns.
    assert!(passed > trusted && denied > 0, "{trusted} {status}");
    let edge = gateway.edge_udp()?;
    let arrived = edge.received_v4 + edge.received_v6 + edge.no_port_v4 + edge.no_port_v6;
    assert!(0 < arrived && arrived <= passed, "{edge:?} {status}");
    Ok(())
}
