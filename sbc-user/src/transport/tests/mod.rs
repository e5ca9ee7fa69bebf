//! Sockets on the loopback interface, and everything that a peer may do to them.

mod connections;
mod dial;
mod limits;
mod shutdown;
mod tcp;
mod tls;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{
    Admission, Dialed, Flow, Limits, ListenSpec, Listeners, Load, Outbox, Party, Receiver, Refusal,
    Running, Transport,
};
use crate::proof::tls::Live;
use crate::sip::Malformed;

/// Time in which everything that a test waits for must have happened.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// What a receiver was told.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Connected(Flow, Vec<String>, Option<Dialed>),
    Received(Flow, Vec<u8>),
    Refused(Flow, Refusal),
    Disconnected(Flow),
    Undeliverable(Flow, Vec<Vec<u8>>),
}

/// Tells the test what it is told, and does what the test wants of it.
struct Witness {
    events: mpsc::UnboundedSender<Event>,
    outbox: Outbox,
    behaviour: Behaviour,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Watch,
    /// Leaves the message as its answer.
    Echo,
    /// Sends it back through the outbox.
    Forward,
    RefuseConnections,
    PanicOnMessages,
}

impl Receiver for Witness {
    fn connected(&self, flow: &Flow, party: Party<'_>) -> Admission {
        let identities = party.shown.map_or(&[][..], |shown| shown.identities());
        let names = identities.iter().map(ToString::to_string).collect();
        self.tell(Event::Connected(*flow, names, party.dialed.cloned()));
        if self.behaviour == Behaviour::RefuseConnections {
            return Admission::Close;
        }
        if identities.is_empty() && party.dialed.is_none() {
            return Admission::KeepStranger;
        }
        Admission::Keep
    }

    fn received(&self, flow: &Flow, message: &[u8], _: Load, answer: &mut Vec<u8>) {
        self.tell(Event::Received(*flow, message.to_vec()));
        match self.behaviour {
            Behaviour::Watch | Behaviour::RefuseConnections => {}
            Behaviour::Echo => answer.extend_from_slice(message),
            Behaviour::Forward => self.outbox.send(flow, message.to_vec()).unwrap(),
            Behaviour::PanicOnMessages => panic!("a bug, as a test wants it"),
        }
    }

    fn broken_off(&self, _: &Flow, refused: &[u8], _: Malformed, answer: &mut Vec<u8>) {
        if self.behaviour == Behaviour::Echo {
            answer.extend_from_slice(refused);
        }
    }

    fn refused(&self, flow: &Flow, refusal: Refusal) {
        self.tell(Event::Refused(*flow, refusal));
    }

    fn undeliverable(&self, flow: &Flow, messages: Vec<Vec<u8>>) {
        self.tell(Event::Undeliverable(*flow, messages));
    }

    fn disconnected(&self, flow: &Flow) {
        self.tell(Event::Disconnected(*flow));
    }
}

impl Witness {
    fn tell(&self, event: Event) {
        // Nobody listens any more at the end of a test.
        let _ = self.events.send(event);
    }
}

/// A daemon that is nothing but transport, with one listener.
struct Site {
    running: Running,
    address: SocketAddr,
    outbox: Outbox,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Site {
    fn udp(behaviour: Behaviour) -> Self {
        Self::start(spec(Transport::Udp, None), Limits::default(), behaviour)
    }

    fn tcp(limits: Limits, behaviour: Behaviour) -> Self {
        Self::start(spec(Transport::Tcp, None), limits, behaviour)
    }

    fn tls(config: Arc<Live<ServerConfig>>, limits: Limits) -> Self {
        Self::start(spec(Transport::Tls, Some(config)), limits, Behaviour::Echo)
    }

    fn start(spec: ListenSpec, limits: Limits, behaviour: Behaviour) -> Self {
        Self::listen(Listeners::bind(&[spec], limits).unwrap(), behaviour)
    }

    fn listen(listeners: Listeners, behaviour: Behaviour) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let (address, outbox) = (listeners.addresses()[0], listeners.outbox());
        let witness = Witness { events: sender, outbox: outbox.clone(), behaviour };
        let running = listeners.start(Arc::new(witness)).unwrap();
        Self { running, address, outbox, events }
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    async fn next(&mut self) -> Event {
        timeout(DEADLINE, self.events.recv()).await.expect("nothing happened").unwrap()
    }

    async fn connected(&mut self) -> (Flow, Vec<String>) {
        let (flow, identities, dialed) = self.made().await;
        assert_eq!(dialed, None);
        (flow, identities)
    }

    /// The same, of a connection that it has made itself.
    async fn dialed(&mut self) -> (Flow, Vec<String>, Option<Arc<str>>) {
        let (flow, identities, dialed) = self.made().await;
        (flow, identities, dialed.expect("a connection that it has made").peer)
    }

    async fn made(&mut self) -> (Flow, Vec<String>, Option<Dialed>) {
        let event = self.next().await;
        let Event::Connected(flow, identities, dialed) = event else {
            panic!("{event:?} instead of a connection");
        };
        (flow, identities, dialed)
    }

    async fn received(&mut self) -> (Flow, Vec<u8>) {
        let event = self.next().await;
        let Event::Received(flow, message) = event else {
            panic!("{event:?} instead of a message");
        };
        (flow, message)
    }

    async fn refused(&mut self) -> Refusal {
        let event = self.next().await;
        let Event::Refused(_, refusal) = event else {
            panic!("{event:?} instead of a refusal");
        };
        refusal
    }

    async fn disconnected(&mut self, flow: Flow) {
        assert_eq!(self.next().await, Event::Disconnected(flow));
    }

    /// Shuts down, and sees that nothing more was told than the test has seen.
    async fn ends_quietly(mut self) {
        self.running.shutdown(DEADLINE).await.unwrap();
        assert_eq!(self.events.recv().await, None);
    }

    /// The same, with one connection that lasted until then.
    async fn ends_quietly_after(mut self, flow: Flow) {
        self.running.shutdown(DEADLINE).await.unwrap();
        assert_eq!(self.events.recv().await, Some(Event::Disconnected(flow)));
        assert_eq!(self.events.recv().await, None);
    }
}

fn spec(transport: Transport, tls: Option<Arc<Live<ServerConfig>>>) -> ListenSpec {
    ListenSpec {
        transport,
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        interface: None,
        feeds_connections: false,
        tls,
    }
}

fn message(call: usize) -> Vec<u8> {
    format!("OPTIONS sip:sbc.example SIP/2.0\r\nCall-ID: {call}\r\nContent-Length: 4\r\n\r\nbody")
        .into_bytes()
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    timeout(DEADLINE, stream.write_all(bytes)).await.expect("cannot write").unwrap();
    timeout(DEADLINE, stream.flush()).await.expect("cannot write").unwrap();
}

async fn read(stream: &mut (impl AsyncRead + Unpin), size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    timeout(DEADLINE, stream.read_exact(&mut bytes)).await.expect("nothing to read").unwrap();
    bytes
}

/// Waits for the end of the connection, by goodbye or by reset.
async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("still connected");
    bytes
}
