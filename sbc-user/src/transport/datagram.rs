//! Datagrams that keep a path open and say nothing.

/// First bytes of a STUN message after its type and length (RFC 8489 §5).
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Bytes of a STUN header.
const STUN_HEADER: usize = 20;

/// Whether a datagram is a keepalive: nothing but CRLFs, or STUN (RFC 5626 §3.5).
///
/// STUN requests are not answered; a peer that wants answers uses a stream.
pub(super) fn is_keepalive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n')) || is_stun(datagram)
}

/// A SIP message begins with a letter, whose two highest bits are never both zero.
fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= STUN_HEADER
        && datagram.first().is_some_and(|first| first & 0xc0 == 0)
        && datagram.get(4..8) == Some(&STUN_COOKIE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crlfs_and_nothing_at_all_are_keepalives() {
        assert!(is_keepalive(b""));
        assert!(is_keepalive(b"\r\n"));
        assert!(is_keepalive(b"\r\n\r\n"));
    }

    #[test]
    fn a_stun_binding_request_is_a_keepalive() {
        let request = b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl";
        assert!(is_keepalive(request));
        assert!(!is_keepalive(&request[..19]));
    }

    #[test]
    fn a_message_is_no_keepalive() {
        assert!(!is_keepalive(b"\r\nOPTIONS sip:a SIP/2.0\r\n\r\n"));
        assert!(!is_keepalive(b"SIP/\x21\x12\xa4\x42200 OK........"));
    }
}
