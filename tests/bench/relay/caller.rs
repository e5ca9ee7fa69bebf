//! The load: calls, each with its own setup and end.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use socket2::SockRef;

use crate::{
    batch::{self, Batch},
    callee::RECEIVE_BUFFER,
    case::Admission,
    messages::{self, Call},
    proof,
};

/// Ports that calls are made from.
const SOCKETS: usize = 8;
/// Datagrams that are taken in one system call.
const BATCH: usize = 64;
/// What is lost comes back never: nothing is, on an idle link.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for answers before it looks at the time.
const LOOK: Duration = Duration::from_millis(1);
/// What the low bits of a call's number tell: its place among those under way.
const PLACE_BITS: u32 = 16;
/// Calls of all callers: a server may remember a transaction for longer than its caller is there.
static NUMBERED: AtomicU64 = AtomicU64::new(1);

/// How calls follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many are under way all the time.
    UnderWay(usize),
    /// So many begin each second.
    PerSecond(u32),
}

pub(crate) struct Caller {
    admission: Admission,
    ports: Vec<Port>,
    calls: Vec<Option<UnderWay>>,
    free: Vec<usize>,
    ha1: String,
    begun: u64,
    incoming: Batch,
    /// Whether calls end as soon as they have begun.
    hangs_up: bool,
    /// Calls that are neither over nor held.
    pub(crate) busy: usize,
    /// Calls that were completed, each with the answers that it has to have.
    pub(crate) done: u64,
    /// How long it took until calls were answered.
    pub(crate) set_up: Vec<Duration>,
}

struct Port {
    socket: UdpSocket,
    local: String,
    /// What is to be sent.
    due: Vec<Vec<u8>>,
}

/// One of the calls under way.
struct UnderWay {
    id: u64,
    number: u32,
    begun: Instant,
    state: State,
}

enum State {
    Asked { has_tried: bool, rings: bool },
    Held { bye: Vec<u8> },
    HungUp,
}

impl Caller {
    /// Makes the sockets; must be called within the host that they belong to.
    pub(crate) fn new(admission: Admission, from: IpAddr, server: SocketAddr) -> Result<Self> {
        let ports = (0..SOCKETS)
            .map(|_| {
                let socket = UdpSocket::bind((from, 0)).context("opening a socket")?;
                socket.connect(server).context("connecting a socket")?;
                SockRef::from(&socket)
                    .set_recv_buffer_size(RECEIVE_BUFFER)
                    .context("asking for a buffer")?;
                let local = socket.local_addr().context("asking for its address")?.to_string();
                Ok(Port { socket, local, due: Vec::new() })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            admission,
            ports,
            calls: Vec::new(),
            free: Vec::new(),
            ha1: proof::ha1(),
            begun: 0,
            incoming: Batch::new(BATCH),
            hangs_up: true,
            busy: 0,
            done: 0,
            set_up: Vec::new(),
        })
    }

    /// Calls for so long, or fails at the first answer that is wrong or missing.
    pub(crate) fn call_for(&mut self, time: Duration, pace: Pace) -> Result<()> {
        let (start, begun) = (Instant::now(), self.begun);
        while start.elapsed() < time {
            let due = match pace {
                Pace::UnderWay(count) => count.saturating_sub(self.busy),
                Pace::PerSecond(rate) => {
                    let due = u128::from(rate) * start.elapsed().as_millis() / 1000;
                    usize::try_from(due.saturating_sub((self.begun - begun).into()))?
                }
            };
            self.begin(due)?;
            self.exchange()?;
        }
        Ok(())
    }

    /// Begins so many calls and holds them, `window` of them under way at a time.
    pub(crate) fn hold(&mut self, count: usize, window: usize) -> Result<()> {
        self.hangs_up = false;
        let mut left = count;
        while left > 0 || self.busy > 0 {
            let due = window.saturating_sub(self.busy).min(left);
            left -= due;
            self.begin(due)?;
            self.exchange()?;
        }
        self.hangs_up = true;
        Ok(())
    }

    /// Ends the calls that are held, `window` at a time.
    pub(crate) fn hang_up(&mut self, window: usize) -> Result<()> {
        for place in 0..self.calls.len() {
            let ports = self.ports.len();
            let Some(Some(call)) = self.calls.get_mut(place) else { continue };
            if let State::Held { bye } = &mut call.state {
                let bye = std::mem::take(bye);
                call.state = State::HungUp;
                call.begun = Instant::now();
                self.busy += 1;
                self.ports.get_mut(place % ports).context("no port")?.due.push(bye);
            }
            while self.busy >= window {
                self.exchange()?;
            }
        }
        self.end()
    }

