//! Which hosts a request may be for.
//!
//! A page of a stranger can make a browser resolve a name of the stranger's to our address, and then read what we
//! answer as its own (DNS rebinding): the browser asks for that name. It cannot do so with an address, nor with a
//! name that is not the stranger's.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Says whether a request may be for `authority`, a Host header's value: an address, "localhost", or one of `names`;
/// at any port, since tunnels have others than we.
pub(super) fn may_be(authority: &str, names: &[String]) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && is_port(port);
    }
    let (host, port) = match authority.find(':') {
        None => (authority, ""),
        Some(at) => authority.split_at(at),
    };
    let is_known = host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok()
        || names.iter().any(|name| name.eq_ignore_ascii_case(host));
    is_known && is_port(port)
}

/// Says whether this is nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::may_be;

    #[test]
    fn addresses_localhost_and_our_names_are_hosts_at_any_port() {
        let names = ["edge.example.com".to_owned()];
        for host in
            ["127.0.0.1", "203.0.113.9", "[::1]", "localhost", "LOCALHOST", "Edge.Example.com"]
        {
            for port in ["", ":80", ":9160", ":65535"] {
                assert!(may_be(&format!("{host}{port}"), &names), "{host}{port}");
            }
        }
    }

    #[test]
    fn nothing_else_is() {
        let names = ["edge.example.com".to_owned()];
        for host in [
            "",
            ":9160",
            "evil.example",
            "edge.example.com.evil.example",
            "localhost.evil.example",
            "localhost.",
            "127.0.0.1.evil.example",
            "2130706433",
            "127.1",
            "::1",
            "[::1",
            "[::1]x",
            "[localhost]",
            "localhost:",
            "localhost:+80",
            "localhost:65536",
            "user@localhost",
            "localhost:9160@evil.example",
            "localhost, evil.example",
        ] {
            assert!(!may_be(host, &names), "{host}");
        }
    }
}
