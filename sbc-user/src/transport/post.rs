//! Datagrams that are forwarded while a batch is served, and leave together.

use std::cell::RefCell;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use nix::sys::socket::SockaddrStorage;

use super::SendFailure;
use super::batch::{BATCH, Outgoing};

/// What one thread collects at most. Whoever serves a batch forwards one message for each of it.
const CAPACITY: usize = 2 * BATCH;

/// Stands for a datagram where its sender is told whether the system took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note(pub u8);

/// What became of a message that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Posted {
    /// It was sent, or waits in the queue of its connection.
    Sent,
    /// It leaves with others; [`Receiver::sent`](super::Receiver::sent) is told then.
    Collected,
}

thread_local! {
    static POST: RefCell<Post> = RefCell::default();
}

#[derive(Default)]
struct Post {
    is_open: bool,
    /// Messages that were queued for connections since this was last asked.
    queued: usize,
    letters: Letters,
    outgoing: Outgoing,
}

/// Datagrams in the order in which they leave; all lists are equally long.
#[derive(Default)]
struct Letters {
    sockets: Vec<Arc<UdpSocket>>,
    destinations: Vec<Option<SockaddrStorage>>,
    messages: Vec<Vec<u8>>,
    notes: Vec<Note>,
}

/// Has a batch served, sends what was forwarded meanwhile on this thread, and tells of each datagram
/// whether the system took it.
pub(super) fn send_together<T>(
    serve: impl FnOnce() -> T,
    mut told: impl FnMut(Note, Result<(), SendFailure>),
) -> T {
    let open = Open::now();
    let served = serve();
    drop(open);
    let sent = POST.with_borrow_mut(|post| post.letters.send(&mut post.outgoing));
    for (note, sent) in sent {
        told(note, sent);
    }
    served
}

/// Notes that this thread has queued a message for a connection.
pub(super) fn note_queued() {
    POST.with_borrow_mut(|post| post.queued = post.queued.saturating_add(1));
}

/// How many messages this thread has queued for connections since it was last asked.
pub(super) fn take_queued() -> usize {
    POST.with_borrow_mut(|post| mem::take(&mut post.queued))
}

/// While it lives, this thread collects; also a panic ends that.
struct Open;

impl Open {
    fn now() -> Self {
        POST.with_borrow_mut(|post| post.is_open = true);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        POST.with_borrow_mut(|post| post.is_open = false);
    }
}

/// Takes a datagram along, if this thread serves a batch; otherwise gives it back.
pub(super) fn collect(
    socket: &Arc<UdpSocket>,
    to: SocketAddr,
    message: Vec<u8>,
    note: Note,
) -> Result<Result<Posted, SendFailure>, Vec<u8>> {
    POST.with_borrow_mut(|post| {
        if !post.is_open {
            return Err(message);
        }
        let letters = &mut post.letters;
        if letters.notes.len() >= CAPACITY {
            return Ok(Err(SendFailure::QueueFull));
        }
        letters.sockets.push(Arc::clone(socket));
        letters.destinations.push(Some(SockaddrStorage::from(to)));
        letters.messages.push(message);
        letters.notes.push(note);
        Ok(Ok(Posted::Collected))
    })
}

impl Letters {
    /// Sends all, as many as follow each other through one socket in one system call.
    fn send(&mut self, outgoing: &mut Outgoing) -> Vec<(Note, Result<(), SendFailure>)> {
        let mut sent = Vec::with_capacity(self.notes.len());
        let mut first = 0;
        while let Some(socket) = self.sockets.get(first) {
            let rest = self.sockets.iter().skip(first);
            let count = rest.take_while(|other| Arc::ptr_eq(socket, other)).count().min(BATCH);
            let range = first..first + count;
            let messages = self.messages.get(range.clone()).unwrap_or_default();
            let destinations = self.destinations.get(range.clone()).unwrap_or_default();
            let mut notes = self.notes.iter().skip(first);
            outgoing.send(socket, messages, destinations, |result| {
                if let Some(note) = notes.next() {
                    sent.push((*note, result.map_err(SendFailure::from)));
                }
            });
            first = range.end;
        }
        self.sockets.clear();
        self.destinations.clear();
        self.messages.clear();
        self.notes.clear();
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> Arc<UdpSocket> {
        Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap())
    }

    /// What became of messages: when they were handed over, and what was told afterwards.
    struct Fate {
        posted: Vec<Result<Posted, SendFailure>>,
        told: Vec<(u8, Result<(), SendFailure>)>,
    }

    /// Sends these together from one socket to another, each with its place as its note.
    fn send(messages: &[Vec<u8>], to: &UdpSocket) -> Fate {
        let (from, to, mut told) = (socket(), to.local_addr().unwrap(), Vec::new());
        let post = |(note, message): (u8, &Vec<u8>)| {
            collect(&from, to, message.clone(), Note(note)).unwrap()
        };
        let posted = send_together(
            || (0..).zip(messages).map(post).collect(),
            |note, sent| told.push((note.0, sent)),
        );
        Fate { posted, told }
    }

    #[test]
    fn what_was_collected_leaves_in_its_order() {
        let to = socket();
        let messages: Vec<_> = (0..u8::try_from(CAPACITY).unwrap()).map(|it| vec![it]).collect();
        let Fate { posted, told } = send(&messages, &to);

        assert!(posted.iter().all(|posted| *posted == Ok(Posted::Collected)));
        let all: Vec<_> = (0..told.len()).map(|it| (u8::try_from(it).unwrap(), Ok(()))).collect();
        assert_eq!(told, all);
        for message in messages {
            let mut buffer = [0; 2];
            assert_eq!(to.recv(&mut buffer).unwrap(), 1);
            assert_eq!(buffer[..1], message);
        }
    }

    #[test]
    fn what_cannot_be_sent_keeps_nothing_else() {
        let to = socket();
        let Fate { told, .. } = send(&[vec![1], vec![0; 65_530], vec![3]], &to);
        assert_eq!(told, [(0, Ok(())), (1, Err(SendFailure::TooLarge)), (2, Ok(()))]);
    }

    #[test]
    fn no_more_is_collected_than_there_is_room_for() {
        let Fate { posted, told } = send(&vec![vec![1]; CAPACITY + 1], &socket());
        assert_eq!(told.len(), CAPACITY);
        assert_eq!(posted.last(), Some(&Err(SendFailure::QueueFull)));
    }

    #[test]
    fn nothing_is_collected_while_no_batch_is_served() {
        let to = socket().local_addr().unwrap();
        assert_eq!(collect(&socket(), to, vec![7], Note(0)), Err(vec![7]));
    }
}
