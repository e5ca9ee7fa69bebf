use super::sample::{INVITE, invite_and, invite_with, text};
use crate::sip::{FieldError, HeaderKind, MAX_HEADERS, Message, Rewrite, RewriteError};

/// What `edit` makes of a message.
fn rewritten(bytes: &[u8], edit: impl Fn(&mut Rewrite<'_>)) -> Result<String, RewriteError> {
    let message = Message::scan(bytes).unwrap();
    let mut rewrite = Rewrite::new(&message);
    edit(&mut rewrite);
    let mut out = b"before".to_vec();
    let result = rewrite.write(&mut out);
    let written = out.strip_prefix(b"before").unwrap();
    result.map(|()| text(written).to_owned()).inspect_err(|_| assert!(written.is_empty()))
}

#[test]
fn passes_what_is_not_edited_byte_for_byte() {
    let bytes = invite_with("lunch", "  odd \t\r\n\t  value  ");
    assert_eq!(rewritten(&bytes, |_| {}).unwrap().as_bytes(), bytes);
}

#[test]
fn cuts_what_follows_the_body() {
    let bytes = invite_with("v=0\n", "v=0\nINVITE sip:smuggled@x SIP/2.0\r\n");
    assert_eq!(rewritten(&bytes, |_| {}).unwrap(), INVITE);
}

#[test]
fn does_what_a_proxy_does_to_a_request() {
    let bytes = invite_and(
        "P-Asserted-Identity: <sip:a@b.example>\r\nSubject: lunch\r\nP-Asserted-Identity: <tel:+1>",
    );
    let written = rewritten(&bytes, |rewrite| {
        let message = Message::scan(&bytes).unwrap();
        let hops = message.header(HeaderKind::MaxForwards).unwrap();
        let start = message.range_of(hops.value).unwrap();
        rewrite
            .append("X-Last", "1")
            .replace(start, "69")
            .remove_all(HeaderKind::PAssertedIdentity)
            .remove_first_values(HeaderKind::Route, 1)
            .stamp_top_via("192.0.2.9:1024".parse().unwrap())
            .insert_before_first(HeaderKind::RecordRoute, "Record-Route", "<sip:sbc;lr>")
            .insert_before_first(
                HeaderKind::Via,
                "Via",
                "SIP/2.0/UDP sbc.example;branch=z9hG4bKsbc",
            );
    });
    let expected = INVITE
        .replace(
            "SIP/2.0\r\nVia: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKnashds8;rport",
            "SIP/2.0\r\nRecord-Route: <sip:sbc;lr>\r\n\
             Via: SIP/2.0/UDP sbc.example;branch=z9hG4bKsbc\r\n\
             Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKnashds8;received=192.0.2.9;rport=1024",
        )
        .replace("Max-Forwards: 70", "Max-Forwards: 69")
        .replace("Route: <sip:p1.example;lr>, <sip:p2", "Route: <sip:p2")
        .replace("Content-Length: 4\r\n", "Content-Length: 4\r\nX-Last: 1\r\n");
    assert_eq!(written.unwrap(), expected);
}

#[test]
fn replaces_parts_that_accessors_gave() {
    let message = Message::scan(INVITE.as_bytes()).unwrap();
    let mut out = Vec::new();
    Rewrite::new(&message)
        .replace_part(message.contacts().next().unwrap().uri.raw, "sip:token@sbc.example")
        .replace_part(b"sip:bob@biloxi.example", "x")
        .write(&mut out)
        .unwrap_err();
    let contact = message.contacts().next().unwrap();
    Rewrite::new(&message)
        .replace_part(contact.uri.raw, "sip:t@sbc.example")
        .write(&mut out)
        .unwrap();
    assert_eq!(
        text(&out),
        INVITE.replace("<sip:alice@pc33.atlanta.example>", "<sip:t@sbc.example>")
    );
}

#[test]
fn removes_the_line_with_its_only_value() {
    let written = rewritten(INVITE.as_bytes(), |rewrite| {
        rewrite.remove_first_values(HeaderKind::Via, 1).remove_first_values(HeaderKind::Path, 1);
    });
    let line = "Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKnashds8;rport\r\n";
    assert_eq!(written.unwrap(), INVITE.replace(line, ""));
}

#[test]
fn removes_one_line_and_its_folds() {
    let bytes = invite_with("lunch", "a\r\n b");
    let written = rewritten(&bytes, |rewrite| {
        let message = Message::scan(&bytes).unwrap();
        rewrite.remove(&message.header(HeaderKind::Subject).unwrap());
    });
    assert_eq!(written.unwrap(), INVITE.replace("Subject: lunch\r\n", ""));
}

#[test]
fn keeps_the_order_of_lines_inserted_at_one_place() {
    let written = rewritten(INVITE.as_bytes(), |rewrite| {
        rewrite
            .insert_before_first(HeaderKind::Path, "A", "1")
            .insert_before_first(HeaderKind::Via, "B", b"2")
            .remove_first_values(HeaderKind::Via, 1)
            .insert_before_first(HeaderKind::Path, "C", "3");
    });
    assert!(written.unwrap().contains("SIP/2.0\r\nA: 1\r\nB: 2\r\nC: 3\r\nVia: SIP/2.0/TCP ["));
}

#[test]
fn adds_a_content_length_only_where_there_is_none() {
    let written = rewritten(INVITE.as_bytes(), |rewrite| {
        rewrite.ensure_content_length();
    });
    assert_eq!(written.unwrap(), INVITE);
    let bytes = invite_with("Content-Length: 4\r\n", "");
    let written = rewritten(&bytes, |rewrite| {
        rewrite.ensure_content_length();
    });
    assert_eq!(written.unwrap(), INVITE);
}

#[test]
fn never_writes_a_line_that_nobody_asked_for() {
    let rows = [
        ("X", "1\r\nEvil: 2", RewriteError::Field(FieldError::Value)),
        ("X", "1\n", RewriteError::Field(FieldError::Value)),
        ("X", "1\r", RewriteError::Field(FieldError::Value)),
        ("X", "1\0", RewriteError::Field(FieldError::Value)),
        ("X: 1\r\nEvil", "1", RewriteError::Field(FieldError::Name)),
        ("", "1", RewriteError::Field(FieldError::Name)),
    ];
    for (name, value, error) in rows {
        let written = rewritten(INVITE.as_bytes(), |rewrite| {
            rewrite.append(name, value).append("Fine", "1");
        });
        assert_eq!(written, Err(error));
    }
    let written = rewritten(INVITE.as_bytes(), |rewrite| {
        rewrite.replace(0..6, "x\r\ny");
    });
    assert_eq!(written, Err(RewriteError::Field(FieldError::Value)));
}

#[test]
fn refuses_edits_that_overlap() {
    let message = Message::scan(INVITE.as_bytes()).unwrap();
    let subject = message.header(HeaderKind::Subject).unwrap();
    let value = message.range_of(subject.value).unwrap();
    let twice = |rewrite: &mut Rewrite<'_>| {
        rewrite.remove(&subject).replace(value.clone(), "x");
    };
    assert_eq!(rewritten(INVITE.as_bytes(), twice), Err(RewriteError::Overlap));
    let halves = |rewrite: &mut Rewrite<'_>| {
        rewrite.replace(value.start + 1..value.end, "x").replace(value.start..value.start + 2, "y");
    };
    assert_eq!(rewritten(INVITE.as_bytes(), halves), Err(RewriteError::Overlap));
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "a mistake that a caller could make")]
fn refuses_to_replace_what_is_no_value() {
    let bytes = invite_and("Empty:");
    let empty = text(&bytes).find("Empty:").unwrap();
    let end = bytes.len();
    for range in
        [0..90, 30..38, empty..empty + 1, empty + 8..empty + 8, end - 3..end, end..end + 9, 9..3]
    {
        let written = rewritten(&bytes, |rewrite| {
            rewrite.replace(range.clone(), "x");
        });
        assert_eq!(written, Err(RewriteError::OutsideValue), "{range:?}");
    }
    let written = rewritten(&bytes, |rewrite| {
        rewrite.replace(empty + 6..empty + 6, "x");
    });
    assert!(written.unwrap().contains("\r\nEmpty:x\r\n"));
}

#[test]
fn refuses_to_write_more_header_lines_than_are_read() {
    let count = |bytes: &[u8]| Message::scan(bytes).unwrap().headers().count();
    let others = count(&invite_with("Subject: lunch\r\n", ""));
    let bytes = invite_with("Subject: lunch\r\n", &"X: 1\r\n".repeat(MAX_HEADERS - others));
    assert_eq!(count(&bytes), MAX_HEADERS);
    let one_more = rewritten(&bytes, |rewrite| {
        rewrite.append("Y", "1");
    });
    assert_eq!(one_more, Err(RewriteError::TooManyHeaders));
    let one_instead = rewritten(&bytes, |rewrite| {
        rewrite.append("Y", "1").remove_all(HeaderKind::Contact);
    });
    assert_eq!(count(one_instead.unwrap().as_bytes()), MAX_HEADERS);
}

#[test]
fn refuses_to_write_more_than_a_message_may_be() {
    let written = rewritten(INVITE.as_bytes(), |rewrite| {
        rewrite.append("X", "x".repeat(65_535));
    });
    assert_eq!(written, Err(RewriteError::TooLarge));
}
