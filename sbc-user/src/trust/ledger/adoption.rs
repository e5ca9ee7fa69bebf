use std::collections::HashMap;
use std::time::Duration;

use sbc_common::{HopBand, Lane, MonotonicNanos, Pace, Prefix, SourceKey, Transports, TrustEntry};

use super::{Ledger, after};
use crate::config::{Config, Peer, Proof, Users};
use crate::trust::pace::Paces;
use crate::trust::row::Row;
use crate::trust::{Grant, Holder, Place, TrustTable};

impl<T: TrustTable> Ledger<T> {
    /// Takes over what of `held`, which a previous run left, this policy would grant: proofs by digest,
    /// and proofs by TLS of a peer that still stands where it stood and vouches for the network.
    pub(super) fn adopt(
        &mut self,
        held: &HashMap<Row, TrustEntry>,
        config: &Config,
        now: MonotonicNanos,
    ) {
        for (row, entry) in held.iter().filter(|(_, entry)| !entry.is_expired(now)) {
            let adopted = match row {
                Row::Source(key) => self.adopted_source(key, entry, config, now),
                Row::Prefix(prefix) => adopted_prefix(*prefix, entry, config, now),
            };
            self.grants.extend(adopted);
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
        let is_place_of_users = match place {
            Place::Port(_) => !self.is_denied(place),
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
}

fn adopted_prefix(
    prefix: Prefix,
    entry: &TrustEntry,
    config: &Config,
    now: MonotonicNanos,
) -> Option<(Place, Grant)> {
    let vouches = |(position, peer): &(usize, &Peer)| {
        peer.requires(Proof::Tls)
            && Holder::Peer(*position).number() == entry.peer
            && peer.sources.iter().any(|network| network.prefix() == prefix)
    };
    let owner = config.peers.iter().enumerate().find(vouches);
    let (position, peer) = owner.filter(|_| entry.lane() == Some(Lane::Tls))?;
    let expires_at = after(now, peer.lifetime()).0.min(entry.expires_at);
    let opened = entry.transports.intersection(peer.opens_by_tls());
    let transports = opened.union(peer.opens_by_word());
    let grant = earlier(Holder::Peer(position), Lane::Tls, transports, expires_at);
    Some((Place::Network(prefix), Grant { pace: Paces::of_peer(position, peer), ..grant }))
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
