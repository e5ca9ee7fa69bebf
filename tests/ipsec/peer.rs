use std::{net::IpAddr, net::SocketAddr, net::UdpSocket, time::Duration};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Host, Setup, Status, connect};

use crate::association::refused;

/// A request takes some time on an emulated machine.
const SOON: Duration = Duration::from_secs(30);

/// A gateway, and two peers at the internet host that have to speak to it through IPsec: both are listed by
/// one address of each family.
pub(crate) struct Edge {
    pub(crate) gateway: Gateway,
    upstream: UdpSocket,
}

/// A network behind a gateway at the internet host, and its host that calls.
pub(crate) const BRANCH: &str = "10.9.0.0/24";
pub(crate) const BRANCH_HOST: &str = "10.9.0.7";
pub(crate) const BRANCH_GATEWAY: &str = "198.51.100.66";
const EDGE: &str = "198.51.100.1";

/// One of the two.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: fn(Family) -> IpAddr,
    pub(crate) spi: u32,
    pub(crate) request: u32,
    key: &'static str,
}

pub(crate) const CARRIER: Peer = Peer {
    address: Family::caller,
    spi: 0x5bc,
    request: 1,
    key: "0x000102030405060708090a0b0c0d0e0fa0a1a2a3",
};

pub(crate) const OTHER: Peer = Peer {
    address: Family::neighbour,
    spi: 0x777,
    request: 2,
    key: "0x0f0e0d0c0b0a09080706050403020100a3a2a1a0",
};

impl Edge {
    /// Everything is there but IPsec.
    pub(crate) fn start() -> Result<Self> {
        let peer = |name: &str, peer: Peer| {
            let sources = Family::ALL.map(|family| (peer.address)(family).to_string());
            format!(
                "[[peer]]\nname = \"{name}\"\nrequire = [\"ipsec\"]\nsources = {sources:?}\n\
                 opens = [\"udp\"]\nmay-assert = [\"*@carrier.example\"]\n"
            )
        };
        let branch = format!(
            "[[peer]]\nname = \"branch\"\nrequire = [\"ipsec\"]\nsources = [\"{BRANCH}\"]\n\
             ipsec-gateways = [\"{BRANCH_GATEWAY}\"]\nopens = [\"udp\"]\n\
             may-assert = [\"*@carrier.example\"]\n"
        );
        let peers = peer("carrier", CARRIER) + &peer("other", OTHER) + &branch;
        let gateway =
            Setup::new().challenging_strangers().guarding_sockets().table(&peers).start()?;
        let to = gateway.upstream();
        let upstream = gateway.inside.enter(|| UdpSocket::bind(to))??;
        upstream.set_read_timeout(Some(SOON))?;
        Ok(Self { gateway, upstream })
    }

    /// Joins the two by a second cable, at whose end nothing filters, and sends all by that one.
    pub(crate) fn take_the_back_door(&self) -> Result<()> {
        connect(
            self.gateway.internet.interface("wan2", &["192.0.2.7/24", "2001:db8:3::7/64"]),
            self.gateway.edge.interface("outside2", &["192.0.2.1/24", "2001:db8:3::1/64"]),
        )?;
        self.gateway.internet.route("198.51.100.1/32", "192.0.2.1".parse()?)?;
        self.gateway.internet.route("2001:db8:1::1/128", "2001:db8:3::1".parse()?)
    }

    /// Brings the branch's host and the way back to it.
    pub(crate) fn open_branch(&self) -> Result<()> {
        let Gateway { internet, edge, .. } = &self.gateway;
        internet.run("ip", ["address", "add", &format!("{BRANCH_HOST}/32"), "dev", "lo"])?;
        edge.route(BRANCH, BRANCH_GATEWAY.parse()?)
    }

    /// Has the edge ask for a tunnel from the branch's gateway, and have it; or has the gateway use it.
    pub(crate) fn tunnel(&self, direction: &str) -> Result<()> {
        let Gateway { internet, edge, .. } = &self.gateway;
        let host = if direction == "in" { edge } else { internet };
        let ends = ["src", BRANCH_GATEWAY, "dst", EDGE, "proto", "esp"];
        let add = ["xfrm", "state", "add"].into_iter().chain(ends);
        let state = ["spi", "0x999", "reqid", "3", "mode", "tunnel"];
        let cipher = ["aead", "rfc4106(gcm(aes))", CARRIER.key, "128"];
        host.run("ip", add.chain(state).chain(cipher))?;
        let add = ["xfrm", "policy", "add", "src", BRANCH, "dst", EDGE, "dir", direction, "tmpl"];
        host.run("ip", add.into_iter().chain(ends).chain(["reqid", "3", "mode", "tunnel"]))?;
        Ok(())
    }

