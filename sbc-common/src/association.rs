use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Carried, Frame, Packet};

/// The UDP port of IKE and of ESP where a NAT is on the way (RFC 3948).
pub const ESP_IN_UDP: u16 = 4500;

/// Key of the table of IPsec's inbound associations, 20 bytes without padding: the kernel finds the one that
/// a packet belongs to by its destination and the number in front of it (RFC 4301 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AssociationKey {
    /// The address that the packets go to.
    pub destination: Address,
    /// Network byte order.
    spi: u32,
}

impl AssociationKey {
    /// The key of a Security Parameters Index (host byte order).
    #[must_use]
    #[inline(always)]
    pub const fn new(destination: Address, spi: u32) -> Self {
        Self { destination, spi: spi.to_be() }
    }

    /// The Security Parameters Index, host byte order.
    #[must_use]
    pub const fn spi(&self) -> u32 {
        u32::from_be(self.spi)
    }
}

/// What a packet of IPsec is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encapsulated {
    /// ESP under this number.
    Esp(u32),
    /// ESP that ends before its number does.
    Cut,
    /// A message of IKE, or what keeps a NAT from forgetting (RFC 3948 §2.3).
    Ike,
}

impl Encapsulated {
    /// Reads what stands behind the headers of `packet`, a whole one to a port of IKE or of ESP.
    #[inline(always)]
    pub(crate) fn read<F: Frame>(packet: &Packet, payload: &mut F) -> Self {
        const KEEPALIVE: u16 = 1;
        let is_in_udp = packet.carried == Carried::Udp;
        if is_in_udp && packet.destination_port != ESP_IN_UDP || packet.udp_payload == KEEPALIVE {
            return Self::Ike;
        }
        if is_in_udp && packet.udp_payload < 4 {
            return Self::Cut;
        }
        match payload.words::<1>() {
            // In UDP, four zeros are where a number would be, and none is zero (RFC 3948 §2.2).
            Some([0]) if is_in_udp => Self::Ike,
            Some([spi]) => Self::Esp(u32::from_be(spi)),
            None => Self::Cut,
        }
    }
}

const _: () = assert!(size_of::<AssociationKey>() == 20);