    /// Takes the answers that are still to come.
    pub(crate) fn end(&mut self) -> Result<()> {
        while self.busy > 0 {
            self.exchange()?;
        }
        Ok(())
    }

    fn begin(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let place = self.free.pop().unwrap_or_else(|| {
                self.calls.push(None);
                self.calls.len() - 1
            });
            self.begun += 1;
            let id = NUMBERED.fetch_add(1, Ordering::Relaxed) << PLACE_BITS | place as u64;
            let ports = self.ports.len();
            let port = self.ports.get_mut(place % ports).context("no port")?;
            port.due.push(Call { id, local: &port.local, number: 1 }.invite(None));
            let state = State::Asked { has_tried: false, rings: false };
            let call = UnderWay { id, number: 1, begun: Instant::now(), state };
            *self.calls.get_mut(place).context("no place")? = Some(call);
            self.busy += 1;
        }
        Ok(())
    }

    /// Sends what is due, and takes what comes within a moment.
    fn exchange(&mut self) -> Result<()> {
        for port in &mut self.ports {
            let due: Vec<_> = port.due.iter().map(|bytes| (bytes.as_slice(), None)).collect();
            batch::send(&port.socket, &due).context("sending requests")?;
            port.due.clear();
        }
        let sockets = self.ports.iter().map(|port| &port.socket);
        let ready = batch::readable(sockets, LOOK).context("waiting for answers")?;
        if ready.is_empty() && self.is_forgotten() {
            bail!("no answer came for {PATIENCE:?}");
        }
        for port in ready {
            self.serve(port)?;
        }
        Ok(())
    }

    /// Whether a call waits in vain.
    fn is_forgotten(&self) -> bool {
        let waits = |call: &&UnderWay| !matches!(call.state, State::Held { .. });
        self.calls.iter().flatten().filter(waits).any(|call| call.begun.elapsed() > PATIENCE)
    }

    /// Takes the answers at one socket.
    fn serve(&mut self, port: usize) -> Result<()> {
        let Some(port) = self.ports.get_mut(port) else { return Ok(()) };
        self.incoming.receive(&port.socket, libc::MSG_DONTWAIT).context("receiving an answer")?;
        for (answer, _) in self.incoming.datagrams() {
            let told = || String::from_utf8_lossy(answer);
            let id = messages::call(answer).context("an answer without Call-ID")?;
            let place = usize::try_from(id & ((1 << PLACE_BITS) - 1))?;
            let slot = self.calls.get_mut(place).context("an answer to nobody")?;
            let Some(call) = slot.as_mut().filter(|call| call.id == id) else {
                bail!("an answer after the last: {}", told());
            };
            let status = messages::status(answer).with_context(|| told().into_owned())?;
            let said = Call { id, local: &port.local, number: call.number };
            match (&mut call.state, status) {
                (State::Asked { has_tried, .. }, 100) => *has_tried = true,
                (State::Asked { rings, .. }, 180) => *rings = true,
                (State::Asked { .. }, 407)
                    if self.admission == Admission::Digest && call.number == 1 =>
                {
                    let nonce = proof::nonce(answer, "407", "Proxy-Authenticate");
                    let nonce = nonce.with_context(|| told().into_owned())?;
                    let proof = proof::credentials("INVITE", messages::URI, nonce, &self.ha1);
                    port.due.extend(said.ack_to_challenge(answer));
                    call.number += 1;
                    port.due.push(Call { number: call.number, ..said }.invite(Some(&proof)));
                }
                (State::Asked { has_tried: true, rings: true }, 200) => {
                    ensure!(messages::answers_method(answer, "INVITE", true), "{}", told());
                    self.set_up.push(call.begun.elapsed());
                    let [ack, bye] =
                        said.ack_and_bye(answer).with_context(|| told().into_owned())?;
                    port.due.push(ack);
                    call.state = if self.hangs_up {
                        port.due.push(bye);
                        State::HungUp
                    } else {
                        self.busy -= 1;
                        State::Held { bye }
                    };
                }
                (State::HungUp, 200) => {
                    ensure!(messages::answers_method(answer, "BYE", false), "{}", told());
                    *slot = None;
                    self.free.push(place);
                    self.busy -= 1;
                    self.done += 1;
                }
                _ => bail!("a wrong answer: {}", told()),
            }
        }
        Ok(())
    }
}
