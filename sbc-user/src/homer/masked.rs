/// Headers with secrets, or with what guesses at secrets are tried against.
const SECRET: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "proxy-authenticate",
    "authentication-info",
    "proxy-authentication-info",
];
/// Parameters of Digest that are none (RFC 7616 §3.3, §3.4).
const HARMLESS: [&str; 10] = [
    "username",
    "username*",
    "realm",
    "uri",
    "domain",
    "algorithm",
    "qop",
    "nc",
    "stale",
    "userhash",
];

/// Those whose values are covered and whose names are not.
const COVERED: [&str; 6] = ["response", "nonce", "cnonce", "opaque", "nextnonce", "rspauth"];

/// The same message, whose credentials nobody can use or try passwords against: in their place stand as many stars.
/// What cannot be read as a harmless parameter is masked.
pub(super) fn masked(message: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(message.len());
    let mut rest = message;
    let mut is_first = true;
    while !rest.is_empty() {
        let header = header_at(rest);
        let (header, after) = rest.split_at_checked(header).unwrap_or((rest, &[]));
        rest = after;
        if header.trim_ascii().is_empty() {
            break;
        }
        match value_of_secret(header).filter(|_| !is_first) {
            Some(start) => mask(header, start, &mut masked),
            None => masked.extend_from_slice(header),
        }
        is_first = false;
    }
    let body = message.get(masked.len()..).unwrap_or_default();
    masked.extend_from_slice(body);
    masked
}

/// How long the first header is, with the lines that it is folded over (RFC 3261 §7.3.1).
fn header_at(bytes: &[u8]) -> usize {
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_continued = matches!(line, [b' ' | b'\t', ..]) && !line.trim_ascii().is_empty();
        if length > 0 && !is_continued {
            break;
        }
        length += line.len();
    }
    length
}

/// Where the value of a header with secrets begins.
fn value_of_secret(header: &[u8]) -> Option<usize> {
    let colon = header.iter().position(|byte| *byte == b':')?;
    let name = header.get(..colon)?.trim_ascii();
    SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret.as_bytes())).then_some(colon + 1)
}

fn mask(header: &[u8], start: usize, masked: &mut Vec<u8>) {
    let (name, value) = header.split_at_checked(start).unwrap_or((header, &[]));
    masked.extend_from_slice(name);
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let scheme = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let word = value.get(scheme..).unwrap_or_default();
    let length = word.iter().position(is_space).unwrap_or(word.len());
    let is_digest = word.get(..length).is_some_and(|word| word.eq_ignore_ascii_case(b"digest"));
    let has_no_scheme = name.trim_ascii_end().to_ascii_lowercase().ends_with(b"-info:");
    if !is_digest && !has_no_scheme {
        // What follows another scheme may be the password itself.
        return masked.extend(value.iter().copied().map(covered));
    }
    let parameters = if is_digest { scheme + length } else { 0 };
    let (before, parameters) = value.split_at_checked(parameters).unwrap_or((value, &[]));
    masked.extend_from_slice(before);
    let mut is_quoted = false;
    let mut is_escaped = false;
    let pieces = parameters.split_inclusive(|byte| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match byte {
            b'\\' if is_quoted && !was_escaped => is_escaped = true,
            b'"' if !was_escaped => is_quoted = !is_quoted,
            b',' => return !is_quoted,
            _ => {}
        }
        false
    });
    for piece in pieces {
        if is_harmless(piece) {
            masked.extend_from_slice(piece);
        } else {
            let equals = piece.iter().position(|byte| *byte == b'=').map_or(0, |at| at + 1);
            let (name, secret) = piece.split_at_checked(equals).unwrap_or((&[], piece));
            if is_listed(&HARMLESS, name) || is_listed(&COVERED, name) {
                masked.extend_from_slice(name);
            } else {
                masked.extend(name.iter().copied().map(covered));
            }
            masked.extend(secret.iter().copied().map(covered));
        }
    }
}

/// What is seen in place of a byte: what holds the header together stays.
fn covered(byte: u8) -> u8 {
    if byte.is_ascii_whitespace() || b"\",".contains(&byte) { byte } else { b'*' }
}

