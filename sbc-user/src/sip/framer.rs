use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem;

use super::grammar::slice;
use super::head::{Head, MAX_MESSAGE};
use super::header::HeaderKind;
use super::malformed::Malformed;

/// The longest header section on a stream, its blank line included, in bytes.
pub const MAX_STREAM_HEAD: usize = 16 * 1024;

/// How much may be waiting: one message that is not complete, and one read on top of it.
const CAPACITY: usize = 2 * MAX_MESSAGE;

const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// What a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamPiece {
    /// One message, to be read by [`Message::scan`](super::Message::scan).
    Message(Bytes),
    /// Two CRLF between messages: the peer wants one CRLF back (RFC 5626 §4.4.1).
    Ping,
}

/// Cuts a TCP or TLS stream into messages (RFC 3261 §18.3).
///
/// Takes linear time however the bytes are split. After an error the boundaries of messages are lost:
/// every later call yields the same error, and the connection has to be closed.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    /// How much of the buffer is known not to hold a blank line.
    searched: usize,
    /// The length of the message at the front, once its header section is complete.
    expected: Option<usize>,
    failed: Option<Malformed>,
    /// How the message begins that failed it.
    refused: Bytes,
}

impl StreamFramer {
    /// Begins at a message boundary, with nothing waiting.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was read from the stream, at most 65,535 bytes at a time.
    ///
    /// [`next_piece`](Self::next_piece) has to be called until it yields `None` before the next read:
    /// more than 131,070 bytes waiting are an error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.buffer.len().saturating_add(bytes.len()) > CAPACITY {
            return Err(self.fail(Malformed::MessageTooLarge));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next piece that is complete; `None` if more has to be read first.
    pub fn next_piece(&mut self) -> Result<Option<StreamPiece>, Malformed> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.cut().map_err(|error| self.fail(error))
    }

    /// Whether the stream may end here: nothing but white space between messages is waiting.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// After an error, how what could not be cut begins: at most 16 KiB. Empty the second time.
    pub fn take_refused(&mut self) -> Bytes {
        std::mem::take(&mut self.refused)
    }

    fn cut(&mut self) -> Result<Option<StreamPiece>, Malformed> {
        let expected = match self.expected {
            Some(expected) => expected,
            None => match self.front()? {
                Front::Incomplete => return Ok(None),
                Front::Ping => return Ok(Some(StreamPiece::Ping)),
                Front::Message(length) => *self.expected.insert(length),
            },
        };
        if self.buffer.len() < expected {
            return Ok(None);
        }
        self.expected = None;
        self.searched = 0;
        Ok(Some(StreamPiece::Message(self.buffer.split_to(expected).freeze())))
    }

    /// Finds out what the buffer begins with, and takes CRLFs between messages out of it.
    fn front(&mut self) -> Result<Front, Malformed> {
        match &self.buffer[..] {
            [b'\r', b'\n', b'\r', b'\n', ..] => {
                self.buffer.advance(4);
                return Ok(Front::Ping);
            }
            [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Ok(Front::Incomplete),
            [b'\r', b'\n', ..] => self.buffer.advance(2),
            [..] => {}
        }
        match self.buffer.first() {
            Some(b'\r') => return Err(Malformed::BareCarriageReturn),
            Some(b'\n') => return Err(Malformed::BareLineFeed),
            Some(_) | None => {}
        }
        let unsearched = slice(&self.buffer, self.searched..self.buffer.len());
        let Some(found) = memmem::find(unsearched, BLANK_LINE) else {
            if self.buffer.len() >= MAX_STREAM_HEAD {
                return Err(Malformed::HeadTooLarge);
            }
            self.searched = self.buffer.len().saturating_sub(BLANK_LINE.len() - 1);
            return Ok(Front::Incomplete);
        };
        let end = self.searched + found + BLANK_LINE.len();
        if end > MAX_STREAM_HEAD {
            return Err(Malformed::HeadTooLarge);
        }
        message_length(slice(&self.buffer, 0..end)).map(Front::Message)
    }

    fn fail(&mut self, error: Malformed) -> Malformed {
        let mut refused = std::mem::take(&mut self.buffer);
        refused.truncate(MAX_STREAM_HEAD);
        self.refused = refused.freeze();
        *self.failed.insert(error)
    }
}

enum Front {
    Incomplete,
    Ping,
    Message(usize),
}

/// The length of the message whose header section this is. On a stream only `Content-Length` tells
/// where the body ends, so it has to be there (RFC 3261 §20.14).
fn message_length(head: &[u8]) -> Result<usize, Malformed> {
    let mut index = Head::new();
    index.scan(head)?;
    let body =
        index.content_length(head)?.ok_or(Malformed::MissingHeader(HeaderKind::ContentLength))?;
    let length = head.len().checked_add(body).filter(|length| *length <= MAX_MESSAGE);
    length.ok_or(Malformed::MessageTooLarge)
}
