//! From observing to enforcing: whom it would hurt, on trial, for good, and back.

use std::{fs, net::SocketAddr, os::unix::fs::MetadataExt as _, time::Duration};

use anyhow::{Result, ensure};
use sbc_tests::{Family, Gateway, Setup, wait_until};

use crate::{
    digest::Login,
    endpoint::{Endpoint, ends},
    expectation::SOON,
    request::Request,
    stream_phone::StreamPhone,
};

const CONTACT: [&str; 1] = ["Contact: <sip:pbx@10.0.0.5>"];
/// Longer than a filter whose daemon has died enforces on trial.
const AFTER_A_SILENCE: Duration = Duration::from_secs(20);

fn observing() -> Setup {
    Setup::new().observing().users("algorithms = [\"SHA-256\"]", &[["alice", "secret"]])
}

/// A call that is answered, of a phone that answers a challenge.
fn call(gateway: &Gateway) -> Result<Endpoint> {
    let (phone, upstream) = ends(gateway)?;
    let invite = phone.request("INVITE").with_body();
    let refusal = phone.ask(Family::V4.sip(), &invite, 407)?;
    phone.send(Family::V4.sip(), &Login("alice", "secret").answer(&invite, &refusal)?)?;
    let arrived = upstream.hear()?;
    upstream.send(arrived.from, &arrived.answer("200 OK", &CONTACT))?;
    assert_eq!(phone.hear()?.start_line(), "SIP/2.0 200 OK");
    Ok(phone)
}

/// The same over TCP, from this port.
fn call_over_tcp(gateway: &Gateway, port: u16) -> Result<StreamPhone> {
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let mut phone = StreamPhone::over_tcp_from(gateway, port)?;
    let invite = phone.request("INVITE").with_body();
    phone.send(&invite)?;
    let refusal = phone.hear("SIP/2.0 407")?;
    phone.send(&Login("alice", "secret").answer(&invite, &refusal)?)?;
    let arrived = upstream.hear()?;
    upstream.send(arrived.from, &arrived.answer("200 OK", &CONTACT))?;
    phone.hear("SIP/2.0 200")?;
    Ok(phone)
}

fn expect_hurt(gateway: &Gateway, expected: &[[&str; 4]]) -> Result<()> {
    wait_until(&format!("{expected:?} to be hurt"), SOON, || {
        let status = gateway.status()?;
        let hurt = status.hurt()?;
        ensure!(hurt == expected, "{hurt:?} {status}");
        Ok(true)
    })
}

fn text(gateway: &Gateway) -> Result<String> {
    Ok(fs::read_to_string(gateway.configuration())?)
}

