use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use sbc_common::{Address, Prefix, SourceKey};

use crate::config::Config;

/// Which IPv6 addresses the kernel knows by the /64 around them: its holder may use any address in it
/// (RFC 6177, RFC 7421), and changes them daily (RFC 8981).
pub(super) struct Subnets {
    /// The /64s whose every address stands for itself; absent where all of them do.
    apart: Option<Ranges>,
}

/// Ranges of /64s by their first 64 bits, the first and the last of each: in order, and apart from each other.
struct Ranges(Box<[(u64, u64)]>);

impl Subnets {
    /// A /64 that somebody else has a part in never speaks for an address: the kernel asks for it before
    /// it asks for the networks that the operator denied or gave to a peer, and whoever is in ours is a
    /// neighbour of the gateway and nobody's site.
    pub(super) fn new(config: &Config) -> Self {
        let listed = config.peers.iter().flat_map(|peer| &peer.sources);
        let listed = listed.chain(&config.denied.sources).map(|network| network.prefix());
        let listeners = config.listen.iter().map(|listen| listen.address.ip());
        let inside = config.upstream.address.iter().map(SocketAddr::ip);
        let targets = config.upstream.targets.iter().filter_map(|target| target.uri.place());
        let ours = listeners.chain(inside).chain(targets.map(|(_, place)| place.ip()));
        let ours = ours.filter_map(|address| Prefix::new(address, 128));
        let apart = listed.chain(ours).filter(|prefix| !prefix.address.is_ipv4());
        Self { apart: config.trust.ipv6_subnet.then(|| Ranges::of(apart)) }
    }

    /// The network address of the /64 that speaks for `address`; `None` where it stands for itself.
    pub(super) fn around(&self, address: IpAddr) -> Option<Ipv6Addr> {
        let apart = self.apart.as_ref()?;
        let IpAddr::V6(address) = address else { return None };
        let subnet = is_of_a_site(address)
            .then(|| Prefix::new(address.into(), SourceKey::SUBNET_LENGTH))??;
        if apart.contain(number(&subnet.address)) {
            return None;
        }
        match IpAddr::from(subnet.address) {
            IpAddr::V6(network) => Some(network),
            IpAddr::V4(_) => None,
        }
    }
}

/// Says whether `address` is in a /64 that a site was given. Not so, among others: link-local ones,
/// IPv4 behind NAT64 (RFC 6052, RFC 8215) or inside 6to4 (RFC 3056), and all of `2001::/23`, where Teredo
/// (RFC 4380) and other protocols put hosts that know nothing of each other next to each other.
fn is_of_a_site(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_site_local = first & 0xfe00 == 0xfc00;
    let is_of_a_protocol = first == 0x2001 && second < 0x0200;
    let is_6to4 = first == 0x2002;
    is_site_local || is_global && !is_of_a_protocol && !is_6to4
}

impl Ranges {
    /// The /64s that have a part in one of `prefixes`.
    fn of(prefixes: impl Iterator<Item = Prefix>) -> Self {
        let mut touched: Vec<_> = prefixes.map(|prefix| touched_by(&prefix)).collect();
        touched.sort_unstable();
        touched.dedup_by(|next, kept| {
            let is_within = next.0 <= kept.1;
            if is_within {
                kept.1 = kept.1.max(next.1);
            }
            is_within
        });
        Self(touched.into_boxed_slice())
    }

    fn contain(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        let before = after.checked_sub(1).and_then(|it| self.0.get(it));
        before.is_some_and(|(_, last)| number <= *last)
    }
}

fn touched_by(prefix: &Prefix) -> (u64, u64) {
    let rest = u64::MAX.checked_shr(prefix.length.into()).unwrap_or(0);
    let first = number(&prefix.address);
    (first, first | rest)
}

