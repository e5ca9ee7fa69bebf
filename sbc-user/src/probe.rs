//! Frames that ask what the filter would do: as short as can be, from somebody to a listener.

use std::net::{IpAddr, SocketAddr};

use sbc_common::Protocol;

const SIP: &[u8] = b"INVITE sip:probe@invalid SIP/2.0\r\n\r\n";
/// RFC 7296 §3.1.
const IKE_HEADER: usize = 28;
const HOP_LIMIT: u8 = 64;
const SYN: u8 = 2;
/// Where questions come from and go to, by their Ethernet header: locally administered addresses, which
/// nobody has.
const ETHERNET: [u8; 12] = *b"\x02sbc-?\x02sbc-!";

/// Says whether a frame is one of these.
#[must_use]
pub fn is_one(frame: &[u8]) -> bool {
    frame.starts_with(&ETHERNET)
}

/// The frame of an INVITE over UDP. `None` when the two are of different families.
#[must_use]
pub fn invite(source: SocketAddr, destination: SocketAddr) -> Option<Vec<u8>> {
    datagram(source, destination, SIP)
}

/// The frame of an IKE message's header, empty. `None` when the two are of different families.
#[must_use]
pub fn ike(source: SocketAddr, destination: SocketAddr) -> Option<Vec<u8>> {
    datagram(source, destination, &[0; IKE_HEADER])
}

/// The frame that asks for a TCP connection. `None` when the two are of different families.
#[must_use]
pub fn syn(source: SocketAddr, destination: SocketAddr) -> Option<Vec<u8>> {
    let mut segment = ports(source, destination);
    segment.extend([0; 8]);
    segment.extend([5 << 4, SYN, 0xff, 0xff, 0, 0, 0, 0]);
    frame(source.ip(), destination.ip(), Protocol::Tcp, &segment)
}

/// Has a frame of these arrive with another hop limit.
pub fn set_hop_limit(frame: &mut [u8], hop_limit: u8) {
    const IPV6: [u8; 2] = [0x86, 0xdd];
    let at = if frame.get(12..14) == Some(&IPV6) { 14 + 7 } else { 14 + 8 };
    if let Some(byte) = frame.get_mut(at) {
        *byte = hop_limit;
    }
}

fn datagram(source: SocketAddr, destination: SocketAddr, carried: &[u8]) -> Option<Vec<u8>> {
    let mut datagram = ports(source, destination);
    let length = u16::try_from(8 + carried.len()).ok()?;
    datagram.extend(length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(carried);
    frame(source.ip(), destination.ip(), Protocol::Udp, &datagram)
}

fn ports(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut bytes = source.port().to_be_bytes().to_vec();
    bytes.extend(destination.port().to_be_bytes());
    bytes
}

/// Checksums stay zero: the filter leaves them to the network stack, which never sees the frame.
fn frame(
    source: IpAddr,
    destination: IpAddr,
    protocol: Protocol,
    carried: &[u8],
) -> Option<Vec<u8>> {
    let mut frame = ETHERNET.to_vec();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend(u16::try_from(20 + carried.len()).ok()?.to_be_bytes());
            frame.extend([0, 0, 0, 0, HOP_LIMIT, protocol as u8, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(u16::try_from(carried.len()).ok()?.to_be_bytes());
            frame.extend([protocol as u8, HOP_LIMIT]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    }
    frame.extend(carried);
    Some(frame)
}
