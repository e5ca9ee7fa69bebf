use rsip::Method as KnownMethod;

use super::sample::{INVITE, error, invite_and, invite_with, text};
use crate::sip::{HeaderKind, Message, Method, Rport, StartLine, Via};

#[test]
fn reads_the_request_line_and_the_single_headers() {
    let message = Message::scan(INVITE.as_bytes()).unwrap();
    let StartLine::Request { method, uri } = message.start_line() else {
        panic!("it is a request");
    };
    assert!(method.is(KnownMethod::Invite));
    assert_eq!(uri.raw, b"sip:bob@biloxi.example");
    assert_eq!(message.to().uri.user, Some(&b"bob"[..]));
    assert_eq!(message.to().tag, None);
    assert_eq!(message.call_id(), b"a84b4c76e66710@pc33.atlanta.example");
    assert_eq!((message.cseq().number, message.cseq().method), (314_159, method));
    assert_eq!(message.max_forwards(), Some(70));
    assert_eq!(message.body(), b"v=0\n");
    assert_eq!(message.bytes(), INVITE.as_bytes());
}

#[test]
fn reads_a_response_with_and_without_a_reason() {
    for line in
        ["SIP/2.0 200 OK", "SIP/2.0 200 ", "SIP/2.0 200 \u{442}\u{435}\u{43a}\u{441}\u{442}"]
    {
        let bytes = invite_with("INVITE sip:bob@biloxi.example SIP/2.0", line);
        let message = Message::scan(&bytes).unwrap();
        assert!(matches!(message.start_line(), StartLine::Response { status: 200 }));
    }
}

#[test]
fn keeps_methods_that_it_does_not_know() {
    let bytes = INVITE.replace("INVITE", "invite").into_bytes();
    let message = Message::scan(&bytes).unwrap();
    assert_eq!(message.cseq().method, Method::Extension(b"invite"));
    assert_eq!(message.cseq().method.as_bytes(), b"invite");
}

#[test]
fn names_every_standard_method_as_it_is_on_the_wire() {
    for known in KnownMethod::all() {
        let name = known.to_string();
        let bytes = INVITE.replace("INVITE", &name).into_bytes();
        let method = Message::scan(&bytes).unwrap().cseq().method;
        assert!(method.is(known));
        assert_eq!(text(method.as_bytes()), name);
    }
}

#[test]
fn names_every_header_in_any_case() {
    for kind in HeaderKind::ALL {
        assert_eq!(HeaderKind::of(kind.name().as_bytes()), *kind);
        assert_eq!(HeaderKind::of(kind.name().to_uppercase().as_bytes()), *kind);
    }
    let compact = [
        ("v", HeaderKind::Via),
        ("f", HeaderKind::From),
        ("t", HeaderKind::To),
        ("i", HeaderKind::CallId),
        ("m", HeaderKind::Contact),
        ("l", HeaderKind::ContentLength),
        ("c", HeaderKind::ContentType),
        ("e", HeaderKind::ContentEncoding),
        ("k", HeaderKind::Supported),
        ("s", HeaderKind::Subject),
        ("o", HeaderKind::Event),
        ("u", HeaderKind::AllowEvents),
        ("r", HeaderKind::ReferTo),
        ("b", HeaderKind::ReferredBy),
        ("x", HeaderKind::SessionExpires),
        ("y", HeaderKind::Identity),
        ("z", HeaderKind::Other),
        ("X-Other", HeaderKind::Other),
    ];
    for (name, kind) in compact {
        assert_eq!(HeaderKind::of(name.as_bytes()), kind);
        assert_eq!(HeaderKind::of(name.to_uppercase().as_bytes()), kind);
    }
}

#[test]
fn lists_headers_with_the_range_of_their_whole_line() {
    let bytes = invite_and("NewFangled :  new \r\n\t fangled  \r\nEmpty:");
    let message = Message::scan(&bytes).unwrap();
    let header = message.headers().find(|header| header.name == b"NewFangled").unwrap();
    assert_eq!(header.kind, HeaderKind::Other);
    assert_eq!(text(header.value), "new \r\n\t fangled");
    assert_eq!(text(&bytes[header.line]), "NewFangled :  new \r\n\t fangled  \r\n");
    let empty = message.headers().find(|header| header.name == b"Empty").unwrap();
    assert_eq!(text(&bytes[empty.line]), "Empty:\r\n");
    assert_eq!(empty.value, b"");
    let joined: Vec<u8> =
        message.headers().flat_map(|header| bytes[header.line].to_vec()).collect();
    let start = text(&bytes).find("\r\n").unwrap() + 2;
    assert_eq!(joined, &bytes[start..start + joined.len()]);
}

#[test]
fn finds_where_a_part_is_in_the_message() {
    let message = Message::scan(INVITE.as_bytes()).unwrap();
    let range = message.range_of(message.from().uri.raw).unwrap();
    assert_eq!(&INVITE[range], "sip:alice@atlanta.example;user=phone");
    assert_eq!(message.range_of(&[0; 4]), None);
}

