use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

use crate::extensions::Extension;

pub(crate) const INVITE: &[u8] = b"INVITE sip:100@203.0.113.10 SIP/2.0\r\n\r\n";
pub(crate) const VLAN: u16 = 0x8100;
pub(crate) const SERVICE_VLAN: u16 = 0x88a8;
pub(crate) const OLD_QINQ: u16 = 0x9100;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    Udp,
    Tcp,
    /// The bytes of the payload alone, under this protocol number.
    Bare(u8),
}

/// Something that a header says and that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    IpVersion(u8),
    /// In words of four bytes.
    Ipv4HeaderLength(u8),
    /// Added to the total length of IPv4 or the payload length of IPv6.
    IpLengthBy(i16),
    UdpLength(u16),
    UdpLengthBy(i16),
    /// In words of four bytes.
    TcpDataOffset(u8),
    /// Not even that a fragment with more behind it has a length that is a multiple of eight.
    Ragged,
}

/// A frame in the making. Checksums stay zero: the filter leaves them to the network stack.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    source: SocketAddr,
    destination: SocketAddr,
    carried: Carried,
    hop_limit: u8,
    id: u16,
    tcp_flags: Option<u8>,
    tags: Vec<u16>,
    ipv4_options: u8,
    tcp_options: u8,
    extensions: Vec<Extension>,
    fragment: Option<(u16, bool)>,
    payload: Vec<u8>,
    padding: Vec<u8>,
    lies: Vec<Lie>,
}

impl Frame {
    /// An INVITE over UDP from port 5060 of `source` to port 5060 of `destination`.
    pub(crate) fn udp(source: &str, destination: &str) -> Self {
        Self::new(Carried::Udp, source, destination).with(INVITE)
    }

    /// The same in a segment of TCP.
    pub(crate) fn tcp(source: &str, destination: &str) -> Self {
        Self::new(Carried::Tcp, source, destination).with(INVITE)
    }

    pub(crate) fn new(carried: Carried, source: &str, destination: &str) -> Self {
        let end = |address: &str| SocketAddr::new(address.parse().unwrap(), 5060);
        Self {
            source: end(source),
            destination: end(destination),
            carried,
            hop_limit: 64,
            id: next_id(),
            tcp_flags: None,
            tags: Vec::new(),
            ipv4_options: 0,
            tcp_options: 0,
            extensions: Vec::new(),
            fragment: None,
            payload: Vec::new(),
            padding: Vec::new(),
            lies: Vec::new(),
        }
    }

    pub(crate) fn sent_from(mut self, port: u16) -> Self {
        self.source.set_port(port);
        self
    }

    pub(crate) fn sent_to(mut self, port: u16) -> Self {
        self.destination.set_port(port);
        self
    }

    pub(crate) fn sent_to_tls(self) -> Self {
        self.sent_to(5061)
    }

    /// Changes the identification.
    pub(crate) fn of_datagram(mut self, change: impl FnOnce(u16) -> u16) -> Self {
        self.id = change(self.id);
        self
    }

    pub(crate) fn with_hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    pub(crate) fn with_tcp_flags(mut self, flags: u8) -> Self {
        self.tcp_flags = Some(flags);
        self
    }

    pub(crate) fn with(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    pub(crate) fn tagged(mut self, tags: &[u16]) -> Self {
        self.tags = tags.to_vec();
        self
    }

    /// Adds IPv4 options, in words of four bytes.
    pub(crate) fn with_ipv4_options(mut self, words: u8) -> Self {
        self.ipv4_options = words;
        self
    }

    /// Adds TCP options, in words of four bytes.
    pub(crate) fn with_tcp_options(mut self, words: u8) -> Self {
        self.tcp_options = words;
        self
    }

    pub(crate) fn behind(mut self, extensions: &[Extension]) -> Self {
        self.extensions = extensions.to_vec();
        self
    }

    /// Makes this a fragment (for IPv6 behind the other extension headers); `offset` is in units of
    /// eight bytes.
    pub(crate) fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some((offset, more));
        self
    }

    pub(crate) fn padded_with(mut self, padding: &[u8]) -> Self {
        self.padding = padding.to_vec();
        self
    }

