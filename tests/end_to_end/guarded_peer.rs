//! A peer that has to speak through IPsec: the policies of the network stack, and what is told of them.
//! Associations take a kernel that has ESP: `tests/ipsec` has them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Host, Setup, Status, sbc_binary};
use sbc_user::kernel::xfrm::XfrmWatch;

use crate::{endpoint::Endpoint, expectation::SOON};

const SOURCES: [&str; 2] = ["198.51.100.0/28", "2001:db8:1::/124"];

fn guarding() -> Setup {
    Setup::new()
        .challenging_strangers()
        .users("algorithms = [\"MD5\"]", &[["alice", "secret"]])
        .table(&format!(
            "[[peer]]\nname = \"guarded\"\nrequire = [\"ipsec\"]\nsources = {SOURCES:?}\n\
         opens = [\"udp\", \"tcp\"]\nmay-assert = [\"*@example.com\"]"
        ))
}

fn policy(gateway: &Gateway, verb: &str, family: Family, rest: &[&str]) -> Result<()> {
    let source = if family == Family::V4 { SOURCES[0] } else { SOURCES[1] };
    let to = family.gateway().to_string();
    let selector = ["xfrm", "policy", verb, "src", source, "dst", &to];
    gateway.edge.run("ip", selector.into_iter().chain(rest.iter().copied()))?;
    Ok(())
}

fn wait_for_problem(gateway: &Gateway, family: Family, part: &str) -> Result<Status> {
    let source = if family == Family::V4 { SOURCES[0] } else { SOURCES[1] };
    gateway.wait_for_status(part, |status| {
        Ok(status.ipsec_of(source)?.1.is_some_and(|problem| problem.contains(part)))
    })
}

#[test]
fn what_such_a_peer_sends_in_clear_is_dropped_though_strangers_are_challenged() -> Result<()> {
    let gateway = guarding().start()?;
    for family in Family::ALL {
        for address in [family.caller(), family.elsewhere()] {
            let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(address, 5070))?;
            phone.send(family.sip(), &phone.request("INVITE"))?;
        }
    }
    gateway.wait_for_status("two packets of each", |status| {
        Ok((status.verdict("clear-outside-ipsec")?, status.verdict("unknown-within-budget")?)
            == (2, 2))
    })?;
    for source in SOURCES {
        let grant = gateway.status()?.grant(source)?.map(|grant| (grant.proof, grant.opens));
        assert_eq!(grant, Some(("static".to_owned(), vec!["ipsec".to_owned()])));
    }
    let (status, said) = gateway.sbc(&["explain", &Family::V4.caller().to_string()])?;
    ensure!(status.success() && said.contains("in clear only out of IPsec"), "{said}");
    ensure!(said.contains("IPsec associations with it: 0"), "{said}");
    ensure!(said.contains("drop (clear-outside-ipsec)"), "{said}");
    let (status, said) = gateway.sbc(&["status"])?;
    ensure!(status.success() && said.contains("no inbound policy asks for ESP"), "{said}");
    Ok(())
}

#[test]
fn policies_are_followed_as_they_come_and_go() -> Result<()> {
    let mut gateway = guarding().start()?;
    let template = ["dir", "in", "tmpl", "proto", "esp", "reqid", "7", "mode", "transport"];
    for family in Family::ALL {
        wait_for_problem(&gateway, family, "no inbound policy")?;
        policy(
            &gateway,
            "add",
            family,
            &[&["dir", "in", "priority", "100"], &template[2..]].concat(),
        )?;
        wait_for_problem(&gateway, family, "no association satisfies")?;
        policy(&gateway, "add", family, &["proto", "udp", "dir", "in", "priority", "50"])?;
        wait_for_problem(&gateway, family, "priority 50 may be asked")?;
        policy(&gateway, "delete", family, &["proto", "udp", "dir", "in"])?;
        wait_for_problem(&gateway, family, "no association satisfies")?;
    }
    gateway.edge.run("ip", ["xfrm", "policy", "flush"])?;
    for family in Family::ALL {
        wait_for_problem(&gateway, family, "no inbound policy")?;
    }
    // What is in the way already is seen before anybody is served.
    policy(&gateway, "add", Family::V4, &template)?;
    gateway.stop()?;
    gateway.start()?;
    let (_, problem) = gateway.status()?.ipsec_of(SOURCES[0])?;
    ensure!(problem.is_some_and(|it| it.contains("no association satisfies")));
    Ok(())
}

#[test]
fn who_may_not_see_what_ipsec_does_is_told_what_to_grant() -> Result<()> {
    let gateway = guarding().for_service_user().build()?;
    gateway.load()?;
    let mut daemon = gateway.spawn_without_privileges(&["run"])?;
    let (ended, said) = (daemon.wait(SOON)?, daemon.output()?);
    ensure!(ended.code() == Some(2), "{said}");
    for part in ["peer \"guarded\" requires ipsec", "AmbientCapabilities=CAP_NET_ADMIN"] {
        ensure!(said.contains(part), "{said}");
    }

    // What is granted is enough. Through an open file: the folders above the program may be closed.
    let script = "exec setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs \
                  --inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin \
                  --bounding-set=-all,+net_admin /proc/self/fd/9 \"$@\" 9<\"$0\"";
    let mut command = gateway.edge.command("sh");
    command.arg("-c").arg(script).arg(sbc_binary()?).args(["run", "--config"]);
    command.arg(gateway.configuration());
    let mut daemon = gateway.edge.spawn("sbc as nobody", command)?;
    wait_for_problem(&gateway, Family::V4, "no inbound policy")
        .with_context(|| daemon.output().unwrap_or_default())?;
    ensure!(daemon.terminate()?.success());
    Ok(())
}

#[test]
fn every_change_is_heard_of_at_once_and_seen() -> Result<()> {
    const LONG: Duration = Duration::from_secs(20);
    let edge = Host::new("edge")?;
    let watch = edge.enter(XfrmWatch::open)??;
    let selector = "src 198.51.100.0/28 dst 198.51.100.1";
    let policy = format!("{selector} dir in tmpl proto esp reqid 7 mode transport");
    let larval = "src 198.51.100.7 dst 198.51.100.1 proto esp";
    for (silent, change, policies) in [
        ("", format!("policy add {policy}"), 1),
        ("", format!("policy update {policy} level use"), 1),
        ("", format!("policy delete {selector} dir in"), 0),
        // Deletes itself, within a second or two.
        ("", format!("policy add {selector} dir in limit time-hard 1 tmpl proto esp"), 1),
        ("", String::new(), 0),
        ("", format!("policy add {policy}"), 1),
        ("", "policy flush".to_owned(), 0),
        // What has no keys yet is nobody's business until it goes.
        (larval, "state flush".to_owned(), 0),
        (
            larval,
            "state delete src 198.51.100.7 dst 198.51.100.1 proto esp spi 0x500".to_owned(),
            0,
        ),
    ] {
        if !silent.is_empty() {
            let allocate = format!("xfrm state allocspi {silent} min 0x500 max 0x500");
            edge.run("ip", allocate.split(' '))?;
            watch.wait(Duration::ZERO)?;
        }
        if !change.is_empty() {
            edge.run("ip", ["xfrm"].into_iter().chain(change.split(' ')))?;
        }
        let begun = Instant::now();
        watch.wait(LONG)?;
        ensure!(begun.elapsed() < LONG, "nothing was heard of {change:?}");
        let state = edge.enter(|| watch.look())??;
        ensure!(state.policies.len() == policies, "{change:?}: {state:?}");
        ensure!(state.associations.is_empty(), "{change:?}: {state:?}");
    }
    Ok(())
}
