//! Copies of what was challenged or rejected, as another program reads them that knows HEP3.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use sbc_tests::{Family, Kamailio, Setup, wait_for};
use serde_json::Value;

use crate::{calls::ALICE, digest::Login, endpoint::ends};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_collector_reads_challenges_and_refusals_and_no_credentials() -> Result<()> {
    let collector = SocketAddr::new(Family::V4.intruder(), 9060);
    let homer =
        format!("[homer]\ncollector = \"udp:{collector}\"\nagent-id = 7\npassword = \"hush\"");
    let setup = Setup::new().challenging_strangers().users("", &[ALICE]).table(&homer);
    let gateway = setup.start()?;
    let kamailio = Kamailio::start_as_collector(&gateway.inside, collector)?;
    let (phone, upstream) = ends(&gateway)?;

    let invite = phone.request("INVITE").with_body();
    let challenge = phone.ask(Family::V4.sip(), &invite, 407)?;
    let wrong = Login("alice", "wrong").answer(&invite, &challenge)?;
    let challenge = phone.ask(Family::V4.sip(), &wrong, 407)?;
    let right = Login("alice", "secret").answer(&invite, &challenge)?;
    // What is relayed is nobody's business.
    phone.send(Family::V4.sip(), &right)?;
    upstream.hear()?;

    let copies = wait_for("four copies", PATIENCE, || {
        let copies = kamailio.captured()?;
        ensure!(copies.len() >= 4, "{copies:#?}");
        Ok(Some(copies))
    })?;
    let [call, asked, guess, asked_again] = &copies[..] else {
        anyhow::bail!("not four: {copies:#?}");
    };
    let caller = format!("from {}:5070", Family::V4.caller());
    let us = format!("from {}", Family::V4.sip());
    for (copy, beginning, place) in [
        (call, "request INVITE", &caller),
        (asked, "answer 407", &us),
        (guess, "request INVITE", &caller),
        (asked_again, "answer 407", &us),
    ] {
        ensure!(copy.starts_with(beginning) && copy.contains(place), "{copies:#?}");
        ensure!(copy.contains(&invite.call_id), "{copies:#?}");
    }
    ensure!(guess.contains("username=\"alice\"") && guess.contains("response=\"***"), "{guess}");
    let expected = serde_json::json!({"sent": 4, "lost": 0, "failed": 0});
    wait_for("the copies to be counted", PATIENCE, || {
        let status: Value = serde_json::from_str(&gateway.sbc(&["status", "--json"])?.1)?;
        let homer = &status["daemon"]["homer"];
        ensure!(*homer == expected, "{homer}");
        Ok(Some(()))
    })
}