fn is_harmless(piece: &[u8]) -> bool {
    let piece = piece.strip_suffix(b",").unwrap_or(piece);
    let Some(equals) = piece.iter().position(|byte| *byte == b'=') else { return false };
    let (name, value) = piece.split_at_checked(equals).unwrap_or((piece, &[]));
    let (name, value) = (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
    is_listed(&HARMLESS, name) && is_one_value(value)
}

fn is_listed(list: &[&str], name: &[u8]) -> bool {
    let name = name.strip_suffix(b"=").unwrap_or(name).trim_ascii();
    list.iter().any(|listed| name.eq_ignore_ascii_case(listed.as_bytes()))
}

/// A token, or one quoted string with nothing behind it.
fn is_one_value(value: &[u8]) -> bool {
    let Some(inner) = value.strip_prefix(b"\"") else {
        return value.iter().all(|byte| byte.is_ascii_graphic() && !b"\",=".contains(byte));
    };
    let Some(inner) = inner.strip_suffix(b"\"") else { return false };
    let mut is_escaped = false;
    inner.iter().all(|byte| {
        let was_escaped = std::mem::take(&mut is_escaped);
        is_escaped = *byte == b'\\' && !was_escaped;
        *byte != b'"' || was_escaped
    }) && !is_escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(header: &str) -> String {
        let message =
            format!("INVITE sip:b SIP/2.0\r\nVia: a\r\n{header}\r\nTo: b\r\n\r\nresponse=\"body\"");
        let masked = String::from_utf8(masked(message.as_bytes())).unwrap();
        assert_eq!(masked.len(), message.len());
        let header = masked.strip_prefix("INVITE sip:b SIP/2.0\r\nVia: a\r\n").unwrap();
        header.strip_suffix("\r\nTo: b\r\n\r\nresponse=\"body\"").unwrap().to_owned()
    }

    #[test]
    fn what_a_password_can_be_tried_against_is_covered() {
        for (header, expected) in [
            (
                "Authorization: Digest username=\"alice\", realm=\"a,b\", nonce=\"n1\", uri=\"sip:b\", \
                 response=\"abcd\", cnonce=\"c\", qop=auth, nc=00000001, algorithm=MD5, opaque=\"o\"",
                "Authorization: Digest username=\"alice\", realm=\"a,b\", nonce=\"**\", uri=\"sip:b\", \
                 response=\"****\", cnonce=\"*\", qop=auth, nc=00000001, algorithm=MD5, opaque=\"*\"",
            ),
            (
                "PROXY-authorization :\tDIGEST response = abcd,\r\n nonce=\r\n\t\"ef\"",
                "PROXY-authorization :\tDIGEST response = ****,\r\n nonce=\r\n\t\"**\"",
            ),
            ("Authorization: Basic YWxpY2U6c2Vj==", "Authorization: ***** **************"),
            ("Authorization: Digest YWxpY2U6c2Vj==", "Authorization: Digest **************"),
            (
                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"*\", qop=\"auth\"",
            ),
            (
                "Authentication-Info: rspauth=\"ab\", nc=1",
                "Authentication-Info: rspauth=\"**\", nc=1",
            ),
            ("Subject: response=\"abcd\"", "Subject: response=\"abcd\""),
        ] {
            assert_eq!(of(header), expected);
        }
    }

    #[test]
    fn nobody_hides_a_response_in_a_harmless_parameter() {
        for header in [
            "Authorization: Digest username=\"x, response=\"5ecre7\"",
            "Authorization: Digest username=\"x\\\", response=\"5ecre7\"",
            "Authorization: Digest username=x\"\" response=\"5ecre7\"",
            "Authorization: Digest realm=response=5ecre7",
            "Authorization: Digest realm=r response=5ecre7",
            "Authorization: Digest \"response\" 5ecre7",
            "Authorization: Digest 5ecre7",
            "Authorization: Digest username=\"5ecre7",
        ] {
            assert!(!of(header).contains("5ecre7"), "{}", of(header));
        }
    }

    proptest! {
        #[test]
        fn any_message_keeps_its_length_and_its_body(message in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(masked(&message).len(), message.len());
        }

        #[test]
        fn no_response_is_seen_whatever_stands_before(
            before in "[a-z=\", \\\\]{0,20}",
        ) {
            let covered = of(&format!("Authorization: Digest {before},response=\"5ecre7\""));
            prop_assert!(!covered.contains("5ecre7"), "{}", covered);
        }
    }
}