#[test]
fn who_calls_over_a_transport_that_is_not_opened_is_told_and_not_cut_off_unless_that_is_meant()
-> Result<()> {
    let gateway = observing().start()?;
    let phone = call(&gateway)?;
    let _phone = call_over_tcp(&gateway, phone.local.port())?;
    let caller = Family::V4.caller().to_string();
    expect_hurt(
        &gateway,
        &[
            // Before it had answered over UDP, and then over TCP.
            [&caller, "user alice", "unknown-source", "udp"],
            [&caller, "user alice", "transport-not-opened", "tcp"],
        ],
    )?;
    let (_, said) = gateway.sbc(&["status"])?;
    assert!(said.contains("known-good sources: 1, of which enforcing hurts 1"), "{said}");
    assert!(said.contains("add the transport to opens of its peer"), "{said}");

    let before = text(&gateway)?;
    let (status, said) = gateway.sbc(&["enforce"])?;
    assert_eq!(status.code(), Some(2), "{said}");
    for part in ["transport-not-opened", &caller, "user alice: 2 calls", "--yes"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (status, _) = gateway.sbc(&["enforce", "--for", "1h"])?;
    assert_eq!(status.code(), Some(2));
    assert_eq!((gateway.status()?.mode()?, text(&gateway)?), ("observe", before.clone()));

    let (status, said) = gateway.sbc(&["enforce", "--yes"])?;
    assert!(status.success() && said.contains("the filter enforces"), "{said}");
    assert_eq!(gateway.status()?.mode()?, "enforce");
    let enforcing = before.replace("mode = \"observe\"", "mode = \"enforce\"");
    assert_eq!(text(&gateway)?, enforcing);
    Ok(())
}

#[test]
fn a_carrier_that_answers_from_an_address_that_is_not_listed_is_told() -> Result<()> {
    let [place, other] =
        [Family::V4.caller(), Family::V4.neighbour()].map(|it| SocketAddr::new(it, 5070));
    let gateway = Setup::new()
        .observing()
        .table(&format!(
            "[[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
             sources = [\"{}\"]\ntarget = \"sip:{place}\"\n\
             [[route]]\nuser = \"+44*\"\npeer = \"carrier\"",
            place.ip()
        ))
        .start()?;
    let [carrier, answering] = [place, other].map(|place| Endpoint::bind(&gateway.internet, place));
    let (carrier, answering) = (carrier?, answering?);
    let pbx = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let invite = Request { uri: "sip:+4420@10.0.0.1".to_owned(), ..pbx.request("INVITE") };
    pbx.send(Family::V4.sip_inside(), &invite)?;
    let arrived = carrier.hear()?;
    // What is refused makes nobody known.
    answering.send(Family::V4.sip(), &answering.request("INVITE"))?;
    let contact = format!("Contact: <sip:callee@{other}>");
    answering.send(arrived.from, &arrived.answer("200 OK", &[&contact]))?;
    assert_eq!(pbx.hear()?.start_line(), "SIP/2.0 200 OK");
    let other = other.ip().to_string();
    expect_hurt(&gateway, &[[&other, "no entry", "unknown-source", "udp"]])?;
    assert_eq!(gateway.status()?.known_good()?, 1);
    Ok(())
}

#[test]
fn enforcement_on_trial_ends_by_itself_and_stays_if_it_is_confirmed() -> Result<()> {
    let gateway = observing().start()?;
    let before = text(&gateway)?;
    let stranger = SocketAddr::new(Family::V4.elsewhere(), 5070);
    let stranger = Endpoint::bind(&gateway.internet, stranger)?;
    let expect_asked = |passed: u64, judged: u64| {
        stranger.send(Family::V4.sip(), &stranger.request("OPTIONS"))?;
        wait_until(&format!("{passed} of {judged} packets to pass"), SOON, || {
            let status = gateway.status()?;
            let (all, heard) = (status.verdict("unknown-source")?, status.received("udp")?);
            ensure!((all, heard) == (judged, passed), "{heard} of {all}");
            Ok(true)
        })
    };
    expect_asked(1, 1)?;
    let (status, said) = gateway.sbc(&["enforce", "--for", "2s"])?;
    assert!(status.success() && said.contains("enforces for 2s"), "{said}");
    assert_eq!(text(&gateway)?, before);
    gateway.wait_for_status("the trial to be over", |status| {
        Ok(status.mode()? == "observe" && status.trial_ends_in()?.is_none())
    })?;
    expect_asked(2, 2)?;

    let (status, said) = gateway.sbc(&["enforce", "--for", "1h"])?;
    assert!(status.success(), "{said}");
    let status = gateway.status()?;
    assert_eq!(status.mode()?, "enforce");
    assert!(status.trial_ends_in()?.is_some_and(|left| (3000..=3600).contains(&left)), "{status}");
    assert_eq!(text(&gateway)?, before);
    expect_asked(2, 3)?;
    let (_, said) = gateway.sbc(&["status"])?;
    assert!(said.contains("filter: enforce, on trial"), "{said}");

    let (status, said) = gateway.sbc(&["enforce", "--confirm"])?;
    assert!(status.success(), "{said}");
    let status = gateway.status()?;
    assert_eq!((status.mode()?, status.trial_ends_in()?), ("enforce", None));
    let inode = |gateway: &Gateway| -> Result<_> {
        let metadata = fs::metadata(gateway.configuration())?;
        Ok((metadata.uid(), metadata.gid(), metadata.mode()))
    };
    let owner = inode(&gateway)?;
    assert_eq!(text(&gateway)?, before.replace("\"observe\"", "\"enforce\""));
    let (status, said) = gateway.sbc(&["enforce", "--confirm"])?;
    assert!(status.code() == Some(2) && said.contains("no enforcement is on trial"), "{said}");
    expect_asked(2, 4)?;

    let (status, said) = gateway.sbc(&["observe"])?;
    assert!(status.success() && said.contains("the filter observes"), "{said}");
    assert_eq!((gateway.status()?.mode()?, text(&gateway)?), ("observe", before));
    assert_eq!(inode(&gateway)?, owner);
    expect_asked(3, 5)?;
    Ok(())
}

#[test]
fn a_trial_does_not_outlive_a_daemon_without_privileges_and_the_way_back_needs_none() -> Result<()>
{
    let mut gateway = observing().for_service_user().build()?;
    gateway.load()?;
    gateway.start_without_privileges()?;
    let before = text(&gateway)?;

    // Who cannot write the file changes nothing.
    let folder = gateway.scratch().path().to_owned();
    gateway.edge.run("chown", ["root".as_ref(), folder.as_os_str()])?;
    let mut enforce = gateway.spawn_without_privileges(&["enforce"])?;
    let status = enforce.wait(SOON)?;
    let said = enforce.output()?;
    assert!(status.code() == Some(2) && said.contains("cannot write"), "{said}");
    assert_eq!((gateway.status()?.mode()?, text(&gateway)?), ("observe", before.clone()));

    let (status, said) = gateway.sbc(&["enforce", "--for", "1h"])?;
    assert!(status.success(), "{said}");
    assert_eq!(gateway.status()?.mode()?, "enforce");
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    wait_until("the filter to give up by itself", AFTER_A_SILENCE, || {
        gateway.status()?.has_ended_enforcement()
    })?;
    // Nor does who enforces now inherit that it gives up.
    let (status, said) = gateway.sbc(&["enforce", "--yes"])?;
    assert!(status.success(), "{said}");
    let status = gateway.status()?;
    assert!(status.mode()? == "enforce" && !status.has_ended_enforcement()?, "{status}");
    let (status, said) = gateway.sbc(&["observe"])?;
    assert!(status.success(), "{said}");
    gateway.start_without_privileges()?;
    let status = gateway.status()?;
    assert_eq!((status.mode()?, status.trial_ends_in()?), ("observe", None));
    assert!(!status.has_ended_enforcement()?, "{status}");

    // Stopped in an orderly way it does not leave a trial behind either.
    let (status, said) = gateway.sbc(&["enforce", "--for", "1h"])?;
    assert!(status.success(), "{said}");
    gateway.stop()?;
    assert_eq!(gateway.status()?.mode()?, "observe");

    // Without a daemon nobody says who would be hurt, and nobody could end a trial.
    for arguments in [&["enforce"][..], &["enforce", "--for", "1h", "--yes"]] {
        let (status, said) = gateway.sbc(arguments)?;
        assert!(status.code() == Some(2) && said.contains("no daemon answers"), "{said}");
    }
    let (status, said) = gateway.sbc(&["enforce", "--yes"])?;
    assert!(status.success(), "{said}");
    assert_eq!(gateway.status()?.mode()?, "enforce");
    let (status, said) = gateway.sbc(&["observe"])?;
    assert!(status.success(), "{said}");
    assert_eq!((gateway.status()?.mode()?, text(&gateway)?), ("observe", before));
    Ok(())
}

#[test]
fn a_phone_that_nobody_could_challenge_is_told_over_a_restart_until_the_policy_changes()
-> Result<()> {
    let mut gateway = observing().start()?;
    let _phone = call(&gateway)?;
    let caller = Family::V4.caller().to_string();
    let expected = [[&*caller, "user alice", "unknown-source", "udp"]];
    expect_hurt(&gateway, &expected)?;

    gateway.stop()?;
    gateway.start()?;
    expect_hurt(&gateway, &expected)?;

    gateway.stop()?;
    let challenging = text(&gateway)? + "\n[unknown]\naction = \"challenge\"\n";
    fs::write(gateway.configuration(), challenging)?;
    gateway.start()?;
    let status = gateway.status()?;
    assert_eq!((status.known_good()?, status.hurt()?.len()), (1, 0), "{status}");
    Ok(())
}
