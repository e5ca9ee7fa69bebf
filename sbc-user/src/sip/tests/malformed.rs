use std::collections::BTreeSet;

use super::sample::{INVITE, error, invite_and, invite_from, invite_with};
use crate::sip::{HeaderKind, MAX_HEADERS, MAX_MESSAGE, Malformed, Message};

struct Row {
    what: &'static str,
    bytes: Vec<u8>,
    error: Malformed,
}

fn row(what: &'static str, bytes: Vec<u8>, error: Malformed) -> Row {
    Row { what, bytes, error }
}

fn line_rows() -> Vec<Row> {
    let too_many = "X: y\r\n".repeat(MAX_HEADERS);
    let with = invite_with;
    vec![
        row("nothing", vec![], Malformed::MissingBlankLine),
        row("65,536 bytes", vec![b'a'; MAX_MESSAGE + 1], Malformed::MessageTooLarge),
        row("106 headers", invite_and(too_many.trim_end()), Malformed::TooManyHeaders),
        row("CR in a value", with("lunch", "a\rb"), Malformed::BareCarriageReturn),
        row("CR at the end of a line", with("lunch", "a\r"), Malformed::BareCarriageReturn),
        row("LF hides a From", with("lunch", "x\nFrom: <sip:e@evil>"), Malformed::BareLineFeed),
        row("LF line ends", INVITE.replace("\r\n", "\n").into(), Malformed::BareLineFeed),
        row("NUL in a value", with("lunch", "a\0b"), Malformed::NulByte),
        row("NUL in a name", with("Subject", "Sub\0ject"), Malformed::NulByte),
        row("no blank line", with("\r\n\r\nv=0\n", "\r\n"), Malformed::MissingBlankLine),
        row("cut within a line", with("4\r\n\r\nv=0\n", "4"), Malformed::MissingBlankLine),
        row(
            "fold after the start line",
            with("Via: SIP/2.0/UDP", " Via: SIP/2.0/UDP"),
            Malformed::LeadingWhitespace,
        ),
        row("fold without content", with("lunch\r\n", "lunch\r\n \t\r\n"), Malformed::BlankFold),
        row("no colon", with("Subject: lunch", "Subject lunch"), Malformed::HeaderName),
        row("no name", with("Subject: lunch", ": lunch"), Malformed::HeaderName),
        row("a name of two words", with("Subject:", "Sub ject:"), Malformed::HeaderName),
        row("fold before the colon", with("Subject:", "Subject\r\n :"), Malformed::HeaderName),
        row("UTF-8 in a name", with("Subject:", "S\u{fc}bject:"), Malformed::HeaderName),
        row("leading CRLF", format!("\r\n{INVITE}").into(), Malformed::StartLine),
    ]
}

fn start_line_rows() -> Vec<Row> {
    let start = |line: &str| invite_with("INVITE sip:bob@biloxi.example SIP/2.0", line);
    let bad = Malformed::StartLine;
    vec![
        row("two spaces", start("INVITE  sip:bob@biloxi.example SIP/2.0"), bad),
        row("space at the end", start("INVITE sip:bob@biloxi.example SIP/2.0 "), bad),
        row("tab", start("INVITE\tsip:bob@biloxi.example SIP/2.0"), bad),
        row("space in the URI", start("INVITE sip:bob@biloxi.example; lr SIP/2.0"), bad),
        row("no version", start("INVITE sip:bob@biloxi.example"), bad),
        row("no URI", start("INVITE  SIP/2.0"), bad),
        row("method is no token", start("INV(ITE sip:bob@biloxi.example SIP/2.0"), bad),
        row("lower-case version", start("INVITE sip:bob@biloxi.example sip/2.0"), bad),
        row("version with a tail", start("INVITE sip:bob@biloxi.example SIP/2.0x"), bad),
        row("HTTP", start("GET / HTTP/1.1"), bad),
        row("status of two digits", start("SIP/2.0 20 OK"), bad),
        row("status of ten digits", start("SIP/2.0 4294967301 better not"), bad),
        row("status 700", start("SIP/2.0 700 Odd"), bad),
        row("status 099", start("SIP/2.0 099 Odd"), bad),
        row("no space after the status", start("SIP/2.0 200"), bad),
        row(
            "version 7.0",
            start("INVITE sip:bob@biloxi.example SIP/7.0"),
            Malformed::UnsupportedVersion,
        ),
        row(
            "version 2.9",
            start("INVITE sip:bob@biloxi.example SIP/2.9"),
            Malformed::UnsupportedVersion,
        ),
        row("status version 3.0", start("SIP/3.0 200 OK"), Malformed::UnsupportedVersion),
        row(
            "angle brackets",
            start("INVITE <sip:bob@biloxi.example> SIP/2.0"),
            Malformed::UriCharacter,
        ),
        row(
            "headers in the Request-URI",
            start("INVITE sip:b@h?P-Asserted-Identity=x SIP/2.0"),
            Malformed::RequestUriHeaders,
        ),
    ]
}

