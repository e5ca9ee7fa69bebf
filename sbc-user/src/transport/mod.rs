//! The sockets: everything that enters or leaves the daemon as SIP does so here, and nowhere else.
//!
//! [`Listeners`] binds, [`Receiver`] is told what arrives, [`Outbox`] sends, [`Running`] stops.
//!
//! Invariants:
//! - **Nothing waits for a peer.** Sending never blocks; a peer that does not read is disconnected: at once, or
//!   where the connection is for many, by the network stack.
//! - **Everything has a bound**: connections in total and per source, time for a handshake, for a first
//!   message, for the rest of a message, and bytes in a queue.
//! - **Every connection that the receiver kept is reported as gone exactly once**, whatever ended it.
//! - A flow names one connection for good: its number is not used again. Number 0 stands for whichever
//!   connection we have made, or will make, to that remote end; one that has ended is made anew only there.
//! - Connections are made to [`Destination`]s alone, one to each: nothing in a message is one.

mod batch;
mod bind;
mod connection;
mod datagram;
mod dial;
mod flow;
mod framing;
mod handshake;
mod limits;
mod line;
mod listeners;
mod load;
mod outbox;
mod post;
mod pulse;
mod queue;
mod reader;
mod receiver;
mod refusal;
mod running;
mod saved_syn;
mod slots;
mod socket_option;
mod stream;
#[cfg(test)]
mod tests;
mod turn;
mod udp;
mod worker;
mod writer;

pub use bind::BindError;
pub use flow::{Flow, Transport};
pub use limits::{Limits, MOST_CONNECTIONS, SEND_QUEUE_BYTES, SEND_QUEUE_MESSAGES};
pub use line::{Destination, DialTls};
pub use listeners::{ListenSpec, Listener, Listeners};
pub use load::{Load, Loads};
pub use outbox::{Outbox, SendFailure};
pub use post::{Note, Posted};
pub use pulse::Pulse;
pub use receiver::{Admission, Dialed, Party, Receiver};
pub use refusal::Refusal;
pub use running::{Running, ShutdownIncomplete};
pub use stream::StreamListener;
pub use udp::UdpListener;
