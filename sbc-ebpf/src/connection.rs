//! What the network stack knows of TCP connections.

use core::mem;

use aya_ebpf::bindings::{bpf_sock_tuple as SocketTuple, xdp_md};
use aya_ebpf::helpers::generated::{bpf_sk_release, bpf_skc_lookup_tcp, bpf_tcp_check_syncookie};
use aya_ebpf::programs::XdpContext;
use sbc_common::{Frame as _, Packet};

use crate::frame::XdpFrame;
use crate::scratch::{self, Hook};

/// The fixed part of a TCP header, behind which a frame was read.
const TCP_HEADER: u32 = 20;
const TCP_HEADER_WORDS: usize = 5;
const IPV4_HEADER: u32 = 20;
const IPV6_HEADER: u32 = 40;
const IPV6_HEADER_WORDS: usize = 10;
/// The members of a [`SocketTuple`] by which the kernel tells the families apart.
const IPV4_TUPLE: u32 = 12;
const IPV6_TUPLE: u32 = 36;
/// `BPF_F_CURRENT_NETNS`: the sockets of the network that the interface is in.
const CURRENT_NETWORK: u64 = u64::MAX;
/// `BPF_TCP_LISTEN`.
const LISTEN: u32 = 10;

/// Asks for the socket that the TCP segment at hand would be given to: 1 if that is one of a connection,
/// or if it listens and finds its SYN cookie in the segment.
#[inline(never)]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn is_of_connection(context: *mut xdp_md) -> u32 {
    let Some(read) = scratch::read(Hook::WIRE) else { return 0 };
    // SAFETY: the frame was read on this CPU before anything is asked about it.
    let read = unsafe { &*read };
    let program = XdpContext::new(context);
    let mut frame = XdpFrame::behind(&program, read.behind_headers.wrapping_sub(TCP_HEADER));
    let Some(mut segment) = frame.words::<TCP_HEADER_WORDS>() else { return 0 };
    let (mut tuple, tuple_size) = tuple(&read.packet);
    // SAFETY: the tuple is as long as is said, and initialised.
    let socket = unsafe {
        bpf_skc_lookup_tcp(context.cast(), &raw mut tuple, tuple_size, CURRENT_NETWORK, 0)
    };
    if socket.is_null() {
        return 0;
    }
    // SAFETY: the socket is ours until it is released.
    let is_known = unsafe { (*socket).state } != LISTEN || {
        let (mut header, header_size) = header(&read.packet);
        // SAFETY: as above; both headers are as long as is said, and initialised.
        let checked = unsafe {
            bpf_tcp_check_syncookie(
                socket.cast(),
                header.as_mut_ptr().cast(),
                header_size,
                segment.as_mut_ptr().cast(),
                TCP_HEADER,
            )
        };
        checked == 0
    };
    // SAFETY: it is released once, and not used any more.
    unsafe { bpf_sk_release(socket.cast()) };
    u32::from(is_known)
}

/// The ends of the connection that the packet would be of, and their length in bytes.
#[inline(always)]
fn tuple(packet: &Packet) -> (SocketTuple, u32) {
    // SAFETY: all zero is a tuple.
    let mut tuple: SocketTuple = unsafe { mem::zeroed() };
    let (source_port, destination_port) =
        (packet.source_port.to_be(), packet.destination_port.to_be());
    if let (Some(source), Some(destination)) =
        (packet.source.ipv4_word(), packet.destination.ipv4_word())
    {
        // SAFETY: every member of the union takes any bytes, and all of them are initialised.
        let ends = unsafe { &mut tuple.__bindgen_anon_1.ipv4 };
        (ends.saddr, ends.daddr) = (source, destination);
        (ends.sport, ends.dport) = (source_port, destination_port);
        return (tuple, IPV4_TUPLE);
    }
    // SAFETY: as above.
    let ends = unsafe { &mut tuple.__bindgen_anon_1.ipv6 };
    (ends.saddr, ends.daddr) = (packet.source.ipv6_words(), packet.destination.ipv6_words());
    (ends.sport, ends.dport) = (source_port, destination_port);
    (tuple, IPV6_TUPLE)
}

/// As much of an IP header as a SYN cookie is made of, and its length in bytes: the version and the
/// addresses.
#[inline(always)]
fn header(packet: &Packet) -> ([u32; IPV6_HEADER_WORDS], u32) {
    let mut header = [0; IPV6_HEADER_WORDS];
    if let (Some(source), Some(destination)) =
        (packet.source.ipv4_word(), packet.destination.ipv4_word())
    {
        header[0] = 0x4500_0000_u32.to_be();
        (header[3], header[4]) = (source, destination);
        return (header, IPV4_HEADER);
    }
    header[0] = 0x6000_0000_u32.to_be();
    let (source, destination) = (packet.source.ipv6_words(), packet.destination.ipv6_words());
    for word in 0..4 {
        (header[2 + word], header[6 + word]) = (source[word], destination[word]);
    }
    (header, IPV6_HEADER)
}
