//! IPsec as a proof: what the network stack asks of a peer's packets, and whether it is there.
//!
//! The proof is not that packets are encrypted, but that the kernel refuses what is not, whichever way it
//! came (RFC 4301 §5.2): its policies have to ask for ESP of all that comes from the peer to our listeners.

mod unproven;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use sbc_common::{Address, AssociationKey, Prefix, Protocol, Transports};

pub use unproven::Unproven;

use crate::config::{Config, Network, Peer, Proof};
use crate::kernel::xfrm::{Association, EspMode, Policy, PolicyAction, Template, XfrmState};
use crate::transport::Transport;

/// What IPsec proves of one network of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpsecProof {
    /// The peer, by its position in the configuration.
    pub peer: usize,
    /// One of its sources.
    pub network: Prefix,
    /// Over which transports what comes from there has come out of an association of the peer's.
    pub transports: Transports,
    /// How many associations it may have come out of.
    pub associations: usize,
    /// Why it is not so over others that the peer opens.
    pub problem: Option<Unproven>,
}

/// What is known of IPsec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpsecAccount {
    /// One for each network of each peer that has to speak through it.
    pub proofs: Vec<IpsecProof>,
    /// The inbound associations to addresses of listeners, and where their packets come from.
    pub associations: Vec<(AssociationKey, Address)>,
}

/// Weighs what the network stack has against what the configuration asks for.
#[must_use]
pub fn weigh(config: &Config, state: &XfrmState) -> IpsecAccount {
    let listeners: Vec<_> =
        config.listen.iter().map(|listen| (listen.transport, listen.address)).collect();
    let peers = config.peers.iter().enumerate();
    let bound = peers.filter(|(_, peer)| peer.requires(Proof::Ipsec));
    let proofs = bound.flat_map(|(position, peer)| {
        let scale = Scale { peer, listeners: &listeners, state };
        peer.sources.iter().map(move |network| scale.weigh(position, network.prefix()))
    });
    IpsecAccount { proofs: proofs.collect(), associations: known_associations(config, state) }
}

/// Those that a peer's packets may bring: no others can fill the filter's table.
fn known_associations(config: &Config, state: &XfrmState) -> Vec<(AssociationKey, Address)> {
    let gateways: Vec<&Network> = config
        .peers
        .iter()
        .filter(|peer| peer.opens_ipsec())
        .flat_map(|peer| peer.sources.iter().chain(&peer.ipsec_gateways))
        .collect();
    let listeners: HashSet<IpAddr> = config.listen.iter().map(|it| it.address.ip()).collect();
    let is_known = |association: &&Association| {
        listeners.contains(&association.destination)
            && gateways.iter().any(|network| network.contains(association.source))
    };
    let known = state.associations.iter().filter(is_known);
    known
        .map(|it| (AssociationKey::new(it.destination.into(), it.spi), Address::from(it.source)))
        .collect()
}

/// What is weighed of one peer.
#[derive(Clone, Copy)]
struct Scale<'s> {
    peer: &'s Peer,
    listeners: &'s [(Transport, SocketAddr)],
    state: &'s XfrmState,
}

/// The packets that a policy is asked about.
#[derive(Clone, Copy)]
struct Packets {
    source: Prefix,
    to: SocketAddr,
    protocol: Protocol,
}