    pub(crate) fn lying(mut self, lie: Lie) -> Self {
        self.lies.push(lie);
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let (ethertype, packet) = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                (0x0800_u16, self.ipv4(source.octets(), destination.octets()))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                (0x86dd_u16, self.ipv6(source.octets(), destination.octets()))
            }
            ends => panic!("{ends:?} are of two families"),
        };
        let mut frame = ethernet(&self.tags, ethertype);
        frame.extend(packet);
        frame.extend_from_slice(&self.padding);
        frame
    }

    fn ipv4(&self, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let segment = self.segment();
        let words = 5 + self.ipv4_options;
        let version =
            self.lie(4, |lie| if let Lie::IpVersion(version) = lie { Some(version) } else { None });
        let header_length = self.lie(words, |lie| {
            if let Lie::Ipv4HeaderLength(words) = lie { Some(words) } else { None }
        });
        let length = self.ip_length(usize::from(words) * 4 + segment.len());
        let (offset, more) = self.fragment.unwrap_or_default();
        let offset = offset | if more { 0x2000 } else { 0 };

        let mut packet = vec![version << 4 | header_length, 0];
        packet.extend(length.to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend(offset.to_be_bytes());
        packet.extend([self.hop_limit, self.protocol(), 0, 0]);
        packet.extend(source);
        packet.extend(destination);
        packet.extend([1, 1, 1, 1].repeat(usize::from(self.ipv4_options)));
        packet.extend(segment);
        packet
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16]) -> Vec<u8> {
        let mut extensions = self.extensions.clone();
        if let Some((offset, more)) = self.fragment {
            extensions.push(Extension::Fragment { offset, more });
        }
        let (first, mut payload) = Extension::chain(&extensions, self.protocol(), self.id);
        payload.extend(self.segment());
        let version =
            self.lie(6, |lie| if let Lie::IpVersion(version) = lie { Some(version) } else { None });

        let mut packet = vec![version << 4, 0, 0, 0];
        packet.extend(self.ip_length(payload.len()).to_be_bytes());
        packet.extend([first, self.hop_limit]);
        packet.extend(source);
        packet.extend(destination);
        packet.extend(payload);
        packet
    }

    /// The transport header, which only the first fragment has, and the payload.
    fn segment(&self) -> Vec<u8> {
        let is_later = self.fragment.is_some_and(|(offset, _)| offset != 0)
            || self.extensions.iter().any(|header| header.is_later_fragment());
        let mut segment = match self.carried {
            _ if is_later => Vec::new(),
            Carried::Udp => self.udp_header(),
            Carried::Tcp => self.tcp_header(),
            Carried::Bare(_) => Vec::new(),
        };
        segment.extend_from_slice(&self.payload);
        let has_more = self.fragment.is_some_and(|(_, more)| more)
            || self.extensions.iter().any(|header| header.has_more());
        if has_more && !self.lies.contains(&Lie::Ragged) {
            segment.resize(segment.len().next_multiple_of(8), b'\n');
        }
        segment
    }

    fn udp_header(&self) -> Vec<u8> {
        let length = u16::try_from(8 + self.payload.len()).unwrap();
        let length = self.lie(length, |lie| {
            if let Lie::UdpLength(length) = lie {
                Some(length)
            } else if let Lie::UdpLengthBy(by) = lie {
                length.checked_add_signed(by)
            } else {
                None
            }
        });
        [self.source.port(), self.destination.port(), length, 0].map(u16::to_be_bytes).concat()
    }

    fn tcp_header(&self) -> Vec<u8> {
        let words = self.lie(5 + self.tcp_options, |lie| {
            if let Lie::TcpDataOffset(words) = lie { Some(words) } else { None }
        });
        let usual = if self.payload.is_empty() { TCP_SYN } else { TCP_ACK };
        let flags = self.tcp_flags.unwrap_or(usual);
        let mut header =
            [self.source.port(), self.destination.port()].map(u16::to_be_bytes).concat();
        header.extend([0, 0, 0, 1, 0, 0, 0, 0, words << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        header.extend([1, 1, 1, 1].repeat(usize::from(self.tcp_options)));
        header
    }

    fn ip_length(&self, length: usize) -> u16 {
        let length = u16::try_from(length).unwrap();
        self.lie(length, |lie| {
            if let Lie::IpLengthBy(by) = lie { length.checked_add_signed(by) } else { None }
        })
    }

    fn lie<T>(&self, truth: T, told: impl Fn(Lie) -> Option<T>) -> T {
        self.lies.iter().find_map(|lie| told(*lie)).unwrap_or(truth)
    }

    fn protocol(&self) -> u8 {
        match self.carried {
            Carried::Udp => 17,
            Carried::Tcp => 6,
            Carried::Bare(protocol) => protocol,
        }
    }
}

pub(crate) const TCP_FIN: u8 = 0x01;
pub(crate) const TCP_SYN: u8 = 0x02;
pub(crate) const TCP_RST: u8 = 0x04;
pub(crate) const TCP_PUSH: u8 = 0x08;
pub(crate) const TCP_ACK: u8 = 0x10;
pub(crate) const TCP_URGENT: u8 = 0x20;

/// An identification that no other frame of this test has, but for its clones: the kernel remembers
/// datagrams from one row to the next.
fn next_id() -> u16 {
    thread_local!(static NEXT: Cell<u16> = const { Cell::new(1) });
    NEXT.replace(NEXT.get().wrapping_add(1))
}

/// An Ethernet header with VLAN tags of these types.
pub(crate) fn ethernet(tags: &[u16], ethertype: u16) -> Vec<u8> {
    let mut header = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    for tag in tags {
        header.extend(tag.to_be_bytes());
        header.extend([0x00, 0x07]);
    }
    header.extend(ethertype.to_be_bytes());
    header
}
