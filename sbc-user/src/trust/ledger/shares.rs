use std::collections::HashMap;

use sbc_common::MonotonicNanos;

use super::Ledger;
use crate::config::Config;
use crate::kernel::KernelError;
use crate::trust::{Holder, Place, TrustTable};

/// How many grants there may be in one /64: each write of their common row reads them all.
pub(super) const GRANTS_PER_SUBNET: usize = 256;

/// How much of the table one holder may have: neither a user nor a peer must fill it.
pub(super) struct Shares {
    of_user: usize,
    of_peer: usize,
    /// The places of each holder, the one that was proved last at the end.
    pub(super) places: HashMap<Holder, Vec<Place>>,
}

impl Shares {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            of_user: config.users.as_ref().map_or(0, |users| users.sources_per_user.get()),
            of_peer: config.trust.sources_per_peer.get(),
            places: HashMap::new(),
        }
    }

    /// How many places `holder` may have; `None` where the configuration names each of them.
    fn of(&self, holder: &Holder, place: Place) -> Option<usize> {
        match (holder, place) {
            (Holder::User(_) | Holder::Returning(_), _) => Some(self.of_user),
            (Holder::Peer(_), Place::Address(_)) => Some(self.of_peer),
            (Holder::Peer(_), Place::Port(_) | Place::Subnet(_) | Place::Network(_))
            | (Holder::Earlier | Holder::Operator | Holder::Offender, _) => None,
        }
    }

    /// Counts a place that was just proved, and says how many its holder has too many.
    pub(super) fn join(&mut self, holder: &Holder, place: Place) -> usize {
        let Some(share) = self.of(holder, place) else { return 0 };
        let places = self.places.entry(holder.clone()).or_default();
        places.retain(|held| *held != place);
        places.push(place);
        places.len().saturating_sub(share)
    }

    /// The place no longer counts against the share of who held it.
    pub(super) fn leave(&mut self, holder: &Holder, place: Place) {
        let Some(places) = self.places.get_mut(holder) else { return };
        places.retain(|held| *held != place);
        if places.is_empty() {
            self.places.remove(holder);
        }
    }
}

impl<T: TrustTable> Ledger<T> {
    /// Makes room for what `holder` just proved at `place`: among its own places if those are too many,
    /// and among those of the /64. The oldest goes, and what a connection keeps alive goes last.
    pub(super) fn make_room(
        &mut self,
        holder: &Holder,
        place: Place,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let excess = self.shares.join(holder, place);
        let mut done = Ok(());
        for oldest in self.oldest_of(holder, excess) {
            done = done.and(self.give_up(oldest, now));
        }
        while let Some(oldest) = self.one_too_many_around(place) {
            done = done.and(self.give_up(oldest, now));
            if done.is_err() {
                break;
            }
        }
        done
    }

    fn oldest_of(&self, holder: &Holder, count: usize) -> Vec<Place> {
        if count == 0 {
            return Vec::new();
        }
        let mut places = self.shares.places.get(holder).cloned().unwrap_or_default();
        // Stable: among those that are alike the oldest stays first.
        places.sort_by_key(|place| self.is_connected(*place));
        places.truncate(count);
        places
    }

    /// The grant that has to go from the /64 of `place`: the one that would expire first.
    fn one_too_many_around(&self, place: Place) -> Option<Place> {
        let Place::Subnet(network) = self.spoken_for_by(place) else { return None };
        let places = self.places_of_subnet.get(&network)?;
        if places.len() <= GRANTS_PER_SUBNET {
            return None;
        }
        let until = |place: &Place| self.grants.get(place).map(|grant| grant.expires_at);
        places.iter().copied().min_by_key(|place| (self.is_connected(*place), until(place)))
    }

    fn is_connected(&self, place: Place) -> bool {
        self.grants.get(&place).is_some_and(|grant| grant.connections > 0)
    }

    /// Ends a proof before its time. The connections that kept it alive no longer do: one that comes from
    /// there later counts for itself.
    pub(super) fn give_up(&mut self, place: Place, now: MonotonicNanos) -> Result<(), KernelError> {
        if self.is_connected(place) {
            self.certified.give_up(place);
        }
        self.end(place, now)
    }
}
