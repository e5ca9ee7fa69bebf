use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rsip::headers::UntypedHeader as _;

use super::framer::pieces;
use super::sample::{INVITE, text};
use crate::sip::{
    HeaderKind, Message, NameAddr, Reply, Rewrite, StreamFramer, StreamPiece, Uri, Via,
};

/// Pieces that a message is made of, for mutations that random bytes would not find.
const PIECES: [&str; 32] = [
    "\r\n",
    "\r",
    "\n",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "<",
    ">",
    "\"",
    "\\",
    "@",
    "?",
    "=",
    "%",
    "%40",
    "[",
    "]",
    "/",
    "\r\n ",
    "\r\n\r\n",
    "From: <sip:e@evil.example>\r\n",
    "f: sip:e@evil.example\r\n",
    "l: 1\r\n",
    "Via: x\r\n",
    "sip:",
    "tag=1",
    ";tag",
    "*",
    "\u{ff}",
];

#[derive(Clone, Debug)]
enum Mutation {
    Insert(Index, &'static str),
    Overwrite(Index, u8),
    Delete(Index, u8),
    Repeat(Index, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), select(&PIECES[..])).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Overwrite(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Mutation::Delete(at, count)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ]
}

fn mutated(mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = INVITE.as_bytes().to_vec();
    for mutation in mutations {
        let (Mutation::Insert(at, _)
        | Mutation::Overwrite(at, _)
        | Mutation::Delete(at, _)
        | Mutation::Repeat(at, _)) = mutation;
        let at = at.index(bytes.len() + 1);
        let end = |count: u8| bytes.len().min(at + usize::from(count));
        match mutation {
            Mutation::Insert(_, piece) => drop(bytes.splice(at..at, piece.bytes())),
            Mutation::Overwrite(_, byte) => drop(bytes.splice(at..end(1), [*byte])),
            Mutation::Delete(_, count) => drop(bytes.drain(at..end(*count))),
            Mutation::Repeat(_, count) => {
                let part = bytes[at..end(*count)].to_vec();
                drop(bytes.splice(at..at, part));
            }
        }
    }
    bytes
}

fn source() -> SocketAddr {
    "[2001:db8::7]:4711".parse().unwrap()
}

/// Does everything that a relay does with whatever the scanner accepts.
fn exercise(bytes: &[u8]) {
    let _ = (Uri::parse(bytes), NameAddr::parse(bytes), Via::parse(bytes));
    let Ok(message) = Message::scan(bytes) else { return };
    assert_eq!(Message::scan(message.bytes()).unwrap().call_id(), message.call_id());
    for kind in HeaderKind::ALL {
        for value in message.values(*kind) {
            assert_eq!(&bytes[value.range], value.bytes);
        }
        let addresses = message.addresses(*kind).count();
        let is_list = matches!(kind, HeaderKind::Route | HeaderKind::PAssertedIdentity);
        assert!(!is_list || addresses == message.values(*kind).count());
    }
    assert_same_after_rewrite(&message);
    if let Ok(reply) = Reply::new(&message, 401, source(), b"sbc").header("X", "1").finish() {
        let reply = Message::scan(&reply).unwrap();
        assert_eq!(reply.from().raw, message.from().raw);
        assert_eq!(reply.call_id(), message.call_id());
        assert_eq!(reply.cseq(), message.cseq());
        assert_eq!(reply.to().tag, message.to().tag.or(Some(b"sbc")));
    }
}

