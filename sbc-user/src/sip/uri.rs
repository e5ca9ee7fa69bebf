use std::net::IpAddr;

use super::grammar::{is_escaped_text, is_unreserved, split_once};
use super::host;
use super::malformed::Malformed;

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
        if raw.iter().any(|byte| matches!(byte, 0..=b' ' | 0x7f | b'"' | b'<' | b'>')) {
            return Err(Malformed::UriCharacter);
        }
        let (name, rest) = split_once(raw, b':').ok_or(Malformed::UriScheme)?;
        let scheme = Scheme::of(name).ok_or(Malformed::UriScheme)?;
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
            Scheme::Sip | Scheme::Sips => opaque.with_sip_parts(rest),
            Scheme::Tel => opaque.with_number(rest),
            Scheme::Other(_) if rest.is_empty() => Err(Malformed::UriScheme),
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
        if let Some((userinfo, after)) = split_once(rest, b'@') {
            if memchr::memchr(b'@', after).is_some() {
                return Err(Malformed::UriSecondAt);
            }
            let (user, password) = match split_once(userinfo, b':') {
                Some((user, password)) => (user, Some(password)),
                None => (userinfo, None),
            };
            if user.is_empty()
                || !is_escaped_text(user, is_user_byte)
                || !is_escaped_text(password.unwrap_or_default(), is_password_byte)
            {
                return Err(Malformed::UriUser);
            }
            self.user = Some(user);
            self.password = password;
            remainder = after;
        }
        if let Some((before, headers)) = split_once(remainder, b'?') {
            if headers.is_empty() || !is_escaped_text(headers, is_headers_byte) {
                return Err(Malformed::UriHeaders);
            }
            self.headers = headers;
            remainder = before;
        }
        let (host_port, params) = split_params(remainder);
        self.params = checked_params(params)?;
        let (host, port) = host::split_port(host_port).ok_or(Malformed::UriHost)?;
        if !host::is_host(host) {
            return Err(Malformed::UriHost);
        }
        self.host = host;
        // No white space got here, so this is the colon and digits.
        self.port = host::port_after(port)?;
        Ok(self)
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
    let at = memchr::memchr(b';', text).unwrap_or(text.len());
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
        // `=` in a value is not in the grammar; base64 values of some proxies end in it.
        let is_legal = !name.is_empty()
            && is_escaped_text(name, is_param_byte)
            && is_escaped_text(value, |byte| is_param_byte(byte) || byte == b'=');
        let known =
            ROUTING.iter().zip(&mut seen).find(|(known, _)| name.eq_ignore_ascii_case(known));
        let is_repeated = known.is_some_and(|(_, seen)| std::mem::replace(seen, true));
        if !is_legal || is_repeated {
            return Err(Malformed::UriParameter);
        }
    }
    Ok(text)
}

/// `user` of RFC 3261 §25.1, and two things that phones send: an unescaped `#` of a feature code,
/// and UTF-8. SIP URIs have no fragment, so neither ends the user part; both compare byte by byte.
const fn is_user_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
        || matches!(byte, b'#' | 0x80..)
}

const fn is_password_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',')
}

const fn is_param_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

const fn is_headers_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$' | b'&' | b'=')
}
