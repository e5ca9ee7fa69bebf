//! Somebody who tries every address on the internet.

use std::{
    fmt::Write as _,
    net::{SocketAddr, UdpSocket},
};

use anyhow::{Context as _, Result};
use sbc_tests::Host;

use super::address::{self, socket};

/// The requests that a scanner knows.
const METHODS: [&str; 2] = ["INVITE", "OPTIONS"];

/// A scanner with one address.
pub(super) struct Scanner {
    socket: UdpSocket,
    from: SocketAddr,
    to: SocketAddr,
    sent: u64,
}

impl Scanner {
    /// One that scans over IPv4, and one that does over IPv6.
    pub(super) fn pair(host: &Host) -> Result<[Self; 2]> {
        Ok([
            Self::on(host, address::SCANNER_V4, address::EDGE_V4)?,
            Self::on(host, address::SCANNER_V6, address::EDGE_V6)?,
        ])
    }

    fn on(host: &Host, from: &str, to: &str) -> Result<Self> {
        let (from, to) = (socket(from)?, socket(to)?);
        let socket = host.enter(|| UdpSocket::bind(from))?.context("binding a socket")?;
        Ok(Self { socket, from, to, sent: 0 })
    }

    /// The version of IP that it uses.
    pub(super) fn family(&self) -> &'static str {
        if self.from.is_ipv4() { "IPv4" } else { "IPv6" }
    }

    /// Sends so many requests, one method after the other.
    pub(super) fn send(&mut self, requests: u64) -> Result<()> {
        let numbers = self.sent..self.sent + requests;
        for (number, method) in numbers.zip(METHODS.iter().cycle()) {
            let request = request(method, self.from, self.to, number);
            self.socket.send_to(request.as_bytes(), self.to).context("sending a request")?;
        }
        self.sent += requests;
        Ok(())
    }
}

/// What such a scanner's requests look like.
fn request(method: &str, from: SocketAddr, to: SocketAddr, number: u64) -> String {
    let mut request = String::new();
    let mut line = |text: String| {
        let _ = write!(request, "{text}\r\n");
    };
    line(format!("{method} sip:{:05}@{to} SIP/2.0", 10_000 + number));
    line(format!("Via: SIP/2.0/UDP {from};branch=z9hG4bK-{number};rport"));
    line("Max-Forwards: 70".to_owned());
    line(format!("From: \"sipvicious\" <sip:100@{to}>;tag={number}"));
    line(format!("To: \"sipvicious\" <sip:{:05}@{to}>", 10_000 + number));
    line(format!("Call-ID: {number}"));
    line(format!("CSeq: 1 {method}"));
    line(format!("Contact: <sip:100@{from}>"));
    line("User-Agent: friendly-scanner".to_owned());
    line("Content-Length: 0\r\n".to_owned());
    request
}
