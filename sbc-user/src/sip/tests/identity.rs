use super::sample::{invite_and, invite_from, invite_with, text};
use crate::sip::{HeaderKind, Message, NameAddr, Scheme, Uri};

/// The rows on which other parsers were measured to report a wrong caller.
#[test]
fn reads_the_caller_that_the_grammar_names() {
    let rows = [
        ("<sip:alice.smith@a.example>", "alice.smith", "a.example"),
        ("\"Bank\" <sip:trusted.example;a=b@evil.example>", "trusted.example;a=b", "evil.example"),
        ("<sip:trusted.example?a=b@evil.example>", "trusted.example?a=b", "evil.example"),
        ("\"x <sip:v@trusted.example>\" <sip:a@evil.example>", "a", "evil.example"),
        ("\"x\\\" <sip:v@trusted.example>\" <sip:a@evil.example>", "a", "evil.example"),
        ("\"x\\\\\" <sip:a@evil.example>", "a", "evil.example"),
        ("\"a, b; c\" <sip:a@evil.example>", "a", "evil.example"),
        ("<sip:user;par=u%40example.net@example.com>", "user;par=u%40example.net", "example.com"),
        ("<sip:alice@[2001:db8::1]:5060>", "alice", "[2001:db8::1]"),
        ("sip:alice@a.example;tag=x", "alice", "a.example"),
        ("sip:alice@a.example ; tag = x", "alice", "a.example"),
        ("sip:alice@a.example;x=\"<sip:v@trusted.example>\"", "alice", "a.example"),
        ("J. Doe (sales) <sip:alice@a.example>", "alice", "a.example"),
        ("J\u{f6}rg <sip:alice@a.example>", "alice", "a.example"),
        ("\"J\u{f6}rg\"<sip:alice@a.example>", "alice", "a.example"),
        ("\"fold\r\n ed\" <sip:alice@a.example>", "alice", "a.example"),
        ("<sip:*72#@pbx.example>", "*72#", "pbx.example"),
        ("<sip:alice@3f2a9c01d4>", "alice", "3f2a9c01d4"),
        ("<SIPS:alice:secret@pbx_1.example.>", "alice", "pbx_1.example."),
    ];
    for (from, user, host) in rows {
        let bytes = invite_from(from);
        let message = Message::scan(&bytes).unwrap_or_else(|error| panic!("{from}: {error}"));
        let uri = message.from().uri;
        assert_eq!((text(uri.user.unwrap()), text(uri.host)), (user, host), "{from}");
    }
}

#[test]
fn reads_a_caller_in_compact_folded_and_spaced_form() {
    for name in ["f:", "From :", "FROM\t:", "from:\r\n\t", "F :\r\n "] {
        let bytes = invite_with("From: ", name);
        let message = Message::scan(&bytes).unwrap();
        assert_eq!(message.from().uri.user, Some(&b"alice"[..]), "{name:?}");
        assert_eq!(message.from().tag, Some(&b"1928301774"[..]), "{name:?}");
    }
}

#[test]
fn keeps_the_parameters_of_the_uri_and_of_the_header_apart() {
    let inside = NameAddr::parse(b"<sip:a@b.example;tag=uri>;tag=header;x").unwrap();
    assert_eq!(inside.tag, Some(&b"header"[..]));
    assert_eq!(inside.uri.param(b"TAG"), Some(&b"uri"[..]));
    assert_eq!(inside.param(b"X"), Some(&b""[..]));
    assert_eq!(inside.param(b"y"), None);

    let bare = NameAddr::parse(b"sip:a@b.example;tag=header").unwrap();
    assert_eq!(bare.tag, Some(&b"header"[..]));
    assert_eq!(bare.uri.params, b"");

    let none = NameAddr::parse(b"<sip:a@b.example;tag=uri>").unwrap();
    assert_eq!(none.tag, None);
}

