//! Datagrams that are taken together, and others that leave together.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use tracing::debug;

/// Datagrams of one system call.
pub(super) const BATCH: usize = 32;
/// Room for the largest datagram that IP can carry, and ten lines of a cache more: the heads of a batch
/// would else be in the way of each other, at the same places of a cache.
const DATAGRAM_ROOM: usize = 65_536 + 10 * 64;

/// What answers usually need; a buffer grows for a longer one, and stays so. No power of two, for the same
/// reason.
const ANSWER_SIZE: usize = 1600;

/// Room for a batch and its answers.
pub(super) struct Desk {
    /// Of as many datagrams as a batch has, each in a room of its own.
    received: Vec<u8>,
    answers: Vec<Vec<u8>>,
    destinations: [Option<SockaddrStorage>; BATCH],
    outgoing: Outgoing,
}

/// What a batch is sent with.
pub(super) struct Outgoing(MultiHeaders<SockaddrStorage>);

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
            received: vec![0; BATCH * DATAGRAM_ROOM],
            answers: (0..BATCH).map(|_| Vec::with_capacity(ANSWER_SIZE)).collect(),
            destinations: [None; BATCH],
            outgoing: Outgoing::default(),
        }
    }

    /// Takes what waits at `socket`, at most a batch, has each datagram looked at by `serve`, and sends
    /// the answers that it leaves. Never blocks; what cannot be sent at once is lost, as datagrams are.
    /// Yields how many there were: fewer than a batch if no more waited.
    pub(super) fn serve(
        &mut self,
        socket: &UdpSocket,
        incoming: &mut Incoming,
        mut serve: impl FnMut(&[u8], SocketAddr, &mut Vec<u8>),
    ) -> Result<usize, Errno> {
        let mut lengths = [(0, None); BATCH];
        let mut count = 0;
        {
            let mut rooms = self.received.chunks_exact_mut(DATAGRAM_ROOM);
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
                std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
            let received = recvmmsg(
                socket.as_raw_fd(),
                &mut incoming.0,
                slices.iter_mut(),
                MsgFlags::MSG_DONTWAIT,
                None,
            )?;
            for (place, message) in lengths.iter_mut().zip(received) {
                *place = (message.bytes, message.address.as_ref().and_then(socket_address));
                count += 1;
            }
        }
        let mut due = 0;
        let rooms = self.received.chunks_exact(DATAGRAM_ROOM);
        for ((length, source), room) in lengths.iter().take(count).zip(rooms) {
            let (Some(source), Some(datagram)) = (source, room.get(..*length)) else { continue };
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
        let answers = self.answers.get(..due).unwrap_or_default();
        let destinations = self.destinations.get(..due).unwrap_or_default();
        self.outgoing.send(socket, answers, destinations, |sent| {
            if let Err(error) = sent {
                debug!(%error, "an answer could not be sent");
            }
        });
        Ok(count)
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self(MultiHeaders::preallocate(BATCH, None))
    }
}

impl Outgoing {
    /// Sends at most a batch of datagrams, each to its destination, and tells of each in turn whether the
    /// system took it. Never blocks.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        datagrams: &[Vec<u8>],
        destinations: &[Option<SockaddrStorage>],
        mut told: impl FnMut(Result<(), Errno>),
    ) {
        let due = datagrams.len().min(destinations.len()).min(BATCH);
        let mut done = 0;
        while done < due {
            let mut left = datagrams.iter().take(due).skip(done);
            let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| {
                [IoSlice::new(left.next().map_or(&[], |datagram| datagram.as_slice()))]
            });
            let to = destinations.get(done..due).unwrap_or_default();
            let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            match sendmmsg(fd, &mut self.0, slices.iter(), to, [], flags) {
                Ok(results) => {
                    let taken = results.count().max(1);
                    done += taken;
                    (0..taken).for_each(|_| told(Ok(())));
                }
                Err(Errno::EINTR) => {}
                // The first one cannot be sent; what comes after it may be for somebody else.
                Err(error) => {
                    done += 1;
                    told(Err(error));
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
