//! A SIP request that is written by hand.

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

/// Every request is a call and a transaction of its own until it says otherwise.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A request from sip:alice@example.com to sip:callee@example.com. Its fields are public: a test says
/// what is special about its own.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) uri: String,
    pub(crate) via: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    /// Whole lines, without their ends, between the mandatory headers and Content-Length.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Request {
    /// A request of whoever receives answers at `local`, over the transport that Via names.
    pub(crate) fn new(method: &'static str, transport: &str, local: SocketAddr) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let registers = method == "REGISTER";
        Self {
            method,
            uri: if registers { "sip:example.com" } else { "sip:callee@example.com" }.to_owned(),
            via: format!("SIP/2.0/{transport} {local};branch=z9hG4bK-{number};rport"),
            from: format!("<sip:alice@example.com>;tag=from-{number}"),
            to: format!("<sip:{}@example.com>", if registers { "alice" } else { "callee" }),
            call_id: format!("call-{number}"),
            cseq: 1,
            headers: vec!["Max-Forwards: 70".to_owned(), format!("Contact: <sip:alice@{local}>")],
            body: String::new(),
        }
    }

    /// With one more header.
    pub(crate) fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    /// With a body as long as those of real calls, so that a challenge is not larger than the request.
    pub(crate) fn with_body(self) -> Self {
        let attributes: String = [0, 3, 8, 9, 18, 96, 97, 101]
            .map(|it| format!("a=rtpmap:{it} CODEC/8000\r\n"))
            .concat();
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 6000 RTP/AVP 0 3 8 9 18 96 97 101\r\n{attributes}"
        );
        Self { body, ..self }.header("Content-Type: application/sdp")
    }

    /// The next request of the same call: with the next number, and a transaction of its own.
    pub(crate) fn next(&self) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let sent_by = self.via.split(';').next().unwrap_or_default();
        let via = format!("{sent_by};branch=z9hG4bK-{number};rport");
        Self { via, cseq: self.cseq + 1, ..self.clone() }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, uri, via, from, to, call_id, cseq, headers, body } = self;
        write!(f, "{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}\r\n")?;
        write!(f, "Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n")?;
        headers.iter().try_for_each(|line| write!(f, "{line}\r\n"))?;
        write!(f, "Content-Length: {}\r\n\r\n{body}", body.len())
    }
}
