//! Who is trusted. The flood's sources are an odd address of 12.0.0.0/7, and any of `2a00::/16`: see the
//! program `flood` of `sbc-ebpf`.

use std::{
    collections::HashSet,
    hash::Hash,
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::random::Random;

/// One run's entries are another's.
const SEED: u64 = 5060;

/// Different addresses from all over the unicast space, the worst that a cache can be given.
///
/// Those that fall into 12.0.0.0/7 are even. So none of them is a source of the flood, and yet the
/// flood's networks are as full of them as any other: a filter that tells networks apart and not
/// addresses gains nothing.
pub(crate) fn trusted_ipv4(count: usize) -> Vec<Ipv4Addr> {
    distinct(count, |random| {
        let address = (random.next() >> 32) as u32;
        let is_unicast = matches!(address >> 24, 1..=126 | 128..=223);
        let is_flood = address >> 25 == 12 >> 1 && address & 1 == 1;
        (is_unicast && !is_flood).then(|| Ipv4Addr::from(address))
    })
}

/// Different /64s from all over `2000::/3` with one address in each. The flood has 2^48 networks of its
/// own, so that it meets one of these about never.
pub(crate) fn trusted_ipv6(count: usize) -> Vec<Ipv6Addr> {
    distinct(count, |random| {
        let network = u128::from(0x2000_0000_0000_0000 | random.next() >> 3);
        Some(Ipv6Addr::from(network << 64 | 1))
    })
}

fn distinct<A: Copy + Eq + Hash>(
    count: usize,
    mut draw: impl FnMut(&mut Random) -> Option<A>,
) -> Vec<A> {
    let mut random = Random::new(SEED);
    let mut seen = HashSet::with_capacity(count);
    let mut addresses = Vec::with_capacity(count);
    while addresses.len() < count {
        if let Some(address) = draw(&mut random)
            && seen.insert(address)
        {
            addresses.push(address);
        }
    }
    addresses
}
