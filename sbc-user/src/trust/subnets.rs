use std::net::{IpAddr, Ipv6Addr};

use sbc_common::{Address, Prefix};

use crate::config::Config;

/// Which IPv6 addresses the kernel knows by the /64 around them: its holder may use any address in it
/// (RFC 6177, RFC 7421), and changes them daily (RFC 8981).
pub(super) struct Subnets {
    /// The networks whose every address stands for itself; absent where all of them do.
    apart: Option<Vec<Prefix>>,
}

/// What one site has to itself, in bits.
const LENGTH: u8 = 64;

impl Subnets {
    /// A /64 that somebody else has a part in never speaks for an address: the kernel asks for it before
    /// it asks for the networks that the operator denied or gave to a peer, and whoever is in ours is a
    /// neighbour of the gateway and nobody's site.
    pub(super) fn new(config: &Config) -> Self {
        let listed = config.peers.iter().flat_map(|peer| &peer.sources);
        let listed = listed.chain(&config.denied.sources).map(|network| network.prefix());
        let listeners = config.listen.iter().map(|listen| listen.address.ip());
        let ours = listeners.chain([config.upstream.address.ip(), config.upstream.target.0.ip()]);
        let ours = ours.filter_map(|address| Prefix::new(address, 128));
        let apart = listed.chain(ours).filter(|prefix| !prefix.address.is_ipv4());
        Self { apart: config.trust.ipv6_subnet.then(|| apart.collect()) }
    }

    /// The network address of the /64 that speaks for `address`; `None` where it stands for itself.
    pub(super) fn around(&self, address: IpAddr) -> Option<Ipv6Addr> {
        let apart = self.apart.as_ref()?;
        let IpAddr::V6(address) = address else { return None };
        let subnet = is_of_a_site(address).then(|| Prefix::new(address.into(), LENGTH))??;
        if apart.iter().any(|other| overlap(&subnet, other)) {
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

fn overlap(one: &Prefix, other: &Prefix) -> bool {
    let contains = |outer: &Prefix, inner: &Address| outer.contains(inner);
    contains(one, &other.address) || contains(other, &one.address)
}

#[cfg(test)]
mod tests {
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
}
