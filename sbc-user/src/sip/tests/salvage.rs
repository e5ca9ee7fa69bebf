use super::sample::{INVITE, invite_and, invite_with, text};
use crate::sip::{HeaderKind, Malformed, Message, Reply, Salvaged};

/// The answer to what the scanner refuses; `None` if there is none.
fn answer(refused: &[u8]) -> Option<String> {
    let malformed = Message::scan(refused).unwrap_err();
    answer_to(refused, malformed)
}

fn answer_to(refused: &[u8], malformed: Malformed) -> Option<String> {
    let salvaged = Salvaged::of(refused, malformed)?;
    let request = salvaged.request().unwrap();
    let source = "192.0.2.9:1024".parse().unwrap();
    let reply = Reply::new(&request, salvaged.status(), source, b"own")
        .header("Warning", format!("399 sbc \"{malformed}\""))
        .finish()
        .ok()?;
    // Whoever reads it reads what we wrote.
    Message::scan(&reply).unwrap();
    Some(text(&reply).to_owned())
}

#[test]
fn what_is_wrong_is_told_to_who_sent_it() {
    let rows = [
        (invite_with("INVITE sip:bob@biloxi.example SIP/2.0", "INVITE sip:a b SIP/2.0"), "400"),
        (invite_with("bob@biloxi.example SIP/2.0", "bob@biloxi.example SIP/3.0"), "505"),
        (invite_with("INVITE sip:bob@biloxi.example", "INVITE bob@biloxi.example"), "416"),
        (invite_with("Contact: <sip:alice@pc33.atlanta.example>", "Contact: <alice>"), "400"),
        (invite_with("CSeq: 314159 INVITE", "CSeq: 314159 OPTIONS"), "400"),
        (invite_with("Max-Forwards: 70", "Max-Forwards: 256"), "400"),
        (invite_with("Content-Length: 4", "Content-Length: 40"), "400"),
        (invite_and("Subject: a\nb"), "400"),
        (invite_and("Subject: a\0b"), "400"),
        (invite_and(&"X: y\r\n".repeat(90)), "513"),
    ];
    for (refused, status) in rows {
        let answer = answer(&refused).unwrap_or_else(|| panic!("{}", text(&refused)));
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
        assert!(answer.contains("\r\nWarning: 399 sbc \""), "{answer}");
        for line in [
            "Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKnashds8;\
             received=192.0.2.9;rport=1024",
            "Via: SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bKlower",
            "From: \"Alice\" <sip:alice@atlanta.example;user=phone>;tag=1928301774",
            "To: Bob <sip:bob@biloxi.example>;tag=own",
            "Call-ID: a84b4c76e66710@pc33.atlanta.example",
        ] {
            assert_eq!(answer.matches(&format!("\r\n{line}\r\n")).count(), 1, "{line}\n{answer}");
        }
    }
}

#[test]
fn a_stream_that_announces_too_much_has_its_answer_too() {
    let head = INVITE.split_inclusive("Subject").next().unwrap();
    let endless = format!("{head}: {}", "x".repeat(70_000));
    let answered = answer_to(endless.as_bytes(), Malformed::HeadTooLarge).unwrap();
    assert!(answered.starts_with("SIP/2.0 513 "), "{answered}");
    let huge = invite_with("Content-Length: 4", "Content-Length: 99999999");
    let answered = answer_to(&huge, Malformed::MessageTooLarge).unwrap();
    assert!(answered.starts_with("SIP/2.0 413 "), "{answered}");
}

#[test]
fn there_is_no_answer_where_it_could_be_another_requests() {
    for refused in [
        invite_and("From: <sip:eve@evil.example>;tag=2"),
        invite_and("f: <sip:eve@evil.example>;tag=2"),
        invite_and("t: <sip:eve@evil.example>"),
        invite_and("i: another"),
        invite_and("CSeq: 2 INVITE"),
        invite_and("Via: SIP/2.0/UDP a.example,,SIP/2.0/UDP b.example"),
        invite_with("Via: SIP/2.0/UDP pc33.atlanta.example:5066", "Via: SIP/2.0/UDP"),
        invite_with("To: Bob <sip:bob@biloxi.example>\r\n", ""),
        invite_with("tag=1928301774", "tag=1;tag=2"),
        invite_with("Call-ID: a84b", "Call-ID: a 84b"),
        invite_with("CSeq: 314159 INVITE", "CSeq: INVITE"),
        // The line is no header's if the start line goes on there.
        invite_with("\r\nVia: SIP/2.0/UDP pc33", "\r\n Via: SIP/2.0/UDP pc33"),
        // Nor if the section ended before.
        invite_with("Call-ID:", "Subject: a\r\n \r\nCall-ID:"),
        invite_with("Call-ID:", "\nCall-ID:"),
    ] {
        assert_eq!(answer(&refused), None, "{}", text(&refused));
    }
}

#[test]
fn what_is_no_request_or_an_ack_has_no_answer() {
    let broken = "Max-Forwards: 256";
    let text = INVITE.replace("Max-Forwards: 70", broken);
    for start_line in ["SIP/2.0 200 OK", "ACK sip:bob@biloxi.example SIP/2.0", "GET / HTTP/1.1"] {
        let refused = text.replace("INVITE sip:bob@biloxi.example SIP/2.0", start_line);
        assert_eq!(answer(refused.as_bytes()), None, "{start_line}");
    }
    let ack = text.replace("314159 INVITE", "314159 ACK");
    assert_eq!(answer(ack.as_bytes()), None, "by its CSeq");
    assert!(Salvaged::of(b"", Malformed::MissingBlankLine).is_none());
}

#[test]
fn whatever_is_cut_off_is_salvaged_whole_or_not_at_all() {
    for end in 0..INVITE.len() {
        let Some(salvaged) = Salvaged::of(&INVITE.as_bytes()[..end], Malformed::MissingBlankLine)
        else {
            continue;
        };
        let request = salvaged.request().unwrap();
        let whole = Message::scan(INVITE.as_bytes()).unwrap();
        assert_eq!(request.from().raw, whole.from().raw, "{end}");
        assert_eq!(request.call_id(), whole.call_id());
        assert_eq!(request.cseq(), whole.cseq());
        assert_eq!(request.values(HeaderKind::Via).count(), 2);
    }
}
