use super::sample::{INVITE, invite_with};
use crate::sip::{HeaderKind, MAX_STREAM_HEAD, Malformed, StreamFramer, StreamPiece};

/// Everything a stream yields when it arrives in chunks of that length, and how it ends.
pub(super) fn pieces(stream: &[u8], chunk: usize) -> (Vec<StreamPiece>, Option<Malformed>) {
    let mut framer = StreamFramer::new();
    let mut yielded = Vec::new();
    for chunk in stream.chunks(chunk) {
        framer.push(chunk).unwrap();
        loop {
            match framer.next_piece() {
                Ok(Some(piece)) => yielded.push(piece),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.next_piece(), Err(error));
                    assert_eq!(framer.push(b"x"), Err(error));
                    return (yielded, Some(error));
                }
            }
        }
    }
    (yielded, None)
}

fn message(text: &str) -> StreamPiece {
    StreamPiece::Message(text.as_bytes().to_vec().into())
}

#[test]
fn cuts_a_stream_into_messages_and_pings() {
    let empty = INVITE.replace("Length: 4", "Length: 0").replace("v=0\n", "");
    let compact = INVITE.replace("Content-Length: 4", "l : 4");
    let stream = format!("\r\n{INVITE}{empty}\r\n\r\n\r\n{compact}\r\n\r\n\r\n\r\n{INVITE}\r\n");
    let expected = [
        message(INVITE),
        message(&empty),
        StreamPiece::Ping,
        message(&compact),
        StreamPiece::Ping,
        StreamPiece::Ping,
        message(INVITE),
    ];
    for chunk in [1, 2, 3, 5, 100, stream.len()] {
        assert_eq!(pieces(stream.as_bytes(), chunk), (expected.to_vec(), None));
    }
}

#[test]
fn closes_a_stream_whose_boundaries_are_lost() {
    let with = |part: &str, new: &str| invite_with(part, new);
    let missing = Malformed::MissingHeader(HeaderKind::ContentLength);
    let twice = Malformed::DuplicateHeader(HeaderKind::ContentLength);
    let endless = format!("INVITE sip:a@b.example SIP/2.0\r\nX: {}", "x".repeat(MAX_STREAM_HEAD));
    let late = with("lunch", &"x".repeat(MAX_STREAM_HEAD));
    let rows = [
        (with("Content-Length: 4\r\n", ""), missing),
        (with("Subject: lunch", "l: 5"), twice),
        (with("Subject: lunch", "l: 4"), twice),
        (with("Length: 4", "Length: 4x"), Malformed::ContentLength),
        (with("Length: 4", "Length: 65535"), Malformed::MessageTooLarge),
        (with("Length: 4", "Length: 4294967295"), Malformed::MessageTooLarge),
        (with("lunch", "a\nContent-Length: 0"), Malformed::BareLineFeed),
        (with("lunch", "a\rb"), Malformed::BareCarriageReturn),
        (endless.into_bytes(), Malformed::HeadTooLarge),
        (late, Malformed::HeadTooLarge),
        (b"\n\n\n".to_vec(), Malformed::BareLineFeed),
        (b"\rINVITE".to_vec(), Malformed::BareCarriageReturn),
        (b"\r\n\rINVITE".to_vec(), Malformed::BareCarriageReturn),
    ];
    for (stream, error) in rows {
        for chunk in [1, 7, stream.len()] {
            assert_eq!(pieces(&stream, chunk), (vec![], Some(error)), "{}", stream.escape_ascii());
        }
    }
}

#[test]
fn yields_what_came_before_the_error() {
    let stream = format!("{INVITE}\n");
    assert_eq!(
        pieces(stream.as_bytes(), 9),
        (vec![message(INVITE)], Some(Malformed::BareLineFeed))
    );
}

#[test]
fn takes_the_largest_head_and_the_largest_message() {
    let head = INVITE.find("v=0").unwrap();
    let bytes = invite_with("lunch", &"x".repeat(MAX_STREAM_HEAD - head + "lunch".len()));
    for chunk in [1000, MAX_STREAM_HEAD] {
        assert_eq!(pieces(&bytes, chunk).0.len(), 1);
    }
    let room = 65_535 - (head + 4);
    let mut bytes = invite_with("Length: 4", &format!("Length: {room}"));
    bytes.resize(65_535, b'x');
    assert_eq!(pieces(&bytes, 60_000).0.len(), 1);
}

#[test]
fn holds_no_more_than_its_bound() {
    let mut framer = StreamFramer::new();
    let read = vec![b'x'; 65_535];
    framer.push(&read).unwrap();
    framer.push(&read).unwrap();
    assert_eq!(framer.push(b"x"), Err(Malformed::MessageTooLarge));
    assert_eq!(framer.next_piece(), Err(Malformed::MessageTooLarge));
}

#[test]
fn knows_whether_the_stream_may_end() {
    let mut framer = StreamFramer::new();
    assert!(framer.is_between_messages());
    framer.push(b"\r\n").unwrap();
    assert_eq!(framer.next_piece(), Ok(None));
    assert!(framer.is_between_messages());
    framer.push(b"INVITE").unwrap();
    assert_eq!(framer.next_piece(), Ok(None));
    assert!(!framer.is_between_messages());
}