fn header_rows() -> Vec<Row> {
    let with = invite_with;
    let twice = Malformed::DuplicateHeader;
    let missing = Malformed::MissingHeader;
    vec![
        row("two From", invite_and("From: <sip:evil@evil.example>;tag=2"), twice(HeaderKind::From)),
        row("From and f", invite_and("f: <sip:evil@evil.example>;tag=2"), twice(HeaderKind::From)),
        row("To and t", invite_and("t: <sip:evil@evil.example>"), twice(HeaderKind::To)),
        row("Call-ID and I", invite_and("I: x"), twice(HeaderKind::CallId)),
        row("two CSeq", invite_and("CSEQ : 1 INVITE"), twice(HeaderKind::CSeq)),
        row("two Max-Forwards", invite_and("max-forwards: 70"), twice(HeaderKind::MaxForwards)),
        row("Content-Length and l", invite_and("l: 4"), twice(HeaderKind::ContentLength)),
        row("no From", with("\r\nFrom:", "\r\nFrum:"), missing(HeaderKind::From)),
        row("no To", with("\r\nTo:", "\r\nTu:"), missing(HeaderKind::To)),
        row("no Call-ID", with("\r\nCall-ID:", "\r\nCall-IE:"), missing(HeaderKind::CallId)),
        row("no CSeq", with("\r\nCSeq:", "\r\nCSec:"), missing(HeaderKind::CSeq)),
        row("no Via", INVITE.replace("Via:", "Vie:").into(), missing(HeaderKind::Via)),
        row("CSeq without method", with("314159 INVITE", "314159"), Malformed::CSeq),
        row("CSeq without space", with("314159 INVITE", "314159INVITE"), Malformed::CSeq),
        row("negative CSeq", with("314159 INVITE", "-1 INVITE"), Malformed::CSeq),
        row("CSeq with a tail", with("314159 INVITE", "1 INVITE x"), Malformed::CSeq),
        row("CSeq 2^31", with("314159 INVITE", "2147483648 INVITE"), Malformed::CSeqTooLarge),
        row(
            "CSeq of 23 digits",
            with("314159 INVITE", "36893488147419103232000 INVITE"),
            Malformed::CSeqTooLarge,
        ),
        row("other method", with("314159 INVITE", "1 OPTIONS"), Malformed::CSeqMethod),
        row("method in lower case", with("314159 INVITE", "1 invite"), Malformed::CSeqMethod),
        row("empty Call-ID", with("a84b4c76e66710@pc33.atlanta.example", ""), Malformed::CallId),
        row("Call-ID of two words", with("a84b4c76e66710@", "a b@"), Malformed::CallId),
        row("Max-Forwards 300", with("70", "300"), Malformed::MaxForwards),
        row("Max-Forwards -1", with("70", "-1"), Malformed::MaxForwards),
        row("Max-Forwards list", with("70", "70, 1"), Malformed::MaxForwards),
        row("Content-Length -999", with("Length: 4", "Length: -999"), Malformed::ContentLength),
        row("Content-Length +4", with("Length: 4", "Length: +4"), Malformed::ContentLength),
        row("Content-Length 4, 4", with("Length: 4", "Length: 4, 4"), Malformed::ContentLength),
        row("empty Content-Length", with("Length: 4", "Length: "), Malformed::ContentLength),
        row(
            "Content-Length overflow",
            with("Length: 4", "Length: 99999999999999999999"),
            Malformed::ContentLength,
        ),
        row("Content-Length 9999", with("Length: 4", "Length: 9999"), Malformed::BodyTooShort),
    ]
}