    /// A call of a peer, over UDP and from its own address.
    pub(crate) fn call(&self, family: Family, from: IpAddr, name: &str) -> Result<()> {
        let from = SocketAddr::new(from, 5060);
        let request = format!(
            "INVITE sip:100@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{name};rport\r\n\
             From: <sip:a@carrier.example>;tag=1\r\nTo: <sip:100@example.com>\r\nCall-ID: {name}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:a@{from}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let internet = &self.gateway.internet;
        internet.enter(|| UdpSocket::bind(from)?.send_to(request.as_bytes(), family.sip()))??;
        Ok(())
    }

    /// The next request that the upstream is sent, by its Call-ID.
    pub(crate) fn next_call(&self) -> Result<String> {
        let mut bytes = [0; 4096];
        let (length, _) =
            self.upstream.recv_from(&mut bytes).context("the upstream hears nothing")?;
        let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned();
        ensure!(text.starts_with("INVITE "), "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix("Call-ID: "));
        line.map(str::to_owned).context("no Call-ID")
    }

    /// Waits until the peer's two addresses are as proven as that.
    pub(crate) fn wait_until_proven(&self, peer: Peer, proven: bool) -> Result<Status> {
        self.gateway.wait_for_status("what IPsec proves", |status| {
            let grants = status.grants()?;
            Ok(Family::ALL.iter().all(|family| {
                let address = (peer.address)(*family);
                let source = format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 });
                let grant = grants.iter().find(|grant| grant.source == source);
                grant.is_some_and(|grant| {
                    (grant.proof == "ipsec", grant.opens.contains(&"udp".to_owned()))
                        == (proven, proven)
                })
            }))
        })
    }

    /// Waits until a verdict was reached that often on the wire.
    pub(crate) fn wait_for(&self, reason: &str, count: u64) -> Result<Status> {
        self.gateway.wait_for_status(reason, |status| Ok(status.verdict(reason)? == count))
    }

    /// Packets that the network stack refused because they came out of no association that was asked for.
    pub(crate) fn refused(&self) -> Result<u64> {
        refused(&self.gateway.edge, "XfrmInTmplMismatch")
    }
}

impl Peer {
    /// Has the edge ask for this peer's associations, and have them.
    pub(crate) fn is_expected(self, edge: &Edge) -> Result<()> {
        self.is_asked_for(edge)?;
        for family in Family::ALL {
            self.add_state(&edge.gateway.edge, family, (self.address)(family))?;
        }
        Ok(())
    }

    /// Has the edge ask for this peer's associations.
    pub(crate) fn is_asked_for(self, edge: &Edge) -> Result<()> {
        for family in Family::ALL {
            self.policy(&edge.gateway.edge, family, (self.address)(family), "in")?;
        }
        Ok(())
    }

    /// Has the internet host encrypt for this peer's associations what it sends from an address.
    pub(crate) fn speaks_from(self, edge: &Edge, address: fn(Family) -> IpAddr) -> Result<()> {
        for family in Family::ALL {
            self.add_state(&edge.gateway.internet, family, address(family))?;
            self.policy(&edge.gateway.internet, family, address(family), "out")?;
        }
        Ok(())
    }

    /// Has the internet host send in clear again.
    pub(crate) fn falls_silent_from(
        self,
        edge: &Edge,
        address: fn(Family) -> IpAddr,
    ) -> Result<()> {
        for family in Family::ALL {
            let (from, to) = (address(family).to_string(), family.gateway().to_string());
            let delete = ["xfrm", "policy", "delete", "src", &from, "dst", &to, "dir", "out"];
            edge.gateway.internet.run("ip", delete)?;
            self.delete_state(&edge.gateway.internet, family)?;
        }
        Ok(())
    }

    /// Has the edge expect an association again that has ended.
    pub(crate) fn renew(self, edge: &Edge, family: Family) -> Result<()> {
        self.add_state(&edge.gateway.edge, family, (self.address)(family))
    }

    /// Ends an association.
    pub(crate) fn delete_state(self, host: &Host, family: Family) -> Result<()> {
        let (to, spi) = (family.gateway().to_string(), self.spi.to_string());
        let delete = ["xfrm", "state", "delete", "dst", &to, "proto", "esp", "spi", &spi];
        host.run("ip", delete).map(drop)
    }

    fn add_state(self, host: &Host, family: Family, from: IpAddr) -> Result<()> {
        let (from, to) = (from.to_string(), family.gateway().to_string());
        let (spi, request) = (self.spi.to_string(), self.request.to_string());
        let add = ["xfrm", "state", "add", "src", &from, "dst", &to, "proto", "esp", "spi", &spi];
        let more = ["reqid", &request, "mode", "transport", "aead", "rfc4106(gcm(aes))"];
        host.run("ip", add.into_iter().chain(more).chain([self.key, "128"]))?;
        Ok(())
    }

    fn policy(self, host: &Host, family: Family, from: IpAddr, direction: &str) -> Result<()> {
        let (from, to) = (from.to_string(), family.gateway().to_string());
        let request = self.request.to_string();
        let add = ["xfrm", "policy", "add", "src", &from, "dst", &to, "dir", direction];
        let template = ["tmpl", "src", &from, "dst", &to, "proto", "esp", "reqid", &request];
        host.run("ip", add.into_iter().chain(template).chain(["mode", "transport"]))?;
        Ok(())
    }
}
