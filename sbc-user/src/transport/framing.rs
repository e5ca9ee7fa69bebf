//! The only place that knows how a stream is cut into messages.

use crate::sip::StreamFramer;
pub(super) use crate::sip::{Malformed, StreamPiece};

/// What has arrived on one connection and is not yet received.
pub(super) struct Inbound(StreamFramer);

impl Inbound {
    pub(super) fn new() -> Self {
        Self(StreamFramer::new())
    }

    /// Appends what was read; all pieces must have been taken before.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.0.push(bytes)
    }

    /// The next piece, if it is complete.
    pub(super) fn next(&mut self) -> Result<Option<StreamPiece>, Malformed> {
        self.0.next_piece()
    }

    /// After an error, the beginning of what could not be cut.
    pub(super) fn take_refused(&mut self) -> bytes::Bytes {
        self.0.take_refused()
    }

    /// Whether a message has begun and was not taken; a lone CRLF begins none.
    pub(super) fn has_begun_message(&self) -> bool {
        !self.0.is_between_messages()
    }
}
