use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::values::from_text;
use crate::sip::{Scheme, Uri};
use crate::transport::Transport;

/// Who is to be reached, as a SIP URI without a user: `sip:10.0.0.5:5060`, `sip:pbx.example;transport=tls`,
/// `sips:pbx.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SipTarget {
    /// The host.
    pub host: TargetHost,
    /// The port, if one is written.
    pub port: Option<u16>,
    transport: Option<Transport>,
    is_secure: bool,
}

/// The host of a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetHost {
    /// An address.
    Address(IpAddr),
    /// A name that has to be resolved, in lower case.
    Name(Box<str>),
}

impl SipTarget {
    /// The transport, if the URI leaves no choice (RFC 3263 §4.1): it is written, or the scheme is `sips`,
    /// or the host is an address.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        let by_scheme = self.is_secure.then_some(Transport::Tls);
        let by_address = || matches!(self.host, TargetHost::Address(_)).then_some(Transport::Udp);
        by_scheme.or(self.transport).or_else(by_address)
    }

    /// The one place that it is reached at; `None` for a name.
    #[must_use]
    pub fn place(&self) -> Option<(Transport, SocketAddr)> {
        let TargetHost::Address(address) = self.host else { return None };
        let transport = self.transport()?;
        Some((transport, SocketAddr::new(address, self.port_over(transport))))
    }

    /// The host, and the port if one is written, as they stand in a URI.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        let host = match &self.host {
            TargetHost::Address(IpAddr::V6(address)) => format!("[{address}]"),
            TargetHost::Address(IpAddr::V4(address)) => address.to_string(),
            TargetHost::Name(name) => name.to_string(),
        };
        self.port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }

    /// The port over a transport, as written or by default (RFC 3261 §19.1.2).
    #[must_use]
    pub fn port_over(&self, transport: Transport) -> u16 {
        self.port.unwrap_or(if transport == Transport::Tls { 5061 } else { 5060 })
    }
}

impl FromStr for SipTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |what: &str| {
            format!(
                "{text:?} {what}; write a host and perhaps a transport, such as sip:10.0.0.5:5060"
            )
        };
        let uri = Uri::parse(text.as_bytes()).map_err(|_| wrong("is not a SIP URI"))?;
        let is_secure = match uri.scheme {
            Scheme::Sip => false,
            Scheme::Sips => true,
            Scheme::Tel | Scheme::Other(_) => return Err(wrong("is not a SIP URI")),
        };
        if uri.user.is_some() || !uri.headers.is_empty() {
            return Err(wrong("has more than a host"));
        }
        let named = uri.param(b"transport").map(|name| {
            [Transport::Udp, Transport::Tcp, Transport::Tls]
                .into_iter()
                .find(|known| name.eq_ignore_ascii_case(known.name().as_bytes()))
        });
        let transport = match named {
            None => None,
            Some(Some(transport)) => Some(transport),
            Some(None) => return Err(wrong("has a transport that is not udp, tcp or tls")),
        };
        let parameters = uri.params.split(|byte| *byte == b';').skip(1).count();
        if parameters != usize::from(transport.is_some()) {
            return Err(wrong("has a parameter other than transport"));
        }
        if is_secure && transport == Some(Transport::Udp) {
            return Err(wrong("asks for TLS and for UDP"));
        }
        let host = match uri.host_ip() {
            Some(address) => TargetHost::Address(address),
            None => TargetHost::Name(String::from_utf8_lossy(uri.host).to_ascii_lowercase().into()),
        };
        Ok(Self { host, port: uri.port, transport, is_secure })
    }
}

impl fmt::Display for SipTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_secure { "sips:" } else { "sip:" })?;
        formatter.write_str(&self.host_and_port())?;
        match self.transport {
            Some(transport) => write!(formatter, ";transport={}", transport.name().to_lowercase()),
            None => Ok(()),
        }
    }
}

from_text!(SipTarget);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_place_as_soon_as_its_host_is_an_address() {
        for (text, expected) in [
            ("sip:10.0.0.5", (Transport::Udp, "10.0.0.5:5060")),
            ("sip:10.0.0.5:5080", (Transport::Udp, "10.0.0.5:5080")),
            ("sip:[2001:db8::5];transport=tcp", (Transport::Tcp, "[2001:db8::5]:5060")),
            ("sip:[2001:db8::5]:5080;transport=TLS", (Transport::Tls, "[2001:db8::5]:5080")),
            ("sips:10.0.0.5", (Transport::Tls, "10.0.0.5:5061")),
            ("sips:10.0.0.5;transport=tcp", (Transport::Tls, "10.0.0.5:5061")),
        ] {
            let target: SipTarget = text.parse().unwrap();
            assert_eq!(target.place(), Some((expected.0, expected.1.parse().unwrap())), "{text}");
        }
        let name: SipTarget = "sip:PBX.example".parse().unwrap();
        assert_eq!((name.place(), name.transport()), (None, None));
        assert_eq!(name.to_string(), "sip:pbx.example");
    }

    #[test]
    fn what_is_more_or_less_than_a_host_and_a_transport_is_refused() {
        for text in [
            "10.0.0.5:5060",
            "sip:",
            "sip:2001:db8::5",
            "sip:alice@10.0.0.5",
            "sip:10.0.0.5;lr",
            "sip:10.0.0.5;transport=sctp",
            "sips:10.0.0.5;transport=udp",
            "sip:10.0.0.5?a=b",
            "tel:+1",
        ] {
            let error = text.parse::<SipTarget>().unwrap_err();
            assert!(error.contains("such as sip:10.0.0.5:5060"), "{error}");
        }
    }
}
