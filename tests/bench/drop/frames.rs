//! The frame that the flood sends, but for its source.

use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) const RECEIVER_MAC: &str = "02:00:00:00:50:60";
pub(crate) const RECEIVER_IPV4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub(crate) const RECEIVER_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10);
pub(crate) const SIP: u16 = 5060;

const DESTINATION: [u8; 6] = [2, 0, 0, 0, 0x50, 0x60];
const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Ethernet header included.
const FRAME: usize = 500;

/// A REGISTER as scanners send it; it is padded to the frame's length.
const REGISTER: &str = "REGISTER sip:203.0.113.10 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK-524287-1---5f2b6a1c;rport\r\n\
    Max-Forwards: 70\r\n\
    Contact: <sip:1000@192.0.2.66:5060>\r\n\
    To: <sip:1000@203.0.113.10>\r\n\
    From: <sip:1000@203.0.113.10>;tag=6a1c5f2b\r\n\
    Call-ID: 5f2b6a1c524287\r\n\
    CSeq: 1 REGISTER\r\n\
    Expires: 3600\r\n\
    User-Agent: friendly-scanner\r\n\
    Content-Length: 0\r\n\r\n";

/// What the flood consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Traffic {
    /// Requests over IPv4.
    Ipv4,
    /// Requests over IPv6.
    Ipv6,
    /// Later fragments of UDP over IPv4.
    Fragments,
}

/// A frame whose source and checksum are for the flood to write.
pub(crate) struct Template {
    pub(crate) frame: Vec<u8>,
    /// 4 or 6.
    pub(crate) family: u32,
    /// The sum of what the checksum covers, with zero for what the flood writes.
    pub(crate) checksum_base: u32,
}

impl Template {
    pub(crate) fn of(traffic: Traffic) -> Self {
        match traffic {
            // "Don't fragment", and the last fragment, at an offset of 1480 bytes.
            Traffic::Ipv4 => ipv4([0x40, 0]),
            Traffic::Fragments => ipv4([0, 185]),
            Traffic::Ipv6 => ipv6(),
        }
    }
}

impl Template {
    /// The whole frame of one source of the flood's; its checksum is wrong, which no filter looks at.
    pub(crate) fn of_one(mut self) -> Vec<u8> {
        if self.family == 4 {
            let source = self.frame.iter_mut().skip(14 + 12);
            source.zip([12, 0, 0, 1]).for_each(|(to, from)| *to = from);
        }
        self.frame
    }
}

fn ipv4(fragment: [u8; 2]) -> Template {
    let length = half(FRAME - 14);
    let mut header = vec![0x45, 0];
    header.extend(length);
    header.extend([0x12, 0x34]);
    header.extend(fragment);
    header.extend([64, 17, 0, 0, 0, 0, 0, 0]);
    header.extend(RECEIVER_IPV4.octets());
    let checksum_base = sum(&header);
    // No UDP checksum: over IPv4 it may be left out (RFC 768).
    let datagram = datagram(FRAME - 14 - 20);
    Template { frame: frame([0x08, 0x00], &header, &datagram), family: 4, checksum_base }
}

fn ipv6() -> Template {
    let datagram = datagram(FRAME - 14 - 40);
    let source = Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 0).octets();
    let length = half(datagram.len());
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(length);
    header.extend([17, 64]);
    header.extend(source);
    header.extend(RECEIVER_IPV6.octets());
    // RFC 8200 §8.1.
    let mut covered = [source, RECEIVER_IPV6.octets()].concat();
    covered.extend(length);
    covered.extend([0, 17]);
    covered.extend(&datagram);
    let checksum_base = sum(&covered);
    Template { frame: frame([0x86, 0xdd], &header, &datagram), family: 6, checksum_base }
}

fn datagram(length: usize) -> Vec<u8> {
    let mut datagram =
        [half(usize::from(SIP)), half(usize::from(SIP)), half(length), [0, 0]].concat();
    datagram.extend(REGISTER.as_bytes());
    datagram.resize(length, b' ');
    datagram
}

fn frame(ethertype: [u8; 2], header: &[u8], datagram: &[u8]) -> Vec<u8> {
    [&DESTINATION, &SOURCE, &ethertype[..], header, datagram].concat()
}

fn half(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

/// The ones' complement sum of the halves, folded once: room for a few more.
fn sum(bytes: &[u8]) -> u32 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let mut half = [0; 2];
        half.iter_mut().zip(pair).for_each(|(to, from)| *to = *from);
        sum += u32::from(u16::from_be_bytes(half));
    }
    (sum & 0xffff) + (sum >> 16)
}
