//! The connections that we make: one to each destination, opened when there is something to send.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::mpsc;

use super::queue::{FOR_MANY, SendQueue, Waiting, send_queue};
use super::{Flow, SendFailure, Transport};
use crate::proof::tls::Live;

/// Connections of destinations that are no more, beside those of the ones that are.
const MOST_LINES: usize = 512;
/// A connection that ends sooner is as good as none: another is not made at once.
pub(super) const BRIEF: Duration = Duration::from_secs(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where a connection may be made to, and how.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The way there: over TCP or TLS, with connection 0.
    pub flow: Flow,
    /// Our address of the connection; its port is the system's choice.
    pub from: IpAddr,
    /// The interface that it goes by; `None` for whichever leads there.
    pub interface: Option<String>,
    /// Needed over TLS, and not used otherwise.
    pub tls: Option<DialTls>,
}

/// Whom to believe on a connection that we make.
#[derive(Clone, Debug)]
pub struct DialTls {
    /// What we show, and who the other end has to be.
    pub config: Arc<Live<ClientConfig>>,
    /// What we ask for (RFC 6066 §3); an address is not told.
    pub name: ServerName<'static>,
    /// The name of the peer that the other end is then; `None` for the upstream.
    pub peer: Option<Arc<str>>,
}

impl Destination {
    /// Whether a connection to one is as good as one to the other.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let is_proved_alike = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                Arc::ptr_eq(&one.config, &other.config)
                    && (&one.name, &one.peer) == (&other.name, &other.peer)
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        let is_same_way = self.flow == other.flow && self.from == other.from;
        is_same_way && self.interface == other.interface && is_proved_alike
    }
}

/// All lines, by where they lead.
pub(super) struct Lines {
    by_end: RwLock<HashMap<End, Arc<Line>>>,
    wishes: mpsc::UnboundedSender<Wish>,
}

/// A line that is to be opened; there is at most one of each line.
pub(super) struct Wish {
    pub(super) line: Arc<Line>,
    pub(super) queue: SendQueue,
    pub(super) waiting: Waiting,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct End(Transport, u8, SocketAddr);

/// The way to one destination.
pub(super) struct Line {
    pub(super) destination: Destination,
    state: Mutex<State>,
}

enum State {
    /// Nobody is connected, and nobody tries before `not_before`.
    Shut { not_before: Instant, failures: u32 },
    /// It is being connected, or is connected.
    Open { queue: SendQueue, since: Instant, failures: u32 },
    /// Nobody connects any more; there is a queue for as long as somebody still is connected.
    Retired { queue: Option<SendQueue> },
}

/// How an attempt to connect has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There was no connection.
    NotMade,
    /// There was one.
    Over,
}

impl State {
    fn after(since: Instant, failures: u32, ending: Ending) -> Self {
        let now = Instant::now();
        if ending == Ending::Over && now.saturating_duration_since(since) >= BRIEF {
            return Self::Shut { not_before: now, failures: 0 };
        }
        Self::Shut { not_before: now + pause(failures), failures: failures.saturating_add(1) }
    }
}

