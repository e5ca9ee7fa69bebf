//! Datagrams that are taken together, and answers that leave together.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use tracing::debug;

/// Datagrams of one system call.
pub(super) const BATCH: usize = 32;
/// The largest datagram that IP can carry.
const DATAGRAM_SIZE: usize = 65_535;

/// What answers usually need; a buffer grows for a longer one, and stays so.
const ANSWER_SIZE: usize = 2048;

/// Room for a batch and its answers.
pub(super) struct Desk {
    received: Vec<Box<[u8]>>,
    answers: Vec<Vec<u8>>,
    destinations: [Option<SockaddrStorage>; BATCH],
    outgoing: MultiHeaders<SockaddrStorage>,
}

/// What a batch of one socket is received with. Not to be shared: the kernel leaves the length of an
/// address in it, which differs between the families.
pub(super) struct Incoming(MultiHeaders<SockaddrStorage>);

impl Incoming {
    pub(super) fn new() -> Self {
        Self(MultiHeaders::preallocate(BATCH, None))
    }
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            received: (0..BATCH).map(|_| vec![0; DATAGRAM_SIZE].into_boxed_slice()).collect(),
            answers: (0..BATCH).map(|_| Vec::with_capacity(ANSWER_SIZE)).collect(),
            destinations: [None; BATCH],
            outgoing: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Takes what waits at `socket`, at most a batch, has each datagram looked at by `serve`, and sends
    /// the answers that it leaves. Never blocks; what cannot be sent at once is lost, as datagrams are.
    /// Yields how many it took.
    pub(super) fn serve(
        &mut self,
        socket: &UdpSocket,
        incoming: &mut Incoming,
        mut serve: impl FnMut(&[u8], SocketAddr, &mut Vec<u8>),
    ) -> Result<usize, Errno> {
        let mut taken = 0;
        let mut lengths = [(0, None); BATCH];
        {
            let mut buffers = self.received.iter_mut();
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
                [IoSliceMut::new(buffers.next().map_or(&mut [], |buffer| &mut buffer[..]))]
            });
            let received = recvmmsg(
                socket.as_raw_fd(),
                &mut incoming.0,
                slices.iter_mut(),
                MsgFlags::MSG_DONTWAIT,
                None,
            )?;
            for (place, message) in lengths.iter_mut().zip(received) {
                taken += 1;
                *place = (message.bytes, message.address.as_ref().and_then(socket_address));
            }
        }
        let mut due = 0;
        for ((length, source), buffer) in lengths.iter().zip(&self.received) {
            let (Some(source), Some(datagram)) = (source, buffer.get(..*length)) else { continue };
            let Some(answer) = self.answers.get_mut(due) else { break };
            answer.clear();
            serve(datagram, *source, answer);
            if !answer.is_empty()
                && let Some(destination) = self.destinations.get_mut(due)
            {
                *destination = Some(SockaddrStorage::from(*source));
                due += 1;
            }
        }
        self.send(socket, due);
        Ok(taken)
    }

    /// Sends the first `due` answers.
    fn send(&mut self, socket: &UdpSocket, due: usize) {
        let mut sent = 0;
        while sent < due {
            let mut answers = self.answers.iter().take(due).skip(sent);
            let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| {
                [IoSlice::new(answers.next().map_or(&[], |answer| answer.as_slice()))]
            });
            let destinations = self.destinations.get(sent..due).unwrap_or_default();
            let flags = MsgFlags::MSG_DONTWAIT;
            let fd = socket.as_raw_fd();
            match sendmmsg(fd, &mut self.outgoing, slices.iter(), destinations, [], flags) {
                Ok(results) => sent += results.count().max(1),
                Err(Errno::EINTR) => {}
                // The first one cannot be sent; what comes after it may be for somebody else.
                Err(error) => {
                    debug!(%error, "an answer could not be sent");
                    sent += 1;
                }
            }
        }
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    let v6 = || address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into()));
    v4().or_else(v6)
}
