use std::collections::HashMap;
use std::time::Duration;

use sbc_common::{HopBand, Lane, MonotonicNanos, Pace, Transports, TrustEntry};

use super::Ledger;
use crate::config::Config;
use crate::trust::pace::Paces;
use crate::trust::{Grant, Holder, Place};

impl<T> Ledger<T> {
    /// Grants what the operator's word alone does wherever no proof was taken over. A place that he
    /// denied is denied, whatever was proven there before.
    pub(super) fn fall_back(&mut self) {
        for (place, lasting) in &self.lasting {
            if lasting.lane == Lane::Denied || !self.grants.contains_key(place) {
                self.grants.insert(*place, lasting.clone());
            }
        }
    }
}

/// What the operator's word alone denies and opens.
pub(super) fn grants(config: &Config) -> HashMap<Place, Grant> {
    let peers = config.peers.iter().enumerate();
    let opened = peers.filter(|(_, peer)| peer.opens_by_word() != Transports::NONE).flat_map(
        |(position, peer)| {
            peer.sources.iter().map(move |network| {
                let (holder, pace) = (Holder::Peer(position), Paces::of_peer(position, peer));
                let opened = lasting(holder, Lane::Static, peer.opens_by_word(), pace);
                (Place::Network(network.prefix()), opened)
            })
        },
    );
    let gateways = config.peers.iter().enumerate().flat_map(|(position, peer)| {
        peer.gateways_apart().map(move |network| {
            let holder = Holder::Peer(position);
            let opened = lasting(holder, Lane::Static, Transports::IPSEC, Pace::UNLIMITED);
            (Place::Network(network.prefix()), opened)
        })
    });
    let denied = config.denied.sources.iter().map(|network| {
        let denied = lasting(Holder::Operator, Lane::Denied, Transports::NONE, Pace::UNLIMITED);
        (Place::Network(network.prefix()), denied)
    });
    opened.chain(gateways).chain(denied).collect()
}

fn lasting(holder: Holder, lane: Lane, transports: Transports, pace: Pace) -> Grant {
    Grant {
        holder,
        lane,
        transports,
        expires_at: MonotonicNanos(TrustEntry::NEVER),
        connections: 0,
        lifetime: Duration::MAX,
        pace,
        hops: HopBand::ANY,
    }
}