fn via_rows() -> Vec<Row> {
    let via = |value: &str| {
        let old = "SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKnashds8;rport";
        row("", invite_with(old, value), Malformed::Via)
    };
    [
        "",
        ", SIP/2.0/UDP a.example",
        "SIP/2.0/UDP a.example,, SIP/2.0/UDP b.example",
        "SIP/2.0/UDP",
        "SIP/2.0/UDPa.example",
        "SIP/3.0/UDP a.example",
        "HTTP/2.0/UDP a.example",
        "SIP/2.0 a.example",
        "SIP/2.0/UDP a.example:99999",
        "SIP/2.0/UDP a.example:",
        "SIP/2.0/UDP a b.example",
        "SIP/2.0/UDP 1.2.3",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP [2001:db8::1",
        "SIP/2.0/UDP 192.0.2.15;;,;,,",
        "SIP/2.0/UDP a.example;branch",
        "SIP/2.0/UDP a.example;branch=",
        "SIP/2.0/UDP a.example;branch=\"q\"",
        "SIP/2.0/UDP a.example;branch=1;branch=2",
        "SIP/2.0/UDP a.example;branch=1;BRANCH=1",
        "SIP/2.0/UDP a.example;received=192.0.2.1;received=192.0.2.2",
        "SIP/2.0/UDP a.example;rport;rport=5060",
        "SIP/2.0/UDP a.example;rport=x",
        "SIP/2.0/UDP a.example;maddr=192.0.2.1;maddr=192.0.2.2",
        "SIP/2.0/UDP a.example;x=<y>",
        "SIP/2.0/UDP a.example (comment)",
    ]
    .map(via)
    .into()
}

fn address_rows() -> Vec<Row> {
    let from = |value, error| row(value, invite_from(value), error);
    let and = |line, error| row(line, invite_and(line), error);
    vec![
        from("\"Alice <sip:a@b.example>;tag=1", Malformed::UnbalancedQuotes),
        from("\"Mr. J. User <sip:j@h.example>\" x\"", Malformed::UnbalancedQuotes),
        from("\"a\\\" <sip:a@b.example>", Malformed::UnbalancedQuotes),
        from("<sip:a@b.example;tag=1", Malformed::UnbalancedAngleBrackets),
        from("sip:a@b.example>;tag=1", Malformed::UnbalancedAngleBrackets),
        from("<sip:t@t.example> <sip:a@b.example>", Malformed::Parameter),
        from("<<sip:a@b.example>>", Malformed::UnbalancedAngleBrackets),
        from("", Malformed::NameAddr),
        from("\"Alice\" sip:a@b.example", Malformed::NameAddr),
        from("sip:t@t.example <sip:a@b.example>", Malformed::NameAddr),
        from("Bell, Alexander <sip:a@b.example>;tag=43", Malformed::NameAddr),
        from("sip:a@b.example,sip:c@d.example", Malformed::NameAddr),
        from("sip:a@b.example?x=y", Malformed::NameAddr),
        from("sip:trusted.example;a=b@evil.example", Malformed::Parameter),
        from("<sip:a@b.example>, <sip:c@d.example>", Malformed::Parameter),
        from("<sip:a@b.example> x", Malformed::Parameter),
        from("<sip:a@b.example>;;tag=1", Malformed::Parameter),
        from("<sip:a@b.example>;tag=1;", Malformed::Parameter),
        from("<sip:a@b.example>;x=\"y", Malformed::UnbalancedQuotes),
        from("<sip:a@b.example>;x=a b", Malformed::Parameter),
        from("<sip:a@b.example>;tag=1;tag=2", Malformed::Tag),
        from("<sip:a@b.example>;tag=1;TAG=1", Malformed::Tag),
        from("<sip:a@b.example>;tag", Malformed::Tag),
        from("<sip:a@b.example>;tag=\"1\"", Malformed::Tag),
        and("Contact: *, <sip:a@b.example>", Malformed::WildcardContact),
        and("m: *", Malformed::WildcardContact),
        and("Route: <sip:p3.example;lr>,", Malformed::NameAddr),
        and("Record-Route: \"x <sip:p3.example>", Malformed::UnbalancedQuotes),
        and("P-Asserted-Identity: <sip:a@b@c.example>", Malformed::UriSecondAt),
        and("Remote-Party-ID: Alice", Malformed::UriScheme),
        and("Path: *", Malformed::UriScheme),
        and("Refer-To: \"x <sip:a@b.example>", Malformed::UnbalancedQuotes),
        and("b: <sip:a@b.example", Malformed::UnbalancedAngleBrackets),
    ]
}

fn uri_rows() -> Vec<Row> {
    let uri = |uri: &'static str, error| row(uri, invite_from(&format!("<{uri}>;tag=1")), error);
    vec![
        uri("alice", Malformed::UriScheme),
        uri("1sip:alice@h.example", Malformed::UriScheme),
        uri(":alice@h.example", Malformed::UriScheme),
        uri("urn:", Malformed::UriScheme),
        uri(" sip:a@b.example", Malformed::UriCharacter),
        uri("sip:a b@c.example", Malformed::UriCharacter),
        uri("sip:trusted.example @evil.example", Malformed::UriCharacter),
        uri("sip:a\r\n b@c.example", Malformed::UriCharacter),
        uri("sip:a\tb@c.example", Malformed::UriCharacter),
        uri("sip:a\u{1}@c.example", Malformed::UriCharacter),
        uri("sip:a\u{7f}@c.example", Malformed::UriCharacter),
        uri("sip:\"a\"@c.example", Malformed::UriCharacter),
        uri("sip:alice@evil.example@example.com", Malformed::UriSecondAt),
        uri("sip:a@b.example;x=y@z.example", Malformed::UriSecondAt),
        uri("sip:@h.example", Malformed::UriUser),
        uri("sip:a%4@h.example", Malformed::UriUser),
        uri("sip:a%zz@h.example", Malformed::UriUser),
        uri("sip:a\\b@h.example", Malformed::UriUser),
        uri("sip:trusted.example:5060;x@evil.example", Malformed::UriUser),
        uri("tel:+1555@evil.example", Malformed::UriUser),
        uri("tel:", Malformed::UriUser),
        uri("sip:", Malformed::UriHost),
        uri("sip:a@", Malformed::UriHost),
        uri("sip:a@;lr", Malformed::UriHost),
        uri("sip:a@h..example", Malformed::UriHost),
        uri("sip:a@127.1", Malformed::UriHost),
        uri("sip:a@0x7f000001", Malformed::UriHost),
        uri("sip:a@2130706433", Malformed::UriHost),
        uri("sip:a@256.1.1.1", Malformed::UriHost),
        uri("sip:a@010.0.0.1", Malformed::UriHost),
        uri("sip:a@2001:db8::1", Malformed::UriHost),
        uri("sip:a@[2001:db8::1", Malformed::UriHost),
        uri("sip:a@[192.0.2.1]", Malformed::UriHost),
        uri("sip:a@[fe80::1%25eth0]", Malformed::UriHost),
        uri("sip:a@b\u{fc}.example", Malformed::UriHost),
        uri("sip:a@b.ex%61mple", Malformed::UriHost),
        uri("sip:a@[::1]x", Malformed::UriPort),
        uri("sip:a@h.example:", Malformed::UriPort),
        uri("sip:a@h.example:65536", Malformed::UriPort),
        uri("sip:a@h.example:+5060", Malformed::UriPort),
        uri("sip:a@h.example:005060", Malformed::UriPort),
        uri("sip:a@h.example;", Malformed::UriParameter),
        uri("sip:a@h.example;=x", Malformed::UriParameter),
        uri("sip:a@h.example;a=%x", Malformed::UriParameter),
        uri("sip:a@h.example;maddr=192.0.2.1;maddr=192.0.2.2", Malformed::UriParameter),
        uri("sip:a@h.example;lr;LR", Malformed::UriParameter),
        uri("tel:+1555;a=,", Malformed::UriParameter),
        uri("sip:a@h.example?", Malformed::UriHeaders),
        uri("sip:a@h.example?Subject=a%", Malformed::UriHeaders),
    ]
}

fn all_rows() -> impl Iterator<Item = Row> {
    [line_rows(), start_line_rows(), header_rows(), via_rows(), address_rows(), uri_rows()]
        .into_iter()
        .flatten()
}

#[test]
fn accepts_the_message_that_every_row_is_made_from() {
    assert_eq!(error(INVITE.as_bytes()), None);
}

#[test]
fn refuses_what_two_parsers_could_read_differently() {
    for Row { what, bytes, error: expected } in all_rows() {
        let found = error(&bytes);
        assert_eq!(found, Some(expected), "{what}: {}", bytes.escape_ascii());
    }
}

#[test]
fn has_a_row_for_every_reason() {
    let rows: BTreeSet<_> = all_rows().map(|row| row.error.name()).collect();
    let names = include_str!("../malformed.rs").lines().filter_map(|line| {
        line.trim().strip_prefix("Self::")?.split_once("=> \"")?.1.strip_suffix("\",")
    });
    // Only a stream can have a head that is too large: see the framer's tests.
    let names: BTreeSet<_> = names.filter(|name| *name != "head-too-large").collect();
    assert!(names.len() > 30);
    assert_eq!(rows, names);
}

#[test]
fn reads_the_largest_message_and_the_most_headers() {
    let headers = INVITE.lines().take_while(|line| !line.is_empty()).count() - 1;
    let filler = "X: y\r\n".repeat(MAX_HEADERS - headers + 1);
    let bytes = invite_and(filler.trim_end());
    assert_eq!(Message::scan(&bytes).unwrap().headers().count(), MAX_HEADERS);

    let room = MAX_MESSAGE - INVITE.len() + "lunch".len();
    let bytes = invite_with("lunch", &"x".repeat(room));
    assert_eq!(bytes.len(), MAX_MESSAGE);
    let message = Message::scan(&bytes).unwrap();
    assert_eq!(message.body(), b"v=0\n");
}
