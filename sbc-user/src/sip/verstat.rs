use std::ops::Range;

use super::grammar::{slice, take_quoted, trim};
use super::header::HeaderKind;
use super::message::Message;

/// Where somebody is said to be somebody, and the answer to it repeats it.
const SPOKEN_OF: [HeaderKind; 5] = [
    HeaderKind::From,
    HeaderKind::To,
    HeaderKind::PAssertedIdentity,
    HeaderKind::PPreferredIdentity,
    HeaderKind::RemotePartyId,
];

/// The message without any `verstat` parameter in the addresses of its parties; `None` if there is none.
///
/// It says what was found out about a caller's number (3GPP TS 24.229 §7.2A.20), and is a parameter of the
/// number, of the URI, or in the field of the header.
#[must_use]
pub fn without_verstat(message: &Message<'_>) -> Option<Vec<u8>> {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    for line in message.head().lines().iter().filter(|line| SPOKEN_OF.contains(&line.kind)) {
        let value = line.value_range(message.bytes());
        let text = slice(message.bytes(), value.clone());
        // Most have no parameter but the tag.
        if memchr::memchr3(b'v', b'V', b'%', text).is_some() {
            cuts.extend(parameters(text).map(|cut| value.start + cut.start..value.start + cut.end));
        }
    }
    if cuts.is_empty() {
        return None;
    }
    let bytes = message.bytes();
    let mut rest = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for cut in cuts {
        rest.extend_from_slice(slice(bytes, from..cut.start));
        from = cut.end;
    }
    rest.extend_from_slice(slice(bytes, from..bytes.len()));
    Some(rest)
}

/// Where `;verstat` and its value stand in a header value, outside of quoted strings.
fn parameters(value: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = value.get(at..)?;
            match rest {
                [b'"', ..] => at = value.len() - take_quoted(rest)?.1.len(),
                [b';', parameter @ ..] => {
                    let start = at;
                    let end = parameter.iter().position(|byte| b";@>?,\"".contains(byte));
                    let end = end.unwrap_or(parameter.len());
                    let quoted = take_quoted(slice(parameter, end..parameter.len()));
                    let parameter = slice(parameter, 0..end);
                    at += 1 + end + quoted.map_or(0, |(quoted, _)| quoted.len());
                    let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
                    if is_verstat(trim(name)) {
                        return Some(start..at);
                    }
                }
                [_, ..] => at += 1,
                [] => return None,
            }
        }
    })
}

/// A character of a name may be escaped (RFC 3261 §19.1.4).
fn is_verstat(name: &[u8]) -> bool {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut rest = name;
    let mut octets = std::iter::from_fn(move || match rest {
        [b'%', high, low, after @ ..] => {
            rest = after;
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        }
        [byte, after @ ..] => {
            rest = after;
            Some(*byte)
        }
        [] => None,
    });
    b"verstat".iter().all(|own| octets.next().is_some_and(|it| it.eq_ignore_ascii_case(own)))
        && octets.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(from: &str, more: &str) -> Option<String> {
        let message = format!(
            "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: {from}\r\nTo: <sip:bob@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\
             {more}Content-Length: 0\r\n\r\n"
        );
        let cleaned = without_verstat(&Message::scan(message.as_bytes()).unwrap())?;
        let text = String::from_utf8(cleaned).unwrap();
        Message::scan(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        Some(text)
    }

    #[test]
    fn what_others_found_out_is_taken_away_wherever_it_stands() {
        for (from, expected) in [
            ("<tel:+1;verstat=TN-Validation-Passed>;tag=1", "<tel:+1>;tag=1"),
            (
                "<sip:+1;VerStat=x@a.example;user=phone>;tag=1",
                "<sip:+1@a.example;user=phone>;tag=1",
            ),
            ("<sip:+1@a.example;verstat=x;lr>;tag=1", "<sip:+1@a.example;lr>;tag=1"),
            ("<sip:+1@a.example>;verstat=x;tag=1", "<sip:+1@a.example>;tag=1"),
            ("<sip:+1@a.example>;tag=1 ; verstat = x", "<sip:+1@a.example>;tag=1 "),
            ("sip:+1@a.example;verstat=\"x;y\";tag=1", "sip:+1@a.example;tag=1"),
            ("<tel:+1;verst%61t=x>;tag=1", "<tel:+1>;tag=1"),
            ("<tel:+1;%56erstat=x>;tag=1", "<tel:+1>;tag=1"),
            ("\";verstat=y\" <tel:+1;verstat>;tag=1", "\";verstat=y\" <tel:+1>;tag=1"),
        ] {
            let text = cleaned(from, "").unwrap_or_else(|| panic!("{from}"));
            assert!(text.contains(&format!("From: {expected}\r\n")), "{text}");
        }
        let text = cleaned(
            "<tel:+1>;tag=1",
            "P-Asserted-Identity: <tel:+1;verstat=x>, \"v\" <sip:+2;verstat=y@a.example>\r\n\
             P-Asserted-Identity: <tel:+3;verstat=z>\r\n",
        );
        let text = text.unwrap();
        assert!(text.contains("<tel:+1>, \"v\" <sip:+2@a.example>\r\n"), "{text}");
        assert!(text.contains(": <tel:+3>\r\n"), "{text}");
    }

    #[test]
    fn a_message_without_it_is_left_alone() {
        for from in
            ["<sip:verstat@v.example>;tag=v", "<tel:+1;verstatus=x>;tag=1", "<tel:+1>;tag=verstat"]
        {
            assert_eq!(cleaned(from, ""), None, "{from}");
        }
    }
}
