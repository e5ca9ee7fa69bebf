use crate::{Address, Frame, Protocol, Reason};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_8021Q: u16 = 0x8100;
const ETHERTYPE_8021AD: u16 = 0x88a8;
/// QinQ before it was standardised.
const ETHERTYPE_QINQ: u16 = 0x9100;

/// VLAN tags walked: a customer tag inside a service tag.
const MAX_VLAN_TAGS: usize = 2;
/// IPv6 extension headers walked. RFC 8200 §4.1 recommends an order in which seven appear once; real
/// traffic to a SIP listener carries none or a fragment header.
const MAX_EXTENSION_HEADERS: usize = 6;

const NEXT_HEADER_HOP_BY_HOP: u8 = 0;
const NEXT_HEADER_ROUTING: u8 = 43;
const NEXT_HEADER_FRAGMENT: u8 = 44;
const NEXT_HEADER_DESTINATION: u8 = 60;
const NEXT_HEADER_MOBILITY: u8 = 135;
const PROTOCOL_TCP: u8 = Protocol::Tcp as u8;
const PROTOCOL_UDP: u8 = Protocol::Udp as u8;

/// Which part of an IP packet a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// All of it. An IPv6 atomic fragment (RFC 6946) is whole.
    Whole,
    /// The first part, with the transport header.
    First,
    /// A later part: its ports are unknown.
    Later,
}

/// What cannot be read behind an IP header that can. Whether that matters depends on the destination,
/// which is known by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// More extension headers than [`decide()`](crate::decide()) walks.
    TooManyExtensionHeaders,
    /// An extension header reaches outside the packet.
    BadExtensionHeader,
    /// The UDP header is cut off or its length is impossible.
    BadUdpHeader,
    /// The TCP header is cut off or its data offset is impossible.
    BadTcpHeader,
}

impl Unreadable {
    /// The reason under which such a packet to a protected address is dropped.
    #[inline(always)]
    pub const fn reason(self) -> Reason {
        match self {
            Self::TooManyExtensionHeaders => Reason::TooManyExtensionHeaders,
            Self::BadExtensionHeader => Reason::BadExtensionHeader,
            Self::BadUdpHeader => Reason::BadUdpHeader,
            Self::BadTcpHeader => Reason::BadTcpHeader,
        }
    }
}

/// The transport layer of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Neither UDP nor TCP.
    Other,
    /// Ports in host byte order; the frame stands at the first byte of a UDP payload, or behind the
    /// fixed part of a TCP header.
    Ports { protocol: Protocol, source: u16, destination: u16 },
    /// A later fragment of a UDP or TCP packet.
    Portless { protocol: Protocol },
    /// Something that cannot be parsed.
    Unreadable(Unreadable),
}

/// The addresses of a frame's IP packet and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The source address.
    pub source: Address,
    /// The destination address.
    pub destination: Address,
    /// Which part of the packet this is.
    pub fragment: Fragment,
    /// The transport layer.
    pub(crate) segment: Segment,
}

/// An IP packet up to its transport header.
struct Network {
    source: Address,
    destination: Address,
    fragment: Fragment,
    protocol: u8,
    /// Bytes of the IP packet behind the headers read so far, by the IP header's own account: a frame
    /// may be padded.
    remaining: u16,
    unreadable: Option<Unreadable>,
}

impl Packet {
    /// Reads the headers of `frame`. The error is the final reason of a frame whose destination
    /// cannot be known or does not matter.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &mut F) -> Result<Self, Reason> {
        let network = Network::read(frame)?;
        let segment = network.segment(frame);
        Ok(Self {
            source: network.source,
            destination: network.destination,
            fragment: network.fragment,
            segment,
        })
    }
}

