//! Many datagrams in one system call.

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    ptr,
    time::Duration,
};

/// No message here is longer.
const ROOM: usize = 2048;
#[expect(clippy::cast_possible_truncation, reason = "the system's types differ for small numbers")]
const AF_INET: libc::sa_family_t = libc::AF_INET.unsigned_abs() as libc::sa_family_t;
#[expect(clippy::cast_possible_truncation, reason = "the system's types differ for small numbers")]
const NAME_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

/// Datagrams that were received together.
pub(crate) struct Batch {
    buffers: Vec<[u8; ROOM]>,
    received: Vec<(usize, SocketAddrV4)>,
}

impl Batch {
    pub(crate) fn new(size: usize) -> Self {
        Self { buffers: vec![[0; ROOM]; size], received: Vec::with_capacity(size) }
    }

    /// Receives what is there, in place of what was received before; without [`libc::MSG_DONTWAIT`]
    /// it waits for the first one.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, flags: libc::c_int) -> io::Result<()> {
        self.received.clear();
        let mut names = vec![empty_address(); self.buffers.len()];
        let mut parts: Vec<libc::iovec> = self
            .buffers
            .iter_mut()
            .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: ROOM })
            .collect();
        let mut messages: Vec<libc::mmsghdr> =
            parts.iter_mut().zip(&mut names).map(|(part, name)| header(part, Some(name))).collect();
        let count = u32::try_from(messages.len()).map_err(io::Error::other)?;
        // SAFETY: every header points to one part and one name, which live until the end of this
        // function, and every part to a buffer of its length.
        let done = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, flags, ptr::null_mut())
        };
        let Ok(done) = usize::try_from(done) else {
            return Err(io::Error::last_os_error());
        };
        let lengths = messages.iter().map(|message| message.msg_len as usize);
        let sources = names.iter().map(|name| {
            let address = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            SocketAddrV4::new(address, u16::from_be(name.sin_port))
        });
        self.received.extend(lengths.zip(sources).take(done));
        Ok(())
    }

    /// What was received, and from where.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&[u8], SocketAddrV4)> {
        let lengths = self.buffers.iter().zip(&self.received);
        lengths
            .map(|(buffer, (length, source))| (buffer.get(..*length).unwrap_or_default(), *source))
    }
}

/// Sends all of them, each to its address or to where the socket is connected to.
pub(crate) fn send(
    socket: &UdpSocket,
    datagrams: &[(&[u8], Option<SocketAddrV4>)],
) -> io::Result<()> {
    let mut names: Vec<libc::sockaddr_in> = datagrams
        .iter()
        .map(|(_, to)| {
            to.map_or_else(empty_address, |to| libc::sockaddr_in {
                sin_family: AF_INET,
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
                sin_zero: [0; 8],
            })
        })
        .collect();
    let mut parts: Vec<libc::iovec> = datagrams
        .iter()
        .map(|(bytes, _)| libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = parts
        .iter_mut()
        .zip(names.iter_mut().zip(datagrams))
        .map(|(part, (name, (_, to)))| header(part, to.map(|_| name)))
        .collect();
    let mut left = messages.as_mut_slice();
    while !left.is_empty() {
        let count = u32::try_from(left.len()).map_err(io::Error::other)?;
        // SAFETY: as for receiving; the bytes of a datagram are only read.
        let done = unsafe { libc::sendmmsg(socket.as_raw_fd(), left.as_mut_ptr(), count, 0) };
        let Ok(done) = usize::try_from(done) else {
            return Err(io::Error::last_os_error());
        };
        left = left.get_mut(done..).unwrap_or_default();
    }
    Ok(())
}

/// The places of those sockets at which something has arrived; none where nothing does for so long.
pub(crate) fn readable<'a>(
    sockets: impl Iterator<Item = &'a UdpSocket>,
    patience: Duration,
) -> io::Result<Vec<usize>> {
    let mut polled: Vec<libc::pollfd> = sockets
        .map(|socket| libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let patience = libc::c_int::try_from(patience.as_millis()).map_err(io::Error::other)?;
    // SAFETY: the array is as long as the call is told, and outlives it.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, patience) };
    if ready < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_ready = |(_, polled): &(usize, &libc::pollfd)| polled.revents != 0;
    Ok(polled.iter().enumerate().filter(is_ready).map(|(socket, _)| socket).collect())
}

fn header(part: &mut libc::iovec, name: Option<&mut libc::sockaddr_in>) -> libc::mmsghdr {
    // SAFETY: a header without name, parts and control data is all zero.
    let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
    if let Some(name) = name {
        message.msg_hdr.msg_name = ptr::from_mut(name).cast();
        message.msg_hdr.msg_namelen = NAME_LENGTH;
    }
    message.msg_hdr.msg_iov = part;
    message.msg_hdr.msg_iovlen = 1;
    message
}

fn empty_address() -> libc::sockaddr_in {
    // SAFETY: an unspecified address is all zero.
    unsafe { mem::zeroed() }
}
