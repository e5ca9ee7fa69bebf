//! Where peers are that are known by their names in the DNS.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use sbc_common::MonotonicNanos;
use serde::{Deserialize, Serialize};

use super::Border;
use super::parts::locked;
use crate::proof::dns::{NameAccount, NamedSource};
use crate::trust::TrustTable;

/// What the DNS says of a name of a peer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameStatus {
    /// The peer's name in the configuration.
    pub peer: String,
    /// The name in the DNS.
    pub name: String,
    /// The addresses that are believed.
    pub addresses: Vec<NameAddressStatus>,
    /// Those that are held back, and why.
    pub held_back: BTreeMap<String, String>,
    /// Why what was said before holds, if the last look has brought nothing new.
    pub problem: Option<String>,
}

/// An address of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameAddressStatus {
    /// The address.
    pub address: String,
    /// How long it has been believed in.
    pub age_seconds: u64,
    /// Whether the DNS gives it still.
    pub is_given: bool,
}

/// A snapshot, which is swapped whole: whoever asks for the peer of an address takes no lock.
#[derive(Debug, Default)]
pub(super) struct NamedAddresses(HashMap<IpAddr, NamedSource>);

impl NamedAddresses {
    pub(super) fn of(sources: &[NamedSource]) -> Self {
        Self(sources.iter().map(|source| (source.address, *source)).collect())
    }

    /// The position of the peer that an address is of by one of its names.
    pub(super) fn peer_at(
        &self,
        address: IpAddr,
        now: impl FnOnce() -> MonotonicNanos,
    ) -> Option<usize> {
        let source = self.0.get(&address)?;
        (source.until > now()).then_some(source.peer)
    }
}

impl<T: TrustTable> Border<T> {
    /// Takes note of where peers are by their names, from now on and nowhere else; each until its time, unless
    /// that is said again.
    pub fn names_are(&self, sources: &[NamedSource], account: Vec<NameAccount>) {
        let now = self.now();
        let Some(mut ledger) = self.ledger_in_force() else { return };
        let written = ledger.names_resolved(sources, &self.config.peers, now);
        drop(ledger);
        self.named.store(NamedAddresses::of(sources).into());
        *locked(&self.names) = account;
        self.report(written);
    }

    /// The position of the peer that an address is of by one of its names. Takes no lock.
    pub(super) fn named_peer(&self, address: IpAddr) -> Option<usize> {
        self.named.load().peer_at(address, || self.now())
    }

    pub(super) fn names_status(&self) -> Vec<NameStatus> {
        let now = self.now();
        let age = |since: MonotonicNanos| now.0.saturating_sub(since.0) / 1_000_000_000;
        let account = locked(&self.names);
        let described = account.iter().map(|name| NameStatus {
            peer: self.config().peers.get(name.peer).map_or("?", |peer| &peer.name).to_owned(),
            name: name.name.to_string(),
            addresses: name
                .addresses
                .iter()
                .map(|(address, since, is_given)| NameAddressStatus {
                    address: address.to_string(),
                    age_seconds: age(*since),
                    is_given: *is_given,
                })
                .collect(),
            held_back: name
                .held_back
                .iter()
                .map(|(address, why)| (address.to_string(), why.to_string()))
                .collect(),
            problem: name.trouble.as_ref().map(ToString::to_string),
        });
        described.collect()
    }
}
