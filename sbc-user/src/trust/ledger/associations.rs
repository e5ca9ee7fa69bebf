use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use sbc_common::{Address, HopBand, Lane, MonotonicNanos, Pace, Prefix, Transports, TrustEntry};

use super::{Ledger, after};
use crate::config::{Config, Peer, Peers, Proof};
use crate::kernel::KernelError;
use crate::proof::ipsec::IpsecProof;
use crate::transport::{Flow, Transport};
use crate::trust::{Grant, Holder, Place, TrustTable};

/// How long it is good that nothing more was heard of IPsec. Whoever watches it says more often how it is.
pub const LIFETIME: Duration = Duration::from_secs(10);

/// What IPsec proves at the moment.
#[derive(Default)]
pub(super) struct Associations {
    /// The sources of the peers that have to speak through it.
    bound: Vec<Prefix>,
    proven: HashMap<Prefix, (usize, Transports)>,
    until: MonotonicNanos,
}

impl Associations {
    pub(super) fn new(config: &Config) -> Self {
        let peers = config.peers.iter().filter(|peer| peer.requires(Proof::Ipsec));
        let bound = peers.flat_map(|peer| &peer.sources).map(|network| network.prefix()).collect();
        Self { bound, ..Self::default() }
    }

    /// Says whether what comes from a place in clear has to come out of an association.
    pub(super) fn bind(&self, place: Place) -> bool {
        match place {
            Place::Address(address) => self.bind_address(address.into()),
            Place::Port(socket) => self.bind_address(socket.ip().into()),
            Place::Network(network) => self.bound.contains(&network),
            // The /64 of a peer's network speaks for nobody.
            Place::Subnet(_) => false,
        }
    }

    /// What the kernel is told of a place by an entry. Where all has to come out of an association the proof of
    /// that alone opens, for the network: an answer to a challenge is good for nothing while there is none, and
    /// has nothing to open while there is one.
    pub(super) fn bound(&self, place: Place, entry: TrustEntry) -> TrustEntry {
        let is_bound = self.bind(place);
        let mut entry = entry.only_in_ipsec(is_bound);
        if is_bound && matches!(place, Place::Port(_)) {
            entry.transports = Transports::NONE;
        }
        entry
    }

    fn bind_address(&self, address: Address) -> bool {
        self.bound.iter().any(|network| network.contains(&address))
    }

    /// What has come out of an association if it comes from a network.
    fn proven(&self, network: Prefix) -> Transports {
        self.proven.get(&network).map_or(Transports::NONE, |(_, transports)| *transports)
    }

    /// What a proof by TLS at `place` opens: in clear, as far as IPsec is not asked for or there. What comes
    /// out of the associations of one peer is not another's, who may be connected from there as well.
    pub(super) fn opened_by_tls(&self, peer: &Peer, place: Place) -> Transports {
        let opened = peer.opens_by_tls();
        match place {
            _ if !peer.requires(Proof::Ipsec) && !self.bind(place) => opened,
            Place::Network(network) => opened.intersection(self.beside_tls(network)),
            Place::Address(_) | Place::Port(_) | Place::Subnet(_) => opened.intersection(TUNNELLED),
        }
    }

    fn beside_tls(&self, network: Prefix) -> Transports {
        self.proven(network).union(TUNNELLED)
    }
}

/// What carries nothing in clear.
const TUNNELLED: Transports = Transports::TLS.union(Transports::IPSEC);

impl<T: TrustTable> Ledger<T> {
    /// What IPsec proves from now on, and nothing besides: what it proved before ends at once. Said again
    /// before it is [`IPSEC_LIFETIME`](crate::trust::IPSEC_LIFETIME) old, or it ends by itself.
    pub fn ipsec_proven(
        &mut self,
        proofs: &[IpsecProof],
        peers: &[Peer],
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let proven = proofs.iter().filter(|proof| proof.transports != Transports::NONE);
        let proven = proven.map(|proof| (proof.network, (proof.peer, proof.transports))).collect();
        let before = mem::replace(&mut self.associations.proven, proven);
        let is_first = mem::replace(&mut self.associations.until, after(now, LIFETIME)).0 == 0;
        let bound = self.associations.bound.iter().copied();
        let ended = bound.filter(|network| {
            let carried = before.get(network).is_some_and(|(_, it)| carries_clear(*it));
            (is_first || carried) && !carries_clear(self.associations.proven(*network))
        });
        let mut done = self.end_answers_from(&ended.collect::<Vec<_>>(), now);
        for (position, peer) in peers.iter().enumerate().filter(|(_, it)| it.requires(Proof::Ipsec))
        {
            for network in &peer.sources {
                done = done.and(self.follow(position, peer, network.prefix(), now));
            }
        }
        done
    }

