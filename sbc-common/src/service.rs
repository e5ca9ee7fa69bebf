use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// The transport protocols that carry SIP, by their IP protocol number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Protocol {
    /// TCP, which carries SIP in clear and SIP in TLS.
    Tcp = 6,
    /// UDP.
    Udp = 17,
}

/// What a protected listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Service {
    /// SIP in clear over UDP or TCP: open to sources with proof.
    ClearSip = 1,
    /// SIP in TLS: open to strangers, who prove themselves in the handshake.
    Tls = 2,
    /// The socket towards the upstream: open to nobody whose packets arrive on the outside interface.
    Inside = 3,
}

impl Service {
    /// Reads the value kept in the table; `None` for one that this version does not know.
    #[must_use]
    #[inline(always)]
    pub const fn from_table(value: u32) -> Option<Self> {
        match value {
            1 => Some(Self::ClearSip),
            2 => Some(Self::Tls),
            3 => Some(Self::Inside),
            _ => None,
        }
    }
}

/// Key of the table of protected services, 20 bytes without padding.
///
/// A key with port and protocol zero says of its address that some service is protected there; it
/// serves packets whose ports cannot be read, such as later fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ServiceKey {
    /// The listener's address, or its family's wildcard.
    pub address: Address,
    /// Network byte order.
    port: u16,
    protocol: u8,
    zero: u8,
}

impl ServiceKey {
    /// The key of a listener on `port` (host byte order).
    #[must_use]
    #[inline(always)]
    pub const fn new(address: Address, port: u16, protocol: Protocol) -> Self {
        Self { address, port: port.to_be(), protocol: protocol as u8, zero: 0 }
    }

    /// The key that says whether any service is protected at `address`.
    #[must_use]
    #[inline(always)]
    pub const fn any_at(address: Address) -> Self {
        Self { address, port: 0, protocol: 0, zero: 0 }
    }
}

const _: () = assert!(size_of::<ServiceKey>() == 20);
