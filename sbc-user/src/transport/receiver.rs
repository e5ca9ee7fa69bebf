//! Who is told what arrives.

use std::sync::Arc;

use super::{Flow, Load, Note, Refusal, SendFailure};
use crate::proof::tls::ShownCertificate;
use crate::sip::Malformed;

/// Whether a new connection stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// It stays, and its end will be reported.
    Keep,
    /// The same, of nobody who is known: it has to say soon what it wants.
    KeepStranger,
    /// It is closed, and nothing more is heard of it.
    Close,
}

/// Who is at the other end of a new connection, as far as the transport can tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Party<'a> {
    /// The certificate that it showed, which was found good; none over TCP, and none over TLS from a client
    /// without.
    pub shown: Option<&'a Arc<ShownCertificate>>,
    /// That of the packet which asked for the connection, as it arrived; over TCP it is not known, and not always
    /// over TLS.
    pub hop_limit: Option<u8>,
    /// Whom we have connected to; `None` if it was the other end that asked for the connection.
    pub dialed: Option<&'a Dialed>,
}

/// Whom we have connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialed {
    /// The name of the peer whose rule the certificate was judged by; `None` over TCP, and for the upstream.
    pub peer: Option<Arc<str>>,
}

/// Is told what arrives; called from many threads and tasks at once, and must not block.
pub trait Receiver: Send + Sync + 'static {
    /// A stream connection was made; over TLS, the handshake is done.
    fn connected(&self, flow: &Flow, party: Party<'_>) -> Admission;

    /// One message arrived: a datagram as it is, or what the stream was cut into.
    ///
    /// Nobody has looked into it. Keepalives are not messages. `answer` is empty, and may have room from
    /// an earlier message; what is left in it is sent back on `flow`. `load` is that of the queue which the
    /// message waited in: a stream waits at its peer, and is calm.
    fn received(&self, flow: &Flow, message: &[u8], load: Load, answer: &mut Vec<u8>);

    /// A stream cannot be cut into messages because of what `refused` begins; it is at most 16 KiB of it.
    ///
    /// What is left in `answer` is sent back, and then the connection ends.
    fn broken_off(&self, flow: &Flow, refused: &[u8], reason: Malformed, answer: &mut Vec<u8>);

    /// A datagram that was [posted](super::Outbox::post) with `note` and collected has left together with
    /// others, or not. Whoever posts none need not listen.
    fn sent(&self, _note: Note, _sent: Result<(), SendFailure>) {}

    /// A connection was not let in, or was ended because of what the peer did.
    ///
    /// One that had been kept is reported as disconnected too, after this.
    fn refused(&self, flow: &Flow, refusal: Refusal);

    /// The certificate of a connection that had been kept is no longer good. The connection ends, and is
    /// reported as disconnected after this.
    fn disproved(&self, flow: &Flow, refusal: Refusal) {
        self.refused(flow, refusal);
    }

    /// No connection could be made to where `flow` leads, or it has ended at once. These messages, which
    /// waited for it, are lost.
    fn undeliverable(&self, flow: &Flow, messages: Vec<Vec<u8>>) {
        let _ = (flow, messages);
    }

    /// A connection that was kept has ended; called exactly once for each, and nothing is received on
    /// the flow afterwards.
    fn disconnected(&self, flow: &Flow);
}
