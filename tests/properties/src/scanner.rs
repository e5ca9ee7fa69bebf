use sbc_user::sip::{
    Header, HeaderKind, MAX_HEADERS, MAX_MESSAGE, Malformed, Message, NameAddr, Reply, Salvaged,
    StartLine, Uri, Via,
};

/// Reading neither panics nor reaches outside the message, whatever is accepted is told the same way by every
/// accessor, and a message is read again as it was.
pub fn scanner(bytes: &[u8]) {
    for part in [Uri::parse(bytes).map(|uri| uri.raw), Via::parse(bytes).map(|via| via.raw)] {
        assert!(part.is_err() || part.is_ok_and(|part| is_within(part, bytes)));
    }
    if let Ok(address) = NameAddr::parse(bytes) {
        check_address(&address, bytes);
    }
    let message = match Message::scan(bytes) {
        Ok(message) => message,
        Err(malformed) => return check_answer(bytes, malformed),
    };
    check_frame(&message, bytes);
    check_singles(&message);
    check_parts(&message);
    check_lists(&message);
    let again = Message::scan(message.bytes()).expect("what was accepted is accepted again");
    assert_eq!(again.bytes(), message.bytes());
    assert!(again.headers().eq(message.headers()));
    assert_eq!(again.body(), message.body());
}

/// What is answered to what is refused is read by everybody, and repeats what was sent.
fn check_answer(bytes: &[u8], malformed: Malformed) {
    let Some(salvaged) = Salvaged::of(bytes, malformed) else { return };
    let request = salvaged.request().expect("what was salvaged is accepted");
    check_singles(&request);
    for part in [request.from().raw, request.to().raw, request.call_id()] {
        assert!(bytes.windows(part.len()).any(|window| window == part));
    }
    let source = "192.0.2.7:4711".parse().expect("it is an address");
    let reply = Reply::new(&request, salvaged.status(), source, b"own")
        .header("Warning", format!("399 sbc \"{malformed}\""));
    // An ACK has none.
    let Ok(reply) = reply.finish() else { return };
    let reply = Message::scan(&reply).expect("an answer is accepted");
    assert!(matches!(reply.start_line(), StartLine::Response { .. }));
}

/// Start line, header lines, blank line and body are all of the message, in this order.
fn check_frame(message: &Message<'_>, bytes: &[u8]) {
    assert!(bytes.starts_with(message.bytes()) && message.bytes().len() <= MAX_MESSAGE);
    let headers: Vec<Header<'_>> = message.headers().collect();
    assert!((5..=MAX_HEADERS).contains(&headers.len()), "{} headers", headers.len());
    let mut at = headers.first().map_or(0, |header| header.line.start);
    for header in &headers {
        assert_eq!(header.line.start, at, "a gap before {header:?}");
        at = header.line.end;
        let line = message.bytes().get(header.line.clone()).expect("a line is in the message");
        assert!(line.starts_with(header.name) && line.ends_with(b"\r\n"), "{header:?}");
        assert!(is_within(header.value, line) && !header.name.is_empty(), "{header:?}");
        assert_eq!(HeaderKind::of(header.name), header.kind);
        assert!(memchr_none(header.value, 0), "{header:?}");
    }
    let blank = message.bytes().get(at..at + 2);
    assert_eq!(blank, Some(&b"\r\n"[..]));
    assert_eq!(message.bytes().get(at + 2..), Some(message.body()));
    let length = message.header(HeaderKind::ContentLength).map(|header| header.value);
    if let Some(length) = length.and_then(|digits| std::str::from_utf8(digits).ok()) {
        assert_eq!(length.parse(), Ok(message.body().len()));
    } else {
        assert_eq!(message.bytes(), bytes);
    }
}

/// A second one would be another caller, another call or another body to whoever reads the last.
fn check_singles(message: &Message<'_>) {
    let required = [HeaderKind::From, HeaderKind::To, HeaderKind::CallId, HeaderKind::CSeq];
    let count = |kind| message.headers().filter(|header| header.kind == kind).count();
    assert!(required.iter().all(|kind| count(*kind) == 1) && count(HeaderKind::Via) > 0);
    assert!(count(HeaderKind::ContentLength) <= 1 && count(HeaderKind::MaxForwards) <= 1);
}

fn check_parts(message: &Message<'_>) {
    let whole = message.bytes();
    check_address(&message.from(), whole);
    check_address(&message.to(), whole);
    let via = message.top_via();
    for part in [via.raw, via.transport, via.host, message.call_id()] {
        assert!(message.range_of(part).is_some() && !part.is_empty(), "{part:?}");
    }
    assert!(whole.get(message.range_of(via.host).unwrap_or_default()) == Some(via.host));
    if let StartLine::Request { method, uri } = message.start_line() {
        assert_eq!(method, message.cseq().method);
        assert!(whole.starts_with(method.as_bytes()) && message.range_of(uri.raw).is_some());
        assert!(uri.headers.is_empty());
    }
    assert!(message.max_forwards().is_none_or(|hops| hops <= 255));
}

/// What the lists yield is where they say it is, and in the lists that decide identity or routing all of it can be read.
fn check_lists(message: &Message<'_>) {
    for kind in HeaderKind::ALL {
        let mut count = 0;
        for value in message.values(*kind) {
            assert_eq!(message.bytes().get(value.range), Some(value.bytes));
            count += 1;
        }
        let is_read = matches!(
            kind,
            HeaderKind::Route
                | HeaderKind::RecordRoute
                | HeaderKind::Path
                | HeaderKind::ServiceRoute
                | HeaderKind::PAssertedIdentity
                | HeaderKind::PPreferredIdentity
                | HeaderKind::RemotePartyId
                | HeaderKind::Diversion
        );
        let addresses = message.addresses(*kind).inspect(|it| check_address(it, message.bytes()));
        assert!(addresses.count() == count || !is_read, "{kind:?}");
    }
}

fn check_address(address: &NameAddr<'_>, whole: &[u8]) {
    let uri = address.uri;
    for part in [address.raw, uri.raw] {
        assert!(is_within(part, whole) && !part.is_empty());
    }
    for part in [address.display_name, address.tag, uri.user, uri.password].into_iter().flatten() {
        assert!(is_within(part, address.raw));
    }
    assert!(uri.is_sip() != uri.host.is_empty(), "{uri:?}");
    assert!(uri.user_octets().count() <= uri.user.unwrap_or_default().len());
    // Alone or among other parameters, the same address.
    let again = Uri::parse(uri.raw).expect("a URI stands alone as well");
    assert_eq!(again, uri);
    for param in address.params().all() {
        assert!(is_within(param.name, address.raw));
        assert!(is_within(param.value.unwrap_or_default(), address.raw) || param.value.is_none());
    }
}

fn is_within(part: &[u8], whole: &[u8]) -> bool {
    let outer = whole.as_ptr_range();
    let inner = part.as_ptr_range();
    outer.start <= inner.start && inner.end <= outer.end
}

fn memchr_none(bytes: &[u8], byte: u8) -> bool {
    !bytes.contains(&byte)
}
