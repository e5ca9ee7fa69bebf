//! The telephone system behind the servers that relay: it accepts every request.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{batch::Batch, echo::pass_back};

const BATCH: usize = 64;
/// How often it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

/// A socket that answers.
pub(crate) struct Responder(UdpSocket);

impl Responder {
    /// Listens; must be called within the host that it belongs to.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(address).with_context(|| format!("listening on {address}"))?;
        socket.set_read_timeout(Some(LOOK)).context("setting a time limit")?;
        Ok(Self(socket))
    }

    /// Answers until `is_over`.
    pub(crate) fn run(&self, is_over: &AtomicBool) -> Result<()> {
        let mut batch = Batch::new(BATCH);
        while !is_over.load(Ordering::Relaxed) {
            pass_back(&self.0, &mut batch, accept)?;
        }
        Ok(())
    }
}

/// Every header of a REGISTER without body may stand in its answer too.
fn accept(request: &[u8]) -> Vec<u8> {
    let end = request.iter().position(|byte| *byte == b'\r').unwrap_or(request.len());
    [b"SIP/2.0 200 OK", request.get(end..).unwrap_or_default()].concat()
}
