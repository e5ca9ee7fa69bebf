use sbc_user::sip::{MAX_MESSAGE, MAX_STREAM_HEAD, Malformed, Message, StreamFramer, StreamPiece};

use crate::Choices;

/// The longest stream that is also given byte by byte, which takes a while.
const LONGEST_IN_BYTES: usize = 4096;

/// What a stream yields: its pieces, and what ended it.
type Yield = (Vec<StreamPiece>, Option<Malformed>);

/// A stream yields the same messages and the same error however it is cut, no more than was sent, and nothing
/// beyond the limits.
pub fn framing(stream: &[u8]) {
    let whole = yielded(stream, || MAX_MESSAGE);
    let mut choices = Choices::of(stream);
    let scale = 1 << (choices.next() % 12);
    let cut = || usize::try_from(choices.next() % scale).unwrap_or_default() + 1;
    assert_eq!(yielded(stream, cut), whole);
    // Every place at once; longer streams are cut anywhere often enough by chance.
    if stream.len() <= LONGEST_IN_BYTES {
        assert_eq!(yielded(stream, || 1), whole);
    }
    check_pieces(stream, &whole.0);
}

fn yielded(stream: &[u8], mut length: impl FnMut() -> usize) -> Yield {
    let mut framer = StreamFramer::new();
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(length().min(rest.len()));
        rest = after;
        framer.push(chunk).expect("there is room for a read once all pieces are taken");
        loop {
            match framer.next_piece() {
                Ok(Some(piece)) => pieces.push(piece),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.push(b"INVITE"), Err(error));
                    assert_eq!(framer.next_piece(), Err(error));
                    return (pieces, Some(error));
                }
            }
        }
    }
    (pieces, None)
}

/// The pieces are the stream, in its order and without a byte more, but for CRLFs between them.
fn check_pieces(stream: &[u8], pieces: &[StreamPiece]) {
    let mut rest = stream;
    for piece in pieces {
        match piece {
            StreamPiece::Ping => {
                rest = rest.strip_prefix(b"\r\n\r\n").expect("a ping is two CRLFs");
            }
            StreamPiece::Message(message) => {
                let at = rest.strip_prefix(b"\r\n").unwrap_or(rest);
                rest = at.strip_prefix(&message[..]).expect("a message is a part of the stream");
                check_message(message);
            }
        }
    }
}

fn check_message(bytes: &[u8]) {
    assert!(bytes.len() <= MAX_MESSAGE);
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a blank line");
    assert!(head + 4 <= MAX_STREAM_HEAD);
    // The scanner cuts where the framer did.
    if let Ok(message) = Message::scan(bytes) {
        assert_eq!(message.bytes(), bytes);
        assert_eq!(message.body(), bytes.get(head + 4..).unwrap_or_default());
    }
}
