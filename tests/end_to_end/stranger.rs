//! Who has proved nothing.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Result;
use sbc_tests::{Family, Gateway, Scenario, Setup, Sipp, UdpCounters, udp_counters};

use crate::{
    carrier::{self, sources},
    endpoint::Endpoint,
    expectation::{Expect as _, expect_calls},
};

#[test]
fn an_invite_of_a_stranger_never_reaches_a_socket() -> Result<()> {
    // A peer that nobody has seen yet: the stranger's address is one of its own, from where it may
    // prove itself.
    let gateway = carrier::setup(&sources()).start()?;
    let before = gateway.edge_udp()?;
    call_over_both_families(&gateway)?;
    let status = gateway.expect_verdicts(&[("transport-not-opened", 6)])?;
    assert_eq!(gateway.edge_udp()? - before, UdpCounters::default());
    assert_eq!(status.received("udp")?, 0);
    assert!(status.outcomes()?.is_empty(), "{status}");
    assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    Ok(())
}

#[test]
fn while_observing_the_same_invites_are_counted_alike_and_pass() -> Result<()> {
    let gateway = carrier::setup(&sources()).observing().start()?;
    call_over_both_families(&gateway)?;
    let status = gateway.expect_verdicts(&[("transport-not-opened", 6)])?;
    assert_eq!(status.mode()?, "observe");
    let arrived = UdpCounters { received_v4: 3, received_v6: 3, ..UdpCounters::default() };
    gateway.expect_edge_udp(arrived)?;
    // The daemon is as strict as ever, and over UDP it tells a possibly forged source nothing.
    let status = gateway.expect_outcomes(&[("proof-missing", 6)])?;
    assert_eq!(status.received("udp")?, 6);
    assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    Ok(())
}

#[test]
fn a_stranger_cannot_connect_over_tcp() -> Result<()> {
    let gateway = Setup::new().start()?;
    for family in Family::ALL {
        let connect = || TcpStream::connect_timeout(&family.sip(), Duration::from_millis(200));
        let error = gateway.internet.enter(connect)?.expect_err("somebody answered");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    let status = gateway.expect_verdicts(&[("unknown-source", 2)])?;
    assert_eq!(status.received("tcp")?, 0);
    Ok(())
}

#[test]
fn a_denied_source_is_dropped_even_where_strangers_are_challenged() -> Result<()> {
    let setup = Setup::new().challenging_strangers().users("algorithms = [\"MD5\"]", &[]);
    let denied = format!("[denied]\nsources = [\"{}\"]", Family::V4.elsewhere());
    let gateway = setup.table(&denied).start()?;
    let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V4.elsewhere(), 5070))?;
    phone.send(Family::V4.sip(), &phone.request("INVITE").with_body())?;
    let status = gateway.expect_verdicts(&[("denied-source", 1)])?;
    assert_eq!(status.received("udp")?, 0);
    gateway.expect_grants(&[["198.51.100.66/32", "denied", "operator"]])?;
    Ok(())
}

#[test]
fn what_strangers_send_besides_requests_is_dropped_where_requests_are_challenged() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let gateway = setup.users("algorithms = [\"MD5\"]", &[["alice", "secret"]]).start()?;
    let before = gateway.edge_udp()?;
    for family in Family::ALL {
        let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5070))?;
        let request = phone.request("INVITE").to_string();
        let (_, headers) = request.split_once("\r\n").unwrap();
        phone.send(family.sip(), &format!("SIP/2.0 200 OK\r\n{headers}"))?;
        for garbage in ["\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\u{1}\0\0!\u{12}\u{a4}B", "x"] {
            phone.send(family.sip(), &garbage)?;
        }
    }
    let verdicts = [("response-from-stranger", 2), ("not-a-sip-request", 8)];
    let status = gateway.expect_verdicts(&verdicts)?;
    assert_eq!(status.received("udp")?, 0);
    assert_eq!(gateway.edge_udp()? - before, UdpCounters::default());
    Ok(())
}

/// Three INVITEs over each family, of which nothing is heard again.
fn call_over_both_families(gateway: &Gateway) -> Result<()> {
    let start = |family: Family| {
        let local = SocketAddr::new(family.caller(), 5070);
        let sipp = Sipp::calling(Scenario::InviteWithoutAnswer, local, family.sip());
        sipp.calls(3).start(&gateway.internet)
    };
    for calling in Family::ALL.map(start) {
        expect_calls(&calling?.finish()?, 3);
    }
    Ok(())
}
