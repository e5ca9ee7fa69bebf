//! The load: a window of transactions, each of which is followed by the next.

#![expect(clippy::indexing_slicing, reason = "all positions are of this file's making")]

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    batch::{self, Batch},
    case::Work,
    messages, proof,
};

/// Transactions under way.
const WINDOW: usize = 64;
/// Ports that they come from.
const SOCKETS: usize = 8;
/// What is lost comes back never: nothing is, on an idle link.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Client {
    work: Work,
    sockets: Vec<(UdpSocket, String)>,
    slots: Vec<Slot>,
    ha1: String,
    last: u64,
    incoming: Batch,
    /// Units of work that were done, each with the answers that it has to have.
    pub(crate) done: u64,
}

/// One of the transactions under way.
struct Slot {
    id: u64,
    request: Vec<u8>,
    has_proved: bool,
}

impl Client {
    /// Makes the sockets; must be called within the host that they belong to.
    pub(crate) fn new(work: Work, server: SocketAddr) -> Result<Self> {
        let sockets = (0..SOCKETS)
            .map(|_| {
                let socket = UdpSocket::bind("0.0.0.0:0").context("opening a socket")?;
                socket.connect(server).context("connecting a socket")?;
                let local = socket.local_addr().context("asking for its address")?.to_string();
                Ok((socket, local))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            work,
            sockets,
            slots: Vec::new(),
            ha1: proof::ha1(),
            last: 0,
            incoming: Batch::new(WINDOW),
            done: 0,
        })
    }

    /// Works for so long, or fails at the first answer that is wrong or missing.
    pub(crate) fn work_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        if self.slots.is_empty() {
            for slot in 0..WINDOW {
                let first = self.first_request(slot);
                self.slots.push(first);
            }
            for socket in 0..SOCKETS {
                self.send((socket..WINDOW).step_by(SOCKETS), socket)?;
            }
        }
        while Instant::now() < end {
            for socket in self.readable()? {
                self.serve(socket)?;
            }
        }
        Ok(())
    }

    /// Takes what is still under way.
    pub(crate) fn end(&mut self) -> Result<()> {
        let mut missing = self.slots.len();
        while missing > 0 {
            for socket in self.readable()? {
                self.receive(socket)?;
                missing = missing.saturating_sub(self.incoming.datagrams().count());
            }
        }
        self.slots.clear();
        Ok(())
    }

    fn first_request(&mut self, slot: usize) -> Slot {
        self.last += 1;
        let id = self.last << 8 | slot as u64;
        let local = &self.sockets[slot % SOCKETS].1;
        Slot { id, request: messages::request(self.work, id, local, None), has_proved: false }
    }

    fn readable(&self) -> Result<Vec<usize>> {
        let sockets = self.sockets.iter().map(|(socket, _)| socket);
        let ready = batch::readable(sockets, PATIENCE).context("waiting for answers")?;
        ensure!(!ready.is_empty(), "no answer came for {PATIENCE:?}");
        Ok(ready)
    }

    fn receive(&mut self, socket: usize) -> Result<()> {
        self.incoming
            .receive(&self.sockets[socket].0, libc::MSG_DONTWAIT)
            .context("receiving an answer")
    }

    /// Takes the answers at one socket, and sends what follows them.
    fn serve(&mut self, socket: usize) -> Result<()> {
        self.receive(socket)?;
        let mut next = Vec::with_capacity(WINDOW);
        let mut done = 0;
        for (answer, _) in self.incoming.datagrams() {
            let id = messages::transaction(answer).context("an answer without Call-ID")?;
            let slot = usize::try_from(id & 0xff)?;
            let asked = self.slots.get(slot).filter(|asked| asked.id == id);
            let Some(asked) = asked else {
                bail!("a second answer: {}", String::from_utf8_lossy(answer));
            };
            let credentials = self.judge(asked, answer)?;
            done += u64::from(credentials.is_none());
            next.push((slot, credentials));
        }
        self.done += done;
        let mut due = Vec::with_capacity(next.len());
        for (slot, credentials) in next {
            due.push(slot);
            let Some(credentials) = credentials else {
                self.slots[slot] = self.first_request(slot);
                continue;
            };
            let local = &self.sockets[socket].1;
            let asked = &mut self.slots[slot];
            asked.request = messages::request(self.work, asked.id, local, Some(&credentials));
            asked.has_proved = true;
        }
        self.send(due.into_iter(), socket)
    }

    /// The credentials that the answer asks for, or none where the unit of work is done.
    fn judge(&self, asked: &Slot, answer: &[u8]) -> Result<Option<String>> {
        let is_right = match (self.work, asked.has_proved) {
            (Work::Echo, _) => answer == asked.request,
            (Work::Invite, _) => proof::nonce(answer, "407", "Proxy-Authenticate").is_some(),
            (Work::Register, _) => proof::nonce(answer, "401", "WWW-Authenticate").is_some(),
            (Work::Authenticated | Work::Relayed, true) => answer.starts_with(b"SIP/2.0 200 "),
            (Work::Authenticated | Work::Relayed, false) => {
                let nonce = proof::nonce(answer, "401", "WWW-Authenticate");
                if let Some(nonce) = nonce {
                    return Ok(Some(proof::credentials(
                        "REGISTER",
                        messages::URI,
                        nonce,
                        &self.ha1,
                    )));
                }
                false
            }
        };
        ensure!(is_right, "a wrong answer: {}", String::from_utf8_lossy(answer));
        Ok(None)
    }

    fn send(&self, slots: impl Iterator<Item = usize>, socket: usize) -> Result<()> {
        let requests: Vec<_> =
            slots.map(|slot| (self.slots[slot].request.as_slice(), None)).collect();
        batch::send(&self.sockets[socket].0, &requests).context("sending requests")
    }
}
