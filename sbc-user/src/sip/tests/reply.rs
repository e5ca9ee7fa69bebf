use std::net::SocketAddr;

use super::sample::{INVITE, invite_and, invite_with, text};
use crate::sip::{FieldError, Message, Reply, ReplyError, StartLine, Via, reason_phrase};

fn source() -> SocketAddr {
    "192.0.2.9:1024".parse().unwrap()
}

fn stamped(via: &str, source: &str) -> String {
    let via = Via::parse(via.as_bytes()).unwrap();
    text(&via.stamped(source.parse().unwrap())).to_owned()
}

#[test]
fn stamps_the_top_via_by_the_book() {
    let rows = [
        // RFC 3261 §18.2.1: a name, and an address that is not the source.
        (
            "SIP/2.0/UDP h.example:5060;branch=1",
            "192.0.2.9:1",
            "SIP/2.0/UDP h.example:5060;branch=1;received=192.0.2.9",
        ),
        ("SIP/2.0/UDP 192.0.2.1", "192.0.2.9:1", "SIP/2.0/UDP 192.0.2.1;received=192.0.2.9"),
        // The address is the source: nothing to say, unless RFC 3581 §4 asks for both.
        ("SIP/2.0/UDP 192.0.2.9;branch=1", "192.0.2.9:1", "SIP/2.0/UDP 192.0.2.9;branch=1"),
        (
            "SIP/2.0/UDP 192.0.2.9;rport;branch=1",
            "192.0.2.9:1",
            "SIP/2.0/UDP 192.0.2.9;branch=1;received=192.0.2.9;rport=1",
        ),
        // What the sender filled in is replaced, never doubled.
        (
            "SIP/2.0/UDP 192.0.2.9;received=198.51.100.1",
            "192.0.2.9:1",
            "SIP/2.0/UDP 192.0.2.9;received=192.0.2.9",
        ),
        (
            "SIP/2.0/UDP h.example;Received=198.51.100.1;RPORT=7;x",
            "192.0.2.9:1",
            "SIP/2.0/UDP h.example;x;received=192.0.2.9;rport=1",
        ),
        // IPv6 goes in without brackets; a mapped address is an IPv4 one.
        (
            "SIP/2.0/TLS [2001:db8::1]:5061",
            "[2001:db8::2]:9",
            "SIP/2.0/TLS [2001:db8::1]:5061;received=2001:db8::2",
        ),
        ("SIP/2.0/TLS [2001:DB8::0:1]", "[2001:db8::1]:9", "SIP/2.0/TLS [2001:DB8::0:1]"),
        ("SIP/2.0/UDP 192.0.2.9", "[::ffff:192.0.2.9]:9", "SIP/2.0/UDP 192.0.2.9"),
        // Folds do not survive.
        (
            "SIP / 2.0\r\n / UDP h.example ;\r\n x = \"a\r\n b\"",
            "192.0.2.9:1",
            "SIP/2.0/UDP h.example;x=\"a   b\";received=192.0.2.9",
        ),
    ];
    for (via, source, expected) in rows {
        assert_eq!(stamped(via, source), expected);
    }
}