    /// Ends what IPsec proved if nobody has said for too long that it does: what rests on it and on another
    /// proof does not expire by itself.
    pub fn end_unheard_ipsec(
        &mut self,
        peers: &[Peer],
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        if self.associations.proven.is_empty() || now < self.associations.until {
            return Ok(());
        }
        self.ipsec_proven(&[], peers, now)
    }

    /// Brings what is open for one network of a peer into agreement with what IPsec proves of it.
    fn follow(
        &mut self,
        position: usize,
        peer: &Peer,
        network: Prefix,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let place = Place::Network(network);
        let proven = self.associations.proven(network);
        let held = self.grants.get(&place).cloned();
        let changed = if peer.requires(Proof::Tls) {
            let held = held.filter(|held| held.lane == Lane::Tls);
            let transports = self.associations.opened_by_tls(peer, place);
            let changed = held.filter(|held| held.transports != transports);
            changed.map(|held| self.enter(place, Grant { transports, ..held }, now))
        } else if proven == Transports::NONE {
            held.filter(|held| held.lane == Lane::Ipsec).map(|_| self.end(place, now))
        } else {
            let opened = peer.opens().intersection(proven.union(TUNNELLED));
            Some(self.enter(place, proven_grant(position, opened, self.associations.until), now))
        };
        changed.unwrap_or(Ok(()))
    }

    /// What users have proven there by digest opens nothing without IPsec either. Looks at all grants, and so is
    /// for what has ended just now.
    fn end_answers_from(
        &mut self,
        networks: &[Prefix],
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        if networks.is_empty() {
            return Ok(());
        }
        let is_in = |address: Address| networks.iter().any(|network| network.contains(&address));
        let is_there = |(place, grant): &(&Place, &Grant)| match place {
            Place::Port(socket) => is_in(socket.ip().into()),
            Place::Address(address) => grant.lane == Lane::Probation && is_in((*address).into()),
            Place::Subnet(_) | Place::Network(_) => false,
        };
        let there: Vec<_> = self.grants.iter().filter(is_there).map(|(place, _)| *place).collect();
        let mut done = Ok(());
        for place in there {
            done = done.and(self.end(place, now));
        }
        done
    }
}

impl<T> Ledger<T> {
    /// The peer out of whose association a message on `flow` has come, as the network stack sees to.
    #[must_use]
    pub fn ipsec_peer(&self, peers: &Peers, flow: &Flow, now: MonotonicNanos) -> Option<usize> {
        let associations = &self.associations;
        if associations.proven.is_empty() || associations.until <= now {
            return None;
        }
        let remote = flow.remote.ip();
        let transport = match flow.transport {
            Transport::Udp => Transports::UDP,
            Transport::Tcp => Transports::TCP,
            Transport::Tls => Transports::TLS,
        };
        let position = peers.at(remote)?;
        let sources = &peers.get(position)?.sources;
        let network = sources.iter().find(|network| network.contains(remote))?;
        let proven = associations.proven.get(&network.prefix());
        let is_proven =
            proven.is_some_and(|(peer, it)| *peer == position && it.contains(transport));
        is_proven.then_some(position)
    }
}

fn carries_clear(transports: Transports) -> bool {
    transports.intersection(Transports::CLEAR) != Transports::NONE
}

fn proven_grant(position: usize, transports: Transports, expires_at: MonotonicNanos) -> Grant {
    Grant {
        holder: Holder::Peer(position),
        lane: Lane::Ipsec,
        transports,
        expires_at,
        connections: 0,
        lifetime: LIFETIME,
        pace: Pace::UNLIMITED,
        hops: HopBand::ANY,
    }
}
