use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;

use serde::Deserialize;

use super::Peer;

/// The peers in their order, and whose networks an address is in: found without walking through them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<Peer>")]
pub struct Peers {
    listed: Vec<Peer>,
    v4: Ranges,
    v6: Ranges,
    by_name: HashMap<Box<str>, usize>,
}

impl Peers {
    /// The first peer that comes from `address`, by its position.
    #[must_use]
    pub fn at(&self, address: IpAddr) -> Option<usize> {
        match address {
            IpAddr::V4(address) => self.v4.at(u32::from(address).into()),
            IpAddr::V6(address) => self.v6.at(address.into()),
        }
    }

    /// The position of the peer of this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

impl Peers {
    /// The peers, whose networks stay what they are.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.listed.iter_mut()
    }
}

impl From<Vec<Peer>> for Peers {
    fn from(listed: Vec<Peer>) -> Self {
        let ranges = |is_v4: bool| {
            let of_peer = |(position, peer): (usize, &Peer)| {
                let networks = peer.sources.iter().filter(move |it| it.is_ipv4() == is_v4);
                networks.map(|network| (network.range(), position)).collect::<Vec<_>>()
            };
            Ranges::new(&listed.iter().enumerate().flat_map(of_peer).collect::<Vec<_>>())
        };
        let (v4, v6) = (ranges(true), ranges(false));
        let listed: Vec<_> = listed.into_iter().map(Peer::with_permissions).collect();
        let names = listed.iter().enumerate().rev();
        let by_name = names.map(|(position, peer)| (peer.name.as_str().into(), position)).collect();
        Self { listed, v4, v6, by_name }
    }
}

impl Deref for Peers {
    type Target = [Peer];

    fn deref(&self) -> &[Peer] {
        &self.listed
    }
}

/// The addresses of a family, cut where the answer changes.
#[derive(Clone, Debug, Default)]
struct Ranges {
    /// Where each piece begins, ascending, and the lowest position of those whose networks cover it.
    pieces: Vec<(u128, Option<usize>)>,
}

impl Ranges {
    /// Networks, from their first address to their last, of the peers at these positions.
    fn new(networks: &[((u128, u128), usize)]) -> Self {
        let ends = |((first, last), _): &((u128, u128), usize)| [Some(*first), last.checked_add(1)];
        let mut cuts: Vec<u128> = networks.iter().flat_map(ends).flatten().collect();
        cuts.sort_unstable();
        cuts.dedup();
        // Two networks either contain each other or share nothing, so those around a cut are nested,
        // and no deeper than an address has bits.
        let mut sorted = networks.to_vec();
        sorted.sort_unstable_by_key(|((first, last), position)| (*first, !*last, *position));
        let mut next = sorted.into_iter().peekable();
        let mut around: Vec<((u128, u128), usize)> = Vec::new();
        let mut pieces: Vec<(u128, Option<usize>)> = Vec::new();
        for cut in cuts {
            around.retain(|((_, last), _)| *last >= cut);
            while let Some(network) = next.next_if(|((first, _), _)| *first <= cut) {
                around.push(network);
            }
            pieces.push((cut, around.iter().map(|(_, position)| *position).min()));
        }
        Self { pieces }
    }

    fn at(&self, address: u128) -> Option<usize> {
        let after = self.pieces.partition_point(|(first, _)| *first <= address);
        self.pieces.get(after.checked_sub(1)?)?.1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::sample;

    fn peers(networks: &[Vec<String>]) -> Peers {
        let texts: Vec<String> = networks
            .iter()
            .enumerate()
            .map(|(number, networks)| {
                format!(
                    "[[peer]]\nname = \"peer-{number}\"\nrequire = [\"tls\"]\n\
                     identities = [\"{number}.example\"]\nsources = {networks:?}\nopens = [\"udp\"]\n"
                )
            })
            .collect();
        sample::config(&texts.concat()).peers
    }

    #[test]
    fn an_address_belongs_to_the_first_peer_around_it_in_its_own_family() {
        let networks = [&["192.0.2.0/28", "2001:db8::/32"][..], &["192.0.2.32/28", "198.51.100.7"]];
        let peers = peers(&networks.map(|list| list.iter().map(|it| (*it).to_owned()).collect()));
        for (address, expected) in [
            ("192.0.2.0", Some(0)),
            ("192.0.2.15", Some(0)),
            ("192.0.2.16", None),
            ("192.0.2.33", Some(1)),
            ("198.51.100.7", Some(1)),
            ("198.51.100.8", None),
            ("2001:db8:ffff::1", Some(0)),
            ("2001:db9::", None),
            ("::c000:200", None),
            ("0.0.0.0", None),
            ("255.255.255.255", None),
        ] {
            assert_eq!(peers.at(address.parse().unwrap()), expected, "{address}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_one_that_a_walk_through_all_networks_finds(
            networks in prop::collection::vec((0_u128..64, 0_u32..7, 0_usize..5), 0..12),
        ) {
            let nested: Vec<_> = networks
                .into_iter()
                .map(|(address, bits, position)| {
                    let first = address >> bits << bits;
                    ((first, first + (1 << bits) - 1), position)
                })
                .collect();
            let ranges = Ranges::new(&nested);
            for address in 0..200 {
                let around = |((first, last), _): &&((u128, u128), usize)| {
                    (*first..=*last).contains(&address)
                };
                let walked = nested.iter().filter(around).map(|(_, position)| *position).min();
                prop_assert_eq!(ranges.at(address), walked);
            }
        }

        #[test]
        fn the_last_address_has_no_end(first in any::<u128>()) {
            let ranges = Ranges::new(&[((0, u128::MAX), 3)]);
            prop_assert_eq!(ranges.at(first), Some(3));
        }
    }
}
