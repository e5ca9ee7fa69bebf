use crate::{Address, Frame, Protocol, Reason, TcpFlags};

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

/// The largest length that an IP header can tell.
const LONGEST: u32 = u16::MAX as u32;

const NEXT_HEADER_HOP_BY_HOP: u8 = 0;
const NEXT_HEADER_ROUTING: u8 = 43;
const NEXT_HEADER_FRAGMENT: u8 = 44;
const NEXT_HEADER_DESTINATION: u8 = 60;
const NEXT_HEADER_MOBILITY: u8 = 135;
const PROTOCOL_TCP: u8 = Protocol::Tcp as u8;
const PROTOCOL_UDP: u8 = Protocol::Udp as u8;
const PROTOCOL_ESP: u8 = Protocol::Esp as u8;
/// IPv4 in IP (RFC 2003), IPv6 in IP (RFC 4213), GRE (RFC 2784) and Ethernet in IP (RFC 3378).
const PROTOCOL_IPV4_IN_IP: u8 = 4;
const PROTOCOL_IPV6_IN_IP: u8 = 41;
const PROTOCOL_GRE: u8 = 47;
const PROTOCOL_ETHERNET_IN_IP: u8 = 97;

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

/// Where a fragment belongs in its datagram. All zero for a whole packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentPlace {
    /// The identification: 16 bits of IPv4, 32 bits of IPv6.
    pub id: u32,
    /// Units of eight bytes before this fragment.
    pub offset: u16,
    /// Bytes in this fragment.
    pub length: u16,
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
    /// The TCP header is cut off, or its data offset or its combination of flags is impossible.
    BadTcpHeader,
    /// A fragment that no sender makes: not the last and of a length that is no multiple of eight, or
    /// reaching beyond the largest packet, or a later one that reaches into the transport header of
    /// the first (RFC 1858, RFC 3128).
    BadFragment,
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
            Self::BadFragment => Reason::BadFragment,
        }
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Nothing that could be SIP.
    Other,
    /// Another packet, without proof of who put it there: IP in IP, GRE, Ethernet in IP.
    Tunnel,
    /// Encapsulating Security Payload (RFC 4303).
    Esp,
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// What the headers of a frame say. Every field has a value whatever the frame: in the kernel, one half
/// of the program leaves it in memory for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The source address.
    pub source: Address,
    /// The destination address.
    pub destination: Address,
    /// Where in its datagram a fragment belongs.
    pub place: FragmentPlace,
    /// The source port of UDP and TCP, host byte order; zero where there is none.
    pub source_port: u16,
    /// The destination port.
    pub destination_port: u16,
    /// Bytes behind the header of UDP, by its own account; zero of what is not UDP.
    pub udp_payload: u16,
    /// Which part of the packet this is.
    pub fragment: Fragment,
    /// The time to live of IPv4, the hop limit of IPv6.
    pub hop_limit: u8,
    /// The IP protocol number.
    pub protocol: u8,
    /// What it carries.
    pub carried: Carried,
    /// The control bits of TCP.
    pub flags: TcpFlags,
    /// What cannot be read behind the IP header.
    pub unreadable: Option<Unreadable>,
}

/// An IP packet up to its transport header.
struct Network {
    source: Address,
    destination: Address,
    fragment: Fragment,
    place: FragmentPlace,
    hop_limit: u8,
    protocol: u8,
    /// Bytes of the IP packet behind the headers read so far, by the IP header's own account: a frame
    /// may be padded.
    remaining: u16,
    unreadable: Option<Unreadable>,
}

