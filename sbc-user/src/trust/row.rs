use std::net::IpAddr;

use sbc_common::{Address, Prefix, SourceKey, TrustEntry};

use super::{Place, TrustTable};
use crate::kernel::KernelError;

/// Where an entry stands in the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Row {
    Source(SourceKey),
    Prefix(Prefix),
}

impl Row {
    /// The row that speaks for exactly this place.
    pub(super) fn of(place: Place) -> Self {
        match place {
            Place::Address(address) => Self::Source(SourceKey::every_port(Address::from(address))),
            Place::Port(socket) => {
                Self::Source(SourceKey::new(Address::from(socket.ip()), socket.port()))
            }
            Place::Subnet(network) => {
                Self::Source(SourceKey::subnet(Address::from(IpAddr::V6(network))))
            }
            Place::Network(prefix) => Self::Prefix(prefix),
        }
    }

    /// The rows that are asked before others have a higher number.
    pub(super) fn narrowness(&self) -> u32 {
        const LONGEST_PREFIX: u32 = 128;
        match self {
            Self::Source(key) if key.port() != 0 => LONGEST_PREFIX + 3,
            Self::Source(key) if !key.is_subnet() => LONGEST_PREFIX + 2,
            Self::Source(_) => LONGEST_PREFIX + 1,
            Self::Prefix(prefix) => u32::from(prefix.length),
        }
    }

    /// Enters or replaces it.
    pub(super) fn write<T: TrustTable>(
        &self,
        table: &mut T,
        entry: &TrustEntry,
    ) -> Result<(), KernelError> {
        match self {
            Self::Source(key) => table.trust_source(key, entry),
            Self::Prefix(prefix) => table.trust_prefix(*prefix, entry),
        }
    }

    /// Removes it; it is no error if it is not there.
    pub(super) fn remove<T: TrustTable>(&self, table: &mut T) -> Result<(), KernelError> {
        match self {
            Self::Source(key) => table.distrust_source(key),
            Self::Prefix(prefix) => table.distrust_prefix(*prefix),
        }
    }
}