impl Lines {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Wish>) {
        let (wishes, receiver) = mpsc::unbounded_channel();
        (Self { by_end: RwLock::default(), wishes }, receiver)
    }

    /// Lets connections be made to these from now on, and to no others. Those that there are live on. One to
    /// where somebody else is expected now is not used for him: it is reached by its number alone.
    pub(super) fn lead_to(&self, destinations: Vec<Destination>) {
        let mut lines = self.by_end.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *lines);
        for destination in destinations {
            let end = End::of(&destination.flow);
            let line = match before.remove(&end) {
                Some(line) if line.leads_to(&destination) => line,
                other => {
                    if let Some(other) = other {
                        other.retire();
                    }
                    Arc::new(Line::new(destination))
                }
            };
            lines.insert(end, line);
        }
        for (end, line) in before {
            if line.retire() && lines.len() < MOST_LINES {
                lines.insert(end, line);
            }
        }
    }

    /// Queues a message for the connection to where `flow` leads; it is made if there is none.
    pub(super) fn send(&self, flow: &Flow, message: Vec<u8>) -> Result<(), SendFailure> {
        let (line, queue) = self.opened(flow)?;
        match queue.push(message) {
            // It has ended, and its task is about to say so.
            Err(SendFailure::NoConnection) => {
                line.shut(&queue, Ending::Over);
                Err(SendFailure::NoConnection)
            }
            sent => sent,
        }
    }

    /// Makes the connection to where `flow` leads, if there is none.
    pub(super) fn open(&self, flow: &Flow) -> Result<(), SendFailure> {
        self.opened(flow).map(|_| ())
    }

    fn opened(&self, flow: &Flow) -> Result<(Arc<Line>, SendQueue), SendFailure> {
        let lines = self.by_end.read().unwrap_or_else(PoisonError::into_inner);
        let line = Arc::clone(lines.get(&End::of(flow)).ok_or(SendFailure::NoConnection)?);
        drop(lines);
        let mut state = line.lock();
        if let State::Open { queue, since, failures } = &*state
            && queue.is_closed()
        {
            *state = State::after(*since, *failures, Ending::Over);
        }
        let now = Instant::now();
        let failures = match &*state {
            State::Open { queue, .. } | State::Retired { queue: Some(queue) } => {
                let queue = queue.clone();
                drop(state);
                return Ok((line, queue));
            }
            State::Retired { queue: None } => return Err(SendFailure::NoConnection),
            State::Shut { not_before, .. } if now < *not_before => {
                return Err(SendFailure::Unreachable);
            }
            State::Shut { failures, .. } => *failures,
        };
        let (queue, waiting) = send_queue(FOR_MANY);
        *state = State::Open { queue: queue.clone(), since: now, failures };
        drop(state);
        let wish = Wish { line: Arc::clone(&line), queue: queue.clone(), waiting };
        // Nobody dials any more: the daemon stops.
        self.wishes.send(wish).map_err(|_| SendFailure::NoConnection)?;
        Ok((line, queue))
    }
}

impl End {
    fn of(flow: &Flow) -> Self {
        Self(flow.transport, flow.listener, flow.remote)
    }
}

impl Line {
    fn new(destination: Destination) -> Self {
        Self {
            destination,
            state: Mutex::new(State::Shut { not_before: Instant::now(), failures: 0 }),
        }
    }

    /// Takes note that the connection of `queue` is over. After one that failed, nobody tries again for a
    /// while: twice as long each time, and not at the same moment as others.
    pub(super) fn shut(&self, queue: &SendQueue, ending: Ending) {
        let mut state = self.lock();
        match &*state {
            State::Open { queue: own, since, failures } if own.is_of(queue) => {
                *state = State::after(*since, *failures, ending);
            }
            State::Retired { queue: Some(own) } if own.is_of(queue) => {
                *state = State::Retired { queue: None };
            }
            State::Shut { .. } | State::Open { .. } | State::Retired { .. } => {}
        }
    }

    /// Lets nobody make the connection anew; returns whether there is one.
    fn retire(&self) -> bool {
        let mut state = self.lock();
        let queue = match &*state {
            State::Open { queue, .. } => Some(queue.clone()),
            State::Retired { queue } => queue.clone(),
            State::Shut { .. } => None,
        };
        let is_connected = queue.is_some();
        *state = State::Retired { queue };
        is_connected
    }

