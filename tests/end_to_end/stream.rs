//! SIP over TCP.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Result, ensure};
use sbc_tests::{Family, Gateway};

use crate::{
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
    listed_peer::{as_the_peer, trusting},
    request::Request,
};

#[test]
fn messages_are_found_in_a_stream_however_it_is_cut() -> Result<()> {
    let gateway = trusting().start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let mut phone = connect(&gateway)?;
    let requests = [request(&phone)?.with_body(), request(&phone)?, request(&phone)?.with_body()];
    let bytes = requests.iter().map(ToString::to_string).collect::<String>().into_bytes();
    let (first, rest) = bytes.split_at(700);
    for part in first.chunks(50).chain([rest]) {
        phone.write_all(part)?;
    }
    for request in &requests {
        let arrived = upstream.hear()?;
        assert_eq!(arrived.header("Call-ID"), Some(request.call_id.as_str()));
        assert_eq!(arrived.body(), request.body);
        assert!(arrived.headers("Record-Route")[1].ends_with(":5060;transport=tcp;lr>"));
    }
    let status = gateway.expect_outcomes(&[("request-relayed-inwards", 3)])?;
    assert_eq!(status.received("tcp")?, 3);
    Ok(())
}

#[test]
fn an_answer_to_a_connection_that_has_ended_goes_nowhere_else() -> Result<()> {
    let gateway = trusting().start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let mut phone = connect(&gateway)?;
    phone.write_all(request(&phone)?.to_string().as_bytes())?;
    let arrived = upstream.hear()?;
    drop(phone);
    let answer = arrived.answer("180 Ringing", &[]);
    gateway.wait_for_status("an answer that nobody can have", |status| {
        upstream.send(arrived.from, &answer)?;
        Ok(status.outcome("connection-gone")? > 0)
    })?;
    Ok(())
}

#[test]
fn a_stream_that_cannot_be_cut_into_messages_is_ended_after_its_answer() -> Result<()> {
    let gateway = trusting().start()?;
    let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
    let good = request(&connect(&gateway)?)?.to_string();
    for (old, new) in [
        ("Content-Length: 0\r\n", ""),
        ("Content-Length: 0", "Content-Length: 0\r\nl: 5"),
        ("Content-Length: 0", "Content-Length: x"),
    ] {
        let mut phone = connect(&gateway)?;
        phone.write_all(good.replacen(old, new, 1).as_bytes())?;
        phone.set_read_timeout(Some(SOON))?;
        let mut heard = Vec::new();
        phone.read_to_end(&mut heard)?;
        let heard = String::from_utf8(heard)?;
        ensure!(heard.starts_with("SIP/2.0 400 "), "{new}: {heard}");
        ensure!(heard.contains("\r\nWarning: 399 sbc \"Content-Length"), "{new}: {heard}");
    }
    let status = gateway.expect_refused_connections(&[("malformed-stream", 3)])?;
    assert_eq!(status.outcome("request-relayed-inwards")?, 0);
    assert!(!upstream.has_heard()?);
    Ok(())
}

fn connect(gateway: &Gateway) -> Result<TcpStream> {
    let connect = || TcpStream::connect_timeout(&Family::V4.sip(), SOON);
    let stream = gateway.internet.enter(connect)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request(phone: &TcpStream) -> Result<Request> {
    let local = SocketAddr::new(Family::V4.caller(), phone.local_addr()?.port());
    Ok(as_the_peer(Request::new("INVITE", "TCP", local)))
}
