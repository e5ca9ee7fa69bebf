use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};

use super::Place;

/// Counts of grants by hash, in bytes: 1 MiB. The more sources have proved something, the more strangers
/// share a count with one of them; that costs these a lock, and is never a wrong answer.
const SLOTS: usize = 1 << 20;

/// Tells most strangers, without a lock: whether anybody near an address may have a grant of its own.
///
/// Networks of peers do not count here: whoever asks has to look at those too.
pub struct Acquaintances {
    /// One that has reached its end stays there.
    counts: Box<[AtomicU8]>,
    /// Seeded at random: nobody can choose addresses that share a count.
    hasher: RandomState,
}

impl Acquaintances {
    pub(super) fn new() -> Self {
        let counts = std::iter::repeat_with(AtomicU8::default).take(SLOTS).collect();
        Self { counts, hasher: RandomState::new() }
    }

    /// Whether there may be a grant for a port of `address`, for the address, or within its IPv6 /64.
    /// `false` is certain.
    #[must_use]
    pub fn may_include(&self, address: IpAddr) -> bool {
        self.count(address).is_none_or(|count| count.load(Ordering::Acquire) > 0)
    }

    pub(super) fn add(&self, place: &Place) {
        if let Some(count) = address_of(place).and_then(|address| self.count(address)) {
            let more = |count: u8| count.checked_add(1);
            let _ = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        }
    }

    pub(super) fn remove(&self, place: &Place) {
        if let Some(count) = address_of(place).and_then(|address| self.count(address)) {
            let less = |count: u8| if count == u8::MAX { None } else { count.checked_sub(1) };
            let _ = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        }
    }

    fn count(&self, address: IpAddr) -> Option<&AtomicU8> {
        let near = match address {
            IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
            IpAddr::V6(address) => u128::from(address) >> 64 << 64,
        };
        let hash = usize::try_from(self.hasher.hash_one(near) % SLOTS as u64).ok()?;
        self.counts.get(hash)
    }
}

fn address_of(place: &Place) -> Option<IpAddr> {
    match place {
        Place::Address(address) => Some(*address),
        Place::Port(socket) => Some(socket.ip()),
        Place::Subnet(network) => Some(IpAddr::V6(*network)),
        Place::Network(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(text: &str) -> Place {
        Place::Port(text.parse().unwrap())
    }

    #[test]
    fn an_address_is_known_until_its_last_grant_is_gone() {
        let acquaintances = Acquaintances::new();
        let (first, second) = (port("192.0.2.1:5060"), port("192.0.2.1:5062"));
        let is_known = || acquaintances.may_include("192.0.2.1".parse().unwrap());
        assert!(!is_known());
        acquaintances.add(&first);
        acquaintances.add(&second);
        acquaintances.remove(&first);
        assert!(is_known());
        acquaintances.remove(&second);
        assert!(!is_known());
    }

    #[test]
    fn a_grant_is_near_its_whole_ipv6_subnet() {
        let acquaintances = Acquaintances::new();
        acquaintances.add(&port("[2001:db8:0:1::7]:5060"));
        assert!(acquaintances.may_include("2001:db8:0:1:ffff::".parse().unwrap()));
        assert!(!acquaintances.may_include("2001:db8:0:2::7".parse().unwrap()));
    }

    #[test]
    fn a_count_that_has_reached_its_end_is_never_taken_for_none() {
        let acquaintances = Acquaintances::new();
        let place = port("192.0.2.1:5060");
        for _ in 0..300 {
            acquaintances.add(&place);
        }
        for _ in 0..300 {
            acquaintances.remove(&place);
        }
        assert!(acquaintances.may_include("192.0.2.1".parse().unwrap()));
    }
}