#[test]
fn reads_display_names_with_their_quotes_and_escapes() {
    let rows = [
        (&b"\"a \\\"b\\\" c\" <sip:a@b.example>"[..], Some(&b"\"a \\\"b\\\" c\""[..])),
        (b"Alice B <sip:a@b.example>", Some(b"Alice B")),
        (b"<sip:a@b.example>", None),
        (b"sip:a@b.example", None),
        (b"\"\" <sip:a@b.example>", Some(b"\"\"")),
    ];
    for (value, name) in rows {
        assert_eq!(NameAddr::parse(value).unwrap().display_name, name);
    }
}

#[test]
fn reads_every_part_of_a_sip_uri() {
    let uri =
        Uri::parse(b"sips:bob:pw@h.example:5061;lr;transport=tcp;x=a==?Subject=a&b=c").unwrap();
    assert_eq!(uri.scheme, Scheme::Sips);
    assert_eq!((uri.user, uri.password), (Some(&b"bob"[..]), Some(&b"pw"[..])));
    assert_eq!((uri.host, uri.port), (&b"h.example"[..], Some(5061)));
    assert_eq!(uri.param(b"lr"), Some(&b""[..]));
    assert_eq!(uri.param(b"Transport"), Some(&b"tcp"[..]));
    assert_eq!(uri.param(b"x"), Some(&b"a=="[..]));
    assert_eq!(uri.param(b"maddr"), None);
    assert_eq!(uri.headers, b"Subject=a&b=c");
}

#[test]
fn gives_addresses_of_hosts_that_are_addresses() {
    let ip = |uri: &'static [u8]| Uri::parse(uri).unwrap().host_ip();
    assert_eq!(ip(b"sip:192.0.2.1"), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(ip(b"sip:a@[2001:DB8::1]:5060"), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(ip(b"sip:a@h.example"), None);
}

#[test]
fn compares_users_with_their_escapes_resolved() {
    let uri = Uri::parse(b"sip:%61lice%2Dx@h.example").unwrap();
    assert!(uri.user_is(b"alice-x"));
    assert!(!uri.user_is(b"%61lice%2Dx"));
    assert!(!Uri::parse(b"sip:h.example").unwrap().user_is(b""));
}

#[test]
fn passes_schemes_that_it_does_not_know_without_a_host() {
    let tel = Uri::parse(b"tel:+1-201-555-0123;phone-context=x.example").unwrap();
    assert_eq!((tel.scheme, tel.user), (Scheme::Tel, Some(&b"+1-201-555-0123"[..])));
    assert_eq!(tel.param(b"phone-context"), Some(&b"x.example"[..]));
    for raw in [&b"nobodyKnowsThisScheme:totallyopaquecontent"[..], b"im:a@trusted.example"] {
        let other = Uri::parse(raw).unwrap();
        assert!(matches!(other.scheme, Scheme::Other(_)) && !other.is_sip());
        assert_eq!((other.user, other.host), (None, &b""[..]));
    }
}

#[test]
fn reads_lists_of_routes_contacts_and_identities() {
    let bytes = invite_and(
        "P-Asserted-Identity: \"A, B\" <sip:a@b.example>, <tel:+1555>\r\n\
         Route: <sip:p3.example;x=\r\n ",
    );
    assert!(Message::scan(&bytes).is_err());

    let bytes = invite_and(
        "P-Asserted-Identity: \"A, B\" <sip:a@b.example>, <tel:+1555>\r\n\
         Route:\r\n \"x\\\",\" <sip:a,b@p3.example;lr>;y=\"1,2\"\r\n ,<sip:p4.example>",
    );
    let message = Message::scan(&bytes).unwrap();
    let routes: Vec<_> = message.routes().map(|route| text(route.uri.host).to_owned()).collect();
    assert_eq!(routes, ["p1.example", "p2.example", "p3.example", "p4.example"]);
    assert_eq!(message.addresses(HeaderKind::PAssertedIdentity).count(), 2);
    assert_eq!(message.contacts().count(), 1);
    for value in message.values(HeaderKind::Route) {
        assert_eq!(&message.bytes()[value.range], value.bytes);
    }
}

#[test]
fn the_contact_that_removes_all_bindings_is_no_address() {
    let bytes = invite_with("<sip:alice@pc33.atlanta.example>", "*");
    let message = Message::scan(&bytes).unwrap();
    assert_eq!(message.contacts().count(), 0);
}