fn assert_same_after_rewrite(message: &Message<'_>) {
    let mut out = Vec::new();
    Rewrite::new(message)
        .stamp_top_via(source())
        .insert_before_first(HeaderKind::Via, "Via", "SIP/2.0/UDP sbc.example;branch=z9hG4bKsbc")
        .remove_first_values(HeaderKind::Route, 1)
        .remove_all(HeaderKind::Subject)
        .append("X-Seen", "1")
        .write(&mut out)
        .unwrap();
    let written = match Message::scan(&out) {
        Ok(written) => written,
        Err(error) => panic!("{error}: {}", out.escape_ascii()),
    };
    assert_eq!(written.from().raw, message.from().raw);
    assert_eq!(written.to().raw, message.to().raw);
    assert_eq!(written.call_id(), message.call_id());
    assert_eq!(written.body(), message.body());
    assert_eq!(written.routes().count(), message.routes().count().saturating_sub(1));
    let below = written.values(HeaderKind::Via).nth(1).unwrap();
    assert_eq!(Via::parse(below.bytes).unwrap().received, Some(&b"2001:db8::7"[..]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..600)) {
        exercise(&bytes);
        pieces(&bytes, 7);
    }

    #[test]
    fn never_panics_on_pieces_of_messages(pieces in vec(select(&PIECES[..]), 0..30)) {
        exercise(pieces.concat().as_bytes());
    }

    #[test]
    fn writes_the_same_identity_that_it_read(mutations in vec(mutation(), 0..4)) {
        exercise(&mutated(&mutations));
    }

    #[test]
    fn pieces_are_the_same_however_the_bytes_are_split(
        mutations in vec(mutation(), 0..2),
        repeats in 1_usize..4,
        lengths in vec(1_usize..400, 1..40),
    ) {
        let stream = [&mutated(&mutations)[..], b"\r\n\r\n", INVITE.as_bytes()].concat().repeat(repeats);
        let whole = pieces(&stream, stream.len());
        prop_assert_eq!(&pieces(&stream, 1), &whole);
        let mut framer = StreamFramer::new();
        let mut split = Vec::new();
        let mut rest = &stream[..];
        let mut error = None;
        for length in lengths.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*length));
            rest = after;
            error = error.or(framer.push(chunk).err());
            loop {
                match framer.next_piece() {
                    Ok(Some(piece)) => split.push(piece),
                    Ok(None) => break,
                    Err(found) => { error = error.or(Some(found)); break; }
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&(split, error), &whole);
    }

    #[test]
    fn pieces_of_a_stream_are_whole_messages(mutations in vec(mutation(), 0..3)) {
        for piece in pieces(&mutated(&mutations), 64).0 {
            if let StreamPiece::Message(bytes) = piece
                && let Ok(message) = Message::scan(&bytes)
            {
                prop_assert_eq!(message.bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn reads_the_identity_that_another_library_wrote(
        user in "[a-z0-9_.+-]{1,20}",
        host in "[a-z][a-z0-9-]{0,10}(\\.[a-z][a-z0-9]{1,8}){0,3}",
        name in "[ a-zA-Z0-9<>,;@:]{0,20}",
        tag in "[a-zA-Z0-9]{1,20}",
        call_id in "[a-zA-Z0-9-]{1,30}@[a-z0-9.]{1,20}",
        number in 0_u32..1 << 31,
        body in vec(any::<u8>().prop_map(|byte| byte & 0x7f), 0..50),
    ) {
        let from = format!("\"{name}\" <sip:{user}@{host}>;tag={tag}");
        let request = rsip::Request {
            method: rsip::Method::Message,
            uri: rsip::Uri::try_from("sip:bob@biloxi.example").unwrap(),
            version: rsip::Version::V2,
            headers: vec![
                rsip::headers::Via::new("SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bKx").into(),
                rsip::headers::From::new(&from).into(),
                rsip::headers::To::new("<sip:bob@biloxi.example>").into(),
                rsip::headers::CallId::new(&call_id).into(),
                rsip::headers::CSeq::new(format!("{number} MESSAGE")).into(),
                rsip::headers::ContentLength::new(body.len().to_string()).into(),
            ]
            .into(),
            body: body.clone(),
        };
        let bytes: Vec<u8> = rsip::SipMessage::from(request).into();
        let message = Message::scan(&bytes).unwrap();
        prop_assert_eq!(text(message.from().raw), from);
        prop_assert_eq!(text(message.from().uri.user.unwrap()), user);
        prop_assert_eq!(text(message.from().uri.host), host);
        prop_assert_eq!(text(message.from().tag.unwrap()), tag);
        prop_assert_eq!(text(message.call_id()), call_id);
        prop_assert_eq!(message.cseq().number, number);
        prop_assert_eq!(message.cseq().method.as_bytes(), b"MESSAGE");
        prop_assert_eq!(message.body(), &body[..]);
    }
}
