//! A phone over TCP or TLS that takes and gives messages byte by byte, and can be called.

use std::{
    cell::RefCell,
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use anyhow::{Context as _, Result, bail};
use sbc_tests::{Family, Gateway, TlsClient, wait_for};
use socket2::{Domain, Socket, Type};

use crate::{carrier, endpoint::Heard, expectation::SOON, request::Request};

/// One connection, made from the caller's address.
pub(crate) struct StreamPhone {
    line: Line,
    /// How much of what was said has been heard.
    heard: usize,
}

enum Line {
    Tcp(TcpStream, RefCell<Vec<u8>>),
    Tls(TlsClient),
}

impl StreamPhone {
    pub(crate) fn over_tcp(gateway: &Gateway) -> Result<Self> {
        let connect = || TcpStream::connect_timeout(&Family::V4.sip(), SOON);
        Self::on(gateway.internet.enter(connect)??)
    }

    fn on(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { line: Line::Tcp(stream, RefCell::default()), heard: 0 })
    }

    /// The same from this port.
    pub(crate) fn over_tcp_from(gateway: &Gateway, port: u16) -> Result<Self> {
        let local = SocketAddr::new(Family::V4.caller(), port);
        let connect = || -> std::io::Result<TcpStream> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.bind(&local.into())?;
            socket.connect_timeout(&Family::V4.sip().into(), SOON)?;
            Ok(socket.into())
        };
        Self::on(gateway.internet.enter(connect)??)
    }

    pub(crate) fn over_tls(gateway: &Gateway) -> Result<Self> {
        let mut client = carrier::show(gateway, Family::V4, Family::V4.caller(), None)?;
        client.wait_until_connected()?;
        Ok(Self { line: Line::Tls(client), heard: 0 })
    }

    /// A request of this phone, see [`Request::new`].
    pub(crate) fn request(&self, method: &'static str) -> Request {
        let transport = match self.line {
            Line::Tcp(..) => "TCP",
            Line::Tls(_) => "TLS",
        };
        Request::new(method, transport, SocketAddr::new(Family::V4.caller(), 5062))
    }

    pub(crate) fn send(&mut self, message: &impl ToString) -> Result<()> {
        match &mut self.line {
            Line::Tcp(stream, _) => Ok(stream.write_all(message.to_string().as_bytes())?),
            Line::Tls(client) => client.send(message.to_string()),
        }
    }

    /// Waits for the next message that begins so, past all others.
    pub(crate) fn hear(&mut self, start: &str) -> Result<Heard> {
        let (text, heard) = wait_for(&format!("a message {start:?}"), SOON, || {
            let said = self.said()?;
            let rest = said.get(self.heard..).context("less was said than before")?;
            let found = message(rest, start);
            Ok(found.map(|(text, end)| (text.to_owned(), self.heard + end)))
        })?;
        self.heard = heard;
        Ok(Heard { text, from: Family::V4.sip() })
    }

    /// All that was said so far.
    fn said(&self) -> Result<String> {
        let (mut stream, said) = match &self.line {
            Line::Tcp(stream, said) => (stream, said),
            Line::Tls(client) => return client.output(),
        };
        match stream.read_to_end(&mut said.borrow_mut()) {
            Ok(_) => bail!("the connection has ended"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(String::from_utf8(said.borrow().clone())?)
    }
}

impl Drop for StreamPhone {
    fn drop(&mut self) {
        if let Line::Tcp(stream, _) = &self.line {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The first whole message that begins so, and where it ends.
pub(crate) fn message<'a>(text: &'a str, start: &str) -> Option<(&'a str, usize)> {
    let from = text.find(start)?;
    let message = text.get(from..)?;
    let head = message.find("\r\n\r\n")? + 4;
    let mut lines = message.get(..head)?.split("\r\n");
    let length = lines.find_map(|line| line.strip_prefix("Content-Length:"));
    let body = length.map_or(Ok(0), |length| length.trim().parse::<usize>()).ok()?;
    Some((message.get(..head + body)?, from + head + body))
}
