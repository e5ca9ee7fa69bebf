use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use sbc_common::HopBand;

use crate::config::Config;

/// How far away the addresses of each peer were when they last told: whoever floods us with attempts to
/// connect brings about SYN cookies, under which nobody can tell it again.
pub(super) struct Distances {
    of_peer: usize,
    known: HashMap<usize, VecDeque<(IpAddr, HopBand)>>,
}

impl Distances {
    /// As many of each peer as it can have entries; one too many takes the place of the oldest.
    pub(super) fn new(config: &Config) -> Self {
        Self { of_peer: config.trust.sources_per_peer.get(), known: HashMap::new() }
    }

    /// Remembers of these peers what `earlier` does, each by its position here and there.
    pub(super) fn continue_from(
        &mut self,
        earlier: &Self,
        peers: impl Iterator<Item = (usize, usize)>,
    ) {
        for (position, before) in peers {
            for (address, told) in earlier.known.get(&before).into_iter().flatten() {
                self.remember(position, *address, *told);
            }
        }
    }

    /// Remembers what the peer of that position told from `address`.
    pub(super) fn remember(&mut self, position: usize, address: IpAddr, told: HopBand) {
        let known = self.known.entry(position).or_default();
        known.retain(|(other, _)| *other != address);
        known.push_back((address, told));
        if known.len() > self.of_peer {
            known.pop_front();
        }
    }

    /// What it last told from there.
    pub(super) fn last(&self, position: usize, address: IpAddr) -> Option<HopBand> {
        let mut known = self.known.get(&position)?.iter();
        known.find(|(other, _)| *other == address).map(|(_, told)| *told)
    }
}
