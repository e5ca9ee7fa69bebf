//! What is measured.

use crate::{frames::Traffic, rounds};

/// One way of dropping one kind of flood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) traffic: Traffic,
    pub(crate) defence: Kind,
    /// Trusted sources, of the flood's family.
    pub(crate) trusted: usize,
}

/// Who drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bare,
    Read,
    Sbc,
    NftablesNetdev,
    NftablesInput,
    IptablesIpset,
    XdpFilter,
    SocketFilter,
    SocketWithoutReader,
    RepeatedBare,
    RepeatedSbc,
}

const MILLION: usize = 1_000_000;
const TEN_THOUSAND: usize = 10_000;
/// xdp-filter takes its addresses one program start at a time.
const FEW: usize = 50;

const fn case(
    name: &'static str,
    what: &'static str,
    traffic: Traffic,
    defence: Kind,
    trusted: usize,
) -> Case {
    Case { name, what, traffic, defence, trusted }
}

#[rustfmt::skip]
const ALL: &[Case] = &[
    case("bare", "program that only drops", Traffic::Ipv4, Kind::Bare, 0),
    case("read", "program that reads the port and drops", Traffic::Ipv4, Kind::Read, 0),
    case("sbc-0", "sbc, nobody trusted", Traffic::Ipv4, Kind::Sbc, 0),
    case("sbc-10k", "sbc, 10 000 trusted", Traffic::Ipv4, Kind::Sbc, TEN_THOUSAND),
    case("sbc-1m", "sbc, 1 000 000 trusted", Traffic::Ipv4, Kind::Sbc, MILLION),
    case("sbc-ipv6-0", "sbc, IPv6, nobody trusted", Traffic::Ipv6, Kind::Sbc, 0),
    case("sbc-ipv6-10k", "sbc, IPv6, 10 000 trusted", Traffic::Ipv6, Kind::Sbc, TEN_THOUSAND),
    case("sbc-ipv6-1m", "sbc, IPv6, 1 000 000 trusted", Traffic::Ipv6, Kind::Sbc, MILLION),
    case("sbc-fragments-10k", "sbc, fragments, 10 000 trusted", Traffic::Fragments, Kind::Sbc, TEN_THOUSAND),
    case("sbc-fragments-1m", "sbc, fragments, 1 000 000 trusted", Traffic::Fragments, Kind::Sbc, MILLION),
    case("xdp-filter", "xdp-filter, deny, 50 trusted", Traffic::Ipv4, Kind::XdpFilter, FEW),
    case("nft-netdev-10k", "nftables netdev ingress, set of 10 000", Traffic::Ipv4, Kind::NftablesNetdev, TEN_THOUSAND),
    case("nft-netdev-1m", "nftables netdev ingress, set of 1 000 000", Traffic::Ipv4, Kind::NftablesNetdev, MILLION),
    case("nft-input-1m", "nftables inet input, set of 1 000 000", Traffic::Ipv4, Kind::NftablesInput, MILLION),
    case("ipset-10k", "iptables raw + ipset of 10 000", Traffic::Ipv4, Kind::IptablesIpset, TEN_THOUSAND),
    case("ipset-1m", "iptables raw + ipset of 1 000 000", Traffic::Ipv4, Kind::IptablesIpset, MILLION),
    case("socket-filter", "UDP socket, BPF filter rejects", Traffic::Ipv4, Kind::SocketFilter, 0),
    case("socket", "UDP socket, nobody reads", Traffic::Ipv4, Kind::SocketWithoutReader, 0),
    case("run-bare", "one frame again and again", Traffic::Ipv4, Kind::RepeatedBare, 0),
    case("run-sbc", "the same, 10 000 trusted", Traffic::Ipv4, Kind::RepeatedSbc, TEN_THOUSAND),
    case("run-sbc-ipv6", "the same, IPv6, 10 000 trusted", Traffic::Ipv6, Kind::RepeatedSbc, TEN_THOUSAND),
    case("run-sbc-fragment", "the same, a fragment, 10 000 trusted", Traffic::Fragments, Kind::RepeatedSbc, TEN_THOUSAND),
];

impl rounds::Case for Case {
    const ALL: &'static [Self] = ALL;

    fn name(&self) -> &'static str {
        self.name
    }

    fn what(&self) -> &'static str {
        self.what
    }

    fn is_optional(&self) -> bool {
        self.defence == Kind::XdpFilter
    }
}
