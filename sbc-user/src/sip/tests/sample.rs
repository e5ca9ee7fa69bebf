use crate::sip::{Malformed, Message};

/// A request that is right in every respect, with a body of four bytes.
pub(super) const INVITE: &str = "INVITE sip:bob@biloxi.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bKnashds8;rport\r\n\
    Via: SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bKlower\r\n\
    Max-Forwards: 70\r\n\
    To: Bob <sip:bob@biloxi.example>\r\n\
    From: \"Alice\" <sip:alice@atlanta.example;user=phone>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710@pc33.atlanta.example\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:alice@pc33.atlanta.example>\r\n\
    Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\n\
    Subject: lunch\r\n\
    Content-Length: 4\r\n\
    \r\n\
    v=0\n";

/// `INVITE` with one part of its text replaced.
pub(super) fn invite_with(part: &str, replacement: &str) -> Vec<u8> {
    assert_eq!(INVITE.matches(part).count(), 1, "{part:?} has to be there once");
    INVITE.replace(part, replacement).into_bytes()
}

/// `INVITE` with another `From` value.
pub(super) fn invite_from(value: &str) -> Vec<u8> {
    invite_with("\"Alice\" <sip:alice@atlanta.example;user=phone>;tag=1928301774", value)
}

/// `INVITE` with one more header line.
pub(super) fn invite_and(line: &str) -> Vec<u8> {
    invite_with("Subject: lunch\r\n", &format!("{line}\r\n"))
}

pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(super) fn error(bytes: &[u8]) -> Option<Malformed> {
    Message::scan(bytes).err()
}
