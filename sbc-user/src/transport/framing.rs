//! The only place that knows how a stream is cut into messages.

use bytes::Bytes;

pub(super) use crate::sip::Malformed;
use crate::sip::{Frame, StreamFramer};

/// What has arrived on one connection and is not yet received.
pub(super) struct Inbound(StreamFramer);

/// One piece of a stream.
pub(super) enum Piece {
    /// One whole message.
    Message(Bytes),
    /// A double CRLF between messages, which wants a single one back (RFC 5626 §3.5.1).
    Ping,
}

impl Inbound {
    pub(super) fn new() -> Self {
        Self(StreamFramer::new())
    }

    /// Appends what was read; all pieces must have been taken before.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.0.push(bytes)
    }

    /// The next piece, if it is complete.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Malformed> {
        Ok(self.0.next_frame()?.map(|frame| match frame {
            Frame::Message(message) => Piece::Message(message),
            Frame::Ping => Piece::Ping,
        }))
    }

    /// Whether a message has begun and was not taken; a lone CRLF begins none.
    pub(super) fn has_begun_message(&self) -> bool {
        !self.0.is_between_messages()
    }
}