impl Network {
    #[inline(always)]
    fn read<F: Frame>(frame: &mut F) -> Result<Self, Reason> {
        frame.skip(12);
        let mut ethertype = u16::from_be(frame.half().ok_or(Reason::FrameTooShort)?);
        let mut header_length: u32 = 14;
        for _ in 0..MAX_VLAN_TAGS {
            if !is_vlan_tag(ethertype) {
                break;
            }
            let [tag] = frame.words().ok_or(Reason::FrameTooShort)?;
            ethertype = low_half(u32::from_be(tag));
            header_length += 4;
        }
        let available = frame.length().saturating_sub(header_length);
        match ethertype {
            ETHERTYPE_IPV4 => Self::read_ipv4(frame, available),
            ETHERTYPE_IPV6 => Self::read_ipv6(frame, available),
            tag if is_vlan_tag(tag) => Err(Reason::TooManyVlanTags),
            _ => Err(Reason::NotIp),
        }
    }

    /// Reads an IPv4 header (RFC 791 §3.1). Where it contradicts itself the network stack would
    /// discard the packet too, so refusing it whatever its destination takes nothing from anybody.
    #[inline(always)]
    fn read_ipv4<F: Frame>(frame: &mut F, available: u32) -> Result<Self, Reason> {
        let [first, second, third, source, destination] =
            frame.words().ok_or(Reason::BadIpHeader)?;
        let (first, second, third) =
            (u32::from_be(first), u32::from_be(second), u32::from_be(third));

        let header_length = nibble(first, 24) * 4;
        let total_length = low_half(first);
        if nibble(first, 28) != 4
            || header_length < 20
            || total_length < header_length
            || u32::from(total_length) > available
        {
            return Err(Reason::BadIpHeader);
        }
        frame.skip(header_length - 20);

        let more_fragments = second & 0x2000 != 0;
        Ok(Self {
            source: Address::from_ipv4_word(source),
            destination: Address::from_ipv4_word(destination),
            fragment: Fragment::of(low_half(second) & 0x1fff, more_fragments),
            protocol: byte(third, 16),
            remaining: total_length - header_length,
            unreadable: None,
        })
    }

    /// Reads an IPv6 header (RFC 8200 §3) and walks its extension headers.
    #[inline(always)]
    fn read_ipv6<F: Frame>(frame: &mut F, available: u32) -> Result<Self, Reason> {
        let [first, second, s0, s1, s2, s3, d0, d1, d2, d3] =
            frame.words().ok_or(Reason::BadIpHeader)?;
        let (first, second) = (u32::from_be(first), u32::from_be(second));
        let source = Address::from_ipv6_words([s0, s1, s2, s3]);
        let destination = Address::from_ipv6_words([d0, d1, d2, d3]);

        let payload_length = (second >> 16) as u16;
        if nibble(first, 28) != 6 || u32::from(payload_length) + 40 > available {
            return Err(Reason::BadIpHeader);
        }
        if source.is_ipv4() || destination.is_ipv4() {
            return Err(Reason::MappedAddress);
        }
        let mut network = Self {
            source,
            destination,
            fragment: Fragment::Whole,
            protocol: byte(second, 8),
            remaining: payload_length,
            unreadable: None,
        };
        network.unreadable = network.walk_extension_headers(frame).err();
        Ok(network)
    }

    #[inline(always)]
    fn walk_extension_headers<F: Frame>(&mut self, frame: &mut F) -> Result<(), Unreadable> {
        for _ in 0..MAX_EXTENSION_HEADERS {
            if !is_extension_header(self.protocol) || self.fragment == Fragment::Later {
                return Ok(());
            }
            let [first, _] = frame.words().ok_or(Unreadable::BadExtensionHeader)?;
            let first = u32::from_be(first);
            let beyond_first_eight = if self.protocol == NEXT_HEADER_FRAGMENT {
                let inner = Fragment::of(low_half(first) >> 3, first & 1 != 0);
                // A fragment stays one, whatever a second header inside it says.
                if self.fragment == Fragment::Whole || inner == Fragment::Later {
                    self.fragment = inner;
                }
                0
            } else {
                u16::from(byte(first, 16)) * 8
            };
            self.remaining = self
                .remaining
                .checked_sub(8 + beyond_first_eight)
                .ok_or(Unreadable::BadExtensionHeader)?;
            frame.skip(beyond_first_eight);
            self.protocol = byte(first, 24);
        }
        if is_extension_header(self.protocol) && self.fragment != Fragment::Later {
            return Err(Unreadable::TooManyExtensionHeaders);
        }
        Ok(())
    }

