//! The connections between us and the upstream, and what becomes of requests when there are none.

use std::num::NonZeroU8;

use super::Border;
use super::receiver::PROVEN;
use super::sending::failed;
use crate::screening::{Outcome, Rejection};
use crate::session::{Forwarded, RelayRefusal};
use crate::sip::{Message, StartLine};
use crate::transport::{Admission, Flow, Refusal, SendFailure};
use crate::trust::TrustTable;
use crate::upstream::is_probe;

/// A connection that cannot be made, or that has been made, leaves no doubt.
const ONCE: NonZeroU8 = NonZeroU8::MIN;
/// Targets that are tried for one request at most.
const ATTEMPTS: usize = 4;

impl<T: TrustTable> Border<T> {
    /// Sends a request from outside to a target. One that nothing can be sent to now is dead, and another is
    /// chosen: nothing of the request has left.
    pub(super) fn send_inwards(
        &self,
        mut forwarded: impl FnMut() -> Result<Forwarded, RelayRefusal>,
    ) -> Result<(), RelayRefusal> {
        for _ in 0..ATTEMPTS {
            let Forwarded { to, message } = forwarded()?;
            match self.post(&to, message, Outcome::RequestRelayedInwards) {
                Ok(()) => return Ok(()),
                Err(SendFailure::Unreachable) => self.target_failed(&to),
                // It has ended just now; the next attempt makes it anew.
                Err(SendFailure::NoConnection) => {}
                Err(failure) => {
                    self.counters.count(failed(failure));
                    return Ok(());
                }
            }
        }
        Err(RelayRefusal::NoTarget)
    }

    /// Makes the connections to the upstream that are not there, each when the pause after its last attempt
    /// is over: whether a target lives is known before somebody calls.
    pub(super) fn keep_connected(&self) {
        for target in self.forwarder.upstream().targets().iter() {
            if target.flow.transport.is_stream() && target.weight() > 0 {
                let _ = self.outbox.open(&target.flow);
            }
        }
    }

    /// Lets in a connection on the inside, if it is the upstream's.
    pub(super) fn upstream_connected(&self, flow: &Flow) -> Admission {
        if !self.forwarder.is_upstream(flow) {
            self.counters.count_refusal(Refusal::NotUpstream);
            return Admission::Close;
        }
        let to = Flow { connection: 0, ..*flow };
        if let Some(health) = self.forwarder.upstream().unprobed(&to)
            && health.succeeded(ONCE)
        {
            tracing::info!(target = %to, "a target of the upstream lives again");
        }
        Admission::Keep
    }

    /// Refuses requests that waited for a connection in vain: their senders would not repeat them over TCP
    /// or TLS.
    pub(super) fn refuse_undeliverable(&self, to: &Flow, messages: &[Vec<u8>]) {
        self.target_failed(to);
        for message in messages {
            let Ok(request) = Message::scan(message) else { continue };
            if is_probe(&request) || !matches!(request.start_line(), StartLine::Request { .. }) {
                continue;
            }
            let rejection = Rejection { status: 503, outcome: Outcome::Undeliverable };
            let answer = rejection.answer(self.forwarder.seal(), &request, to, &PROVEN);
            let Ok(answer) = answer else { continue };
            if let Ok(answer) = Message::scan(&answer) {
                // As if it had come from where the request should have gone.
                let forwarded = self.forwarder.response(&answer, to, None);
                self.forward(forwarded, rejection.outcome);
            }
        }
    }

    fn target_failed(&self, to: &Flow) {
        let targets = self.forwarder.upstream().targets();
        let Some(target) = targets.iter().find(|target| target.flow == *to) else { return };
        if target.health.failed(ONCE) && target.weight() > 0 {
            tracing::warn!(target = %to, "a target of the upstream is dead: there is no connection");
        }
    }
}
