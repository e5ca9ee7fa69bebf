//! A server over TLS that takes and gives messages byte by byte.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use sbc_tests::{Gateway, Host, Issued, TlsServer, wait_for};

use crate::{endpoint::Heard, expectation::SOON, request::Request, stream_phone::message};

/// Whoever is connected to it.
pub(crate) struct TlsEnd {
    server: TlsServer,
    local: SocketAddr,
    heard: usize,
}

impl TlsEnd {
    /// Listens, and believes who the gateway believes.
    pub(crate) fn listen(
        gateway: &Gateway,
        host: &Host,
        local: SocketAddr,
        shown: &Issued,
    ) -> Result<Self> {
        let authority = gateway.authority()?.certificate();
        Ok(Self { server: TlsServer::start(host, local, &authority, shown)?, local, heard: 0 })
    }

    pub(crate) fn request(&self, method: &'static str) -> Request {
        Request::new(method, "TLS", self.local)
    }

    pub(crate) fn send(&mut self, message: &impl ToString) -> Result<()> {
        self.server.send(message.to_string())
    }

    /// Waits for the next message that begins so, past all others.
    pub(crate) fn hear(&mut self, start: &str) -> Result<Heard> {
        let (text, heard) = wait_for(&format!("a message {start:?}"), SOON, || {
            let said = self.server.output()?;
            let rest = said.get(self.heard..).context("less was said than before")?;
            let found = message(rest, start);
            Ok(found.map(|(text, end)| (text.to_owned(), self.heard + end)))
        })
        .with_context(|| self.server.output().unwrap_or_default())?;
        self.heard = heard;
        Ok(Heard { text, from: self.local })
    }

    /// All that was said so far.
    pub(crate) fn said(&self) -> Result<String> {
        self.server.output()
    }
}
