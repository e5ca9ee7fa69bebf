use std::collections::HashMap as Known;

use aya::maps::{HashMap, Map, MapData};
use sbc_common::{Address, AssociationKey, maps};
use zerocopy::transmute;

use super::KernelError;
use super::readings::typed;
use super::tables::in_table;

type KeyBytes = [u8; 20];
type SourceBytes = [u8; 16];

/// The table of IPsec's inbound associations.
pub(super) struct AssociationTable {
    map: HashMap<MapData, KeyBytes, SourceBytes>,
    /// What is in it, if that is known.
    held: Option<Known<KeyBytes, SourceBytes>>,
}

impl AssociationTable {
    pub(super) fn open(map: Map) -> Result<Self, KernelError> {
        Ok(Self { map: typed(maps::ASSOCIATIONS, map)?, held: None })
    }

    /// How many there are with `source`.
    pub(super) fn with(&self, source: Address) -> Result<usize, KernelError> {
        let source: SourceBytes = transmute!(source);
        let mut count = 0;
        for entry in &self.map {
            let (_, held) = entry.map_err(in_table(maps::ASSOCIATIONS))?;
            count += usize::from(held == source);
        }
        Ok(count)
    }

    /// Makes `wanted` all that is in the table: what is new first, as its packets may be on the way. Returns
    /// how many found no room.
    pub(super) fn keep(
        &mut self,
        wanted: &[(AssociationKey, Address)],
    ) -> Result<usize, KernelError> {
        let wanted: Known<KeyBytes, SourceBytes> =
            wanted.iter().map(|(key, source)| (transmute!(*key), transmute!(*source))).collect();
        let held = match self.held.take() {
            Some(held) => held,
            None => {
                self.map.iter().collect::<Result<_, _>>().map_err(in_table(maps::ASSOCIATIONS))?
            }
        };
        if held == wanted {
            self.held = Some(held);
            return Ok(0);
        }
        let mut left_out = Vec::new();
        for (key, source) in &wanted {
            if held.get(key) == Some(source) {
                continue;
            }
            match self.map.insert(*key, *source, 0).map_err(in_table(maps::ASSOCIATIONS)) {
                Ok(()) => {}
                Err(KernelError::TableFull(_)) => left_out.push((key, source)),
                Err(error) => return Err(error),
            }
        }
        for key in held.keys().filter(|key| !wanted.contains_key(*key)) {
            self.map.remove(key).map_err(in_table(maps::ASSOCIATIONS))?;
        }
        // The room of those that have gone.
        let mut without_room = 0;
        for (key, source) in left_out {
            match self.map.insert(*key, *source, 0).map_err(in_table(maps::ASSOCIATIONS)) {
                Ok(()) => {}
                Err(KernelError::TableFull(_)) => without_room += 1,
                Err(error) => return Err(error),
            }
        }
        // What found none is tried again the next time.
        self.held = (without_room == 0).then_some(wanted);
        Ok(without_room)
    }
}