impl Packet {
    /// Reads the headers of `frame`, which then stands at the first byte of a UDP payload, or behind the
    /// fixed part of a TCP header. The error is the final reason of a frame whose destination cannot be
    /// known or does not matter.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &mut F) -> Result<Self, Reason> {
        Network::read(frame).map(|network| Self::carried_by(&network, frame))
    }

    /// Reads a packet that begins with its IP header, like [`read`](Self::read).
    #[inline(always)]
    pub fn read_without_link<F: Frame>(frame: &mut F) -> Result<Self, Reason> {
        Network::read_without_link(frame).map(|network| Self::carried_by(&network, frame))
    }

    #[inline(always)]
    fn carried_by<F: Frame>(network: &Network, frame: &mut F) -> Self {
        let mut packet = Self {
            source: network.source,
            destination: network.destination,
            place: network.place,
            source_port: 0,
            destination_port: 0,
            udp_payload: 0,
            fragment: network.fragment,
            hop_limit: network.hop_limit,
            protocol: network.protocol,
            carried: network.carried(),
            flags: TcpFlags::default(),
            unreadable: network.unreadable,
        };
        if packet.unreadable.is_none() {
            packet.unreadable = packet.read_transport(frame, network.remaining).err();
        }
        packet
    }

    #[inline(always)]
    fn read_transport<F: Frame>(
        &mut self,
        frame: &mut F,
        remaining: u16,
    ) -> Result<(), Unreadable> {
        match (self.carried, self.fragment) {
            (Carried::Udp, Fragment::Whole | Fragment::First) => self.read_udp(frame, remaining),
            (Carried::Tcp, Fragment::Whole | Fragment::First) => self.read_tcp(frame, remaining),
            // The flags are in the second unit of eight bytes: a fragment that begins there changes
            // what the first one said.
            (Carried::Tcp, Fragment::Later) if self.place.offset < 3 => {
                Err(Unreadable::BadFragment)
            }
            // A later fragment in the middle of an extension header chain: RFC 7112 §5 wants the
            // whole chain in the first, so what follows may be UDP or TCP.
            (Carried::Other, Fragment::Later) if is_extension_header(self.protocol) => {
                Err(Unreadable::BadExtensionHeader)
            }
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn read_udp<F: Frame>(&mut self, frame: &mut F, remaining: u16) -> Result<(), Unreadable> {
        if remaining < 8 {
            return Err(Unreadable::BadUdpHeader);
        }
        let [ports, length] = frame.words().ok_or(Unreadable::BadUdpHeader)?;
        let length = (u32::from_be(length) >> 16) as u16;
        if length < 8 || self.fragment == Fragment::Whole && length > remaining {
            return Err(Unreadable::BadUdpHeader);
        }
        self.udp_payload = length - 8;
        self.take_ports(ports);
        Ok(())
    }

    #[inline(always)]
    fn read_tcp<F: Frame>(&mut self, frame: &mut F, remaining: u16) -> Result<(), Unreadable> {
        if remaining < 20 {
            return Err(Unreadable::BadTcpHeader);
        }
        let [ports, _, _, fourth, _] = frame.words().ok_or(Unreadable::BadTcpHeader)?;
        let fourth = u32::from_be(fourth);
        let header_length = nibble(fourth, 28) * 4;
        let flags = TcpFlags(byte(fourth, 16));
        if header_length < 20 || header_length > remaining || flags.is_impossible() {
            return Err(Unreadable::BadTcpHeader);
        }
        self.take_ports(ports);
        self.flags = flags;
        Ok(())
    }

    #[inline(always)]
    fn take_ports(&mut self, ports: u32) {
        let ports = u32::from_be(ports);
        self.source_port = (ports >> 16) as u16;
        self.destination_port = low_half(ports);
    }
}

impl Network {
    #[inline(always)]
    const fn carried(&self) -> Carried {
        match self.protocol {
            PROTOCOL_UDP => Carried::Udp,
            PROTOCOL_TCP => Carried::Tcp,
            PROTOCOL_ESP => Carried::Esp,
            PROTOCOL_IPV4_IN_IP | PROTOCOL_IPV6_IN_IP | PROTOCOL_GRE | PROTOCOL_ETHERNET_IN_IP => {
                Carried::Tunnel
            }
            _ => Carried::Other,
        }
    }

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

    /// Tells the families apart by the version, which both have in the same place.
    #[inline(always)]
    fn read_without_link<F: Frame>(frame: &mut F) -> Result<Self, Reason> {
        let available = frame.length();
        let [mut first, mut second, third, fourth, fifth] =
            frame.words().ok_or(Reason::BadIpHeader)?;
        match nibble(u32::from_be(first), 28) {
            4 => {
                // Received segments that the network stack has joined to more than a header can tell.
                if available > LONGEST && low_half(u32::from_be(first)) == 0 {
                    first |= 0xffff_u32.to_be();
                }
                Self::of_ipv4([first, second, third, fourth, fifth], frame, available)
            }
            6 => {
                if available > LONGEST + 40 && u32::from_be(second) >> 16 == 0 {
                    second |= 0xffff_0000_u32.to_be();
                }
                let [sixth, seventh, eighth, ninth, tenth] =
                    frame.words().ok_or(Reason::BadIpHeader)?;
                let words =
                    [first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth];
                Self::of_ipv6(words, frame, available)
            }
            _ => Err(Reason::NotIp),
        }
    }

    /// Reads an IPv4 header (RFC 791 §3.1). Where it contradicts itself the network stack would
    /// discard the packet too, so refusing it whatever its destination takes nothing from anybody.
    #[inline(always)]
    fn read_ipv4<F: Frame>(frame: &mut F, available: u32) -> Result<Self, Reason> {
        let words = frame.words().ok_or(Reason::BadIpHeader)?;
        Self::of_ipv4(words, frame, available)
    }

    #[inline(always)]
    fn of_ipv4<F: Frame>(
        [first, second, third, source, destination]: [u32; 5],
        frame: &mut F,
        available: u32,
    ) -> Result<Self, Reason> {
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

        let mut network = Self {
            source: Address::from_ipv4_word(source),
            destination: Address::from_ipv4_word(destination),
            fragment: Fragment::Whole,
            place: FragmentPlace::default(),
            hop_limit: byte(third, 24),
            protocol: byte(third, 16),
            remaining: total_length - header_length,
            unreadable: None,
        };
        let more_fragments = second & 0x2000 != 0;
        network.divide(second >> 16, low_half(second) & 0x1fff, more_fragments);
        Ok(network)
    }

    /// Reads an IPv6 header (RFC 8200 §3) and walks its extension headers.
    #[inline(always)]
    fn read_ipv6<F: Frame>(frame: &mut F, available: u32) -> Result<Self, Reason> {
        let words = frame.words().ok_or(Reason::BadIpHeader)?;
        Self::of_ipv6(words, frame, available)
    }

    #[inline(always)]
    fn of_ipv6<F: Frame>(
        [first, second, s0, s1, s2, s3, d0, d1, d2, d3]: [u32; 10],
        frame: &mut F,
        available: u32,
    ) -> Result<Self, Reason> {
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
            place: FragmentPlace::default(),
            hop_limit: byte(second, 0),
            protocol: byte(second, 8),
            remaining: payload_length,
            unreadable: None,
        };
        if let Err(unreadable) = network.walk_extension_headers(frame) {
            network.unreadable = Some(unreadable);
        }
        Ok(network)
    }

    /// Takes note that this is a part of a datagram, or all of it after all.
    #[inline(always)]
    fn divide(&mut self, id: u32, offset: u16, more: bool) {
        let fragment = Fragment::of(offset, more);
        // A fragment stays one, whatever a second header inside it says.
        if self.fragment != Fragment::Whole && fragment != Fragment::Later {
            return;
        }
        self.fragment = fragment;
        if fragment == Fragment::Whole {
            return;
        }
        self.place = FragmentPlace { id, offset, length: self.remaining };
        let end = u32::from(offset) * 8 + u32::from(self.remaining);
        let is_ragged = more && self.remaining & 7 != 0;
        if is_ragged || end > u32::from(u16::MAX) || self.remaining == 0 {
            self.unreadable = Some(Unreadable::BadFragment);
        }
    }

    #[inline(always)]
    fn walk_extension_headers<F: Frame>(&mut self, frame: &mut F) -> Result<(), Unreadable> {
        for _ in 0..MAX_EXTENSION_HEADERS {
            if !is_extension_header(self.protocol) || self.fragment == Fragment::Later {
                return Ok(());
            }
            let [first, id] = frame.words().ok_or(Unreadable::BadExtensionHeader)?;
            let first = u32::from_be(first);
            let is_fragment = self.protocol == NEXT_HEADER_FRAGMENT;
            let beyond_first_eight = if is_fragment { 0 } else { u16::from(byte(first, 16)) * 8 };
            self.remaining = self
                .remaining
                .checked_sub(8 + beyond_first_eight)
                .ok_or(Unreadable::BadExtensionHeader)?;
            frame.skip(beyond_first_eight);
            self.protocol = byte(first, 24);
            if is_fragment {
                self.divide(u32::from_be(id), low_half(first) >> 3, first & 1 != 0);
            }
        }
        if is_extension_header(self.protocol) && self.fragment != Fragment::Later {
            return Err(Unreadable::TooManyExtensionHeaders);
        }
        Ok(())
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
