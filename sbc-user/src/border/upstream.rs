//! The connections that we make, and what becomes of requests when there are none.

use std::num::NonZeroU8;

use super::Border;
use super::receiver::PROVEN;
use super::sending::failed;
use crate::screening::{Outcome, Rejection};
use crate::session::{Forwarded, RelayRefusal};
use crate::sip::{Message, StartLine, without_verstat};
use crate::transport::{Admission, Flow, Refusal, SendFailure};
use crate::trust::TrustTable;
use crate::upstream::{Target, is_probe};

/// A connection that cannot be made, or that has been made, leaves no doubt.
const ONCE: NonZeroU8 = NonZeroU8::MIN;
/// Targets of the upstream, or of a peer, that are tried for one request at most.
pub(super) const ATTEMPTS: usize = 4;

impl<T: TrustTable> Border<T> {
    /// Sends a request from outside to a target. One that nothing can be sent to now is dead, and another is
    /// chosen: nothing of the request has left.
    pub(super) fn send_inwards(
        &self,
        mut forwarded: impl FnMut() -> Result<Forwarded, Rejection>,
    ) -> Result<(), Rejection> {
        for _ in 0..ATTEMPTS {
            let Forwarded { to, message } = forwarded()?;
            if self.is_settled(&to, message, Outcome::RequestRelayedInwards) {
                return Ok(());
            }
        }
        Err(Rejection::of_relay(RelayRefusal::NoTarget))
    }

    /// Sends a request to a target, and counts what became of it; `false` if nothing of it has left, so that
    /// another target may get it.
    pub(super) fn is_settled(&self, to: &Flow, message: Vec<u8>, outcome: Outcome) -> bool {
        match self.post(to, message, outcome) {
            Ok(()) => {}
            Err(SendFailure::Unreachable) => {
                self.target_failed(to);
                return false;
            }
            // It has ended just now; the next attempt makes it anew.
            Err(SendFailure::NoConnection) => return false,
            Err(failure) => self.counters.count(failed(failure)),
        }
        true
    }

    /// Makes the connections to the upstream that are not there, and those to peers that could not be made,
    /// each when the pause after its last attempt is over: whether a target lives is known before somebody
    /// calls.
    pub(super) fn keep_connected(&self) {
        for (number, pool) in self.pools().enumerate() {
            let is_kept = |target: &&Target| {
                let is_chosen = target.flow.transport.is_stream() && target.weight() > 0;
                is_chosen && (number == 0 || !target.health.is_alive())
            };
            for target in pool.targets().iter().filter(is_kept) {
                let _ = self.outbox.open(&target.flow);
            }
        }
    }

    /// Takes note that whoever is at the other end of a connection lives, if it is one that we have made.
    pub(super) fn target_connected(&self, flow: &Flow) {
        let to = Flow { connection: 0, ..*flow };
        let health = self.pools().find_map(|pool| pool.unprobed(&to));
        if health.is_some_and(|health| health.succeeded(ONCE)) {
            tracing::info!(target = %to, "a target lives again");
        }
    }

    /// Lets in a connection on the inside, if it is the upstream's.
    pub(super) fn admit_upstream(&self, flow: &Flow) -> Admission {
        if self.forwarder.is_upstream(flow) {
            return Admission::Keep;
        }
        self.counters.count_refusal(Refusal::NotUpstream);
        Admission::Close
    }

    /// Refuses requests that waited for a connection in vain: their senders would not repeat them over TCP
    /// or TLS.
    pub(super) fn refuse_undeliverable(&self, to: &Flow, messages: &[Vec<u8>]) {
        self.target_failed(to);
        for message in messages {
            let Ok(request) = Message::scan(message) else { continue };
            // What we have told the upstream of a number is not told to who calls from it.
            let untold = without_verstat(&request);
            let Ok(request) = Message::scan(untold.as_deref().unwrap_or(message)) else { continue };
            if is_probe(&request) || !matches!(request.start_line(), StartLine::Request { .. }) {
                continue;
            }
            let rejection = Rejection { status: 500, outcome: Outcome::Undeliverable };
            let answer = rejection.answer(self.forwarder.seal(), &request, to, &PROVEN);
            let Ok(answer) = answer else { continue };
            if let Ok(answer) = Message::scan(&answer) {
                // As if it had come from where the request should have gone.
                let forwarded = self.forwarder.response(&answer, to, None);
                self.forward(forwarded, rejection.outcome);
            }
        }
    }

    pub(super) fn target_failed(&self, to: &Flow) {
        for pool in self.pools() {
            let targets = pool.targets();
            let Some(target) = targets.iter().find(|target| target.flow == *to) else { continue };
            if target.health.failed(ONCE) && target.weight() > 0 {
                tracing::warn!(target = %to, "a target is dead: there is no connection");
            }
        }
    }
}
