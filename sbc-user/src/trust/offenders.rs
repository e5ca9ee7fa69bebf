use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sbc_common::{MonotonicNanos, Prefix, SourceKey};

use super::Place;
use super::subnets::Subnets;
use crate::config::{Config, Network, ScrutinyPolicy};
use crate::dues::{Limit, Table, ticks_between};

/// Counts what sources do that nobody does in another's name: only what came over a connection, or with a nonce that
/// went to the very source a moment ago, may be told to it.
///
/// Takes no lock and does not grow. **When full**, who owes least is forgotten.
pub struct Offenders {
    policy: ScrutinyPolicy,
    limit: Limit,
    offences: Arc<Table>,
    /// Until when nothing more has to be done about a source.
    settled: Arc<Table>,
    /// Seeded at random, so that nobody can choose whose word he shares.
    hasher: RandomState,
    subnets: Subnets,
    spared: Vec<Network>,
    ours: Vec<IpAddr>,
    started: MonotonicNanos,
}

impl Offenders {
    /// Knows of none yet.
    #[must_use]
    pub fn new(config: &Config, started: MonotonicNanos) -> Self {
        let listeners = config.listen.iter().map(|listen| listen.address.ip());
        let inside = config.upstream.address.iter().map(SocketAddr::ip);
        let targets = config.upstream.targets.iter().filter_map(|target| target.uri.place());
        Self {
            policy: config.trust.ban,
            limit: Limit::of(config.trust.ban_after()),
            offences: Arc::new(Table::new()),
            settled: Arc::new(Table::new()),
            hasher: RandomState::new(),
            subnets: Subnets::new(config),
            spared: config.trust.never_ban.clone(),
            ours: listeners.chain(inside).chain(targets.map(|(_, place)| place.ip())).collect(),
            started,
        }
    }

    /// The same, which knows those that `earlier` does.
    #[must_use]
    pub fn continuing(self, earlier: &Self) -> Self {
        Self {
            offences: Arc::clone(&earlier.offences),
            settled: Arc::clone(&earlier.settled),
            hasher: earlier.hasher.clone(),
            started: earlier.started,
            ..self
        }
    }

    /// What is to be done about who offends too often.
    #[must_use]
    pub const fn policy(&self) -> ScrutinyPolicy {
        self.policy
    }

    /// Counts an offence of whoever is at `address`; yields the place that has to be banned for it now.
    #[must_use]
    pub fn offended(&self, address: IpAddr, now: MonotonicNanos) -> Option<Place> {
        let place = self.place_of(address).filter(|_| self.policy != ScrutinyPolicy::Off)?;
        let (hash, now) = (self.hasher.hash_one(place), ticks_between(self.started, now));
        if self.settled.read(hash) > now {
            return None;
        }
        self.offences.update(hash, now, |until| self.limit.after_failure(until, now));
        let owed = self.limit.owed(self.offences.read(hash), now);
        self.limit.is_spent(owed).then_some(place)
    }

    /// Nothing more has to be done about a place before `until`; it owes nothing then.
    pub fn settle(&self, place: Place, until: MonotonicNanos, now: MonotonicNanos) {
        let hash = self.hasher.hash_one(place);
        let ticks = |time| ticks_between(self.started, time);
        self.settled.update(hash, ticks(now), |_| ticks(until));
        self.offences.update(hash, ticks(now), |_| 0);
    }

    /// The place that is banned for what is done at an address: all of an IPv6 /64. `None` for who is never banned.
    #[must_use]
    pub fn place_of(&self, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        if self.ours.contains(&address) {
            return None;
        }
        let place = self.subnets.around(address).map_or(Place::Address(address), Place::Subnet);
        let is_spared = self.spared.iter().any(|network| match place {
            Place::Subnet(subnet) => {
                let around = Prefix::new(subnet.into(), SourceKey::SUBNET_LENGTH);
                network.contains(subnet.into())
                    || around.is_some_and(|it| it.contains(&network.prefix().address))
            }
            Place::Address(_) | Place::Port(_) | Place::Network(_) => network.contains(address),
        });
        (!is_spared).then_some(place)
    }
}
