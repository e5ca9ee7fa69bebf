//! What is none of the filter's business.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use anyhow::Result;
use sbc_tests::{Family, Setup};

use crate::{
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
};

#[test]
fn other_ports_of_the_gateway_are_open_to_strangers() -> Result<()> {
    let gateway = Setup::new().start()?;
    for family in Family::ALL {
        let ssh = SocketAddr::new(family.gateway(), 2222);
        let listener = gateway.edge.enter(|| TcpListener::bind(ssh))??;
        let connect = || TcpStream::connect_timeout(&ssh, SOON);
        let mut client = gateway.internet.enter(connect)??;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"INVITE me")?;
        let mut heard = [0; 9];
        server.read_exact(&mut heard)?;
        assert_eq!(&heard, b"INVITE me");

        let time = Endpoint::bind(&gateway.edge, SocketAddr::new(family.gateway(), 4000))?;
        let stranger = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5060))?;
        stranger.send(time.local, &stranger.request("INVITE"))?;
        assert!(time.hear()?.text.starts_with("INVITE "));
        // The error comes in as ICMP.
        let closed = SocketAddr::new(family.caller(), 4001);
        let client = gateway.edge.enter(|| UdpSocket::bind((family.gateway(), 0)))??;
        client.connect(closed)?;
        client.set_read_timeout(Some(SOON))?;
        client.send(b"anybody there?")?;
        let error = client.recv(&mut [0; 1]).expect_err("nobody is");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    let status = gateway.expect_verdicts(&[])?;
    // At least three segments, the datagram and the ICMP message of either family.
    assert!(status.verdict("not-protected")? >= 2 * (3 + 1 + 1), "{status}");
    Ok(())
}

#[test]
fn what_the_gateway_forwards_is_not_its_own() -> Result<()> {
    let gateway = Setup::new().start()?;
    let switches =
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
    gateway.edge.run("sh", ["-c", switches])?;
    for family in Family::ALL {
        let network = match family {
            Family::V4 => "10.0.0.0/24",
            Family::V6 => "2001:db8:2::/64",
        };
        gateway.internet.route(network, family.gateway())?;
        gateway.inside.default_route(family.gateway_inside())?;
        // Port 5060 too: this is another host's.
        let upstream = Endpoint::bind(&gateway.inside, family.upstream())?;
        let stranger = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5060))?;
        stranger.send(upstream.local, &stranger.request("INVITE"))?;
        let heard = upstream.hear()?;
        assert_eq!(heard.from, stranger.local);
        upstream.send(heard.from, &heard.answer("200 OK", &[]))?;
        assert_eq!(stranger.hear()?.from, upstream.local);
    }
    let status = gateway.expect_verdicts(&[])?;
    assert!(status.verdict("not-protected")? >= 2, "{status}");
    assert!(status.outcomes()?.is_empty(), "{status}");
    Ok(())
}
