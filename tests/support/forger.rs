//! TCP segments from anybody.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Host;

/// Somebody on a host who sends TCP segments with whatever source he likes.
#[derive(Debug)]
pub struct Forger {
    ipv4: OwnedFd,
    ipv6: OwnedFd,
}

/// A TCP segment without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it claims to come from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// The control bits.
    pub flags: u8,
    /// The sequence number.
    pub sequence: u32,
    /// The acknowledgement number.
    pub acknowledges: u32,
}

impl Segment {
    /// The control bits of RFC 9293 §3.1.
    pub const FIN: u8 = 0x01;
    /// The same.
    pub const SYN: u8 = 0x02;
    /// The same.
    pub const RST: u8 = 0x04;
    /// The same.
    pub const ACK: u8 = 0x10;
}

impl Forger {
    /// Needs root.
    pub fn on(host: &Host) -> Result<Self> {
        let [ipv4, ipv6] = host
            .enter(|| [libc::AF_INET, libc::AF_INET6].map(raw_socket))?
            .map(|socket| socket.context("opening a raw socket"));
        Ok(Self { ipv4: ipv4?, ipv6: ipv6? })
    }

    /// Sends one segment, whose ends are of one family.
    pub fn send(&self, segment: &Segment) -> Result<()> {
        let packet = segment.packet()?;
        let sent = match segment.destination.ip() {
            IpAddr::V4(address) => {
                // SAFETY: all zero is an address.
                let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                to.sin_family = libc::AF_INET.try_into()?;
                to.sin_addr.s_addr = u32::from_ne_bytes(address.octets());
                send_to(&self.ipv4, &packet, &to)
            }
            IpAddr::V6(address) => {
                // SAFETY: as above.
                let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
                to.sin6_family = libc::AF_INET6.try_into()?;
                to.sin6_addr.s6_addr = address.octets();
                send_to(&self.ipv6, &packet, &to)
            }
        };
        sent.with_context(|| format!("sending {segment:?}"))
    }
}

/// One that takes whole packets, IP header included.
fn raw_socket(family: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call.
    let socket =
        unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn send_to<A>(socket: &OwnedFd, packet: &[u8], to: &A) -> Result<()> {
    let size = libc::socklen_t::try_from(size_of::<A>())?;
    loop {
        // SAFETY: the packet and the address are as long as is said, and outlive the call.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                std::ptr::from_ref(to).cast(),
                size,
            )
        };
        if sent >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // The queue is full: who floods goes on.
        if error.raw_os_error() == Some(libc::ENOBUFS) {
            return Ok(());
        }
        ensure!(error.kind() == io::ErrorKind::Interrupted, error);
    }
}

const TCP: u8 = 6;
const HOP_LIMIT: u8 = 64;
/// Of a segment: its header, without options.
const LENGTH: u16 = 20;

impl Segment {
    fn packet(&self) -> Result<Vec<u8>> {
        let mut segment =
            [self.source.port(), self.destination.port()].map(u16::to_be_bytes).concat();
        segment.extend([self.sequence, self.acknowledges].map(u32::to_be_bytes).concat());
        segment.extend([5 << 4, self.flags, 0xff, 0xff]);
        let length = LENGTH.to_be_bytes();
        let (mut packet, addresses) = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut packet = vec![0x45, 0];
                packet.extend((20 + LENGTH).to_be_bytes());
                // The kernel adds the checksum.
                packet.extend([0, 0, 0x40, 0, HOP_LIMIT, TCP, 0, 0]);
                (packet, [source.octets(), destination.octets()].concat())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut packet = vec![0x60, 0, 0, 0];
                packet.extend(length);
                packet.extend([TCP, HOP_LIMIT]);
                (packet, [source.octets(), destination.octets()].concat())
            }
            ends => bail!("{ends:?} are of two families"),
        };
        let covered = [&addresses[..], &[0, TCP], &length, &segment].concat();
        segment.extend(checksum(&covered)?.to_be_bytes());
        segment.extend([0, 0]);
        packet.extend(addresses);
        packet.extend(segment);
        Ok(packet)
    }
}

/// RFC 1071, of an even number of bytes.
fn checksum(bytes: &[u8]) -> Result<u16> {
    let halves =
        bytes.chunks_exact(2).filter_map(|half| Some(u16::from_be_bytes(half.try_into().ok()?)));
    let mut sum: u32 = halves.map(u32::from).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    Ok(!u16::try_from(sum)?)
}
