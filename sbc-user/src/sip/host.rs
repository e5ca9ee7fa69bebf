//! Hosts as they are written in URIs and in `Via`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grammar::{self, Class, take_while, trim};
use super::malformed::Malformed;
use super::search::find;

/// Splits after the host that a text begins with, in one pass, if it is as nearly all are: a dotted quad, or
/// a name whose last label begins with a letter; and the text ends there, or goes on with one of `marks`.
///
/// What it yields [is a host](is_host), all of it. `None` says nothing.
#[inline]
pub(super) fn take_plain<'a>(text: &'a [u8], marks: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (host, rest) = if text.first()?.is_ascii_digit() {
        let (_, rest) = take_dotted_quad(text)?;
        text.split_at_checked(text.len() - rest.len())?
    } else {
        take_name(text)?
    };
    rest.first().is_none_or(|mark| marks.contains(mark)).then_some((host, rest))
}

#[inline]
fn take_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut label, mut end) = (0, text.len());
    for (at, byte) in text.iter().enumerate() {
        if Class::LABEL.has(*byte) {
            continue;
        }
        if *byte != b'.' {
            end = at;
            break;
        }
        if at == label {
            return None;
        }
        label = at + 1;
    }
    let (name, rest) = text.split_at_checked(end)?;
    name.get(label..)?.first()?.is_ascii_alphabetic().then_some((name, rest))
}

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
    take_dotted_quad(host).filter(|(_, rest)| rest.is_empty()).map(|(address, _)| address)
}

/// The same at the beginning of a text; returns what follows, which may be another digit.
#[inline]
fn take_dotted_quad(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (a, rest) = take_octet(text)?;
    let (b, rest) = take_octet(rest.strip_prefix(b".")?)?;
    let (c, rest) = take_octet(rest.strip_prefix(b".")?)?;
    let (d, rest) = take_octet(rest.strip_prefix(b".")?)?;
    Some((Ipv4Addr::new(a, b, c, d), rest))
}

#[inline]
fn take_octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: &u8| u16::from(byte - b'0');
    let (number, rest) = match text {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            (digit(a) * 100 + digit(b) * 10 + digit(c), rest)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', rest @ ..] => (digit(a) * 10 + digit(b), rest),
        [a @ b'0'..=b'9', rest @ ..] => (digit(a), rest),
        [..] => return None,
    };
    Some((u8::try_from(number).ok()?, rest))
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
        fn what_is_taken_as_a_plain_host_is_one(
            text in "((0|1|25|255|256|01|a|b-|_|0x1|é|)\\.?){0,6}(:5060|;lr|\\?| |)",
        ) {
            let text = text.as_bytes();
            let end = text.iter().position(|byte| b":;? ".contains(byte)).unwrap_or(text.len());
            let (expected, rest) = text.split_at(end);
            match take_plain(text, b":;?") {
                Some(taken) => {
                    prop_assert_eq!(taken, (expected, rest));
                    prop_assert!(is_host(expected) && rest.first() != Some(&b' '));
                }
                None => prop_assert!(
                    !is_host(expected)
                        || rest.first() == Some(&b' ')
                        || !expected.rsplit(|byte| *byte == b'.').next().unwrap().starts_with(b"a")
                        || expected.first().is_some_and(u8::is_ascii_digit)
                ),
            }
        }

        #[test]
        fn a_dotted_quad_is_what_the_standard_library_takes_for_one(
            text in "((0|1|25|255|256|01|00|0000|999|-1|a|)\\.?){0,6}|[0-9.]{0,20}",
        ) {
            prop_assert_eq!(dotted_quad(text.as_bytes()), text.parse().ok());
        }
    }
}
