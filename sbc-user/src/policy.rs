//! What the configuration says of the filter, in the filter's words.

use std::net::IpAddr;

use sbc_common::{Address, Protocol, Service};

use crate::config::{Config, IKE, IKE_BEHIND_NAT, Peer, TunnelPolicy};
use crate::kernel::{FilterSettings, ProtectedService};
use crate::transport::Transport;

/// Everything but services and sources.
#[must_use]
pub fn filter_settings(config: &Config) -> FilterSettings {
    let outside = &config.interface.outside;
    FilterSettings {
        mode: config.mode(),
        unknown: config.unknown.action.into(),
        unknown_budget: config.unknown.budget.budget(),
        tls_attempts: config.limits.tls_attempts.budget(),
        tls_attempts_from: config.limits.tls_attempts_per_network.budget(),
        early_fragments: config.limits.early_fragments.budget(),
        hop_limits: config.kernel.hop_limits.into(),
        reverse_path: outside.reverse_path.into(),
        tunnels_pass: outside.tunnels == TunnelPolicy::Pass,
    }
}

/// The listeners that the filter protects, the sockets towards the upstream, and, if any peer may use
/// IPsec, IKE and ESP at the listeners' addresses.
#[must_use]
pub fn protected_services(config: &Config) -> Vec<ProtectedService> {
    let services = config.listen.iter().map(|listen| {
        let (protocol, service) = match listen.transport {
            Transport::Udp => (Protocol::Udp, Service::ClearSip),
            Transport::Tcp => (Protocol::Tcp, Service::ClearSip),
            Transport::Tls => (Protocol::Tcp, Service::Tls),
        };
        let address = Address::from(listen.address.ip());
        ProtectedService { address, port: listen.address.port(), protocol, service }
    });
    // The network stack takes a packet to any address of the machine on any interface.
    let inside = config.upstream.listeners().map(|(transport, listener)| {
        let protocol = if transport.is_stream() { Protocol::Tcp } else { Protocol::Udp };
        let (address, port) = (Address::from(listener.ip()), listener.port());
        ProtectedService { address, port, protocol, service: Service::Inside }
    });
    let guards_ipsec = config.peers.iter().any(Peer::opens_ipsec);
    let addresses = config.listen.iter().filter(|_| guards_ipsec).map(|listen| listen.address.ip());
    services.chain(inside).chain(addresses.flat_map(ipsec_at)).collect()
}

fn ipsec_at(address: IpAddr) -> [ProtectedService; 3] {
    let ports = [(Protocol::Udp, IKE), (Protocol::Udp, IKE_BEHIND_NAT), (Protocol::Esp, 0)];
    ports.map(|(protocol, port)| {
        let (address, service) = (Address::from(address), Service::Ipsec);
        ProtectedService { address, port, protocol, service }
    })
}
