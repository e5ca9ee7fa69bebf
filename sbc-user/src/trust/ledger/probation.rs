use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{HopBand, Lane, MonotonicNanos, TrustEntry};

use super::{Ledger, after, clear_transports, port_of};
use crate::config::{Config, Rate};
use crate::kernel::KernelError;
use crate::transport::{Flow, Transport};
use crate::trust::{Grant, Holder, Place, TrustTable};

/// What those may do who proved themselves of late.
pub(super) struct Probation {
    pub(super) lifetime: Duration,
    budget: Rate,
    /// How many grants of it there may be: proofs need the rest of the table.
    most: usize,
}

impl Probation {
    pub(super) fn new(config: &Config) -> Self {
        let entries = usize::try_from(config.kernel.trust_entries).unwrap_or(usize::MAX);
        let trust = &config.trust;
        Self { lifetime: trust.probation(), budget: trust.probation_budget, most: entries / 4 }
    }
}

/// An office whose uplink was gone comes back with all its phones at once, from other ports than before.
/// Where one of them proved itself of late, all are heard within a budget of their own, and challenged.
impl<T: TrustTable> Ledger<T> {
    /// Notes that a user who is behind `flow`, where his proof lasts for `proof`, may return to its address.
    /// Where somebody else is known there, nothing is changed.
    pub fn may_return(
        &mut self,
        user: &Arc<str>,
        flow: &Flow,
        proof: Duration,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let lifetime = self.probation.lifetime;
        if flow.transport == Transport::Tls
            || port_of(flow).is_none_or(|place| self.is_denied(place))
        {
            return Ok(());
        }
        let place = self.spoken_for_by(Place::Address(flow.remote.ip()));
        // Who comes back out of an association is no stranger, and anybody else is not to be heard there.
        if self.associations.bind(place) {
            return Ok(());
        }
        let held = self.grants.get(&place);
        if held.is_some_and(|held| held.lane != Lane::Probation) {
            return Ok(());
        }
        let transports = clear_transports(flow.transport);
        let expires_at = after(now, proof.saturating_add(lifetime));
        // Thousands prove themselves behind one address: few of them change what is known of it.
        let says_as_much = |held: &Grant| {
            let slack = u64::try_from((lifetime / 16).as_nanos()).unwrap_or(0);
            held.transports.contains(transports)
                && expires_at.0.saturating_sub(held.expires_at.0) < slack
        };
        if held.is_some_and(says_as_much) {
            return Ok(());
        }
        if held.is_none() && self.grants.on_probation() >= self.probation.most {
            return Ok(());
        }
        let held = held.filter(|held| held.is_live(now));
        let grant = Grant {
            transports: held.map_or(transports, |held| held.transports.union(transports)),
            expires_at: held.map_or(expires_at, |held| held.expires_at.max(expires_at)),
            ..self.probation_at(place, Holder::Returning(Arc::clone(user)))
        };
        let holder = grant.holder.clone();
        self.enter(place, grant, now)?;
        self.make_room(&holder, place, now)
    }

    /// What is left of the probation that an earlier run granted.
    pub(super) fn adopted_probation(
        &self,
        place: Place,
        entry: &TrustEntry,
        now: MonotonicNanos,
    ) -> Option<(Place, Grant)> {
        let is_one = match place {
            Place::Address(address) => !self.is_denied(Place::Port(SocketAddr::new(address, 0))),
            Place::Subnet(network) => self.subnets.around(network.into()) == Some(network),
            Place::Port(_) | Place::Network(_) => false,
        };
        let is_wanted =
            is_one && self.spoken_for_by(place) == place && !self.associations.bind(place);
        // How long the proof lasted before it is not known any more.
        let longest = self.probation.lifetime.saturating_mul(2);
        let expires_at = MonotonicNanos(after(now, longest).0.min(entry.expires_at));
        let grant = Grant {
            transports: entry.transports,
            expires_at,
            ..self.probation_at(place, Holder::Earlier)
        };
        is_wanted.then_some((place, grant))
    }

    pub(super) fn probation_at(&self, place: Place, holder: Holder) -> Grant {
        Grant {
            holder,
            lane: Lane::Probation,
            transports: clear_transports(Transport::Tls),
            expires_at: MonotonicNanos(0),
            connections: 0,
            lifetime: self.probation.lifetime,
            pace: self.paces.of_returning(place, self.probation.budget),
            hops: HopBand::ANY,
        }
    }
}
