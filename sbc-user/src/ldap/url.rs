use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustls::pki_types::ServerName;
use thiserror::Error;

/// Where a directory is: `ldaps://dc1.example`, `ldap://127.0.0.1:3890`, `ldapi://%2frun%2fslapd%2fldapi`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapUrl {
    text: String,
    place: Place,
}

/// What a URL leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host.
    Host {
        /// A name, or an address without brackets.
        host: String,
        /// The TCP port.
        port: u16,
        /// Whether TLS comes first (`ldaps`).
        is_secure: bool,
    },
    /// A Unix socket.
    Socket(PathBuf),
}

/// Why a text is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a directory's URL such as \"ldaps://dc1.example\" or \"ldapi://%2frun%2fslapd%2fldapi\""
)]
pub struct InvalidUrl(String);

impl LdapUrl {
    /// What it leads to.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether it speaks TLS from the start.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self.place, Place::Host { is_secure: true, .. })
    }

    /// Whether what is sent there leaves the machine, or may.
    #[must_use]
    pub fn leaves_the_machine(&self) -> bool {
        match &self.place {
            Place::Host { host, .. } => {
                !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            Place::Socket(_) => false,
        }
    }
}

impl fmt::Display for LdapUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for LdapUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = place(text).ok_or_else(|| InvalidUrl(text.to_owned()))?;
        Ok(Self { text: text.to_owned(), place })
    }
}

/// What stands behind the host (a base, attributes) has keys of its own.
fn place(text: &str) -> Option<Place> {
    let (scheme, rest) = text.split_once("://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (is_secure, default_port) = match scheme {
        "ldap" => (false, 389),
        "ldaps" => (true, 636),
        "ldapi" => return socket(rest).map(Place::Socket),
        _ => return None,
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, port.strip_prefix(':').or(Some(port).filter(|it| it.is_empty()).map(|_| ""))?)
        }
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    let port = if port.is_empty() { default_port } else { port.parse().ok()? };
    ServerName::try_from(host).ok().filter(|_| port > 0)?;
    Some(Place::Host { host: host.to_owned(), port, is_secure })
}

fn socket(text: &str) -> Option<PathBuf> {
    let mut bytes = text.bytes();
    let mut path = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            path.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        path.push(u8::try_from(high << 4 | low).ok()?);
    }
    let path = PathBuf::from(String::from_utf8(path).ok()?);
    Path::is_absolute(&path).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_a_host_or_a_socket() {
        let host = |text: &str| match text.parse::<LdapUrl>().unwrap().place {
            Place::Host { host, port, is_secure } => (host, port, is_secure),
            Place::Socket(path) => panic!("{path:?}"),
        };
        let expected = |host: &str, port, is_secure| (host.to_owned(), port, is_secure);
        assert_eq!(host("ldaps://dc1.example"), expected("dc1.example", 636, true));
        assert_eq!(host("ldap://127.0.0.1:3890/"), expected("127.0.0.1", 3890, false));
        assert_eq!(host("ldaps://[2001:db8::1]"), expected("2001:db8::1", 636, true));
        assert_eq!(host("ldap://[::1]:390"), expected("::1", 390, false));
        let socket: LdapUrl = "ldapi://%2frun%2Fldapi".parse().unwrap();
        assert_eq!(socket.place, Place::Socket("/run/ldapi".into()));
    }

    #[test]
    fn what_leads_nowhere_or_says_more_is_refused() {
        for text in [
            "dc1.example",
            "http://dc1.example",
            "ldap://",
            "ldap://:389",
            "ldap://dc1.example/dc=example",
            "ldap://a@dc1.example",
            "ldap://dc1.example:0",
            "ldap://[::1",
            "ldap://[::1]389",
            "ldapi://",
            "ldapi://run",
            "ldapi://%2",
        ] {
            assert!(text.parse::<LdapUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_stay_on_the_machine() {
        for (text, leaves) in [
            ("ldap://127.0.0.1", false),
            ("ldap://[::1]", false),
            ("ldapi://%2frun%2fldapi", false),
            ("ldap://localhost", true),
            ("ldaps://10.0.0.9", true),
        ] {
            assert_eq!(text.parse::<LdapUrl>().unwrap().leaves_the_machine(), leaves, "{text}");
        }
    }
}
