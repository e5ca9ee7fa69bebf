//! Copies of challenged and rejected requests for Homer, in HEP3.
//!
//! What is copied waits in a queue for a thread that masks credentials and sends it: who answers a stranger never
//! waits for it, and what the queue has no room for is lost, and counted.

mod masked;
mod packet;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::masked::masked;
use self::packet::{Packet, call_id};
use crate::config::{Exported, HomerExport};
use crate::transport::{Flow, Transport};

/// Requests that wait to be sent.
const QUEUE: usize = 256;

/// The way to the collector.
#[derive(Debug)]
pub struct Homer {
    queue: SyncSender<Exchange>,
    is_challenged_wanted: bool,
    is_rejected_wanted: bool,
    per_second: u64,
    /// The second of now, and how many were copied in it: see [`Homer::may_copy`].
    window: AtomicU64,
    /// The addresses of the listeners, by their position.
    locals: Vec<SocketAddr>,
    counts: Arc<HomerCounts>,
}

/// What became of the copies.
#[derive(Debug, Default)]
pub struct HomerCounts {
    /// Messages that were sent.
    pub sent: AtomicU64,
    /// Requests that came while too many waited, or beyond the budget.
    pub lost: AtomicU64,
    /// Messages that could not be sent.
    pub failed: AtomicU64,
}

/// A request and our answer.
#[derive(Debug)]
struct Exchange {
    /// Since 1970.
    at: Duration,
    transport: Transport,
    remote: SocketAddr,
    local: SocketAddr,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Homer {
    /// Begins to send to the collector; `locals` are the addresses of the listeners, by their position.
    pub fn start(export: &HomerExport, locals: Vec<SocketAddr>) -> io::Result<Self> {
        let collector = export.collector.0;
        let any = if collector.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(collector)?;
        let (queue, waiting) = sync_channel(QUEUE);
        let counts = Arc::new(HomerCounts::default());
        let sender = Sender {
            socket,
            agent_id: export.agent_id,
            password: export.password.as_ref().map(|it| it.as_bytes().to_vec()).unwrap_or_default(),
            counts: Arc::clone(&counts),
        };
        thread::Builder::new()
            .name("sbc-homer".to_owned())
            .spawn(move || sender.send_all(&waiting))?;
        Ok(Self {
            queue,
            is_challenged_wanted: export.what.contains(&Exported::Challenged),
            is_rejected_wanted: export.what.contains(&Exported::Rejected),
            per_second: export.budget.per_second().into(),
            window: AtomicU64::new(0),
            locals,
            counts,
        })
    }

    /// Copies a request that was answered so, if it is one that is wanted.
    pub fn copy(&self, flow: &Flow, request: &[u8], answer: &[u8]) {
        let Some(&local) = self.locals.get(usize::from(flow.listener)) else { return };
        if !self.wants(answer) {
            return;
        }
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if !self.may_copy(at.as_secs()) {
            return count(&self.counts.lost);
        }
        let exchange = Exchange {
            at,
            transport: flow.transport,
            remote: flow.remote,
            local,
            request: request.to_vec(),
            answer: answer.to_vec(),
        };
        if self.queue.try_send(exchange).is_err() {
            count(&self.counts.lost);
        }
    }

    /// What became of the copies.
    #[must_use]
    pub fn counts(&self) -> &HomerCounts {
        &self.counts
    }

    fn wants(&self, answer: &[u8]) -> bool {
        match answer.strip_prefix(b"SIP/2.0 ").and_then(|rest| rest.get(..3)) {
            Some(b"401" | b"407") => self.is_challenged_wanted,
            Some([b'4'..=b'6', _, _]) => self.is_rejected_wanted,
            Some(_) | None => false,
        }
    }

    /// Counts one more in this second. The seconds are told by their lowest 32 bits: it is enough that two that
    /// follow each other differ.
    fn may_copy(&self, second: u64) -> bool {
        let second = second << 32;
        let more = |window: u64| {
            let count = if window >> 32 == second >> 32 { window & 0xffff_ffff } else { 0 };
            (count < self.per_second).then_some(second | (count + 1))
        };
        self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

struct Sender {
    socket: UdpSocket,
    agent_id: u32,
    password: Vec<u8>,
    counts: Arc<HomerCounts>,
}

impl Sender {
    /// Until nobody copies any more.
    fn send_all(&self, waiting: &Receiver<Exchange>) {
        for exchange in waiting {
            let Exchange { at, transport, remote, local, request, answer } = exchange;
            let ends = [(remote, local, &request), (local, remote, &answer)];
            for (step, (source, destination, message)) in (0..).zip(ends) {
                let payload = masked(message);
                let packet = Packet {
                    source,
                    destination,
                    is_stream: transport.is_stream(),
                    // One after the other, also for who sorts by time.
                    at: at.saturating_add(Duration::from_micros(step)),
                    agent_id: self.agent_id,
                    password: &self.password,
                    correlation: call_id(&payload),
                    payload: &payload,
                };
                let sent = packet.encoded().is_some_and(|bytes| self.socket.send(&bytes).is_ok());
                count(if sent { &self.counts.sent } else { &self.counts.failed });
            }
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::config::sample;

    const REQUEST: &str = "INVITE sip:bob@example.com SIP/2.0\r\nCall-ID: one\r\n\
        Proxy-Authorization: Digest username=\"alice\", response=\"5ecre7\"\r\n\r\n";

    fn homer(what: &str) -> (Homer, UdpSocket) {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        collector.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let address = collector.local_addr().unwrap();
        let config = sample::config(&format!(
            "[homer]\ncollector = \"udp:{address}\"\nwhat = [{what}]\nbudget = \"5/s\"\n"
        ));
        let locals = vec!["203.0.113.1:5060".parse().unwrap()];
        (Homer::start(&config.homer.unwrap(), locals).unwrap(), collector)
    }

    fn flow(listener: u8) -> Flow {
        Flow::udp(listener, "198.51.100.7:5070".parse().unwrap())
    }

    #[test]
    fn what_is_wanted_is_sent_with_its_answer_and_without_secrets() {
        let (homer, collector) = homer("\"challenged\"");
        for answer in ["SIP/2.0 403 Forbidden\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", ""] {
            homer.copy(&flow(0), REQUEST.as_bytes(), answer.as_bytes());
        }
        homer.copy(&flow(9), REQUEST.as_bytes(), b"SIP/2.0 407 of no listener\r\n\r\n");
        homer.copy(&flow(0), REQUEST.as_bytes(), b"SIP/2.0 407 Go on\r\n\r\n");
        let mut received = [0; 2000];
        for beginning in ["INVITE sip:bob", "SIP/2.0 407 Go on"] {
            let length = collector.recv(&mut received).unwrap();
            let text = String::from_utf8_lossy(&received[..length]).into_owned();
            assert!(text.starts_with("HEP3") && text.contains(beginning), "{text}");
            assert!(!text.contains("5ecre7"), "{text}");
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while homer.counts().sent.load(Ordering::Relaxed) < 2 {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        assert_eq!(homer.counts().lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_more_than_the_budget_is_copied_in_a_second() {
        let (homer, _collector) = homer("\"rejected\"");
        let copied = |second| (0..9).filter(|_| homer.may_copy(second)).count();
        assert_eq!([7, 7, 8, 1 << 33].map(copied), [5, 0, 5, 5]);
    }
}