#[test]
fn challenges_a_request_without_losing_anything_it_has_to_copy() {
    let bytes = invite_and("v: SIP/2.0/UDP a.example,\r\n  SIP/2.0/UDP b.example");
    let request = Message::scan(&bytes).unwrap();
    let reply = Reply::new(&request, 407, source(), b"sbc-tag")
        .header("Proxy-Authenticate", "Digest realm=\"x\"")
        .header("Proxy-Authenticate", b"Digest realm=\"y\"")
        .finish()
        .unwrap();
    assert_eq!(
        text(&reply),
        "SIP/2.0 407 Proxy Authentication Required\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKnashds8;received=192.0.2.9;rport=1024\r\n\
         Via: SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bKlower\r\n\
         v: SIP/2.0/UDP a.example,\r\n  SIP/2.0/UDP b.example\r\n\
         From: \"Alice\" <sip:alice@atlanta.example;user=phone>;tag=1928301774\r\n\
         To: Bob <sip:bob@biloxi.example>;tag=sbc-tag\r\n\
         Call-ID: a84b4c76e66710@pc33.atlanta.example\r\n\
         CSeq: 314159 INVITE\r\n\
         Proxy-Authenticate: Digest realm=\"x\"\r\n\
         Proxy-Authenticate: Digest realm=\"y\"\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let read = Message::scan(&reply).unwrap();
    assert!(matches!(read.start_line(), StartLine::Response { status: 407 }));
    assert_eq!(read.to().tag, Some(&b"sbc-tag"[..]));
}

#[test]
fn stamps_the_first_of_several_values_in_one_via_line() {
    let lines = "pc33.atlanta.example:5066;branch=z9hG4bKnashds8;rport";
    let bytes = invite_with(lines, "a.example , SIP/2.0/UDP b.example");
    let request = Message::scan(&bytes).unwrap();
    let reply = Reply::new(&request, 403, source(), b"t").finish().unwrap();
    let expected = "\r\nVia: SIP/2.0/UDP a.example;received=192.0.2.9 , SIP/2.0/UDP b.example\r\n";
    assert!(text(&reply).contains(expected));
}

#[test]
fn names_what_was_required_of_a_proxy_that_supports_nothing() {
    let bytes = invite_and("Proxy-Require: magic,\r\n luck\r\nProxy-Require: more");
    let request = Message::scan(&bytes).unwrap();
    let required = "\r\nUnsupported: magic,\r\n luck\r\nUnsupported: more\r\n";
    let reply = Reply::new(&request, 420, source(), b"t").finish().unwrap();
    assert!(text(&reply).contains(required), "{}", text(&reply));
    let reply = Reply::new(&request, 400, source(), b"t").finish().unwrap();
    assert!(!text(&reply).contains("Unsupported"));
}

#[test]
fn leaves_the_to_tag_of_a_dialog_and_of_a_trying_alone() {
    let bytes = invite_with(
        "To: Bob <sip:bob@biloxi.example>",
        "t : sip:bob@b.example ; tag=own \r\nTimestamp: 5",
    );
    let request = Message::scan(&bytes).unwrap();
    let reply = Reply::new(&request, 481, source(), b"sbc").finish().unwrap();
    assert!(text(&reply).contains("\r\nt : sip:bob@b.example ; tag=own \r\n"));
    assert!(!text(&reply).contains("sbc") && !text(&reply).contains("Timestamp"));

    let bytes = invite_and("Timestamp: 5");
    let request = Message::scan(&bytes).unwrap();
    let reply = Reply::new(&request, 100, source(), b"sbc").finish().unwrap();
    assert!(text(&reply).starts_with("SIP/2.0 100 Trying\r\n"));
    assert!(text(&reply).contains("\r\nTo: Bob <sip:bob@biloxi.example>\r\n"));
    assert!(text(&reply).contains("\r\nTimestamp: 5\r\n"));
}

#[test]
fn adds_the_tag_to_a_bare_and_to_a_folded_address() {
    for to in ["sip:bob@b.example", "<sip:bob@b.example>\r\n ;x", "sip:bob@b.example\t "] {
        let bytes = invite_with("Bob <sip:bob@biloxi.example>", to);
        let request = Message::scan(&bytes).unwrap();
        let reply = Reply::new(&request, 404, source(), b"new").finish().unwrap();
        assert_eq!(Message::scan(&reply).unwrap().to().tag, Some(&b"new"[..]), "{to}");
    }
}

#[test]
fn refuses_replies_that_must_not_be_sent() {
    let ack = INVITE.replace("INVITE", "ACK");
    let response = invite_with("INVITE sip:bob@biloxi.example SIP/2.0", "SIP/2.0 200 OK");
    for bytes in [ack.as_bytes(), &response] {
        let request = Message::scan(bytes).unwrap();
        let reply = Reply::new(&request, 401, source(), b"t").finish();
        assert_eq!(reply, Err(ReplyError::NotAnswerable));
    }
    let request = Message::scan(INVITE.as_bytes()).unwrap();
    let reply = |status, tag: &[u8]| Reply::new(&request, status, source(), tag);
    assert_eq!(reply(99, b"t").finish(), Err(ReplyError::Status));
    assert_eq!(reply(700, b"t").finish(), Err(ReplyError::Status));
    assert_eq!(reply(401, b"").finish(), Err(ReplyError::Tag));
    assert_eq!(reply(401, b"a\r\nb").finish(), Err(ReplyError::Tag));
    let evil = reply(401, b"t").header("X", "1\r\nEvil: 2").finish();
    assert_eq!(evil, Err(ReplyError::Field(FieldError::Value)));
}

#[test]
fn has_a_phrase_for_every_status() {
    for status in 100..700 {
        assert!(!reason_phrase(status).is_empty());
    }
    assert_eq!(reason_phrase(401), "Unauthorized");
    assert_eq!(reason_phrase(606), "Not Acceptable");
    assert_eq!(reason_phrase(499), "Request Failure");
}

#[test]
fn an_answer_has_no_more_header_lines_than_we_read() {
    let answered = |vias: usize| {
        let more = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\n".repeat(vias - 1);
        let request = format!(
            "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             {more}From: <sip:a@b.example>;tag=1\r\nTo: <sip:b@b.example>\r\nCall-ID: one\r\n\
             CSeq: 1 OPTIONS\r\n\r\n"
        );
        let request = Message::scan(request.as_bytes()).unwrap();
        let reply = Reply::new(&request, 400, "192.0.2.1:5060".parse().unwrap(), b"own");
        reply.header("Warning", "399 sbc \"x\"").finish()
    };
    assert!(Message::scan(&answered(90).unwrap()).is_ok());
    assert_eq!(answered(91), Err(ReplyError::TooManyHeaders));
}
