//! More to do than can be done.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, wait_until};

use crate::{
    calls::ALICE,
    endpoint::Endpoint,
    expectation::SOON,
    listed_peer::{of_the_peer, trusting},
};

/// More than a socket's buffer holds, of datagrams of a whole frame, with what the kernel adds to each.
const MANY: usize = 6000;

#[test]
fn what_waits_after_a_standstill_is_the_strangers_loss_and_the_kernel_slows_them_down() -> Result<()>
{
    let unknown = "[unknown]\naction = \"challenge\"\nbudget = \"100000/s burst 100000\"";
    let setup = trusting().table(unknown).users("algorithms = [\"MD5\"]", &[ALICE]);
    let mut gateway = setup.start()?;
    let family = Family::V4;
    let stranger = SocketAddr::new(family.elsewhere(), 5070);
    let stranger = Endpoint::bind(&gateway.internet, stranger)?;
    let peer = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5070))?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let padding = "x".repeat(900);
    let question = stranger.request("OPTIONS").header(format!("Subject: {padding}"));

    gateway.daemon()?.signal(libc::SIGSTOP)?;
    for _ in 0..MANY {
        stranger.send(family.sip(), &question)?;
    }
    let invite = of_the_peer(&peer, "INVITE");
    peer.send(family.sip(), &invite)?;
    gateway.daemon()?.signal(libc::SIGCONT)?;

    wait_until("strangers to be slowed down, and no longer", SOON, || {
        let log = gateway.daemon()?.output()?;
        let slowed = log.find("budget_divided_by=2");
        Ok(slowed.is_some_and(|at| log[at..].contains("budget_divided_by=1")))
    })?;
    let status = gateway.status()?;
    assert!(status.outcome("shed-stranger")? > 0, "{status}");
    assert_eq!(status.strangers_slowed_by()?, 1, "{status}");
    assert!(status.outcome("challenged")? > 0, "{status}");
    // The first one was lost, if the same queue was full.
    peer.send(family.sip(), &invite)?;
    assert!(upstream.hear()?.text.starts_with("INVITE "));
    // Whoever comes back finds the door as it was.
    stranger.send(family.sip(), &question)?;
    gateway.wait_for_status("one more challenge", |now| {
        Ok(now.outcome("challenged")? > status.outcome("challenged")?)
    })?;
    Ok(())
}
