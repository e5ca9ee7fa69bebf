use std::{fs, io, net::UdpSocket, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result};

use super::Defence;
use crate::{
    frames::{RECEIVER_IPV4, SIP},
    receiver::Receiver,
};

/// No firewall: a socket on the port. What it does not take, the kernel drops in front of it.
pub(super) struct Socket {
    socket: UdpSocket,
}

impl Socket {
    /// One whose own filter takes nothing.
    pub(super) fn rejecting(receiver: &Receiver) -> Result<Self> {
        let socket = Self::unread(receiver)?;
        // BPF_RET | BPF_K: return 0, no byte of the packet is wanted.
        let mut reject = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 }];
        let program = libc::sock_fprog { len: 1, filter: reject.as_mut_ptr() };
        let size = libc::socklen_t::try_from(size_of_val(&program))?;
        // SAFETY: the program and its length belong together, and both outlive the call.
        let attached = unsafe {
            libc::setsockopt(
                socket.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size,
            )
        };
        if attached != 0 {
            return Err(io::Error::last_os_error()).context("attaching the socket's filter");
        }
        Ok(socket)
    }

    /// One that nobody reads from.
    pub(super) fn unread(receiver: &Receiver) -> Result<Self> {
        receiver.receive_offload()?;
        let socket = receiver.host.enter(|| UdpSocket::bind((RECEIVER_IPV4, SIP)))?;
        Ok(Self { socket: socket.context("opening the socket")? })
    }
}

impl Defence for Socket {
    /// A datagram that the filter refuses or the buffer has no room for is an error of the receiver's.
    fn dropped(&mut self, receiver: &Receiver) -> Result<u64> {
        let path = format!("/proc/{}/net/snmp", receiver.host.pid());
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
        let names = lines.next().unwrap_or_default().split(' ');
        let mut fields = names.zip(lines.next().unwrap_or_default().split(' '));
        let (_, errors) =
            fields.find(|(name, _)| *name == "InErrors").context("no InErrors in it")?;
        errors.parse().with_context(|| format!("InErrors {errors}"))
    }
}
