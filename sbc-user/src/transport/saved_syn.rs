//! The packet that asked for a connection, as the kernel kept it.

use std::io;
use std::os::fd::AsRawFd;

/// Room for an IP header, its extensions and a TCP header. A longer one is not given out.
const ROOM: usize = 512;

/// Has the kernel keep the headers of the segments that ask `listener` for connections.
pub(super) fn keep(listener: &impl AsRawFd) -> io::Result<()> {
    let yes: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&yes)).map_err(io::Error::other)?;
    // SAFETY: `yes` is `size` readable bytes that outlive the call, which keeps no pointer to them.
    let done = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_SAVE_SYN,
            (&raw const yes).cast(),
            size,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The hop limit that the first segment of a connection arrived with; `None` where the kernel has not
/// kept it, as under SYN cookies, or has given it out before.
///
/// Whoever completed the connection sent that segment: its acknowledgement needs the number that only an
/// answer to it tells (RFC 9293 §3.5), and the answer went to the source of it.
pub(super) fn hop_limit(connection: &impl AsRawFd) -> Option<u8> {
    let mut headers = [0_u8; ROOM];
    let mut size = libc::socklen_t::try_from(headers.len()).ok()?;
    // SAFETY: `headers` is `size` writable bytes and `size` a writable length, which both outlive the
    // call; it keeps no pointer to them.
    let done = unsafe {
        libc::getsockopt(
            connection.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_SAVED_SYN,
            headers.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if done != 0 {
        return None;
    }
    headers.get(..usize::try_from(size).ok()?).and_then(of_headers)
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
