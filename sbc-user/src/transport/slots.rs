//! How many connections there are, in total and per source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Limits, Refusal};

/// The connections that we allow.
#[derive(Clone)]
pub(super) struct Slots(Arc<Counted>);

struct Counted {
    total: usize,
    per_source: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    /// A source without connection has no entry, so there are at most `total`.
    by_source: HashMap<Source, usize>,
}

/// One connection's place; given back when dropped.
pub(super) struct Slot {
    counted: Arc<Counted>,
    source: Source,
}

/// An IPv4 address, or the /64 of an IPv6 one: a host has all addresses of its /64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Source(IpAddr);

impl Slots {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Counted {
            total: limits.connections,
            per_source: limits.connections_per_source,
            taken: Mutex::default(),
        }))
    }

    /// Takes a place for a connection from `remote`.
    pub(super) fn take(&self, remote: IpAddr) -> Result<Slot, Refusal> {
        let source = Source::of(remote);
        let mut taken = self.0.lock();
        if taken.total >= self.0.total {
            return Err(Refusal::TooManyConnections);
        }
        let of_source = taken.by_source.get(&source).copied().unwrap_or(0);
        if of_source >= self.0.per_source {
            return Err(Refusal::TooManyConnectionsOfSource);
        }
        taken.total = taken.total.saturating_add(1);
        taken.by_source.insert(source, of_source.saturating_add(1));
        drop(taken);
        Ok(Slot { counted: Arc::clone(&self.0), source })
    }
}

impl Counted {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.counted.lock();
        taken.total = taken.total.saturating_sub(1);
        match taken.by_source.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                taken.by_source.remove(&self.source);
            }
        }
    }
}

impl Source {
    fn of(remote: IpAddr) -> Self {
        match remote {
            IpAddr::V4(_) => Self(remote),
            IpAddr::V6(address) => {
                Self(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(connections: usize, connections_per_source: usize) -> Slots {
        Slots::new(&Limits { connections, connections_per_source, ..Limits::default() })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_gets_no_more_than_its_share() {
        let slots = slots(10, 1);
        let slot = slots.take(address("192.0.2.1")).ok();

        let second = slots.take(address("192.0.2.1")).err();
        assert_eq!(second, Some(Refusal::TooManyConnectionsOfSource));
        assert!(slots.take(address("192.0.2.2")).is_ok());

        drop(slot);
        assert!(slots.take(address("192.0.2.1")).is_ok());
    }

    #[test]
    fn the_addresses_of_one_slash_64_are_one_source() {
        let slots = slots(10, 1);
        let _slot = slots.take(address("2001:db8::1"));

        let neighbour = slots.take(address("2001:db8::ffff:0:0:2")).err();
        assert_eq!(neighbour, Some(Refusal::TooManyConnectionsOfSource));
        assert!(slots.take(address("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn all_sources_together_get_no_more_than_the_total() {
        let slots = slots(2, 2);
        let first = slots.take(address("192.0.2.1"));
        let _second = slots.take(address("192.0.2.2"));

        let third = slots.take(address("192.0.2.3")).err();
        assert_eq!(third, Some(Refusal::TooManyConnections));

        drop(first);
        assert!(slots.take(address("192.0.2.3")).is_ok());
    }

    #[test]
    fn a_source_without_connections_takes_no_memory() {
        let slots = slots(10, 10);
        let taken = [slots.take(address("192.0.2.1")), slots.take(address("192.0.2.1"))];
        drop(taken);

        assert!(slots.0.lock().by_source.is_empty());
    }
}
