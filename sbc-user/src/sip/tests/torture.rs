//! The messages of RFC 4475 and RFC 5118; `tests/corpus/expected.toml` says what becomes of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::sample::{error, text};
use crate::sip::{HeaderKind, Malformed, Message, StartLine, Uri};

/// A row of the table.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    section: String,
    start: Option<String>,
    from: Option<String>,
    to: Option<String>,
    call_id: Option<String>,
    cseq: Option<u32>,
    via: Option<String>,
    body: Option<usize>,
    refused: Option<String>,
    #[serde(default)]
    stricter: bool,
    why: Option<String>,
}

impl Row {
    /// What the scanner makes of a message, in the words of the table.
    fn of(bytes: &[u8]) -> Self {
        let message = match Message::scan(bytes) {
            Ok(message) => message,
            Err(error) => return Self { refused: Some(error.name().into()), ..Self::default() },
        };
        let start = match message.start_line() {
            StartLine::Request { method, .. } => text(method.as_bytes()).to_owned(),
            StartLine::Response { status } => status.to_string(),
        };
        let via = message.top_via();
        Self {
            start: Some(start),
            from: Some(identity(&message.from().uri)),
            to: Some(identity(&message.to().uri)),
            call_id: Some(text(message.call_id()).to_owned()),
            cseq: Some(message.cseq().number),
            via: Some(format!("{}{}", text(via.host), with_colon(via.port))),
            body: Some(message.body().len()),
            ..Self::default()
        }
    }

    /// The row without what only people read.
    fn facts(&self) -> Self {
        Self { section: String::new(), stricter: false, why: None, ..self.clone() }
    }
}

/// `user@host:port` without parameters; what is no SIP URI, as a whole.
fn identity(uri: &Uri<'_>) -> String {
    if !uri.is_sip() {
        return text(uri.raw).to_owned();
    }
    let user = uri.user.map_or(String::new(), |user| format!("{}@", text(user)));
    format!("{user}{}{}", text(uri.host), with_colon(uri.port))
}

fn with_colon(port: Option<u16>) -> String {
    port.map_or(String::new(), |port| format!(":{port}"))
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus")
}

fn message_of(rfc: &str, name: &str) -> Vec<u8> {
    fs::read(corpus().join(rfc).join(format!("{name}.dat"))).unwrap()
}

fn table() -> BTreeMap<String, BTreeMap<String, Row>> {
    toml::from_str(&fs::read_to_string(corpus().join("expected.toml")).unwrap()).unwrap()
}

#[test]
fn reads_or_refuses_every_torture_message_as_the_table_says() {
    for (rfc, rows) in table() {
        for (name, row) in rows {
            assert_eq!(Row::of(&message_of(&rfc, &name)), row.facts(), "{rfc} {name}");
        }
    }
}

#[test]
fn the_table_has_every_message_and_a_reason_for_every_refusal() {
    for (rfc, count) in [("rfc4475", 49), ("rfc5118", 12)] {
        let rows = &table()[rfc];
        let files: BTreeSet<String> = fs::read_dir(corpus().join(rfc))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(files.len(), count, "{rfc}");
        assert!(files.iter().eq(rows.keys()), "{rfc}");
        for (name, row) in rows {
            assert!(!row.section.is_empty(), "{rfc} {name}");
            assert!(row.refused.is_none() || row.why.is_some(), "{rfc} {name}");
            assert!(row.refused.is_some() || !row.stricter, "{rfc} {name}");
        }
    }
}

/// The row only says that the NUL is refused.
#[test]
fn reads_every_character_that_is_legal_somewhere() {
    let mut bytes = message_of("rfc4475", "intmeth");
    let nul = bytes.iter().position(|byte| *byte == 0).unwrap();
    bytes[nul] = 1;
    let message = Message::scan(&bytes).unwrap();
    let StartLine::Request { uri, method } = message.start_line() else { panic!("a request") };
    assert_eq!(method.as_bytes(), b"!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(uri.user, Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..]));
    assert_eq!(uri.password, Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]));
    assert_eq!(uri.host, b"example.com");
    assert_eq!(message.from().uri.raw, b"sip:mundane@example.com");
    assert_eq!(message.from().tag, Some(&b"_token~1'+`*%!-."[..]));
    assert_eq!(message.call_id(), b"intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
}

