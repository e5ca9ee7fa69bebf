use std::time::Duration;

use sbc_common::{Lane, MonotonicNanos, Transports};

use super::{Ledger, after, clear_transports, port_of};
use crate::kernel::KernelError;
use crate::transport::Flow;
use crate::trust::{Grant, Holder, Place, TrustTable};

/// Who has answered a challenge, and what a registration makes of that.
impl<T: TrustTable> Ledger<T> {
    /// Says whether whoever is behind `flow` has answered a challenge of ours within its lifetime, over
    /// the same transport: an answer over TCP says nothing about who forges its address over UDP. Nor
    /// does an answer from elsewhere in a /64: what was taken over of an earlier run opens the kernel
    /// alone.
    #[must_use]
    pub fn has_answered(&self, flow: &Flow, now: MonotonicNanos) -> bool {
        let answer = port_of(flow).and_then(|place| self.answer_at(&place, now));
        answer.is_some_and(|grant| grant.transports == clear_transports(flow.transport))
    }

    /// Who has to have answered for what `flow` sends to pass the kernel: a user, or
    /// [`Holder::Earlier`] of whom no more is known than, over IPv6, the /64.
    #[must_use]
    pub fn who_answered(&self, flow: &Flow, now: MonotonicNanos) -> Option<&Holder> {
        let transports = clear_transports(flow.transport);
        let place = port_of(flow)?;
        if let Some(grant) = self.answer_at(&place, now) {
            return (grant.transports == transports).then_some(&grant.holder);
        }
        let subnet = self.spoken_for_by(place);
        let grant = self.answer_at(&subnet, now).filter(|_| subnet != place)?;
        let is_good = transports != Transports::NONE && grant.transports.contains(transports);
        is_good.then_some(&grant.holder)
    }

    fn answer_at(&self, place: &Place, now: MonotonicNanos) -> Option<&Grant> {
        let grant = self.grants.get(place)?;
        (grant.lane == Lane::Digest && grant.is_live(now)).then_some(grant)
    }

    /// The registrar accepted, for `lifetime`, what was registered on `flow` by whoever has answered our
    /// challenge there: the place stays open for as long, if it would not anyway.
    ///
    /// Nothing is granted to who has not answered, or whose answer has expired meanwhile.
    pub fn registered(
        &mut self,
        flow: &Flow,
        lifetime: Duration,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let Some(place) = port_of(flow) else { return Ok(()) };
        let transports = clear_transports(flow.transport);
        let held = self.grants.get(&place).filter(|held| {
            held.lane == Lane::Digest && held.transports == transports && held.is_live(now)
        });
        let expires_at = after(now, lifetime);
        match held.filter(|held| held.expires_at < expires_at) {
            Some(held) => self.enter(place, Grant { expires_at, ..held.clone() }, now),
            None => Ok(()),
        }
    }
}
