//! The messages that wait for one connection to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::{SEND_QUEUE_BYTES, SEND_QUEUE_MESSAGES, SendFailure};

/// The end of the queue that senders hold; dropping all of them does not end the connection.
#[derive(Clone)]
pub(super) struct SendQueue {
    messages: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    aborted: Arc<watch::Sender<bool>>,
}

/// The end of the queue that the connection writes from.
pub(super) struct Waiting {
    messages: mpsc::Receiver<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

/// An empty queue of [`SEND_QUEUE_MESSAGES`] and [`SEND_QUEUE_BYTES`].
pub(super) fn send_queue() -> (SendQueue, Waiting) {
    let (sender, receiver) = mpsc::channel(SEND_QUEUE_MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let bytes = Arc::clone(&waiting);
    let aborted = Arc::new(watch::Sender::new(false));
    (SendQueue { messages: sender, waiting, aborted }, Waiting { messages: receiver, bytes })
}

impl SendQueue {
    /// Appends a message; when there is no room for it, the connection is aborted.
    pub(super) fn push(&self, message: Vec<u8>) -> Result<(), SendFailure> {
        let size = message.len();
        if size > SEND_QUEUE_BYTES {
            return Err(SendFailure::TooLarge);
        }
        if self.is_aborted() {
            return Err(SendFailure::NoConnection);
        }

        let reserved = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            waiting.checked_add(size).filter(|total| *total <= SEND_QUEUE_BYTES)
        });
        if reserved.is_err() {
            self.abort();
            return Err(SendFailure::QueueFull);
        }
        match self.messages.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.abort();
                Err(SendFailure::QueueFull)
            }
            Err(TrySendError::Closed(_)) => Err(SendFailure::NoConnection),
        }
    }

    /// Ends the connection now, for all who hold its queue.
    fn abort(&self) {
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
        let (queue, _waiting) = send_queue();
        for _ in 0..SEND_QUEUE_MESSAGES {
            assert_eq!(queue.push(b"message".to_vec()), Ok(()));
        }

        assert_eq!(queue.push(b"message".to_vec()), Err(SendFailure::QueueFull));
        assert!(queue.is_aborted());
        assert_eq!(queue.push(b"message".to_vec()), Err(SendFailure::NoConnection));
    }

    #[test]
    fn a_queue_is_full_by_size() {
        let (queue, _waiting) = send_queue();
        assert_eq!(queue.push(vec![0; SEND_QUEUE_BYTES]), Ok(()));

        assert_eq!(queue.push(vec![0]), Err(SendFailure::QueueFull));
    }

    #[test]
    fn a_message_that_never_fits_is_refused_without_ending_the_connection() {
        let (queue, _waiting) = send_queue();

        assert_eq!(queue.push(vec![0; SEND_QUEUE_BYTES + 1]), Err(SendFailure::TooLarge));
        assert!(!queue.is_aborted());
    }

    #[tokio::test]
    async fn what_was_written_makes_room() {
        let (queue, mut waiting) = send_queue();
        for _ in 0..3 {
            assert_eq!(queue.push(vec![0; SEND_QUEUE_BYTES]), Ok(()));
            let message = waiting.next().await.unwrap();
            waiting.written(message.len());
        }
    }
}