#[test]
fn reads_white_space_folds_and_compact_forms_wherever_they_are_legal() {
    let bytes = message_of("rfc4475", "wsinv");
    let message = Message::scan(&bytes).unwrap();
    assert_eq!(message.to().tag, Some(&b"1918181833n"[..]));
    assert_eq!(message.from().tag, Some(&b"98asjd8"[..]));
    assert_eq!(message.from().display_name, Some(&b"\"J Rosenberg \\\\\\\"\""[..]));
    assert_eq!(message.max_forwards(), Some(68));
    assert_eq!(message.top_via().branch, Some(&b"390skdjuw"[..]));
    assert_eq!(message.values(HeaderKind::Via).count(), 3);
    assert_eq!(message.header(HeaderKind::Subject).unwrap().value, b"");
    assert_eq!(message.routes().next().unwrap().uri.param(b"unknown-no-value"), Some(&b""[..]));
    let contact = message.contacts().next().unwrap();
    assert_eq!(contact.param(b"q"), Some(&b"0.33"[..]));
    assert_eq!(contact.param(b"newparam"), Some(&b"newvalue"[..]));
}

#[test]
fn reads_what_single_messages_are_about() {
    let contacts =
        |name: &str| Message::scan(&message_of("rfc4475", name)).unwrap().contacts().count();
    // `C%6Fntact` is another header.
    assert_eq!(contacts("esc02"), 2);
    assert_eq!(contacts("escnull"), 2);

    let bytes = message_of("rfc4475", "semiuri");
    let message = Message::scan(&bytes).unwrap();
    let StartLine::Request { uri, .. } = message.start_line() else { panic!("a request") };
    assert!(uri.user_is(b"user;par=u@example.net"));

    for (name, of_header, of_uri) in [("cparam01", true, false), ("cparam02", false, true)] {
        let bytes = message_of("rfc4475", name);
        let contact = Message::scan(&bytes).unwrap().contacts().next().unwrap();
        assert_eq!(contact.param(b"unknownparam").is_some(), of_header, "{name}");
        assert_eq!(contact.uri.param(b"unknownparam").is_some(), of_uri, "{name}");
    }

    let bytes = message_of("rfc4475", "regescrt");
    let contact = Message::scan(&bytes).unwrap().contacts().next().unwrap();
    assert_eq!(contact.uri.headers, b"Route=%3Csip:sip.example.com%3E");

    let bytes = message_of("rfc4475", "zeromf");
    assert_eq!(Message::scan(&bytes).unwrap().max_forwards(), Some(0));

    let ports = [("port-ambiguous", None), ("port-unambiguous", Some(5070))];
    for (name, port) in ports {
        let bytes = message_of("rfc5118", name);
        let StartLine::Request { uri, .. } = Message::scan(&bytes).unwrap().start_line() else {
            panic!("a request")
        };
        assert_eq!(uri.port, port, "{name}");
    }

    let received = [("via-received-param-with-delim", "["), ("via-received-param-no-delim", "2")];
    for (name, first) in received {
        let bytes = message_of("rfc5118", name);
        let received = Message::scan(&bytes).unwrap().top_via().received.unwrap();
        assert!(received.starts_with(first.as_bytes()), "{name}");
    }
}

/// A torture message can be refused for its first mistake only.
#[test]
fn refuses_each_mistake_of_a_message_that_has_several() {
    let repaired = |name: &str, part: &str, repair: &str| {
        let whole = message_of("rfc4475", name);
        let text = text(&whole);
        assert_eq!(text.matches(part).count(), 1, "{part}");
        error(text.replace(part, repair).as_bytes())
    };
    assert_eq!(repaired("badinv01", "15;;,;,,", "15"), Some(Malformed::Parameter));
    assert_eq!(repaired("scalar02", "36893488147419103232", "1"), Some(Malformed::MaxForwards));
    let missing = |kind| Some(Malformed::MissingHeader(kind));
    assert_eq!(error(&message_of("rfc4475", "insuf")), missing(HeaderKind::From));
    let twice = |kind| Some(Malformed::DuplicateHeader(kind));
    assert_eq!(error(&message_of("rfc4475", "mcl01")), twice(HeaderKind::ContentLength));
    assert_eq!(error(&message_of("rfc4475", "multi01")), twice(HeaderKind::CSeq));
}
