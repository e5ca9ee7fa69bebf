use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;
use crate::hash::mix;

/// The protocols that protected services are reached by, by their IP protocol number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Protocol {
    /// TCP, which carries SIP in clear and SIP in TLS.
    Tcp = 6,
    /// UDP.
    Udp = 17,
    /// Encapsulating Security Payload (RFC 4303).
    Esp = 50,
}

/// What a protected listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Service {
    /// SIP in clear over UDP or TCP: open to sources with proof.
    ClearSip = 1,
    /// SIP in TLS: open to strangers, who prove themselves in the handshake.
    Tls = 2,
    /// The socket towards the upstream: open to nobody whose packets arrive on the outside interface.
    Inside = 3,
    /// IKE (RFC 7296) or ESP: open to peers whose proof is IPsec.
    Ipsec = 4,
}

impl Service {
    /// Reads the value kept in the table; `None` for one that this version does not know.
    #[must_use]
    #[inline(always)]
    pub const fn from_table(value: u32) -> Option<Self> {
        match value {
            1 => Some(Self::ClearSip),
            2 => Some(Self::Tls),
            3 => Some(Self::Inside),
            4 => Some(Self::Ipsec),
            _ => None,
        }
    }
}

/// Key of the table of protected services, 20 bytes without padding.
///
/// A key with port and protocol zero says of its address that some service is protected there; it
/// serves packets whose ports cannot be read, such as later fragments.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ServiceKey {
    /// The listener's address.
    pub address: Address,
    /// Network byte order.
    port: u16,
    protocol: u8,
    zero: u8,
}

impl ServiceKey {
    /// The key of a listener on `port` (host byte order); of ESP the port is zero.
    #[must_use]
    #[inline(always)]
    pub const fn new(address: Address, port: u16, protocol: Protocol) -> Self {
        Self { address, port: port.to_be(), protocol: protocol as u8, zero: 0 }
    }

    /// The key that says whether any service is protected at `address`.
    #[must_use]
    #[inline(always)]
    pub const fn any_at(address: Address) -> Self {
        Self { address, port: 0, protocol: 0, zero: 0 }
    }

    #[inline(always)]
    const fn hash(&self, seed: u64) -> u64 {
        let [upper, lower] = self.address.halves();
        let end = self.port as u64 | (self.protocol as u64) << 16;
        mix(lower ^ end << 40 ^ upper.wrapping_mul(0x9e37_79b9_7f4a_7c15), seed)
    }
}

/// Where the services stand in their table: which half of it counts, and under which seed. One word, so
/// that one write puts another set of services into force.
///
/// The table is searched for every packet that reaches the gateway, so it is two places that need no
/// call: whoever writes it picks a seed under which no bucket overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceTable(pub u64);

/// A part of the service table: the services whose keys hash to it. 64 bytes, one line of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ServiceBucket {
    slots: [ServiceSlot; ServiceTable::SLOTS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct ServiceSlot {
    key: ServiceKey,
    service: u32,
    is_taken: u32,
    zero: u32,
}

impl ServiceTable {
    /// The number of buckets in both halves together.
    pub const BUCKETS: u32 = 512;
    /// The number of keys that fit with any luck in the choice of a seed.
    pub const MOST_KEYS: usize = 96;
    const SLOTS: usize = 2;
    const HALF: u32 = Self::BUCKETS / 2;

    /// The table in the lower or upper half under a seed whose lowest bit does not count.
    #[must_use]
    pub const fn new(is_upper: bool, seed: u64) -> Self {
        Self(seed & !1 | is_upper as u64)
    }

    /// Says whether the upper half counts.
    #[must_use]
    pub const fn is_upper(self) -> bool {
        self.0 & 1 != 0
    }

    /// The positions of this half's buckets.
    #[must_use]
    pub const fn positions(self) -> core::ops::Range<u32> {
        if self.is_upper() { Self::HALF..Self::BUCKETS } else { 0..Self::HALF }
    }

    /// The bucket that `key` would stand in.
    #[must_use]
    #[inline(always)]
    pub const fn bucket(self, key: &ServiceKey) -> u32 {
        let half = (self.0 & 1) as u32 * Self::HALF;
        half + ((key.hash(self.0) >> 32) as u32) % Self::HALF
    }

    /// The buckets of this half with all of `services` in them, each with its position; `None` when one
    /// would overflow under this seed.
    #[must_use]
    #[cfg(not(target_arch = "bpf"))]
    pub fn fill(
        self,
        services: impl IntoIterator<Item = (ServiceKey, u32)>,
    ) -> Option<[(u32, ServiceBucket); Self::HALF as usize]> {
        let first = self.positions().start;
        let mut position = first;
        let mut buckets = [(); Self::HALF as usize].map(|()| {
            let bucket = (position, ServiceBucket::default());
            position += 1;
            bucket
        });
        for (key, service) in services {
            let position = (self.bucket(&key) - first) as usize;
            let (_, bucket) = buckets.get_mut(position)?;
            let free = bucket.slots.iter_mut().find(|slot| slot.is_taken == 0)?;
            *free = ServiceSlot { key, service, is_taken: 1, zero: 0 };
        }
        Some(buckets)
    }
}

impl ServiceBucket {
    /// The value that stands under exactly this key.
    #[must_use]
    #[inline(always)]
    pub fn find(&self, key: &ServiceKey) -> Option<u32> {
        let [first, second] = &self.slots;
        if first.is_taken != 0 && first.key == *key {
            return Some(first.service);
        }
        if second.is_taken != 0 && second.key == *key {
            return Some(second.service);
        }
        None
    }

    /// The keys and values in the bucket.
    pub fn taken(&self) -> impl Iterator<Item = (ServiceKey, u32)> + use<'_> {
        self.slots.iter().filter(|slot| slot.is_taken != 0).map(|slot| (slot.key, slot.service))
    }
}

const _: () = assert!(size_of::<ServiceKey>() == 20);
const _: () = assert!(size_of::<ServiceBucket>() == 64);

#[cfg(test)]
mod tests {
    use super::*;

    fn services(count: u8) -> Vec<(ServiceKey, u32)> {
        let listener = |number: u8| {
            let address = Address::from(core::net::Ipv4Addr::new(203, 0, 113, number / 2));
            let key = ServiceKey::new(address, 5060 + u16::from(number % 2), Protocol::Udp);
            (key, u32::from(number))
        };
        (0..count).map(listener).collect()
    }

    #[test]
    fn as_many_services_as_are_promised_find_room_under_a_seed_in_a_few() {
        let services = services(u8::try_from(ServiceTable::MOST_KEYS).unwrap());
        let fitting = (1..=200_u64)
            .filter(|seed| ServiceTable::new(false, seed << 8).fill(services.clone()).is_some());
        assert!(fitting.count() >= 20);
    }

    #[test]
    fn a_service_is_found_in_its_half_and_nowhere_else() {
        for is_upper in [false, true] {
            let table = ServiceTable::new(is_upper, 0xabcd_ef00);
            let services = services(8);
            let buckets = table.fill(services.clone()).unwrap();
            let find = |key: &ServiceKey| {
                let bucket = buckets.iter().find(|(position, _)| *position == table.bucket(key));
                bucket.unwrap().1.find(key)
            };
            for (key, service) in &services {
                assert_eq!(find(key), Some(*service));
                assert_eq!(find(&ServiceKey::any_at(key.address)), None);
            }
        }
    }
}
