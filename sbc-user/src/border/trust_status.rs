//! Who is trusted, as an operator is told.

use std::net::{IpAddr, SocketAddr};

use sbc_common::Lane;
use serde::{Deserialize, Serialize};

use super::{Border, GrantStatus};
use crate::kernel::KernelTables;
use crate::trust::{Grant, Holder, Place};

/// How many sources are trusted, or denied, on one class of proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrustCount {
    /// The class of proof.
    pub proof: String,
    /// Addresses, addresses and ports, and networks.
    pub sources: usize,
}

impl Border<KernelTables> {
    /// How many sources are trusted on each class of proof, all classes in their order.
    pub fn trust_counts(&self) -> Vec<TrustCount> {
        let mut counts = Lane::ALL.map(|lane| (lane, 0));
        let ledger = self.ledger();
        for (_, grant) in ledger.grants() {
            if let Some((_, count)) = counts.iter_mut().find(|(lane, _)| *lane == grant.lane) {
                *count += 1;
            }
        }
        drop(ledger);
        counts.map(|(lane, sources)| TrustCount { proof: lane.name().to_owned(), sources }).into()
    }

    /// Those that peers have proven: not what the operator's word opens for them to prove themselves by.
    pub(super) fn grants_of_peers(&self) -> Vec<GrantStatus> {
        let peers = &self.config().peers;
        self.grants_status(|_, grant| {
            let peer = if let Holder::Peer(peer) = grant.holder { peers.get(peer) } else { None };
            peer.is_some_and(|peer| peer.is_proven_by(grant.lane))
        })
    }

    /// Those that speak for a source: of its port, if that is not zero, of its address, and of networks around it.
    pub fn grants_for(&self, source: SocketAddr) -> Vec<GrantStatus> {
        self.grants_status(|place, _| speaks_for(place, source))
    }

    /// Those that are wanted, in the order of the sources' text.
    pub(super) fn grants_status(
        &self,
        is_wanted: impl Fn(&Place, &Grant) -> bool,
    ) -> Vec<GrantStatus> {
        let now = self.now();
        // Nobody is screened while the ledger is locked: it is copied, and described afterwards.
        let grants: Vec<_> = {
            let ledger = self.ledger();
            let wanted = ledger.grants().filter(|(place, grant)| is_wanted(place, grant));
            wanted
                .map(|(place, grant)| (*place, ledger.spoken_for_by(*place), grant.clone()))
                .collect()
        };
        let described = grants.iter().map(|(place, row, grant)| {
            let subnet = (place != row).then(|| row.to_string());
            let status = self.grant_status(place, grant, now);
            let is_distance_unknown = subnet.is_none() && status.is_distance_unknown;
            GrantStatus { subnet, is_distance_unknown, ..status }
        });
        let mut trust: Vec<_> = described.collect();
        trust.sort_by(|one, other| one.source.cmp(&other.source));
        trust
    }
}

fn speaks_for(place: &Place, source: SocketAddr) -> bool {
    let address = source.ip();
    match place {
        Place::Port(port) => port.ip() == address && (source.port() == 0 || *port == source),
        Place::Address(other) => *other == address,
        Place::Subnet(network) => matches!(address, IpAddr::V6(address)
            if address.to_bits() >> 64 == network.to_bits() >> 64),
        Place::Network(network) => network.contains(&address.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_for_a_source_is_of_its_port_its_address_or_around_it() {
        let source = |text: &str| text.parse::<SocketAddr>().unwrap();
        let phone = source("198.51.100.7:5070");
        let nobody = source("198.51.100.7:0");
        for (place, of_phone, of_address) in [
            (Place::Port(phone), true, true),
            (Place::Port(source("198.51.100.7:5071")), false, true),
            (Place::Port(source("198.51.100.8:5070")), false, false),
            (Place::Address(phone.ip()), true, true),
            (Place::Address("198.51.100.8".parse().unwrap()), false, false),
            (Place::Subnet("2001:db8::".parse().unwrap()), false, false),
        ] {
            assert_eq!(speaks_for(&place, phone), of_phone, "{place:?}");
            assert_eq!(speaks_for(&place, nobody), of_address, "{place:?}");
        }
        let subnet = Place::Subnet("2001:db8:0:7::".parse().unwrap());
        assert!(speaks_for(&subnet, source("[2001:db8:0:7::9]:0")));
        assert!(!speaks_for(&subnet, source("[2001:db8:0:8::9]:0")));
    }
}
