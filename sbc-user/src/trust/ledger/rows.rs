use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use sbc_common::{HopBand, Lane, MonotonicNanos, Pace, TrustEntry};

use super::Ledger;
use crate::trust::row::Row;
use crate::trust::{Grant, Place};

/// What the kernel is told of grants: what somebody proved at an address of a /64 opens all of it, for as
/// long as anybody's proof there lasts.
impl<T> Ledger<T> {
    /// The place by which the kernel knows `place`: itself, or the /64 around it.
    #[must_use]
    pub fn spoken_for_by(&self, place: Place) -> Place {
        let address = match place {
            Place::Address(address) => address,
            Place::Port(socket) => socket.ip(),
            Place::Subnet(_) | Place::Network(_) => return place,
        };
        self.subnets.around(address).map_or(place, Place::Subnet)
    }

    /// The rows that say what all live grants say.
    pub(super) fn rows(&mut self, now: MonotonicNanos) -> HashMap<Row, TrustEntry> {
        let places: Vec<_> = self.grants.keys().copied().collect();
        for place in places {
            self.join(place);
        }
        let mut rows = HashMap::new();
        for (place, grant) in self.grants.iter().filter(|(_, grant)| grant.is_live(now)) {
            let entry = self.named.tagged(self.associations.bound(*place, grant.entry()));
            rows.entry(Row::of(self.spoken_for_by(*place)))
                .and_modify(|held| *held = both(*held, entry))
                .or_insert(entry);
        }
        rows
    }

    /// What the row of `place` says once it has this grant.
    pub(super) fn entry_with(
        &self,
        place: Place,
        grant: &Grant,
        now: MonotonicNanos,
    ) -> TrustEntry {
        let entry = grant.entry();
        let entry = self.others(place, now).fold(entry, |entry, other| both(entry, other.entry()));
        self.named.tagged(self.associations.bound(place, entry))
    }

    /// What the row of `place` says once that has no grant; `None` if nobody else has one.
    pub(super) fn entry_without(&self, place: Place, now: MonotonicNanos) -> Option<TrustEntry> {
        self.others(place, now).map(Grant::entry).reduce(both)
    }

    /// The live grants that have the row of `place` in common with it.
    fn others(&self, place: Place, now: MonotonicNanos) -> impl Iterator<Item = &Grant> {
        let places = match self.spoken_for_by(place) {
            Place::Subnet(network) => self.places_of_subnet.get(&network),
            Place::Address(_) | Place::Port(_) | Place::Network(_) => None,
        };
        let others = places.into_iter().flatten().filter(move |other| **other != place);
        others.filter_map(|other| self.grants.get(other)).filter(move |grant| grant.is_live(now))
    }

    /// The places with a grant in the /64 that speaks for `address`.
    pub(super) fn neighbours(&self, address: IpAddr) -> impl Iterator<Item = &Place> {
        let network = self.subnets.around(address);
        network.and_then(|network| self.places_of_subnet.get(&network)).into_iter().flatten()
    }

    /// Notes that `place` has a grant.
    pub(super) fn join(&mut self, place: Place) {
        if let Place::Subnet(network) = self.spoken_for_by(place) {
            self.places_of_subnet.entry(network).or_default().insert(place);
        }
    }

    /// Notes that it has none any more.
    pub(super) fn leave(&mut self, place: Place) {
        let Place::Subnet(network) = self.spoken_for_by(place) else { return };
        let Some(places) = self.places_of_subnet.get_mut(&network) else { return };
        places.remove(&place);
        if places.is_empty() {
            self.places_of_subnet.remove(&network);
        }
    }
}

/// One entry for two proofs, of which probation is none where there is another: open is what either opened, until the later of them ends, and it claims no
/// more than the weaker. Nobody is held to a budget for his neighbour's sake: users have theirs together.
fn both(one: TrustEntry, other: TrustEntry) -> TrustEntry {
    let is_probation = |entry: &TrustEntry| entry.lane() == Some(Lane::Probation);
    match (is_probation(&one), is_probation(&other)) {
        (true, false) => return other,
        (false, true) => return one,
        (true, true) | (false, false) => {}
    }
    let mut both = if one.lane <= other.lane { one } else { other };
    both.expires_at = one.expires_at.max(other.expires_at);
    both.transports = one.transports.union(other.transports);
    if one.peer != other.peer {
        both.peer = 0;
    }
    if one.hops != other.hops {
        both.hops = HopBand::ANY;
    }
    let cost = |entry: &TrustEntry| (entry.pace.interval, Reverse(entry.pace.burst));
    both.pace = if cost(&one) <= cost(&other) { one.pace } else { other.pace };
    let are_users = [&one, &other].iter().all(|entry| entry.lane() == Some(Lane::Digest));
    if are_users && one.pace.slot == other.pace.slot {
        both.pace = together(one.pace, other.pace);
    }
    both
}

/// What both may send, counted in one slot.
fn together(one: Pace, other: Pace) -> Pace {
    let rates = u64::from(one.interval) + u64::from(other.interval);
    let interval = (u64::from(one.interval) * u64::from(other.interval)).checked_div(rates);
    match (one.budget(), other.budget()) {
        (Some(_), Some(_)) => Pace {
            // Zero would be no limit at all.
            interval: interval.and_then(|it| u32::try_from(it).ok()).unwrap_or(u32::MAX).max(1),
            burst: one.burst.saturating_add(other.burst),
            slot: one.slot,
        },
        _ => Pace { slot: one.slot, ..Pace::UNLIMITED },
    }
}
