//! What strangers may occupy, and for how long.

use std::time::Duration;

/// Most messages that wait for one connection to be written.
pub const SEND_QUEUE_MESSAGES: usize = 64;
/// Most bytes that wait for one connection to be written.
pub const SEND_QUEUE_BYTES: usize = 1 << 20;

/// Connections in total that are let in, outside and once more inside.
pub const MOST_CONNECTIONS: usize = 4096;

/// Bounds of the stream listeners; they hold for all of those outside together, and once more for all of those
/// towards the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in total.
    pub connections: usize,
    /// Connections of one source: an IPv4 address, or an IPv6 /64. Offices have many phones behind
    /// one address.
    pub connections_per_source: usize,
    /// Time from the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// Time to the first complete message on a connection without identity.
    pub first_message: Duration,
    /// Time from the first to the last byte of a message.
    pub partial_message: Duration,
    /// Time without a complete message or ping from the peer.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MOST_CONNECTIONS,
            connections_per_source: 256,
            handshake: Duration::from_secs(10),
            first_message: Duration::from_secs(10),
            partial_message: Duration::from_secs(10),
            idle: Duration::from_mins(10),
        }
    }
}
