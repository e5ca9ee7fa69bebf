//! The telephone system behind the servers: it takes every call.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use socket2::SockRef;

use crate::{
    batch::{self, Batch},
    messages,
};

const BATCH: usize = 64;
/// How often it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);
/// As much as the system grants.
pub(crate) const RECEIVE_BUFFER: usize = 4 << 20;

/// A socket that answers.
pub(crate) struct Callee {
    socket: UdpSocket,
    local: String,
    /// ACKs that have arrived.
    acknowledged: AtomicU64,
}

impl Callee {
    /// Listens; must be called within the host that it belongs to.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(address).with_context(|| format!("listening on {address}"))?;
        socket.set_read_timeout(Some(LOOK)).context("setting a time limit")?;
        SockRef::from(&socket)
            .set_recv_buffer_size(RECEIVE_BUFFER)
            .context("asking for a buffer")?;
        Ok(Self { socket, local: address.to_string(), acknowledged: AtomicU64::new(0) })
    }

    /// How many calls were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Answers until `is_over`.
    pub(crate) fn run(&self, is_over: &AtomicBool) -> Result<()> {
        let mut batch = Batch::new(BATCH);
        while !is_over.load(Ordering::Relaxed) {
            match batch.receive(&self.socket, libc::MSG_WAITFORONE) {
                Ok(()) => self.answer(&batch)?,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                    ) => {}
                Err(error) => return Err(error).context("receiving a request"),
            }
        }
        Ok(())
    }

    fn answer(&self, batch: &Batch) -> Result<()> {
        let mut answers = Vec::new();
        for (request, source) in batch.datagrams() {
            let to_this = messages::answers(request, &self.local).with_context(|| {
                format!("an unexpected request: {}", String::from_utf8_lossy(request))
            })?;
            // Only an ACK has none.
            self.acknowledged.fetch_add(u64::from(to_this.is_empty()), Ordering::Relaxed);
            answers.extend(to_this.into_iter().map(|answer| (answer, source)));
        }
        let datagrams: Vec<_> =
            answers.iter().map(|(bytes, to)| (bytes.as_slice(), Some(*to))).collect();
        batch::send(&self.socket, &datagrams).context("sending answers")
    }
}
