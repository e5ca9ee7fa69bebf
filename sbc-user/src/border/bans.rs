//! Sources that are proven hostile.

use std::net::IpAddr;
use std::time::Duration;

use sbc_common::MonotonicNanos;

use super::Border;
use super::parts::locked;
use crate::config::ScrutinyPolicy;
use crate::transport::Flow;
use crate::trust::{Place, TrustTable};

/// For how long nothing is done about a source for which no ban could be made.
const PAUSE: Duration = Duration::from_mins(1);

/// What nobody can do in another's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offence {
    /// A wrong answer to a challenge that went to the very source a moment ago, or over a connection.
    Guess,
    /// Over a connection, what cannot be read.
    Nonsense,
}

impl<T: TrustTable> Border<T> {
    /// Whoever is behind `flow` has offended; it is never said of what could have been forged. Takes a lock only
    /// when a ban is due.
    pub(super) fn offended(&self, flow: &Flow, offence: Offence) {
        let address = flow.remote.ip();
        let is_known =
            || self.acquaintances.may_include(address) || self.config.peers.at(address).is_some();
        if self.offenders.policy() == ScrutinyPolicy::Off || is_known() {
            return;
        }
        let now = self.now();
        let Some(place) = self.offenders.offended(address, now) else { return };
        // Whatever comes of it, the locks are not taken again soon.
        self.offenders.settle(place, later(now, PAUSE), now);
        if self.is_somebody(flow) {
            return;
        }
        let mut ledger = self.ledger();
        let Some(length) = ledger.ban_due(place, now) else { return };
        let is_enforced = self.offenders.policy() == ScrutinyPolicy::Enforce;
        let entered = if is_enforced { ledger.ban(place, length, now) } else { Ok(()) };
        drop(ledger);
        let seconds = length.as_secs();
        let reason = match offence {
            Offence::Guess => "guesses passwords",
            Offence::Nonsense => "talks nonsense over connections",
        };
        if entered.is_ok() {
            self.counters.count_ban(is_enforced);
            self.offenders.settle(place, later(now, length), now);
            if is_enforced {
                tracing::warn!(%place, reason, seconds, "banned");
            } else {
                tracing::warn!(%place, reason, seconds, "would be banned");
            }
        }
        self.report(entered);
    }

    /// Says whether it is a peer with a certificate, or whom we send requests to.
    fn is_somebody(&self, flow: &Flow) -> bool {
        let pools = self.peer_pools.iter().flatten().map(|pool| pool.targets());
        locked(&self.peers_by_connection).contains_key(&flow.connection)
            || pools
                .into_iter()
                .any(|pool| pool.iter().any(|it| it.flow.remote.ip() == flow.remote.ip()))
    }

    /// Ends the bans that speak for an address, or all of them; yields the places.
    pub fn lift_bans(&self, address: Option<IpAddr>) -> Vec<Place> {
        let now = self.now();
        let (lifted, done) = self.ledger().lift_bans(address, now);
        let place = address.and_then(|address| self.offenders.place_of(address));
        for place in lifted.iter().copied().chain(place) {
            self.offenders.settle(place, now, now);
        }
        self.report(done);
        lifted
    }
}

fn later(now: MonotonicNanos, by: Duration) -> MonotonicNanos {
    MonotonicNanos(now.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
}
