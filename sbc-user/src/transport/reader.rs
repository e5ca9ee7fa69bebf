//! The reading half of a connection.

use std::convert::Infallible;
use std::ops::ControlFlow;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::connection::End;
use super::framing::{Inbound, Malformed, StreamPiece};
use super::queue::SendQueue;
use super::{Flow, Limits, Load, Receiver};

/// Bytes that are read at once.
const READ_SIZE: usize = 8 * 1024;
/// Pieces that are received at once; their answers must fit into the send queue.
const BATCH: usize = 16;
/// The answer to a ping (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// Cuts what the peer sends into messages, and watches the clock meanwhile.
pub(super) struct Reader<'a, R> {
    half: R,
    inbound: Inbound,
    deadlines: Deadlines,
    flow: &'a Flow,
    queue: &'a SendQueue,
    receiver: &'a dyn Receiver,
}

impl<'a, R: AsyncRead + Unpin> Reader<'a, R> {
    pub(super) fn new(
        half: R,
        deadlines: Deadlines,
        flow: &'a Flow,
        queue: &'a SendQueue,
        receiver: &'a dyn Receiver,
    ) -> Self {
        Self { half, inbound: Inbound::new(), deadlines, flow, queue, receiver }
    }

    /// Reads until the connection has to end.
    pub(super) async fn run(&mut self) -> End {
        match self.receive().await {
            ControlFlow::Break(end) => end,
            ControlFlow::Continue(never) => match never {},
        }
    }

    async fn receive(&mut self) -> ControlFlow<End, Infallible> {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let (deadline, late) = self.deadlines.next();
            let read = match timeout_at(deadline, self.half.read(&mut buffer)).await {
                Ok(Ok(0)) => return ControlFlow::Break(End::ByPeer),
                Ok(Ok(read)) => read,
                Ok(Err(error)) => return ControlFlow::Break(End::broken(self.flow, &error)),
                Err(_) => return ControlFlow::Break(late),
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            if let Err(error) = self.inbound.push(bytes) {
                return ControlFlow::Break(self.malformed(error));
            }
            // Lets the writer have its turn after each batch: who pipelines requests is owed the
            // answers to the first before the last is received.
            loop {
                let may_be_more = self.receive_batch()?;
                yield_now().await;
                if !may_be_more {
                    break;
                }
            }
        }
    }

    /// Hands on the pieces that are complete, at most a batch; returns whether there may be more.
    fn receive_batch(&mut self) -> ControlFlow<End, bool> {
        let mut pinged = false;
        let mut pieces = 0;
        while pieces < BATCH && !self.queue.is_aborted() {
            match self.inbound.next() {
                Ok(Some(StreamPiece::Message(message))) => {
                    self.deadlines.first_message = None;
                    let mut answer = Vec::new();
                    self.receiver.received(self.flow, &message, Load::Calm, &mut answer);
                    self.answer(answer);
                }
                Ok(Some(StreamPiece::Ping)) => pinged = true,
                Ok(None) => break,
                Err(error) => return ControlFlow::Break(self.malformed(error)),
            }
            pieces += 1;
        }
        // One answer to all pings of a batch: they ask whether we are there. When there is no room for
        // it, the queue ends the connection.
        if pinged {
            let _ = self.queue.push(PONG.to_vec());
        }
        self.deadlines.advance(Instant::now(), pieces > 0, self.inbound.has_begun_message());
        ControlFlow::Continue(pieces == BATCH)
    }

    fn malformed(&mut self, error: Malformed) -> End {
        let mut answer = Vec::new();
        self.receiver.broken_off(self.flow, &self.inbound.take_refused(), error, &mut answer);
        self.answer(answer);
        End::malformed(self.flow, error)
    }

    fn answer(&self, answer: Vec<u8>) {
        if !answer.is_empty()
            && let Err(failure) = self.queue.push(answer)
        {
            debug!(flow = %self.flow, %failure, "an answer could not be sent");
        }
    }

    /// Throws away what the peer still sends, until it closes.
    ///
    /// Closing a socket with unread bytes resets the connection, and takes back what was written.
    pub(super) async fn discard(&mut self) {
        let mut buffer = vec![0; READ_SIZE];
        while let Ok(1..) = self.half.read(&mut buffer).await {}
    }

    pub(super) fn into_half(self) -> R {
        self.half
    }
}

/// When the peer must have done something.
pub(super) struct Deadlines {
    limits: Limits,
    idle: Instant,
    first_message: Option<Instant>,
    partial_message: Option<Instant>,
}

impl Deadlines {
    /// Those of a connection made at `now`, by a peer that has proved an identity or not.
    pub(super) fn new(limits: Limits, now: Instant, is_identified: bool) -> Self {
        Self {
            limits,
            idle: now + limits.idle,
            first_message: (!is_identified).then(|| now + limits.first_message),
            partial_message: None,
        }
    }

    /// Takes note of what was read at `now`.
    fn advance(&mut self, now: Instant, complete: bool, partial: bool) {
        if complete {
            self.idle = now + self.limits.idle;
            self.partial_message = None;
        }
        // More bytes of the same message win no time: they could come one by one for ever.
        self.partial_message = match (partial, self.partial_message) {
            (false, _) => None,
            (true, Some(deadline)) => Some(deadline),
            (true, None) => Some(now + self.limits.partial_message),
        };
    }

    /// The first one, and how the connection ends if it passes.
    fn next(&self) -> (Instant, End) {
        let mut next = (self.idle, End::Idle);
        if let Some(deadline) = self.first_message.filter(|deadline| *deadline <= next.0) {
            next = (deadline, End::FirstMessageLate);
        }
        if let Some(deadline) = self.partial_message.filter(|deadline| *deadline <= next.0) {
            next = (deadline, End::PartialMessageLate);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn bytes_of_the_same_message_win_no_time() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(Limits::default(), start, true);

        deadlines.advance(start, false, true);
        deadlines.advance(start + SECOND, false, true);

        let (deadline, end) = deadlines.next();
        assert_eq!(deadline, start + Limits::default().partial_message);
        assert!(matches!(end, End::PartialMessageLate));
    }

    #[test]
    fn the_next_message_has_its_own_time() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(Limits::default(), start, true);

        deadlines.advance(start, false, true);
        deadlines.advance(start + SECOND, true, true);

        assert_eq!(deadlines.next().0, start + SECOND + Limits::default().partial_message);
    }

    #[test]
    fn an_identified_peer_may_stay_silent_until_it_is_idle() {
        let start = Instant::now();
        let deadlines = Deadlines::new(Limits::default(), start, true);

        let (deadline, end) = deadlines.next();
        assert_eq!(deadline, start + Limits::default().idle);
        assert!(matches!(end, End::Idle));
    }

    #[test]
    fn a_peer_without_identity_must_say_something_soon() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(Limits::default(), start, false);
        deadlines.advance(start + SECOND, true, false);

        let (deadline, end) = deadlines.next();
        assert_eq!(deadline, start + Limits::default().first_message);
        assert!(matches!(end, End::FirstMessageLate));
    }
}
