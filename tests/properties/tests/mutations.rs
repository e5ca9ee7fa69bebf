//! Every property on messages with a few mistakes in them, without a fuzzer.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test panics")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sbc_properties::ALL;

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

/// The messages that mutations begin with.
static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/rfc4475");
    let names = ["wsinv", "esc01", "mpart01", "unreason", "cparam01", "bext01", "transports"];
    names.iter().map(|name| fs::read(folder.join(format!("{name}.dat"))).unwrap()).collect()
});

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

fn mutated(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
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

fn hold(bytes: &[u8]) {
    for (_, property) in ALL {
        property(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hold_for_any_bytes(bytes in vec(any::<u8>(), 0..600)) {
        hold(&bytes);
    }

    #[test]
    fn hold_for_pieces_of_messages(pieces in vec(select(&PIECES[..]), 0..30)) {
        hold(pieces.concat().as_bytes());
    }

    #[test]
    fn hold_for_messages_with_mistakes(
        message in select(&MESSAGES[..]),
        mutations in vec(mutation(), 0..4),
    ) {
        hold(&mutated(message, &mutations));
    }

    #[test]
    fn hold_for_streams_of_messages(
        message in select(&MESSAGES[..]),
        mutations in vec(mutation(), 0..2),
        repeats in 1_usize..4,
    ) {
        let good = &MESSAGES[0];
        hold(&[&mutated(message, &mutations)[..], b"\r\n\r\n", good].concat().repeat(repeats));
    }
}