    /// Whether what is for `destination` may go this way.
    fn leads_to(&self, destination: &Destination) -> bool {
        let is_retired = matches!(*self.lock(), State::Retired { .. });
        !is_retired && self.destination.is_like(destination)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between half and all of what is doubled with each failure.
fn pause(failures: u32) -> Duration {
    let longest = SHORTEST_PAUSE.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE);
    let random = RandomState::new().hash_one(failures) % 1024;
    let more = longest.saturating_mul(u32::try_from(random).unwrap_or(0)) / 2048;
    longest / 2 + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(remote: &str) -> Flow {
        Flow::stream(Transport::Tcp, 1, remote.parse().unwrap(), 0)
    }

    fn destination(remote: &str) -> Destination {
        Destination {
            flow: flow(remote),
            from: IpAddr::from([127, 0, 0, 1]),
            interface: None,
            tls: None,
        }
    }

    #[test]
    fn only_a_destination_is_ever_connected_to_and_once() {
        let (lines, mut wished) = Lines::new();
        let stranger = flow("192.0.2.1:5060");
        assert_eq!(lines.send(&stranger, Vec::new()), Err(SendFailure::NoConnection));
        lines.lead_to(vec![destination("127.0.0.1:5060")]);
        assert_eq!(lines.send(&stranger, Vec::new()), Err(SendFailure::NoConnection));
        assert!(wished.try_recv().is_err());

        let known = Flow { connection: 9, ..flow("127.0.0.1:5060") };
        for _ in 0..3 {
            assert_eq!(lines.send(&known, b"message".to_vec()), Ok(()));
        }
        let _wish = wished.try_recv().unwrap();
        assert!(wished.try_recv().is_err(), "one wish for all of them");
    }

    #[test]
    fn after_a_failure_nobody_tries_again_at_once() {
        let (lines, mut wished) = Lines::new();
        let flow = flow("127.0.0.1:5060");
        lines.lead_to(vec![destination("127.0.0.1:5060")]);
        assert_eq!(lines.open(&flow), Ok(()));
        let wish = wished.try_recv().ok().unwrap();
        wish.line.shut(&wish.queue, Ending::NotMade);
        assert_eq!(lines.open(&flow), Err(SendFailure::Unreachable));
        assert!(wished.try_recv().is_err());
        for failures in [0, 3, 60] {
            let longest = SHORTEST_PAUSE * (1 << failures.min(6));
            let pause = pause(failures);
            assert!(pause <= longest.min(LONGEST_PAUSE) && pause >= longest.min(LONGEST_PAUSE) / 2);
        }
    }

    #[test]
    fn a_connection_to_where_nothing_leads_any_more_lives_on_and_is_not_made_anew() {
        let (lines, mut wished) = Lines::new();
        let flow = flow("127.0.0.1:5060");
        lines.lead_to(vec![destination("127.0.0.1:5060")]);
        assert_eq!(lines.open(&flow), Ok(()));
        let wish = wished.try_recv().ok().unwrap();
        lines.lead_to(Vec::new());
        assert_eq!(lines.send(&flow, b"message".to_vec()), Ok(()));
        wish.line.shut(&wish.queue, Ending::Over);
        let retired = lines.by_end.read().unwrap()[&End::of(&flow)].clone();
        assert!(matches!(*retired.lock(), State::Retired { queue: None }), "however long ago");
        assert_eq!(lines.send(&flow, b"message".to_vec()), Err(SendFailure::NoConnection));
        assert_eq!(lines.open(&flow), Err(SendFailure::NoConnection));
        lines.lead_to(Vec::new());
        assert!(lines.by_end.read().unwrap().is_empty());
        assert_eq!(lines.send(&flow, b"message".to_vec()), Err(SendFailure::NoConnection));
        assert!(wished.try_recv().is_err());
    }

    fn expecting(name: &str) -> DialTls {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        DialTls { config: Live::believing_nobody(), name, peer: None }
    }

    #[test]
    fn a_connection_is_not_for_somebody_else_who_is_at_its_end_now() {
        let (lines, mut wished) = Lines::new();
        let plain = destination("127.0.0.1:5061");
        let one = Destination { tls: Some(expecting("one.example")), ..plain.clone() };
        let other = Destination { tls: Some(expecting("other.example")), ..plain.clone() };
        let elsewhere = Destination { from: [127, 0, 0, 2].into(), ..other.clone() };
        let by_another = Destination { interface: Some("inside0".to_owned()), ..other.clone() };
        let mut before: Vec<Wish> = Vec::new();
        for destination in [one, other, elsewhere, by_another, plain] {
            lines.lead_to(vec![destination.clone()]);
            assert_eq!(lines.send(&destination.flow, b"message".to_vec()), Ok(()));
            let mut wish = wished.try_recv().expect("a connection of its own");
            assert!(wish.line.destination.is_like(&destination));

            lines.lead_to(vec![destination.clone()]);
            assert_eq!(lines.send(&destination.flow, b"message".to_vec()), Ok(()));
            assert!(wished.try_recv().is_err(), "to the same it stays");
            assert_eq!(wish.waiting.take_all().len(), 2);
            assert!(before.iter().all(|wish| !wish.line.leads_to(&wish.line.destination)));
            before.push(wish);
        }
    }
}
