/// Whether the `uri` of a Digest response names the target of the request that carries it.
///
/// RFC 7616 §3.4.6 wants "the same resource"; the Digest `uri` is what the user signed. Equal bytes
/// always do. Two `sip:` or two `sips:` URIs also do if user part (byte for byte), host (in any case)
/// and port are equal: URI parameters and headers are ignored, because phones leave `;transport=`
/// and the like out of one of the two. What decides where a call goes, user and host, must be the
/// signed one. All other schemes need equal bytes: the parameters of a `tel:` URI
/// (`;phone-context=`) are part of the number.
///
/// A URI with two `@` is equal only to itself: parsers disagree about its host.
pub(super) fn names_same_target(signed: &[u8], request_uri: &[u8]) -> bool {
    if signed == request_uri {
        return true;
    }
    match (SipTarget::read(signed), SipTarget::read(request_uri)) {
        (Some(signed), Some(requested)) => signed.is_same_as(&requested),
        _ => false,
    }
}

struct SipTarget<'a> {
    scheme: &'a [u8],
    user: Option<&'a [u8]>,
    host_and_port: &'a [u8],
}

impl<'a> SipTarget<'a> {
    fn read(uri: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = split_at_byte(uri, b':')?;
        if !scheme.eq_ignore_ascii_case(b"sip") && !scheme.eq_ignore_ascii_case(b"sips") {
            return None;
        }
        let (user, rest) = match split_at_byte(rest, b'@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        if rest.contains(&b'@') {
            return None;
        }
        let host_and_port = rest.split(|byte| matches!(byte, b';' | b'?')).next()?;
        if host_and_port.is_empty() {
            return None;
        }
        Some(Self { scheme, user, host_and_port })
    }

    fn is_same_as(&self, other: &SipTarget<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.user == other.user
            && self.host_and_port.eq_ignore_ascii_case(other.host_and_port)
    }
}

fn split_at_byte(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let mut halves = bytes.splitn(2, |byte| *byte == at);
    Some((halves.next()?, halves.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(signed: &str, requested: &str, same: bool) {
        assert_eq!(names_same_target(signed.as_bytes(), requested.as_bytes()), same);
        assert_eq!(names_same_target(requested.as_bytes(), signed.as_bytes()), same);
    }

    #[test]
    fn ignores_parameters_and_the_case_of_scheme_and_host() {
        check("sip:bob@example.com", "sip:bob@example.com;transport=udp", true);
        check("SIP:bob@EXAMPLE.com:5060", "sip:bob@example.com:5060;user=phone", true);
        check("sip:example.com", "sip:example.com;lr", true);
        check("sip:bob@[2001:db8::A]", "sip:bob@[2001:DB8::a]", true);
        check("tel:+12125551234", "tel:+12125551234", true);
    }

    #[test]
    fn user_host_port_and_scheme_must_be_the_signed_ones() {
        check("sip:bob@example.com", "sip:Bob@example.com", false);
        check("sip:bob@example.com", "sip:mallory@example.com", false);
        check("sip:bob@example.com", "sip:example.com", false);
        check("sip:bob@example.com", "sip:bob@example.net", false);
        check("sip:bob@example.com", "sip:bob@example.com:5060", false);
        check("sip:bob@example.com", "sips:bob@example.com", false);
        check("tel:7042;phone-context=a.example", "tel:7042;phone-context=b.example", false);
        check("/", "sip:bob@example.com", false);
        check("", "sip:bob@example.com", false);
    }

    #[test]
    fn a_uri_with_two_hosts_is_equal_only_to_itself() {
        check("sip:trusted.example;a=b@evil.example", "sip:trusted.example", false);
        check("sip:a@b@c", "sip:a@b@c;lr", false);
        check("sip:a@b@c", "sip:a@b@c", true);
        check("sip:a@", "sip:a@;lr", false);
    }
}