/// The number of the /64 around an address.
fn number(address: &Address) -> u64 {
    let [number @ .., _, _, _, _, _, _, _, _] = address.octets();
    u64::from_be_bytes(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::sample;

    fn around(tail: &str, address: &str) -> Option<String> {
        let subnets = Subnets::new(&sample::config(tail));
        subnets.around(address.parse().unwrap()).map(|network| network.to_string())
    }

    #[test]
    fn an_address_of_a_site_is_known_by_its_slash_64() {
        for (address, network) in [
            ("2001:db8:7:8:9:a:b:c", "2001:db8:7:8::"),
            ("2a00:1450::1", "2a00:1450::"),
            ("2001:200::1", "2001:200::"),
            ("fd00:1:2:3::4", "fd00:1:2:3::"),
        ] {
            assert_eq!(around("", address).as_deref(), Some(network));
        }
    }

    #[test]
    fn what_is_not_given_to_sites_stands_for_itself() {
        for address in [
            "198.18.0.9",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "64:ff9b::c612:9",
            "64:ff9b:1::c612:9",
            "2001::4136:e378:8000:63bf",
            "2001:0:4136:e378::1",
            "2001:20::1",
            "2002:c612:9::1",
            "::1",
            "::",
            "::ffff:198.18.0.9",
            "100::1",
            "ff02::1",
            "4000::1",
        ] {
            assert_eq!(around("", address), None, "{address}");
        }
    }

    #[test]
    fn nobody_speaks_for_a_slash_64_that_others_have_a_part_in() {
        let denied = |network: &str| format!("[denied]\nsources = [\"{network}\"]");
        let listed = |network: &str| {
            format!(
                "[[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
                 sources = [\"{network}\"]"
            )
        };
        for tail in [denied, listed] {
            for network in ["2001:db8:7::66", "2001:db8:7::/96", "2001:db8:7::/64", "2001:db8::/32"]
            {
                assert_eq!(around(&tail(network), "2001:db8:7::9"), None, "{network}");
            }
            for network in ["2001:db8:7:1::/64", "2001:db8:8::/48", "0.0.0.0/1"] {
                let found = around(&tail(network), "2001:db8:7::9");
                assert_eq!(found.as_deref(), Some("2001:db8:7::"), "{network}");
            }
        }
        let listener = "[[listen]]\ntransport = \"udp\"\naddress = \"[2001:db8:7::1]:5060\"";
        assert_eq!(around(listener, "2001:db8:7::9"), None);
    }

    #[test]
    fn the_operator_may_have_every_address_stand_for_itself() {
        assert_eq!(around("[trust]\nipv6-subnet = false", "2001:db8:7::9"), None);
    }

    /// What [`Ranges`] stand for, told one prefix after the other.
    fn overlap(one: &Prefix, other: &Prefix) -> bool {
        one.contains(&other.address) || other.contains(&one.address)
    }

    fn address(bits: u128) -> Address {
        Address::from_octets(bits.to_be_bytes())
    }

    /// Close enough to each other to meet, in the first 64 bits and in the last.
    fn bits() -> impl Strategy<Value = u128> {
        let near = (0..16_u128, 0..4_u128, 0..4_u128)
            .prop_map(|(high, low, last)| 0x2001_0db8 << 96 | high << 92 | low << 64 | last);
        prop_oneof![3 => near, 1 => any::<u128>(), 1 => Just(0), 1 => Just(u128::MAX)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

        #[test]
        fn ranges_say_what_their_prefixes_say_one_by_one(
            prefixes in prop::collection::vec((bits(), prop_oneof![0..=128_u8, 60..=68_u8]), 0..40),
            asked in prop::collection::vec(bits(), 1..40),
        ) {
            let prefixes: Vec<_> = prefixes
                .into_iter()
                .map(|(bits, length)| Prefix::around(&address(bits), length))
                .collect();
            let ranges = Ranges::of(prefixes.iter().copied());
            prop_assert!(ranges.0.is_sorted_by(|one, next| one.1 < next.0));
            let edges = prefixes.iter().flat_map(|prefix| {
                let first = u128::from_be_bytes(prefix.address.octets());
                let last = first | u128::MAX.checked_shr(prefix.length.into()).unwrap_or(0);
                let around = [first.wrapping_sub(1), first, last, last.wrapping_add(1)];
                around.into_iter().chain([first.wrapping_sub(1 << 64), last.wrapping_add(1 << 64)])
            });
            for bits in asked.into_iter().chain(edges) {
                let subnet = Prefix::around(&address(bits), SourceKey::SUBNET_LENGTH);
                let expected = prefixes.iter().any(|prefix| overlap(&subnet, prefix));
                prop_assert_eq!(ranges.contain(number(&subnet.address)), expected, "{:?}", subnet);
            }
        }
    }
}
