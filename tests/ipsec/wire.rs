use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::Result;
use sbc_tests::{Family, Host, connect};

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The interface of the edge that the peer's packets arrive on.
pub(crate) const OUTSIDE: &str = "outside";

/// A carrier and the edge gateway, with a cable between them.
pub(crate) struct Wire {
    pub(crate) peer: Host,
    pub(crate) edge: Host,
}

impl Wire {
    pub(crate) fn new() -> Result<Self> {
        let (peer, edge) = (Host::new("peer")?, Host::new("edge")?);
        connect(
            peer.interface("wan", &["198.51.100.7/24", "2001:db8:1::7/64"]),
            edge.interface(OUTSIDE, &["198.51.100.1/24", "2001:db8:1::1/64"]),
        )?;
        Ok(Self { peer, edge })
    }

    /// A socket of the edge where SIP arrives.
    pub(crate) fn receiver(&self, family: Family) -> Result<UdpSocket> {
        let receiver = self.edge.enter(|| UdpSocket::bind(family.sip()))??;
        receiver.set_read_timeout(Some(SOON))?;
        Ok(receiver)
    }

    /// Sends from the peer's SIP port to the edge's.
    pub(crate) fn send(&self, family: Family, payload: &[u8]) -> Result<()> {
        let from = SocketAddr::new(peer_address(family), 5060);
        self.peer.enter(|| UdpSocket::bind(from)?.send_to(payload, family.sip()))??;
        Ok(())
    }
}

pub(crate) fn peer_address(family: Family) -> IpAddr {
    family.caller()
}

pub(crate) fn next_datagram(receiver: &UdpSocket) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 2048];
    let (length, _) = receiver.recv_from(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}
