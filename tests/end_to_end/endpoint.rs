//! One end of SIP over UDP that takes and gives messages byte by byte.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Host, wait_for};
use socket2::SockRef;

use crate::request::Request;

const PATIENCE: Duration = Duration::from_secs(5);

/// A bound socket.
pub(crate) struct Endpoint {
    socket: UdpSocket,
    pub(crate) local: SocketAddr,
}

/// A phone at the caller's address, and the upstream.
pub(crate) fn ends(gateway: &Gateway) -> Result<(Endpoint, Endpoint)> {
    let phone = SocketAddr::new(Family::V4.caller(), 5070);
    Ok((
        Endpoint::bind(&gateway.internet, phone)?,
        Endpoint::bind(&gateway.inside, gateway.upstream())?,
    ))
}

/// A message that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) from: SocketAddr,
}

impl Endpoint {
    pub(crate) fn bind(host: &Host, local: SocketAddr) -> Result<Self> {
        // A process that another test is just starting still holds all sockets that we have closed.
        let socket = wait_for(&format!("{local} to be free"), PATIENCE, || {
            Ok(Some(host.enter(|| UdpSocket::bind(local))??))
        })?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { local: socket.local_addr()?, socket })
    }

    /// Sends with this hop limit from now on.
    pub(crate) fn set_hop_limit(&self, hop_limit: u32) -> Result<()> {
        let socket = SockRef::from(&self.socket);
        match self.local.ip() {
            IpAddr::V4(_) => socket.set_ttl_v4(hop_limit),
            IpAddr::V6(_) => socket.set_unicast_hops_v6(hop_limit),
        }
        .context("setting the hop limit")
    }

    /// A request of this endpoint, see [`Request::new`].
    pub(crate) fn request(&self, method: &'static str) -> Request {
        Request::new(method, "UDP", self.local)
    }

    pub(crate) fn send(&self, to: SocketAddr, message: &impl ToString) -> Result<()> {
        self.send_bytes(to, message.to_string().as_bytes())
    }

    pub(crate) fn send_bytes(&self, to: SocketAddr, bytes: &[u8]) -> Result<()> {
        self.socket.send_to(bytes, to).with_context(|| format!("{} to {to}", self.local))?;
        Ok(())
    }

    /// Waits for the next message.
    pub(crate) fn hear(&self) -> Result<Heard> {
        let mut bytes = vec![0; 65_535];
        let heard = self.socket.recv_from(&mut bytes);
        let (length, from) = heard.with_context(|| format!("{} heard nothing", self.local))?;
        bytes.truncate(length);
        Ok(Heard { text: String::from_utf8(bytes)?, from })
    }

    /// Whether a message waits.
    pub(crate) fn has_heard(&self) -> Result<bool> {
        self.socket.set_nonblocking(true)?;
        let peeked = self.socket.peek(&mut [0; 1]);
        self.socket.set_nonblocking(false)?;
        Ok(peeked.is_ok())
    }

    /// Sends a request, and returns the next message, which must be its answer with this status.
    pub(crate) fn ask(&self, to: SocketAddr, request: &Request, status: u16) -> Result<Heard> {
        self.send(to, &request)?;
        let heard = self.hear()?;
        let expected = format!("SIP/2.0 {status} ");
        ensure!(heard.text.starts_with(&expected), "not {status} to {request}\n{}", heard.text);
        ensure!(heard.from == to, "answered by {} instead of {to}", heard.from);
        ensure!(heard.header("Call-ID") == Some(&request.call_id), "to another: {}", heard.text);
        let cseq = format!("{} {}", request.cseq, request.method);
        ensure!(heard.header("CSeq") == Some(&cseq), "to another: {}", heard.text);
        Ok(heard)
    }
}

impl Heard {
    /// The request line or status line.
    pub(crate) fn start_line(&self) -> &str {
        self.text.split("\r\n").next().unwrap_or_default()
    }

    /// The values of all lines of this header, which is given in its long form.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines
            .filter(|(found, _)| found.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The value of the first line of this header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    /// What follows the empty line.
    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// The next request of a call, from the caller who got this answer to `request`.
    pub(crate) fn follow_up(&self, request: &Request, method: &'static str) -> Request {
        let contact = self.header("Contact").unwrap_or_default();
        let uri = contact.trim_start_matches('<').trim_end_matches('>').to_owned();
        let to = self.header("To").unwrap_or_default().to_owned();
        // RFC 3261 §12.1.2: the route set is the Record-Route in reverse.
        let routes = self.headers("Record-Route").into_iter().rev().collect::<Vec<_>>().join(", ");
        let headers = vec!["Max-Forwards: 70".to_owned(), format!("Route: {routes}")];
        let body = String::new();
        Request { method, uri, to, headers, body, ..request.next() }
    }

    /// The answer to this request, with the tag "far" and further lines.
    pub(crate) fn answer(&self, status: &str, lines: &[&str]) -> String {
        let mut answer = vec![format!("SIP/2.0 {status}")];
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in self.headers(name) {
                let tag = if name == "To" && !value.contains(";tag=") { ";tag=far" } else { "" };
                answer.push(format!("{name}: {value}{tag}"));
            }
        }
        answer.extend(lines.iter().map(|line| (*line).to_owned()));
        answer.push("Content-Length: 0\r\n\r\n".to_owned());
        answer.join("\r\n")
    }
}