impl Scale<'_> {
    fn weigh(&self, peer: usize, network: Prefix) -> IpsecProof {
        let mut transports = Transports::NONE;
        let mut associations = HashSet::new();
        let mut problem = None;
        for (transport, opened) in [
            (Transport::Udp, Transports::UDP),
            (Transport::Tcp, Transports::TCP),
            (Transport::Tls, Transports::TLS),
        ] {
            if !self.peer.opens_by_tls().contains(opened) {
                continue;
            }
            match self.weigh_transport(transport, network) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => {
                    transports = transports.union(opened);
                    associations.extend(found);
                }
                // That TLS goes beside IPsec is a problem only for who has to go through both.
                Err(_) if transport == Transport::Tls && !self.peer.requires(Proof::Tls) => {}
                Err(unproven) => problem = problem.or(Some(unproven)),
            }
        }
        if transports == Transports::NONE && problem.is_none() {
            problem = Some(Unproven::NoListener);
        }
        IpsecProof { peer, network, transports, associations: associations.len(), problem }
    }

    /// The associations that what arrives over a transport may have come out of; none if nothing can
    /// arrive.
    fn weigh_transport(
        &self,
        transport: Transport,
        source: Prefix,
    ) -> Result<HashSet<(IpAddr, u32)>, Unproven> {
        let protocol = if transport.is_stream() { Protocol::Tcp } else { Protocol::Udp };
        let is_ipv4 = source.address.is_ipv4();
        let listeners = self.listeners.iter();
        let reached = listeners.filter(|(it, to)| *it == transport && to.is_ipv4() == is_ipv4);
        let mut associations = HashSet::new();
        for (_, to) in reached {
            associations.extend(self.weigh_packets(Packets { source, to: *to, protocol })?);
        }
        Ok(associations)
    }

    fn weigh_packets(&self, packets: Packets) -> Result<Vec<(IpAddr, u32)>, Unproven> {
        let to = packets.to;
        let about: Vec<_> =
            self.state.policies.iter().filter(|policy| packets.may_meet(policy)).collect();
        let covering = about.iter().filter(|policy| packets.always_meet(policy) && asks(policy));
        let asked = covering.min_by_key(|policy| policy.priority).ok_or(Unproven::NoPolicy(to))?;
        // Of two with the same priority the kernel asks the older one, which it does not tell.
        let before = about.iter().filter(|it| it.is_apart || it.priority <= asked.priority);
        for policy in before.filter(|policy| policy.action == PolicyAction::Allow) {
            if !asks(policy) {
                return Err(Unproven::Bypassed { to, priority: policy.priority });
            }
            if let Some(lender) = self.lender(policy, packets) {
                return Err(Unproven::Borrowable { to, lender });
            }
        }
        let own: Vec<_> = required(asked)
            .flat_map(|template| self.satisfying(template, packets))
            .filter(|association| !association.is_conditional)
            .map(|association| (association.destination, association.spi))
            .collect();
        if own.is_empty() { Err(Unproven::NoAssociation(to)) } else { Ok(own) }
    }

    /// Whose association would be taken for the peer's.
    fn lender(&self, policy: &Policy, packets: Packets) -> Option<IpAddr> {
        let satisfying = required(policy).flat_map(|template| self.satisfying(template, packets));
        satisfying.map(|association| association.source).find(|source| !self.is_gateway(*source))
    }

    /// The associations that a packet to a listener of ours may come out of, and then satisfies `template`
    /// (`xfrm_state_ok` of the kernel, which compares addresses in tunnels only).
    fn satisfying<'a>(
        &'a self,
        template: &'a Template,
        packets: Packets,
    ) -> impl Iterator<Item = &'a Association> {
        self.state.associations.iter().filter(move |association| {
            let is_one = (template.spi == 0 || template.spi == association.spi)
                && (template.request == 0 || template.request == association.request)
                && template.mode == association.mode;
            let comes_in = match association.mode {
                EspMode::Transport => association.destination == packets.to.ip(),
                EspMode::Tunnel | EspMode::Other(_) => {
                    template.source.is_none_or(|source| source == association.source)
                        // That is the one in the other direction.
                        && !self.is_gateway(association.destination)
                }
            };
            let selector = association.selector.as_ref();
            let lets_out = selector.is_none_or(|selector| {
                selector.overlaps(packets.source, packets.to, packets.protocol)
            });
            is_one && comes_in && lets_out
        })
    }

    fn is_gateway(&self, address: IpAddr) -> bool {
        self.peer.gateways().iter().any(|network| network.contains(address))
    }
}

impl Packets {
    /// Says whether the policy may be asked about some of them.
    fn may_meet(&self, policy: &Policy) -> bool {
        policy.selector.overlaps(self.source, self.to, self.protocol)
    }

    /// Says whether it may be asked about each of them, if none comes before it.
    fn always_meet(&self, policy: &Policy) -> bool {
        policy.selector.covers(self.source, self.to, self.protocol)
            && !policy.is_conditional
            && !policy.is_apart
    }
}

/// Says whether a policy lets pass only what has come out of ESP.
fn asks(policy: &Policy) -> bool {
    policy.action == PolicyAction::Allow && required(policy).next().is_some()
}

fn required(policy: &Policy) -> impl Iterator<Item = &Template> {
    policy.templates.iter().filter(|template| template.is_esp && !template.is_optional)
}

#[cfg(test)]
mod tests;
