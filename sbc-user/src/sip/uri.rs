use std::net::IpAddr;

use super::grammar::{self, Class, is_escaped_text, slice, split_once, take_escaped};
use super::host;
use super::malformed::Malformed;
use super::search::find;

/// A URI, read strictly (RFC 3261 §19.1, RFC 3966).
///
/// Whatever stands before the one `@` of a SIP URI is userinfo, `;` and `?` included: that is the
/// grammar, and readers that look for `;` first take `sip:trusted.example;a=b@evil.example` for
/// `trusted.example`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The whole URI as it was written.
    pub raw: &'a [u8],
    /// What the rest means.
    pub scheme: Scheme<'a>,
    /// The user part, still escaped and with its own parameters; the number of a `tel` URI.
    pub user: Option<&'a [u8]>,
    /// The password part, still escaped (RFC 3261 §19.1.1 discourages it).
    pub password: Option<&'a [u8]>,
    /// The host, an IPv6 reference with its brackets; empty unless the scheme is `sip` or `sips`.
    pub host: &'a [u8],
    /// The port, if one is written.
    pub port: Option<u16>,
    /// `;name=value` and so on, or empty.
    pub params: &'a [u8],
    /// What follows the `?`, or empty.
    pub headers: &'a [u8],
}

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip`.
    Sip,
    /// `sips`.
    Sips,
    /// `tel`.
    Tel,
    /// Any other, as it was written; nothing but [`Uri::raw`] is known of such a URI.
    Other(&'a [u8]),
}

impl<'a> Uri<'a> {
    /// Reads a URI that stands alone, without angle brackets or white space.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        // Nothing that is read may hold such a character, but it is better told so.
        let has_foreign = || raw.iter().any(|byte| Class::NOT_IN_URI.has(*byte));
        Self::read(raw).map_err(|error| if has_foreign() { Malformed::UriCharacter } else { error })
    }

    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let (scheme, rest) = Scheme::split(raw).ok_or(Malformed::UriScheme)?;
        let opaque = Self {
            raw,
            scheme,
            user: None,
            password: None,
            host: b"",
            port: None,
            params: b"",
            headers: b"",
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => opaque.with_sip_parts(rest).map_err(|error| {
                // Nothing that is read behind the first one may hold another.
                let has_second = memchr::memchr_iter(b'@', rest).nth(1).is_some();
                if has_second { Malformed::UriSecondAt } else { error }
            }),
            Scheme::Tel => opaque.with_number(rest),
            Scheme::Other(_) if rest.is_empty() => Err(Malformed::UriScheme),
            Scheme::Other(_) if rest.iter().any(|byte| Class::NOT_IN_URI.has(*byte)) => {
                Err(Malformed::UriCharacter)
            }
            Scheme::Other(_) => Ok(opaque),
        }
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The address that the host is; `None` for a name.
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        host::address(self.host)
    }

    /// The colon and the digits of the port, or empty.
    #[must_use]
    pub fn port_text(&self) -> &'a [u8] {
        let end = self.raw.len().saturating_sub(self.params.len());
        let headers =
            if self.headers.is_empty() { 0 } else { self.headers.len().saturating_add(1) };
        let host_and_port = self.raw.get(..end.saturating_sub(headers)).unwrap_or_default();
        match self.port {
            Some(_) => {
                let colon = memchr::memrchr(b':', host_and_port).unwrap_or(host_and_port.len());
                host_and_port.get(colon..).unwrap_or_default()
            }
            None => b"",
        }
    }

    /// The value of a parameter, empty if it has none; `None` if the parameter is not there.
    ///
    /// Names are compared without regard to case (RFC 3261 §19.1.4).
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        params(self.params).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The bytes of the user part with its `%HH` escapes resolved.
    pub fn user_octets(&self) -> impl Iterator<Item = u8> + 'a {
        let mut rest = self.user.unwrap_or_default();
        std::iter::from_fn(move || match rest {
            [b'%', high, low, after @ ..] => {
                rest = after;
                let nibble = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(nibble(high)? * 16 + nibble(low)?).ok()
            }
            [byte, after @ ..] => {
                rest = after;
                Some(*byte)
            }
            [] => None,
        })
    }

    /// Whether the user part is `user` once its escapes are resolved. A URI without user part is not.
    #[must_use]
    pub fn user_is(&self, user: &[u8]) -> bool {
        self.user.is_some() && self.user_octets().eq(user.iter().copied())
    }

    fn with_sip_parts(mut self, rest: &'a [u8]) -> Result<Self, Malformed> {
        let mut remainder = rest;
        if find([b'@'], rest).is_some() {
            let (user, after) = take_escaped(rest, Class::USER);
            let (password, after) = match after {
                [b':', after @ ..] => {
                    let (password, after) = take_escaped(after, Class::PASSWORD);
                    (Some(password), after)
                }
                [..] => (None, after),
            };
            let after = after.strip_prefix(b"@").filter(|_| !user.is_empty());
            remainder = after.ok_or(Malformed::UriUser)?;
            self.user = Some(user);
            self.password = password;
        }
        let (host, port) = match host::take_plain(remainder, b":;?") {
            Some((host, rest)) => (Some(host), self.read_after(rest)?),
            None => host::split_port(self.read_after(remainder)?)
                .map_or((None, &[][..]), |(host, port)| {
                    (Some(host).filter(|it| host::is_host(it)), port)
                }),
        };
        self.host = host.ok_or(Malformed::UriHost)?;
        if !port.is_empty() {
            let port = port.strip_prefix(b":").and_then(grammar::port);
            self.port = Some(port.ok_or(Malformed::UriPort)?);
        }
        Ok(self)
    }

    /// Reads parameters and headers part, if there are any, and returns what stands before them.
    fn read_after(&mut self, text: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let Some(end) = find([b';', b'?'], text) else { return Ok(text) };
        self.read_tail(slice(text, end..text.len()))?;
        Ok(slice(text, 0..end))
    }

    /// Reads what follows host and port: parameters and the headers part.
    fn read_tail(&mut self, tail: &'a [u8]) -> Result<(), Malformed> {
        let mut params = tail;
        if let Some((before, headers)) = split_once(tail, b'?') {
            if headers.is_empty() || !is_escaped_text(headers, Class::URI_HEADERS) {
                return Err(Malformed::UriHeaders);
            }
            self.headers = headers;
            params = before;
        }
        self.params = checked_params(params)?;
        Ok(())
    }

    fn with_number(mut self, rest: &'a [u8]) -> Result<Self, Malformed> {
        let (number, params) = split_params(rest);
        let is_digit = |byte: &u8| {
            byte.is_ascii_hexdigit()
                || matches!(byte, b'+' | b'*' | b'#' | b'-' | b'.' | b'(' | b')')
        };
        if number.is_empty() || !number.iter().all(is_digit) {
            return Err(Malformed::UriUser);
        }
        self.user = Some(number);
        self.params = checked_params(params)?;
        Ok(self)
    }
}

impl<'a> Scheme<'a> {
    /// Reads the scheme; returns it and what stands after the colon.
    fn split(raw: &'a [u8]) -> Option<(Self, &'a [u8])> {
        // Nearly all are.
        if let Some(rest) = raw.strip_prefix(b"sip:") {
            return Some((Self::Sip, rest));
        }
        let (name, rest) = split_once(raw, b':')?;
        Some((Self::of(name)?, rest))
    }

    fn of(name: &'a [u8]) -> Option<Self> {
        let (first, rest) = name.split_first()?;
        let is_name = first.is_ascii_alphabetic()
            && rest
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !is_name {
            return None;
        }
        Some(if name.eq_ignore_ascii_case(b"sip") {
            Self::Sip
        } else if name.eq_ignore_ascii_case(b"sips") {
            Self::Sips
        } else if name.eq_ignore_ascii_case(b"tel") {
            Self::Tel
        } else {
            Self::Other(name)
        })
    }
}

/// Splits before the first `;`.
fn split_params(text: &[u8]) -> (&[u8], &[u8]) {
    let at = find([b';'], text).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, b""))
}

fn params(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == b';')
        .skip(1)
        .map(|param| split_once(param, b'=').unwrap_or((param, b"")))
}

/// Checks every parameter, and that none of those which decide routing is there twice.
fn checked_params(text: &[u8]) -> Result<&[u8], Malformed> {
    const ROUTING: [&[u8]; 6] = [b"transport", b"maddr", b"user", b"method", b"ttl", b"lr"];
    let mut seen = [false; ROUTING.len()];
    for (name, value) in params(text) {
        let is_legal = !name.is_empty()
            && is_escaped_text(name, Class::URI_PARAM)
            && is_escaped_text(value, Class::URI_PARAM_VALUE);
        let known =
            ROUTING.iter().zip(&mut seen).find(|(known, _)| name.eq_ignore_ascii_case(known));
        let is_repeated = known.is_some_and(|(_, seen)| std::mem::replace(seen, true));
        if !is_legal || is_repeated {
            return Err(Malformed::UriParameter);
        }
    }
    Ok(text)
}