#[test]
fn cuts_the_body_to_its_content_length() {
    let rows = [("4", "v=0\n"), ("0", ""), ("3 ", "v=0"), ("000002", "v=")];
    for (length, body) in rows {
        let bytes = invite_with("Length: 4", &format!("Length: {length}"));
        let message = Message::scan(&bytes).unwrap();
        assert_eq!(text(message.body()), body);
        assert!(text(message.bytes()).ends_with(&format!("\r\n\r\n{body}")));
    }
    let bytes = invite_with("Content-Length: 4\r\n", "");
    assert_eq!(Message::scan(&bytes).unwrap().body(), b"v=0\n");
}

#[test]
fn leaves_bodies_alone() {
    let mut bytes = invite_with("v=0\n", "");
    bytes.extend_from_slice(b"\x00\r\n\xff");
    assert_eq!(Message::scan(&bytes).unwrap().body(), b"\x00\r\n\xff");
}

#[test]
fn passes_opaque_bytes_in_headers_that_it_does_not_read() {
    let mut bytes = invite_and("X-Opaque: xy\r\nUnknown: ;;,,;;,;\"<");
    let at = bytes.windows(2).position(|pair| pair == b"xy").unwrap();
    bytes[at] = 0xff;
    bytes[at + 1] = 0x01;
    assert!(Message::scan(&bytes).is_ok());
}

#[test]
fn reads_the_top_via_and_all_of_its_parts() {
    let message = Message::scan(INVITE.as_bytes()).unwrap();
    let via = message.top_via();
    assert_eq!((via.transport, via.host), (&b"UDP"[..], &b"pc33.atlanta.example"[..]));
    assert_eq!((via.port, via.branch), (Some(5066), Some(&b"z9hG4bKnashds8"[..])));
    assert_eq!((via.received, via.rport), (None, Rport::Empty));
    let lower = message.values(HeaderKind::Via).nth(1).unwrap();
    let lower = Via::parse(lower.bytes).unwrap();
    assert_eq!(lower.host_ip(), Some("2001:db8::9".parse().unwrap()));
}

#[test]
fn reads_a_via_with_white_space_everywhere() {
    let via = Via::parse(
        b"SIP  /   2.0\r\n /UDP\r\n    192.0.2.2 : 5060 ; branch =\r\n 390skdjuw ; rport = 1 ;x=\"a;b\"",
    )
    .unwrap();
    assert_eq!((via.transport, via.port), (&b"UDP"[..], Some(5060)));
    assert_eq!((via.branch, via.rport), (Some(&b"390skdjuw"[..]), Rport::Port(1)));
    assert_eq!(via.param(b"X"), Some(&b"\"a;b\""[..]));
    assert_eq!(via.params().all().count(), 3);
}

#[test]
fn tolerates_a_via_without_branch_and_with_an_odd_one() {
    let odd =
        Via::parse(b"SIP/2.0/TLS a.example;branch=z9hG4bK-a/b==;received=2001:db8::1").unwrap();
    assert_eq!(odd.branch, Some(&b"z9hG4bK-a/b=="[..]));
    assert_eq!(odd.received, Some(&b"2001:db8::1"[..]));
    assert_eq!(Via::parse(b"SIP/2.0/DCCP a.example").unwrap().branch, None);
}

#[test]
fn accepts_what_is_odd_but_legal() {
    let bytes =
        invite_with("INVITE sip:bob@biloxi.example SIP/2.0", "INVITE tel:+15551234567 SIP/2.0");
    assert_eq!(error(&bytes), None);
    for line in [
        "Alert-Info: <http://example.com/x>",
        "Warning: 1812 overture \"In Progress",
        "Expires: 1000000000000",
        "Contact: sip:a@192.0.2.1;+sip.instance=\"<urn:uuid:0>\";expires=60;q=0.5",
        "Contact: <sip:ted@[::ffff:192.0.2.2]>",
    ] {
        assert_eq!(error(&invite_and(line)), None, "{line}");
    }
}

/// Took another parser 2.6 seconds; here it is one of the fast tests.
#[test]
fn reads_the_longest_lists_in_linear_time() {
    let long = |part: &str| part.repeat(64_000 / part.len());
    let rows = [
        format!("Route: {}<sip:a>", long("<sip:a>,")),
        format!("Contact: <sip:a>{}", long(";a")),
        format!("Contact: <sip:a@b{}>", long(";a")),
        format!("Contact: {} <sip:a>", long("a ")),
        format!("Contact: \"{}\" <sip:a>", long("\\\"")),
        format!("X: {}a", long("a\r\n ")),
        format!("Via: {}SIP/2.0/UDP a", long("SIP/2.0/UDP a,")),
    ];
    for row in rows {
        assert_eq!(error(&invite_and(&row)), None, "{}", &row[..40]);
    }
}
