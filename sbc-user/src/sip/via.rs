use std::net::{IpAddr, SocketAddr};

use super::field::{write_address, write_number};
use super::grammar::{Class, is_lws, port, take_while, trim, trim_start};
use super::host;
use super::malformed::Malformed;
use super::params::{Param, Params};
use super::search::{find, find_control};

/// One `Via` value (RFC 3261 §20.42).
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// The whole value, without white space around it.
    pub raw: &'a [u8],
    /// The transport as it was written: `UDP`, `TCP`, `TLS` ...; compared without regard to case.
    pub transport: &'a [u8],
    /// The host of `sent-by`, an IPv6 reference with its brackets.
    pub host: &'a [u8],
    /// The port of `sent-by`, if one is written.
    pub port: Option<u16>,
    /// The transaction's name (RFC 3261 §8.1.1.7); RFC 2543 elements send none.
    pub branch: Option<&'a [u8]>,
    /// The source that whoever received the request wrote down. Never to be believed in a request.
    pub received: Option<&'a [u8]>,
    /// What RFC 3581 knows about the source port.
    pub rport: Rport,
    params: Params<'a>,
}

/// The `rport` parameter (RFC 3581 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rport {
    /// Not there.
    Absent,
    /// There without a value: the client asks for it.
    Empty,
    /// Filled in.
    Port(u16),
}

impl<'a> Via<'a> {
    /// Reads one value of a `Via` header; a list has to be split before.
    pub fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let raw = trim(value);
        let (transport, sent_by, params) = parts(raw).ok_or(Malformed::Via)?;
        let (host, after) = if let Some(plain) = host::take_plain(sent_by, b":") {
            plain
        } else {
            let (host, after) = host::split_port(sent_by).ok_or(Malformed::Via)?;
            (Some(trim(host)).filter(|host| host::is_host(host)).ok_or(Malformed::Via)?, after)
        };
        let port = host::port_after(trim(after)).map_err(|_| Malformed::Via)?;
        let params = Params::new(params);
        let blank = Self {
            raw,
            transport,
            host,
            port,
            branch: None,
            received: None,
            rport: Rport::Absent,
            params,
        };
        blank.with_params()
    }

    /// The parameters, in their order.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The value of a parameter, empty if it has none; `None` if it is not there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params.value_of(name)
    }

    /// The address that the host of `sent-by` is; `None` for a name.
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        host::address(self.host)
    }

    /// Appends this value with `received` and `rport` as a server that got it from `source` writes
    /// them (RFC 3261 §18.2.1, RFC 3581 §4).
    ///
    /// What the sender put there itself is left out: responses would go where it says.
    pub fn write_stamped(&self, source: SocketAddr, out: &mut Vec<u8>) {
        match self.as_most_are_written() {
            Some(unstamped) => out.extend_from_slice(unstamped),
            None => self.write_unstamped(out),
        }
        let address = source.ip().to_canonical();
        if self.rport != Rport::Absent
            || self.received.is_some()
            || self.host_ip().map(|ip| ip.to_canonical()) != Some(address)
        {
            out.extend_from_slice(b";received=");
            write_address(address, out);
        }
        if self.rport != Rport::Absent {
            out.extend_from_slice(b";rport=");
            write_number(source.port(), out);
        }
    }

    /// All of it but what is stamped, where that is one piece of one line: nothing is there to be stamped, or
    /// only an empty `rport` at the end.
    fn as_most_are_written(&self) -> Option<&'a [u8]> {
        let unstamped = match (self.rport, self.received) {
            (Rport::Absent, None) => self.raw,
            (Rport::Empty, None) => self.raw.strip_suffix(b";rport")?,
            _ => return None,
        };
        find_control(unstamped).is_none().then_some(unstamped)
    }

    fn write_unstamped(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"SIP/2.0/");
        out.extend_from_slice(self.transport);
        out.push(b' ');
        out.extend_from_slice(self.host);
        if let Some(port) = self.port {
            out.push(b':');
            write_number(port, out);
        }
        for param in self.params.all().filter(|param| !is_stamp(param)) {
            out.push(b';');
            out.extend_from_slice(param.name);
            if let Some(value) = param.value {
                out.push(b'=');
                let start = out.len();
                out.extend_from_slice(value);
                // A quoted string may be folded; one line is the same text.
                if value.first() == Some(&b'"') {
                    let written = out.iter_mut().skip(start);
                    written.filter(|it| matches!(it, b'\r' | b'\n')).for_each(|it| *it = b' ');
                }
            }
        }
    }

    /// Like [`write_stamped`](Self::write_stamped), into a `Vec` of its own.
    #[must_use]
    pub fn stamped(&self, source: SocketAddr) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.raw.len() + 64);
        self.write_stamped(source, &mut value);
        value
    }

    /// Reads the parameters; those that route the response may be there once.
    fn with_params(mut self) -> Result<Self, Malformed> {
        let mut maddr = None;
        let mut ttl = None;
        for param in self.params.read() {
            let Param { name, value } = param.map_err(|_| Malformed::Via)?;
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            let routing = if is(b"branch") {
                &mut self.branch
            } else if is(b"received") {
                &mut self.received
            } else if is(b"maddr") {
                &mut maddr
            } else if is(b"ttl") {
                &mut ttl
            } else if is(b"rport") {
                if self.rport != Rport::Absent {
                    return Err(Malformed::Via);
                }
                self.rport = value
                    .map_or(Some(Rport::Empty), |value| port(value).map(Rport::Port))
                    .ok_or(Malformed::Via)?;
                continue;
            } else {
                continue;
            };
            let value = value.filter(|value| value.first() != Some(&b'"')).ok_or(Malformed::Via)?;
            if routing.replace(value).is_some() {
                return Err(Malformed::Via);
            }
        }
        Ok(self)
    }
}

/// Splits `SIP / 2.0 / transport LWS sent-by ;params` into transport, sent-by and parameters.
fn parts(raw: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (protocol, rest) = take_while(raw, Class::TOKEN);
    let (version, rest) = after_slash(rest)?;
    let (transport, rest) = after_slash(rest)?;
    let is_ours = protocol.eq_ignore_ascii_case(b"SIP") && version == b"2.0";
    if !is_ours || transport.is_empty() || !rest.first().is_some_and(|byte| is_lws(*byte)) {
        return None;
    }
    let (sent_by, params) = rest.split_at_checked(find([b';'], rest).unwrap_or(rest.len()))?;
    Some((transport, trim(sent_by), params))
}

fn after_slash(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = trim_start(text).strip_prefix(b"/")?;
    Some(take_while(trim_start(rest), Class::TOKEN))
}

fn is_stamp(param: &Param<'_>) -> bool {
    [&b"received"[..], b"rport"].iter().any(|name| param.name.eq_ignore_ascii_case(name))
}
