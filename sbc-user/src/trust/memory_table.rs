//! A table for tests.

use std::collections::BTreeMap;

use sbc_common::{Prefix, SourceKey, TrustEntry};

use super::{Place, TrustTable};
use crate::kernel::KernelError;

/// A table in memory, of which no more than `capacity` sources can be entered, and one prefix not be
/// written.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryTable {
    pub(crate) sources: BTreeMap<Place, TrustEntry>,
    pub(crate) prefixes: BTreeMap<Prefix, TrustEntry>,
    pub(crate) capacity: Option<usize>,
    pub(crate) prefix_capacity: Option<usize>,
    pub(crate) broken: Option<Prefix>,
}

impl MemoryTable {
    /// Everything in it.
    pub(crate) fn entries(&self) -> BTreeMap<Place, TrustEntry> {
        let prefixes =
            self.prefixes.iter().map(|(prefix, entry)| (Place::Network(*prefix), *entry));
        self.sources.iter().map(|(place, entry)| (*place, *entry)).chain(prefixes).collect()
    }

    fn check(&self, prefix: Prefix) -> Result<(), KernelError> {
        if self.broken == Some(prefix) { Err(KernelError::TableFull("PREFIXES")) } else { Ok(()) }
    }
}

impl TrustTable for MemoryTable {
    fn trust_source(&mut self, key: &SourceKey, entry: &TrustEntry) -> Result<(), KernelError> {
        let place = Place::of_key(key);
        let is_full = self.capacity.is_some_and(|capacity| self.sources.len() >= capacity);
        if is_full && !self.sources.contains_key(&place) {
            return Err(KernelError::TableFull("TRUST"));
        }
        self.sources.insert(place, *entry);
        Ok(())
    }

    fn distrust_source(&mut self, key: &SourceKey) -> Result<(), KernelError> {
        self.sources.remove(&Place::of_key(key));
        Ok(())
    }

    fn sources(&self) -> Vec<(SourceKey, TrustEntry)> {
        let key = |place: &Place| match place {
            Place::Address(address) => SourceKey::every_port((*address).into()),
            Place::Port(socket) => SourceKey::new(socket.ip().into(), socket.port()),
            Place::Subnet(network) => SourceKey::subnet(std::net::IpAddr::V6(*network).into()),
            Place::Network(_) => panic!("a network among the sources"),
        };
        self.sources.iter().map(|(place, entry)| (key(place), *entry)).collect()
    }

    fn trust_prefix(&mut self, prefix: Prefix, entry: &TrustEntry) -> Result<(), KernelError> {
        self.check(prefix)?;
        let is_full = self.prefix_capacity.is_some_and(|most| self.prefixes.len() >= most);
        if is_full && !self.prefixes.contains_key(&prefix) {
            return Err(KernelError::TableFull("PREFIXES"));
        }
        self.prefixes.insert(prefix, *entry);
        Ok(())
    }

    fn distrust_prefix(&mut self, prefix: Prefix) -> Result<(), KernelError> {
        self.check(prefix)?;
        self.prefixes.remove(&prefix);
        Ok(())
    }

    fn prefixes(&self) -> Vec<(Prefix, TrustEntry)> {
        self.prefixes.iter().map(|(prefix, entry)| (*prefix, *entry)).collect()
    }
}
