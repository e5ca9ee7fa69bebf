//! The messages that wait for one connection to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::{SEND_QUEUE_BYTES, SEND_QUEUE_MESSAGES, SendFailure};

/// How much may wait, and what happens when more does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    messages: usize,
    bytes: usize,
    /// Whether the connection ends then; otherwise only what finds no room is lost.
    is_last: bool,
}

/// For a connection of somebody who has come to us.
pub(super) const ACCEPTED: Room =
    Room { messages: SEND_QUEUE_MESSAGES, bytes: SEND_QUEUE_BYTES, is_last: true };
/// For a connection that carries what many others send: one who sends much must not end it for all of
/// them. Who reads nothing for long is disconnected by the network stack.
pub(super) const FOR_MANY: Room = Room { messages: 2048, bytes: 4 << 20, is_last: false };

/// The end of the queue that senders hold; dropping all of them does not end the connection.
#[derive(Clone)]
pub(super) struct SendQueue {
    messages: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    aborted: Arc<watch::Sender<bool>>,
    room: Room,
}

/// The end of the queue that the connection writes from.
pub(super) struct Waiting {
    messages: mpsc::Receiver<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

/// An empty queue.
pub(super) fn send_queue(room: Room) -> (SendQueue, Waiting) {
    let (sender, receiver) = mpsc::channel(room.messages);
    let waiting = Arc::new(AtomicUsize::new(0));
    let bytes = Arc::clone(&waiting);
    let aborted = Arc::new(watch::Sender::new(false));
    (SendQueue { messages: sender, waiting, aborted, room }, Waiting { messages: receiver, bytes })
}

impl SendQueue {
    /// Appends a message; when there is no room for it, the connection may be aborted.
    pub(super) fn push(&self, message: Vec<u8>) -> Result<(), SendFailure> {
        let size = message.len();
        if size > self.room.bytes {
            return Err(SendFailure::TooLarge);
        }
        if self.is_aborted() {
            return Err(SendFailure::NoConnection);
        }

        let reserved = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            waiting.checked_add(size).filter(|total| *total <= self.room.bytes)
        });
        if reserved.is_err() {
            self.overflow();
            return Err(SendFailure::QueueFull);
        }
        match self.messages.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.waiting.fetch_sub(size, Ordering::Relaxed);
                self.overflow();
                Err(SendFailure::QueueFull)
            }
            Err(TrySendError::Closed(_)) => Err(SendFailure::NoConnection),
        }
    }

    /// Ends the connection now, for all who hold its queue, if it is not for many.
    fn overflow(&self) {
        if self.room.is_last {
            self.aborted.send_replace(true);
        }
    }

    /// Whether the other one is an end of the same queue.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.waiting, &other.waiting)
    }

    /// Whether nothing more can be written to the connection.
    pub(super) fn is_closed(&self) -> bool {
        self.messages.is_closed()
    }

    /// Ends the connection.
    pub(super) fn abort(&self) {
        self.aborted.send_replace(true);
    }

    pub(super) fn is_aborted(&self) -> bool {
        *self.aborted.borrow()
    }

    /// Waits until the connection is to end.
    pub(super) async fn aborted(&self) {
        // The sender lives in `self`, so it cannot be gone.
        let _ = self.aborted.subscribe().wait_for(|aborted| *aborted).await;
    }
}

impl Waiting {
    /// The next message; `None` after [`Waiting::close`] when all were taken. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.messages.recv().await
    }

    /// Gives back the room of a message that was written.
    pub(super) fn written(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }

    /// All that has not been taken; nothing more is let in.
    pub(super) fn take_all(&mut self) -> Vec<Vec<u8>> {
        self.messages.close();
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }

    /// Lets no more messages in.
    pub(super) fn close(&mut self) {
        self.messages.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_full_by_number_and_its_connection_ends() {
        let (queue, _waiting) = send_queue(ACCEPTED);
        for _ in 0..SEND_QUEUE_MESSAGES {
            assert_eq!(queue.push(b"message".to_vec()), Ok(()));
        }

        assert_eq!(queue.push(b"message".to_vec()), Err(SendFailure::QueueFull));
        assert!(queue.is_aborted());
        assert_eq!(queue.push(b"message".to_vec()), Err(SendFailure::NoConnection));
    }

    #[test]
    fn a_queue_is_full_by_size() {
        let (queue, _waiting) = send_queue(ACCEPTED);
        assert_eq!(queue.push(vec![0; SEND_QUEUE_BYTES]), Ok(()));

        assert_eq!(queue.push(vec![0]), Err(SendFailure::QueueFull));
    }

    #[test]
    fn a_message_that_never_fits_is_refused_without_ending_the_connection() {
        let (queue, _waiting) = send_queue(ACCEPTED);

        assert_eq!(queue.push(vec![0; SEND_QUEUE_BYTES + 1]), Err(SendFailure::TooLarge));
        assert!(!queue.is_aborted());
    }

    #[test]
    fn a_connection_for_many_outlasts_what_finds_no_room() {
        let (queue, mut waiting) = send_queue(FOR_MANY);
        for _ in 0..FOR_MANY.messages {
            assert_eq!(queue.push(b"message".to_vec()), Ok(()));
        }
        assert_eq!(queue.push(b"message".to_vec()), Err(SendFailure::QueueFull));
        assert!(!queue.is_aborted());
        assert_eq!(waiting.take_all().len(), FOR_MANY.messages);
        assert_eq!(queue.push(b"message".to_vec()), Err(SendFailure::NoConnection));
    }

    #[tokio::test]
    async fn what_was_written_makes_room() {
        let (queue, mut waiting) = send_queue(ACCEPTED);
        for _ in 0..3 {
            assert_eq!(queue.push(vec![0; SEND_QUEUE_BYTES]), Ok(()));
            let message = waiting.next().await.unwrap();
            waiting.written(message.len());
        }
    }
}
