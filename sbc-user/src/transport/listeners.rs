//! All sockets of the daemon, bound together or not at all.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use rustls::ServerConfig;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::{ConnectionNumbers, Switchboard};
use super::dial::dial_all;
use super::line::Wish;
use super::running::Stop;
use super::slots::Slots;
use super::turn::turns;
use super::udp::Sockets;
use super::worker::{Worker, Workers};
use super::{
    BindError, Limits, Loads, Outbox, Pulse, Receiver, Running, StreamListener, Transport,
    UdpListener,
};
use crate::proof::tls::Live;

/// What to listen on.
#[derive(Clone, Debug)]
pub struct ListenSpec {
    /// The transport.
    pub transport: Transport,
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// The interface that what arrives must come by; `None` for any.
    pub interface: Option<String>,
    /// Whether it is towards the upstream: what arrives may be handed on to connections, and a connection
    /// carries what many others send.
    ///
    /// One thread serves such a UDP socket, and waits for the connections' writers to have their turn;
    /// otherwise there is a socket, and a thread that serves it, for each core. For streams see [`StreamListener::for_many`].
    pub feeds_connections: bool,
    /// The certificate and whom to believe; needed for TLS, and not used otherwise.
    pub tls: Option<Arc<Live<ServerConfig>>>,
}

/// One bound socket.
pub enum Listener {
    /// For datagrams.
    Udp(UdpListener),
    /// For TCP or TLS connections.
    Stream(StreamListener),
}

/// Bound sockets that nobody listens to yet.
///
/// Positions are those of the configuration, and number the listener in a [`Flow`](super::Flow).
pub struct Listeners {
    bound: Vec<Listener>,
    addresses: Vec<SocketAddr>,
    outbox: Outbox,
    wished: mpsc::UnboundedReceiver<Wish>,
    limits: Limits,
}

impl Listener {
    /// Binds what `spec` says.
    pub fn bind(spec: &ListenSpec) -> Result<Self, BindError> {
        let (address, interface) = (spec.address, spec.interface.as_deref());
        let stream = |tls| {
            let listener = StreamListener::bind(address, interface, tls)?;
            Ok(Self::Stream(if spec.feeds_connections { listener.for_many() } else { listener }))
        };
        Ok(match (spec.transport, &spec.tls) {
            (Transport::Udp, _) => Self::Udp(if spec.feeds_connections {
                UdpListener::bind(address, interface)?
            } else {
                UdpListener::bind_shared(address, interface, cores())?
            }),
            (Transport::Tcp, _) => stream(None)?,
            (Transport::Tls, Some(tls)) => stream(Some(Arc::clone(tls)))?,
            (Transport::Tls, None) => return Err(BindError::NoTlsConfiguration { address }),
        })
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(listener) => listener.address(),
            Self::Stream(listener) => listener.address(),
        }
    }
}

/// How many workers there are.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

impl Listeners {
    /// Binds all of `specs`, or none of them.
    pub fn bind(specs: &[ListenSpec], limits: Limits) -> Result<Self, BindError> {
        let listeners = specs.iter().map(Listener::bind).collect::<Result<_, _>>()?;
        Self::from_bound(listeners, limits)
    }

    /// Takes sockets that are bound already.
    pub(super) fn from_bound(listeners: Vec<Listener>, limits: Limits) -> Result<Self, BindError> {
        if listeners.len() > usize::from(u8::MAX) + 1 {
            return Err(BindError::TooManyListeners);
        }
        let sockets = listeners.iter().map(|listener| match listener {
            Listener::Udp(listener) => listener.sockets.first().map(Arc::downgrade),
            Listener::Stream(_) => None,
        });
        let (outbox, wished) = Outbox::new(sockets.collect());
        let addresses = listeners.iter().map(Listener::address).collect();
        Ok(Self { bound: listeners, addresses, outbox, wished, limits })
    }

    /// The addresses that are listened on, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The way out over these sockets.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Begins to listen; must be called within a tokio runtime with time and I/O.
    pub fn start(self, receiver: Arc<dyn Receiver>) -> io::Result<Running> {
        let switchboard = Arc::new(Switchboard {
            receiver,
            outbox: self.outbox,
            limits: self.limits,
            numbers: ConnectionNumbers::new(RandomState::new().hash_one(())),
        });
        // Strangers who take all places leave the upstream its own.
        let (slots, for_many) = (Slots::new(&self.limits), Slots::new(&self.limits));
        let (stop_sender, stop) = Stop::channel();
        let mut tasks = JoinSet::new();
        let (mut pulse, mut loads) = (Pulse::default(), Loads::default());
        let (mut workers, mut feeding) = (Vec::new(), Vec::new());
        for (position, listener) in (0..=u8::MAX).zip(self.bound) {
            let (switchboard, stop) = (Arc::clone(&switchboard), stop.clone());
            match listener {
                Listener::Udp(listener) => match listener.sockets {
                    Sockets::Feeding(socket) => feeding.push((position, socket)),
                    Sockets::Shared(sockets) => {
                        workers.resize_with(sockets.len().max(workers.len()), || {
                            Worker::new(pulse.add())
                        });
                        for (worker, socket) in workers.iter_mut().zip(sockets) {
                            worker.serves(position, socket, loads.add());
                        }
                    }
                },
                Listener::Stream(listener) => {
                    let slots = if listener.is_for_many { &for_many } else { &slots };
                    let acceptor = listener.register(slots.clone())?;
                    tasks.spawn(acceptor.accept(position, switchboard, stop));
                }
            }
        }
        if !feeding.is_empty() {
            // On one core another thread would take turns with the only worker, for nothing.
            if workers.len() != 1 {
                workers.push(Worker::new(pulse.add()));
            }
            let (turns, giver) = turns()?;
            if let Some(worker) = workers.last_mut() {
                worker.feeds_connections(feeding, turns, || loads.add());
            }
            let stop = stop.clone();
            tasks.spawn(async move {
                giver.give(stop).await;
                0
            });
        }
        tasks.spawn(dial_all(self.wished, Arc::clone(&switchboard), stop.clone()));
        let workers = Workers::start(workers, &switchboard.receiver)?;
        tasks.spawn(async move {
            workers.serve(stop).await;
            0
        });
        Ok(Running::new(stop_sender, tasks, pulse, loads))
    }
}
