use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use sbc_common::{HopBand, Lane, MonotonicNanos, Pace, Prefix, SourceKey, Transports, TrustEntry};

use super::{Ledger, after};
use crate::config::{Config, Peer, Proof, Users};
use crate::trust::pace::Paces;
use crate::trust::row::Row;
use crate::trust::{Grant, Holder, Place, TrustTable};

impl<T: TrustTable> Ledger<T> {
    /// Takes over what of `held`, which a previous run left, this policy would grant: proofs by digest,
    /// proofs by TLS of a peer that still stands where it stood and vouches for the network, and what its names gave.
    pub(super) fn adopt(
        &mut self,
        held: &HashMap<Row, TrustEntry>,
        config: &Config,
        now: MonotonicNanos,
    ) {
        let live = || held.iter().filter(|(_, entry)| !entry.is_expired(now));
        for (row, entry) in live() {
            let Row::Prefix(prefix) = row else { continue };
            let named = self.adopted_name(*prefix, entry, config, now);
            self.grants.extend(named.or_else(|| adopted_prefix(*prefix, entry, config, now)));
        }
        for (row, entry) in live() {
            let Row::Source(key) = row else { continue };
            if let Some((place, grant)) = self.adopted_source(key, entry, config, now) {
                self.shares.join(&grant.holder, place);
                self.grants.insert(place, grant);
            }
        }
    }

    fn adopted_source(
        &mut self,
        key: &SourceKey,
        entry: &TrustEntry,
        config: &Config,
        now: MonotonicNanos,
    ) -> Option<(Place, Grant)> {
        let place = Place::of_key(key);
        if entry.lane() == Some(Lane::Probation) {
            return self.adopted_probation(place, entry, now);
        }
        if let Place::Address(address) = place {
            return self.adopted_address(address, entry, config, now);
        }
        let is_place_of_users = match place {
            // Beside IPsec an answer counts for nothing, and what IPsec proves is not known yet.
            Place::Port(_) => !self.is_denied(place) && !self.associations.bind(place),
            Place::Subnet(network) => self.subnets.around(network.into()) == Some(network),
            Place::Address(_) | Place::Network(_) => false,
        };
        // A /64 may have been open for a peer's proof as well, which opens TLS whatever else. What is whose
        // can't be told apart then: both have to prove themselves anew.
        let clear_text = Transports::UDP.union(Transports::TCP);
        let is_of_users_alone = clear_text.contains(entry.transports);
        let is_proven =
            is_place_of_users && is_of_users_alone && entry.lane() == Some(Lane::Digest);
        let lifetime = config.users.as_ref().map(Users::longest_grant).filter(|_| is_proven)?;
        let expires_at = after(now, lifetime).0.min(entry.expires_at);
        let grant = earlier(Holder::Earlier, Lane::Digest, entry.transports, expires_at);
        Some((place, Grant { pace: self.paces.of_source(self.spoken_for_by(place)), ..grant }))
    }

    /// The distance at which a peer's address was, so that it is not forgotten until the peer connects
    /// again; and for as long as the proof of a network around it lasts, if that was taken over, the entry
    /// that says so.
    fn adopted_address(
        &mut self,
        address: IpAddr,
        entry: &TrustEntry,
        config: &Config,
        now: MonotonicNanos,
    ) -> Option<(Place, Grant)> {
        let place = Place::Address(address);
        if let Some(grant) = self.adopted_beside_name(address, entry, config, now) {
            return Some((place, grant));
        }
        let is_told = entry.hops != HopBand::ANY && self.learns_hops && self.is_one_host(place);
        let (position, peer) = prover(entry, config).filter(|_| is_told)?;
        self.distances.remember(position, address, entry.hops);
        let around = peer.sources.iter().filter(|network| network.contains(address));
        let around = around.filter_map(|it| self.grants.get(&Place::Network(it.prefix())));
        let proven = around.filter(|grant| grant.holder == Holder::Peer(position));
        let expires_at = proven.map(|grant| grant.expires_at).max()?;
        let grant = grant_of(position, peer, entry, now);
        let expires_at = grant.expires_at.min(expires_at);
        peer.opens_clear_text().then_some((place, Grant { hops: entry.hops, expires_at, ..grant }))
    }
}

impl<T: TrustTable> Ledger<T> {
    /// The proof by TLS of a peer that has to be at an address of its names as well, and is.
    fn adopted_beside_name(
        &mut self,
        address: IpAddr,
        entry: &TrustEntry,
        config: &Config,
        now: MonotonicNanos,
    ) -> Option<Grant> {
        let (position, peer) = prover(entry, config)?;
        if !peer.requires(Proof::Dns)
            || peer.requires(Proof::Ipsec)
            || !self.named.is_of(position, address, now)
        {
            return None;
        }
        let is_told = entry.hops != HopBand::ANY
            && self.learns_hops
            && self.is_one_host(Place::Address(address));
        let hops = if is_told { entry.hops } else { HopBand::ANY };
        if is_told {
            self.distances.remember(position, address, hops);
        }
        Some(Grant { hops, ..grant_of(position, peer, entry, now) })
    }
}

/// The peer whose TLS proof an entry was made by, and its position, if it is asked for one still.
fn prover<'c>(entry: &TrustEntry, config: &'c Config) -> Option<(usize, &'c Peer)> {
    let mut peers = config.peers.iter().enumerate();
    let owner = peers.find(|(position, _)| Holder::Peer(*position).number() == entry.peer);
    owner.filter(|(_, peer)| entry.lane() == Some(Lane::Tls) && peer.requires(Proof::Tls))
}

/// What is left of its proof under this policy.
fn grant_of(position: usize, peer: &Peer, entry: &TrustEntry, now: MonotonicNanos) -> Grant {
    let expires_at = after(now, peer.lifetime()).0.min(entry.expires_at);
    let mut opened = entry.transports.intersection(peer.opens_by_tls());
    if peer.requires(Proof::Ipsec) {
        opened = opened.intersection(Transports::TLS.union(Transports::IPSEC));
    }
    let transports = opened.union(peer.opens_by_word());
    let grant = earlier(Holder::Peer(position), Lane::Tls, transports, expires_at);
    Grant { pace: Paces::of_peer(position, peer), ..grant }
}

fn adopted_prefix(
    prefix: Prefix,
    entry: &TrustEntry,
    config: &Config,
    now: MonotonicNanos,
) -> Option<(Place, Grant)> {
    // What is asked of an address besides is not proven by the network around it.
    let is_of_networks = |peer: &Peer| !peer.requires(Proof::Dns) || peer.requires(Proof::Ipsec);
    let vouches = |peer: &Peer| {
        is_of_networks(peer) && peer.sources.iter().any(|network| network.prefix() == prefix)
    };
    let (position, peer) = prover(entry, config).filter(|(_, peer)| vouches(peer))?;
    Some((Place::Network(prefix), grant_of(position, peer, entry, now)))
}

fn earlier(holder: Holder, lane: Lane, transports: Transports, expires_at: u64) -> Grant {
    Grant {
        holder,
        lane,
        transports,
        expires_at: MonotonicNanos(expires_at),
        connections: 0,
        lifetime: Duration::ZERO,
        pace: Pace::UNLIMITED,
        hops: HopBand::ANY,
    }
}
