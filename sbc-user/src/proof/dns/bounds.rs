use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use sbc_common::{Address, Prefix};

use super::HeldBack;
use crate::config::{Config, Network};

/// Which addresses no answer makes a peer's.
pub(super) struct Bounds {
    config: Arc<Config>,
    ours: HashSet<IpAddr>,
    /// Where other peers' ESP comes from, beside their sources.
    gateways: Vec<(usize, Prefix)>,
}

impl Bounds {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let listeners = config.listen.iter().map(|listen| listen.address.ip());
        let inside = config.upstream.address.iter().map(SocketAddr::ip);
        let targets = config.upstream.targets.iter().filter_map(|target| target.uri.place());
        let targets = targets.map(|(_, place)| place.ip());
        let ours = listeners.chain(inside).chain(targets).collect();
        let apart = config.peers.iter().enumerate().flat_map(|(position, peer)| {
            peer.gateways_apart().map(move |gateway| (position, gateway.prefix()))
        });
        let gateways = apart.collect();
        Self { config, ours, gateways }
    }

    /// What speaks against `address` as one of the peer at `position`. What the operator has written comes before
    /// what the DNS says.
    pub(super) fn objection(&self, position: usize, address: IpAddr) -> Option<HeldBack> {
        if !is_one_host(address) {
            return Some(HeldBack::NoHost);
        }
        if self.ours.contains(&address) {
            return Some(HeldBack::Ours);
        }
        if self.config.denied.sources.iter().any(|network| network.contains(address)) {
            return Some(HeldBack::Denied);
        }
        let wide = Address::from(address);
        let gateway = self
            .gateways
            .iter()
            .find(|(peer, gateway)| *peer != position && gateway.contains(&wide));
        let listed = self.config.peers.at(address).or(gateway.map(|(peer, _)| *peer));
        if let Some(other) = listed.filter(|other| *other != position) {
            return Some(HeldBack::AnothersSource(other));
        }
        let sources = self.config.peers.get(position).map_or(&[][..], |peer| &peer.sources);
        let contains = |network: &Network| network.contains(address);
        match (sources.is_empty(), sources.iter().any(contains)) {
            (false, false) => Some(HeldBack::OutsideSources),
            (true, _) if !is_public(address) => Some(HeldBack::NotPublic),
            (true, _) | (false, true) => None,
        }
    }
}

fn is_one_host(address: IpAddr) -> bool {
    !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_multicast()
        && address != IpAddr::V4(Ipv4Addr::BROADCAST)
        && address == address.to_canonical()
}

/// Says whether an address may be somebody's on the internet. Those for documentation count as such.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            // RFC 791, RFC 6598, RFC 1112.
            let is_this_network = first == 0;
            let is_shared = first == 100 && second & 0xc0 == 64;
            let is_reserved = first >= 240;
            !address.is_private()
                && !address.is_link_local()
                && !is_this_network
                && !is_shared
                && !is_reserved
        }
        IpAddr::V6(address) => is_global_unicast(address),
    }
}

/// RFC 4291 §2.4.
fn is_global_unicast(address: Ipv6Addr) -> bool {
    let [first, ..] = address.segments();
    first & 0xe000 == 0x2000
}
