//! Listening for connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout_at};
use tracing::{error, warn};

use super::bind::tcp_socket;
use super::connection::{Switchboard, serve};
use super::queue::{ACCEPTED, FOR_MANY};
use super::running::Stop;
use super::slots::Slots;
use super::{BindError, Flow, Transport, saved_syn};
use crate::proof::tls::Live;

/// Time to wait when the system has no descriptor or memory for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound socket for TCP or TLS connections.
pub struct StreamListener {
    pub(super) socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Live<ServerConfig>>>,
    pub(super) is_for_many: bool,
}

impl StreamListener {
    /// Binds `address` for TLS if there is a configuration for it, otherwise for TCP, and if an interface is
    /// named takes only what arrives on that one.
    ///
    /// An IPv6 socket takes no IPv4.
    pub fn bind(
        address: SocketAddr,
        interface: Option<&str>,
        tls: Option<Arc<Live<ServerConfig>>>,
    ) -> Result<Self, BindError> {
        let socket = tcp_socket(transport(tls.as_ref()), address, interface)?;
        if tls.is_some()
            && let Err(error) = saved_syn::keep(&socket)
        {
            warn!(%address, %error, "the distance of TLS peers will not be known");
        }
        let address = socket.local_addr().unwrap_or(address);
        Ok(Self { socket, address, tls, is_for_many: false })
    }

    /// Of connections that each carry what many others send. They have more room for what waits, outlast
    /// what finds none, and have their places apart from those of the other listeners.
    #[must_use]
    pub fn for_many(self) -> Self {
        Self { is_for_many: true, ..self }
    }

    /// The address that is listened on, with the port that the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its connections take places of `slots`.
    pub(super) fn register(self, slots: Slots) -> io::Result<Acceptor> {
        let socket = tokio::net::TcpListener::from_std(self.socket)?;
        Ok(Acceptor { socket, tls: self.tls, is_for_many: self.is_for_many, slots })
    }
}

fn transport(tls: Option<&Arc<Live<ServerConfig>>>) -> Transport {
    if tls.is_some() { Transport::Tls } else { Transport::Tcp }
}

/// A listening socket that the runtime watches.
pub(super) struct Acceptor {
    socket: tokio::net::TcpListener,
    tls: Option<Arc<Live<ServerConfig>>>,
    is_for_many: bool,
    slots: Slots,
}

impl Acceptor {
    /// Serves connections until told to stop; returns how many had to be cut off then.
    pub(super) async fn accept(
        self,
        listener: u8,
        switchboard: Arc<Switchboard>,
        mut stop: Stop,
    ) -> usize {
        let mut connections = JoinSet::new();
        let mut failing = false;
        let deadline = loop {
            tokio::select! {
                deadline = stop.requested() => break deadline,
                Some(ended) = connections.join_next() => report(ended),
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, remote)) => {
                        failing = false;
                        let flow = self.flow(listener, remote, &switchboard);
                        self.admit(stream, flow, &switchboard, &stop, &mut connections);
                    }
                    // The connection was gone before it was accepted.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        if !failing {
                            warn!(listener, %error, "cannot accept connections");
                        }
                        failing = true;
                        sleep(PAUSE).await;
                    }
                },
            }
        };

        drop(self.socket);
        let all_ended = timeout_at(deadline, async {
            while let Some(ended) = connections.join_next().await {
                report(ended);
            }
        });
        let _ = all_ended.await;
        let cut_off = connections.len();
        connections.shutdown().await;
        cut_off
    }

    fn flow(&self, listener: u8, remote: SocketAddr, switchboard: &Switchboard) -> Flow {
        Flow::stream(transport(self.tls.as_ref()), listener, remote, switchboard.numbers.next())
    }

    /// Lets a connection in if there is a place for it, and closes it otherwise.
    fn admit(
        &self,
        stream: TcpStream,
        flow: Flow,
        switchboard: &Arc<Switchboard>,
        stop: &Stop,
        connections: &mut JoinSet<()>,
    ) {
        match self.slots.take(flow.remote.ip()) {
            Ok(slot) => {
                let (switchboard, stop) = (Arc::clone(switchboard), stop.clone());
                let room = if self.is_for_many { FOR_MANY } else { ACCEPTED };
                let how = (self.tls.clone(), room);
                connections.spawn(serve(stream, flow, how, switchboard, stop, slot));
            }
            Err(refusal) => {
                // A reset: thousands of these must not leave thousands of sockets in TIME_WAIT.
                let _ = stream.set_zero_linger();
                drop(stream);
                switchboard.receiver.refused(&flow, refusal);
            }
        }
    }
}

pub(super) fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "a connection made the daemon panic; it is closed");
    }
}
