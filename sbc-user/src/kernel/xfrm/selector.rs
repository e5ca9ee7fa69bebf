use std::net::{IpAddr, SocketAddr};

use sbc_common::{Address, Prefix, Protocol};

use super::message::Fields;

/// The length of `struct xfrm_selector`.
pub(super) const SELECTOR: usize = 56;

/// Which packets something is about (`struct xfrm_selector`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Where they come from.
    pub source: Network,
    /// Where they go.
    pub destination: Network,
    /// From which ports.
    pub source_port: PortMatch,
    /// To which.
    pub destination_port: PortMatch,
    /// Their IP protocol; zero for any.
    pub protocol: u8,
    /// The interface that they arrive on; zero for any.
    pub interface: i32,
}

/// Addresses of one family that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// An address in it.
    pub address: IpAddr,
    /// Bits that count, in the address's own family.
    pub length: u8,
}

/// The ports that agree with a number in the bits of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortMatch {
    /// The number.
    pub port: u16,
    /// Which of its bits count.
    pub mask: u16,
}

impl Selector {
    /// Reads the struct; `None` if it ends too early or is of no IP. `fallback` is the family where the
    /// selector names none, as that of an association may.
    pub(super) fn read(bytes: &[u8], fallback: u16) -> Option<Self> {
        let mut fields = Fields(bytes.get(..SELECTOR)?);
        let (destination, source) = (fields.address()?, fields.address()?);
        let destination_port = PortMatch { port: fields.be_u16()?, mask: fields.be_u16()? };
        let source_port = PortMatch { port: fields.be_u16()?, mask: fields.be_u16()? };
        let family = fields.u16().map(|family| if family == 0 { fallback } else { family })?;
        let (destination_length, source_length) = (fields.u8()?, fields.u8()?);
        let protocol = fields.u8()?;
        fields.skip(3)?;
        Some(Self {
            source: Network { address: source.of(family)?, length: source_length },
            destination: Network { address: destination.of(family)?, length: destination_length },
            source_port,
            destination_port,
            protocol,
            interface: fields.i32()?,
        })
    }

    /// Says whether nothing is asked of addresses, ports and protocol.
    pub(super) const fn is_everything(&self) -> bool {
        self.source.is_everything()
            && self.destination.is_everything()
            && self.source_port.mask == 0
            && self.destination_port.mask == 0
            && self.protocol == 0
    }

    /// Says whether some of what comes from `source` to the listener is meant.
    #[must_use]
    pub fn overlaps(&self, source: Prefix, listener: SocketAddr, protocol: Protocol) -> bool {
        self.source.overlaps(source)
            && self.destination.contains(listener.ip())
            && (self.protocol == 0 || self.protocol == protocol as u8)
            && self.destination_port.admits(listener.port())
    }

    /// Says whether all of it is.
    #[must_use]
    pub fn covers(&self, source: Prefix, listener: SocketAddr, protocol: Protocol) -> bool {
        self.overlaps(source, listener, protocol)
            && self.source.covers(source)
            && self.source_port.mask == 0
            && self.interface == 0
    }
}

impl Network {
    fn prefix(self) -> Option<Prefix> {
        Prefix::new(self.address, self.length)
    }

    /// Says whether it is all of a family: of IPv6, which [`Prefix`] has no form for.
    const fn is_everything(self) -> bool {
        self.length == 0
    }

    fn overlaps(self, other: Prefix) -> bool {
        if self.address.is_ipv4() != other.address.is_ipv4() {
            return false;
        }
        // What cannot be told is taken for an overlap.
        self.is_everything()
            || self
                .prefix()
                .is_none_or(|own| own.contains(&other.address) || other.contains(&own.address))
    }

    fn covers(self, other: Prefix) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && (self.is_everything()
                || self
                    .prefix()
                    .is_some_and(|own| own.length <= other.length && own.contains(&other.address)))
    }

    fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && (self.is_everything()
                || self.prefix().is_some_and(|own| own.contains(&Address::from(address))))
    }
}

impl PortMatch {
    const fn admits(self, port: u16) -> bool {
        (self.port ^ port) & self.mask == 0
    }
}
