//! Hosts as they are written in URIs and in `Via`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grammar::{self, trim};
use super::malformed::Malformed;

/// Splits `host [":" port]` into the host, an IPv6 reference with its brackets, and what follows it.
pub(super) fn split_port(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.first() == Some(&b'[') {
        let end = memchr::memchr(b']', text)?;
        return text.split_at_checked(end + 1);
    }
    let end = memchr::memchr(b':', text).unwrap_or(text.len());
    text.split_at_checked(end)
}

/// Reads `[":" port]`; white space around the colon is legal in `Via` only.
pub(super) fn port_after(text: &[u8]) -> Result<Option<u16>, Malformed> {
    if text.is_empty() {
        return Ok(None);
    }
    let port = text.strip_prefix(b":").and_then(|digits| grammar::port(trim(digits)));
    port.map(Some).ok_or(Malformed::UriPort)
}

/// The address that a host is, if it is one.
pub(super) fn address(host: &[u8]) -> Option<IpAddr> {
    if let Some(inner) = host.strip_prefix(b"[") {
        let text = std::str::from_utf8(inner.strip_suffix(b"]")?).ok()?;
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let text = std::str::from_utf8(host).ok()?;
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

/// Whether it is a host name, an IPv4 address or a bracketed IPv6 address.
///
/// Looser than RFC 3261 §25.1 in two points seen in daily traffic: `_` in names, and a last label
/// that begins with a digit (container names). A last label that is a number is refused unless the
/// host is a dotted quad: `inet_aton` would read `127.1` or `0x7f000001` as an address, we as a name.
pub(super) fn is_host(host: &[u8]) -> bool {
    if address(host).is_some() {
        return true;
    }
    let name = host.strip_suffix(b".").unwrap_or(host);
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let mut labels = name.split(|byte| *byte == b'.');
    labels.clone().all(is_label) && labels.next_back().is_some_and(|last| !is_number(last))
}

fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x' | b'X', hex @ ..] => hex.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}