    #[inline(always)]
    fn segment<F: Frame>(&self, frame: &mut F) -> Segment {
        if let Some(unreadable) = self.unreadable {
            return Segment::Unreadable(unreadable);
        }
        let read = match (self.protocol, self.fragment) {
            (PROTOCOL_UDP, Fragment::Later) => {
                return Segment::Portless { protocol: Protocol::Udp };
            }
            (PROTOCOL_TCP, Fragment::Later) => {
                return Segment::Portless { protocol: Protocol::Tcp };
            }
            (PROTOCOL_UDP, Fragment::Whole | Fragment::First) => self.read_udp(frame),
            (PROTOCOL_TCP, Fragment::Whole | Fragment::First) => self.read_tcp(frame),
            // A later fragment in the middle of an extension header chain: RFC 7112 §5 wants the
            // whole chain in the first, so what follows may be UDP or TCP.
            (protocol, Fragment::Later) if is_extension_header(protocol) => {
                return Segment::Unreadable(Unreadable::BadExtensionHeader);
            }
            _ => return Segment::Other,
        };
        read.unwrap_or_else(Segment::Unreadable)
    }

    #[inline(always)]
    fn read_udp<F: Frame>(&self, frame: &mut F) -> Result<Segment, Unreadable> {
        if self.remaining < 8 {
            return Err(Unreadable::BadUdpHeader);
        }
        let [ports, length] = frame.words().ok_or(Unreadable::BadUdpHeader)?;
        let (ports, length) = (u32::from_be(ports), (u32::from_be(length) >> 16) as u16);
        let is_impossible = match self.fragment {
            Fragment::Whole => length < 8 || length > self.remaining,
            Fragment::First | Fragment::Later => length < 8,
        };
        if is_impossible {
            return Err(Unreadable::BadUdpHeader);
        }
        Ok(Segment::Ports {
            protocol: Protocol::Udp,
            source: (ports >> 16) as u16,
            destination: low_half(ports),
        })
    }

    #[inline(always)]
    fn read_tcp<F: Frame>(&self, frame: &mut F) -> Result<Segment, Unreadable> {
        if self.remaining < 20 {
            return Err(Unreadable::BadTcpHeader);
        }
        let [ports, _, _, fourth, _] = frame.words().ok_or(Unreadable::BadTcpHeader)?;
        let ports = u32::from_be(ports);
        let header_length = nibble(u32::from_be(fourth), 28) * 4;
        if header_length < 20 || header_length > self.remaining {
            return Err(Unreadable::BadTcpHeader);
        }
        Ok(Segment::Ports {
            protocol: Protocol::Tcp,
            source: (ports >> 16) as u16,
            destination: low_half(ports),
        })
    }
}

impl Fragment {
    #[inline(always)]
    const fn of(offset: u16, more_fragments: bool) -> Self {
        match (offset, more_fragments) {
            (0, false) => Self::Whole,
            (0, true) => Self::First,
            _ => Self::Later,
        }
    }
}

#[inline(always)]
const fn is_vlan_tag(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_8021Q | ETHERTYPE_8021AD | ETHERTYPE_QINQ)
}

/// The lower sixteen bits of a word.
#[inline(always)]
const fn low_half(word: u32) -> u16 {
    (word & 0xffff) as u16
}

/// The eight bits of a word from `shift` up.
#[inline(always)]
const fn byte(word: u32, shift: u32) -> u8 {
    (word >> shift & 0xff) as u8
}

/// The four bits of a word from `shift` up.
#[inline(always)]
const fn nibble(word: u32, shift: u32) -> u16 {
    (word >> shift & 0xf) as u16
}

#[inline(always)]
const fn is_extension_header(protocol: u8) -> bool {
    matches!(
        protocol,
        NEXT_HEADER_HOP_BY_HOP
            | NEXT_HEADER_ROUTING
            | NEXT_HEADER_FRAGMENT
            | NEXT_HEADER_DESTINATION
            | NEXT_HEADER_MOBILITY
    )
}
