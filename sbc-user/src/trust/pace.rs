use std::hash::{BuildHasher as _, RandomState};

use sbc_common::{Meter, Pace};

use super::{Holder, Place};
use crate::config::{Config, Peer, Rate, Users};

/// The budgets of sources. A peer's sources share one; each source of a user has one of its own, in a
/// slot that nobody can choose so that it meets somebody else's.
pub(super) struct Paces {
    of_users: Option<Rate>,
    peers: u32,
    slots: RandomState,
}

impl Paces {
    pub(super) fn new(config: &Config) -> Self {
        let peers = u32::try_from(config.peers.len()).unwrap_or(u32::MAX);
        let of_users = config.users.as_ref().and_then(|users: &Users| users.budget);
        Self { of_users, peers, slots: RandomState::new() }
    }

    /// Gives sources the slots that they have by `earlier`.
    pub(super) fn continue_from(&mut self, earlier: &Self) {
        self.slots.clone_from(&earlier.slots);
    }

    pub(super) fn of_peer(position: usize, peer: &Peer) -> Pace {
        peer.budget.map_or(Pace::UNLIMITED, |budget| budget.pace(Holder::Peer(position).number()))
    }

    /// Of all who return to `place`.
    pub(super) fn of_returning(&self, place: Place, budget: Rate) -> Pace {
        budget.pace(self.slot(place))
    }

    /// Of what the kernel knows by `place`. Peers' slots are their numbers, from one on; users' follow.
    pub(super) fn of_source(&self, place: Place) -> Pace {
        self.of_users.map_or(Pace::UNLIMITED, |budget| budget.pace(self.slot(place)))
    }

    fn slot(&self, place: Place) -> u32 {
        let first = self.peers.saturating_add(1).min(Meter::SLOTS - 1);
        let left = u64::from(Meter::SLOTS - first).max(1);
        let offset = u32::try_from(self.slots.hash_one(place) % left).unwrap_or(0);
        first + offset
    }
}
