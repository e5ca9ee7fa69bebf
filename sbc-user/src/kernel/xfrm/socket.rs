use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv, send, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};
use zeroize::Zeroizing;

use super::message::{Message, Told, XfrmError, error_of};

/// More than the kernel puts into one datagram.
const DATAGRAM: usize = 64 << 10;
/// What waits to be heard of, in bytes. When it is full, that is heard of as well.
const EVENTS: usize = 1 << 20;
/// Seconds.
const ANSWER_WITHIN: i64 = 2;
/// `NLM_F_REQUEST` and `NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
const HEADER: u32 = 16;

/// The groups whose messages tell of a change, as `XFRMNLGRP_*` of `linux/xfrm.h`.
const GROUPS: [u32; 5] = [2, 3, 4, 7, 8];

/// Asks for one kind of object after the other.
pub(super) struct Asking {
    socket: OwnedFd,
    sequence: u32,
    /// The answers have keys in them.
    buffer: Zeroizing<Vec<u8>>,
}

impl Asking {
    pub(super) fn open() -> Result<Self, XfrmError> {
        let socket = open(0)?;
        let timeout = TimeVal::seconds(ANSWER_WITHIN);
        setsockopt(&socket, sockopt::ReceiveTimeout, &timeout).map_err(of_nix)?;
        Ok(Self { socket, sequence: 0, buffer: Zeroizing::new(vec![0; DATAGRAM]) })
    }

    /// Asks for everything of a kind, and hands each object to `take`. Returns whether something changed
    /// meanwhile, so that it may not all be of one time.
    pub(super) fn dump(
        &mut self,
        kind: u16,
        mut take: impl FnMut(u16, &[u8]) -> Result<(), XfrmError>,
    ) -> Result<bool, XfrmError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = HEADER.to_ne_bytes().to_vec();
        request.extend(kind.to_ne_bytes());
        request.extend(REQUEST_DUMP.to_ne_bytes());
        request.extend(self.sequence.to_ne_bytes());
        request.extend([0; 4]);
        let fd = self.socket.as_raw_fd();
        send(fd, &request, MsgFlags::empty()).map_err(of_nix)?;
        let mut has_changed = false;
        loop {
            // MSG_TRUNC: how long it was, even if it did not fit.
            let length = recv(fd, &mut self.buffer, MsgFlags::MSG_TRUNC);
            let length = length.map_err(of_nix)?;
            let datagram = self.buffer.get(..length);
            let datagram = datagram.ok_or(XfrmError::Unreadable("an answer that is too long"))?;
            for message in Message::all(datagram) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                has_changed |= message.is_interrupted();
                match message.told()? {
                    Told::More(kind, body) => take(kind, body)?,
                    Told::All => return Ok(has_changed),
                }
            }
        }
    }
}

/// Hears of changes.
pub(super) struct Listening(OwnedFd);

impl Listening {
    pub(super) fn open() -> Result<Self, XfrmError> {
        let groups = GROUPS.into_iter().fold(0, |groups, group| groups | 1 << (group - 1));
        let socket = open(groups)?;
        setsockopt(&socket, sockopt::RcvBuf, &EVENTS).map_err(of_nix)?;
        Ok(Self(socket))
    }

    /// Waits for a change, or until it has waited for as long as `longest`. What has changed is for the next
    /// look to find.
    pub(super) fn wait(&self, longest: Duration) -> Result<(), XfrmError> {
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(nix::Error::EINTR) => self.forget(),
            Err(error) => Err(of_nix(error)),
        }
    }

    /// Throws away what is known to have happened. There are keys in it, so that it is not even read.
    fn forget(&self) -> Result<(), XfrmError> {
        let mut beginning = [0; 4];
        loop {
            match recv(self.0.as_raw_fd(), &mut beginning, MsgFlags::MSG_DONTWAIT) {
                // ENOBUFS: there was no room for some. Whatever it was, it is looked for.
                Ok(_) | Err(nix::Error::EINTR | nix::Error::ENOBUFS) => {}
                Err(nix::Error::EAGAIN) => return Ok(()),
                Err(error) => return Err(of_nix(error)),
            }
        }
    }
}

fn open(groups: u32) -> Result<OwnedFd, XfrmError> {
    // SAFETY: a socket is created and owned here.
    let socket = unsafe {
        libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_XFRM)
    };
    if socket < 0 {
        return Err(error_of(io::Error::last_os_error()));
    }
    // SAFETY: `socket` is an open descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // Without an address of its own it would not be among those that hear of what the kernel says.
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups)).map_err(of_nix)?;
    Ok(socket)
}

fn of_nix(error: nix::Error) -> XfrmError {
    error_of(error.into())
}
