use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use sbc_common::ServiceTable;

use super::Config;
use super::contradiction::Found;
use crate::transport::Transport;

/// The UDP port of IKE (RFC 7296 §2).
pub const IKE: u16 = 500;
/// The UDP port of IKE and ESP where a NAT is on the way (RFC 3948).
pub const IKE_BEHIND_NAT: u16 = sbc_common::ESP_IN_UDP;

/// Refuses what has no place beside IKE and ESP, which the filter guards at every listener's address as
/// soon as a peer may use them.
pub(super) fn refuse(config: &Config) -> Result<(), Found> {
    let Some(peer) = config.peers.iter().find(|peer| peer.opens_ipsec()) else { return Ok(()) };
    let is_ike = |address: SocketAddr| matches!(address.port(), IKE | IKE_BEHIND_NAT);
    let taken = |address: SocketAddr| {
        format!(
            "{address}/UDP is IKE's, which peer {:?} opens with ipsec: choose another port",
            peer.name
        )
    };
    let udp = config.listen.iter().filter(|listen| listen.transport == Transport::Udp);
    if let Some(listen) = udp.into_iter().find(|listen| is_ike(listen.address)) {
        return Err((format!("[[listen]] UDP {}", listen.address), taken(listen.address)));
    }
    let addresses: HashSet<IpAddr> = config.listen.iter().map(|it| it.address.ip()).collect();
    for upstream in &config.upstream.address {
        if is_ike(*upstream) && addresses.contains(&upstream.ip()) {
            return Err(("[upstream]".to_owned(), taken(*upstream)));
        }
    }
    // Each listener, each address, IKE twice and ESP there, and the sockets towards the upstream.
    let inside = config.upstream.listeners().count() + config.upstream.address.len();
    if config.listen.len() + 4 * addresses.len() + inside > ServiceTable::MOST_KEYS {
        let problem = "the filter has no room for IKE and ESP at so many addresses".to_owned();
        return Err(("[[listen]]".to_owned(), problem));
    }
    Ok(())
}
