//! The packet that asked for a connection, as the kernel kept it.

use std::io;
use std::os::fd::AsRawFd;

use super::socket_option;

/// Room for an IP header, its extensions and a TCP header. A longer one is not given out.
const ROOM: usize = 512;

/// Has the kernel keep the headers of the segments that ask `listener` for connections.
pub(super) fn keep(listener: &impl AsRawFd) -> io::Result<()> {
    socket_option::switch_on(listener, libc::IPPROTO_TCP, libc::TCP_SAVE_SYN)
}

/// The hop limit that the first segment of a connection arrived with; `None` where the kernel has not
/// kept it, as under SYN cookies, or has given it out before.
///
/// Whoever completed the connection sent that segment: its acknowledgement needs the number that only an
/// answer to it tells (RFC 9293 §3.5), and the answer went to the source of it.
pub(super) fn hop_limit(connection: &impl AsRawFd) -> Option<u8> {
    let mut headers = [0_u8; ROOM];
    let level = libc::IPPROTO_TCP;
    let kept = socket_option::read(connection, level, libc::TCP_SAVED_SYN, &mut headers).ok()?;
    of_headers(kept)
}

/// The hop limit in an IP header (RFC 791 §3.1, RFC 8200 §3).
fn of_headers(headers: &[u8]) -> Option<u8> {
    match headers.first()? >> 4 {
        4 => headers.get(8).copied(),
        6 => headers.get(7).copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn accepted(address: &str, is_kept: bool) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(address).unwrap();
        if is_kept {
            keep(&listener).unwrap();
        }
        let there = listener.local_addr().unwrap();
        let client = Socket::new(Domain::for_address(there), Type::STREAM, None).unwrap();
        if there.is_ipv4() {
            client.set_ttl_v4(77).unwrap();
        } else {
            client.set_unicast_hops_v6(77).unwrap();
        }
        client.connect(&there.into()).unwrap();
        (listener.accept().unwrap().0, client.into())
    }

    #[test]
    fn a_connection_tells_the_hop_limit_that_it_was_asked_for_with_once() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (connection, _client) = accepted(address, true);
            assert_eq!(hop_limit(&connection), Some(77), "{address}");
            assert_eq!(hop_limit(&connection), None, "{address}");
        }
    }

    #[test]
    fn where_nothing_was_kept_nothing_is_told() {
        let (connection, client) = accepted("127.0.0.1:0", false);
        assert_eq!(hop_limit(&connection), None);
        assert_eq!(hop_limit(&client), None);
        assert_eq!(hop_limit(&std::net::UdpSocket::bind("127.0.0.1:0").unwrap()), None);
    }

    #[test]
    fn headers_of_no_version_or_cut_short_have_none() {
        for headers in [&[][..], &[0x45], &[0x45, 0, 0, 0, 0, 0, 0, 0], &[0x60; 7], &[0x50; 40]] {
            assert_eq!(of_headers(headers), None, "{headers:?}");
        }
    }
}
