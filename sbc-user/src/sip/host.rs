//! Hosts as they are written in URIs and in `Via`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grammar::{self, Class, take_while, trim};
use super::malformed::Malformed;
use super::search::find;

/// Splits `host [":" port]` into the host, an IPv6 reference with its brackets, and what follows it.
pub(super) fn split_port(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.first() == Some(&b'[') {
        let end = find([b']'], text)?;
        return text.split_at_checked(end + 1);
    }
    let end = find([b':'], text).unwrap_or(text.len());
    text.split_at_checked(end)
}

/// Reads `[":" port]` with white space around the colon, which is legal in `Via` only.
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
    dotted_quad(host).map(IpAddr::V4)
}

/// Reads an IPv4 address as `Ipv4Addr` does, which wants UTF-8 to be checked first: four numbers without
/// leading zeros.
fn dotted_quad(host: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut place = 0;
    let mut number: Option<u8> = None;
    for byte in host {
        if *byte == b'.' {
            *octets.get_mut(place)? = number.take()?;
            place += 1;
            continue;
        }
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number = match number {
            None => Some(digit),
            Some(0) => return None,
            Some(number) => Some(number.checked_mul(10)?.checked_add(digit)?),
        };
    }
    *octets.get_mut(place)? = number?;
    (place == 3).then(|| octets.into())
}

/// Whether it is a host name, an IPv4 address or a bracketed IPv6 address.
///
/// Looser than RFC 3261 §25.1 in two points seen in daily traffic: `_` in names, and a last label
/// that begins with a digit (container names). A last label that is a number is refused unless the
/// host is a dotted quad: `inet_aton` would read `127.1` or `0x7f000001` as an address, we as a name.
pub(super) fn is_host(host: &[u8]) -> bool {
    match host {
        [b'[', ..] | [.., b'0'..=b'9'] if address(host).is_some() => true,
        _ => is_name(host.strip_suffix(b".").unwrap_or(host)),
    }
}

fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    loop {
        let (label, after) = take_while(rest, Class::LABEL);
        match after {
            _ if label.is_empty() => return false,
            [] => return !is_number(label),
            [b'.', next @ ..] => rest = next,
            [..] => return false,
        }
    }
}

fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x' | b'X', hex @ ..] => hex.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_dotted_quad_is_what_the_standard_library_takes_for_one(
            text in "((0|1|25|255|256|01|00|0000|999|-1|a|)\\.?){0,6}|[0-9.]{0,20}",
        ) {
            prop_assert_eq!(dotted_quad(text.as_bytes()), text.parse().ok());
        }
    }
}
