use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sbc_common::{Address, HopBand, Lane, MonotonicNanos, Pace, Prefix, SourceKey, Transports};

use super::{Ledger, after};
use crate::config::Config;
use crate::kernel::KernelError;
use crate::trust::{Grant, Holder, Place, TrustTable};

/// A ban is never longer than so many times the first.
const LONGEST: u32 = 64;
/// For how long beyond its end a ban makes the next one longer.
const REMEMBERED: Duration = Duration::from_hours(24);

/// How long those are denied who offend too often.
pub(super) struct Bans {
    first: Duration,
    /// How many there may be at a time: proofs need the rest of the table.
    most: usize,
    /// How often a place was banned, and until when that counts; of no more places than may be banned.
    pub(super) before: HashMap<Place, (u32, MonotonicNanos)>,
}

impl Bans {
    pub(super) fn new(config: &Config) -> Self {
        let entries = usize::try_from(config.kernel.trust_entries).unwrap_or(usize::MAX);
        Self { first: config.trust.ban_for(), most: entries / 16, before: HashMap::new() }
    }

    /// How long the next ban of a place lasts: twice as long as the one before.
    fn next(&mut self, place: Place, now: MonotonicNanos) -> Duration {
        if self.before.len() >= self.most {
            self.before.retain(|_, (_, until)| until.0 > now.0);
        }
        let before = self.before.get(&place).filter(|(_, until)| until.0 > now.0);
        let times = before.map_or(0, |(times, _)| *times);
        let factor = 1_u32.checked_shl(times).unwrap_or(LONGEST).clamp(1, LONGEST);
        let length = self.first.saturating_mul(factor);
        if self.before.len() < self.most || times > 0 {
            let until = after(now, length.saturating_add(REMEMBERED));
            self.before.insert(place, (times.saturating_add(1).min(LONGEST), until));
        }
        length
    }
}

/// Who is proven hostile is denied, for a time. Whoever proves himself is not, and neither is who shares his address.
impl<T: TrustTable> Ledger<T> {
    /// How long `place` would be denied; `None` where anybody is known, or where there is no room. Notes it.
    pub fn ban_due(&mut self, place: Place, now: MonotonicNanos) -> Option<Duration> {
        let address = address_of(place)?;
        let is_known = self.is_shared(place)
            || self.grants.acquaintances().may_include(address)
            || self.grant_for(SocketAddr::new(address, 0), None).is_some();
        if is_known || self.grants.banned().len() >= self.bans.most {
            return None;
        }
        Some(self.bans.next(place, now))
    }

    /// Says whether `place` has to do with a network that the operator has written of, or with an address of a name of
    /// a peer: the kernel asks for a /64 before it asks for these.
    pub(super) fn is_shared(&self, place: Place) -> bool {
        let (network, length) = match place {
            Place::Subnet(network) => (network.into(), SourceKey::SUBNET_LENGTH),
            Place::Address(address) => (address, if address.is_ipv4() { 32 } else { 128 }),
            Place::Port(_) | Place::Network(_) => return false,
        };
        let Some(banned) = Prefix::new(network, length) else { return false };
        let mut written = self.lasting.keys().filter_map(|place| match place {
            Place::Network(prefix) => Some(prefix),
            Place::Address(_) | Place::Port(_) | Place::Subnet(_) => None,
        });
        written.any(|it| it.contains(&banned.address) || banned.contains(&it.address))
            || self.named.addresses().any(|it| banned.contains(&Address::from(*it)))
    }

    /// Denies `place`, about which [`Self::ban_due`] has just said for how long.
    pub fn ban(
        &mut self,
        place: Place,
        length: Duration,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let ban = Grant {
            holder: Holder::Offender,
            lane: Lane::Denied,
            transports: Transports::NONE,
            expires_at: after(now, length),
            connections: 0,
            lifetime: length,
            pace: Pace::UNLIMITED,
            hops: HopBand::ANY,
        };
        self.enter(place, ban, now)
    }

    /// Ends the bans that speak for `address`, or all; yields the places. What was before counts no more.
    pub fn lift_bans(
        &mut self,
        address: Option<IpAddr>,
        now: MonotonicNanos,
    ) -> (Vec<Place>, Result<(), KernelError>) {
        let wanted = address.map(|address| self.spoken_for_by(Place::Address(address)));
        let is_lifted = |place: &Place| wanted.is_none_or(|wanted| *place == wanted);
        self.bans.before.retain(|place, _| !is_lifted(place));
        let banned = self.grants.banned().iter().copied();
        let lifted: Vec<_> = banned.filter(|place| is_lifted(place)).collect();
        let mut done = Ok(());
        for place in &lifted {
            done = done.and(self.remove(*place, now));
        }
        (lifted, done)
    }

    /// Somebody has proved himself at `place`: nobody there is denied any more.
    pub(super) fn pardon(&mut self, place: Place, now: MonotonicNanos) -> Result<(), KernelError> {
        let banned = self.grants.banned();
        if banned.is_empty() {
            return Ok(());
        }
        let Some(address) = address_of(place) else { return self.pardon_around(place, now) };
        let speaks = self.spoken_for_by(Place::Address(address));
        if banned.contains(&speaks) { self.remove(speaks, now) } else { Ok(()) }
    }

    /// The same of a network. While somebody holds it nobody in it is banned.
    fn pardon_around(&mut self, place: Place, now: MonotonicNanos) -> Result<(), KernelError> {
        let Place::Network(prefix) = place else { return Ok(()) };
        if self.grants.get(&place).is_some_and(|held| held.is_live(now)) {
            return Ok(());
        }
        let is_touched = |banned: &&Place| match banned {
            Place::Subnet(network) => {
                let subnet = Prefix::new((*network).into(), SourceKey::SUBNET_LENGTH);
                prefix.contains(&Address::from(IpAddr::from(*network)))
                    || subnet.is_some_and(|subnet| subnet.contains(&prefix.address))
            }
            Place::Address(address) => prefix.contains(&Address::from(*address)),
            Place::Port(_) | Place::Network(_) => false,
        };
        let touched: Vec<_> = self.grants.banned().iter().filter(is_touched).copied().collect();
        touched.into_iter().try_for_each(|banned| self.remove(banned, now))
    }
}

pub(super) fn address_of(place: Place) -> Option<IpAddr> {
    match place {
        Place::Address(address) => Some(address),
        Place::Port(socket) => Some(socket.ip()),
        Place::Subnet(network) => Some(network.into()),
        Place::Network(_) => None,
    }
}
