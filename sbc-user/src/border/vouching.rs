//! Users whom the upstream alone can tell: it is asked, and what it answers is their proof.

use std::sync::Arc;
use std::time::Duration;

use super::Border;
use super::registration::{answers_registration, in_clear, is_success};
use super::stir::Inquiry;
use crate::config::{Mandate, Users};
use crate::kernel::KernelError;
use crate::proof::digest::Vouching;
use crate::screening::{Entitlement, Evidence, Outcome, Rejection, Standing};
use crate::session::{Passage, Registrant, Vouched, is_stale};
use crate::sip::{Message, StartLine};
use crate::transport::Flow;
use crate::trust::TrustTable;

impl<T: TrustTable> Border<T> {
    /// Lets a request in whose sender the upstream is to tell, or says how it is answered instead: he has shown that
    /// he receives.
    pub(super) fn pass_to_upstream(
        &self,
        flow: &Flow,
        evidence: &Evidence,
        request: &Message<'_>,
        (vouched, mandate, entitlement): (&Vouched<'_>, &Mandate, Entitlement),
    ) -> Result<(), Rejection> {
        let Some(vouching) = &self.vouching else {
            return Err(Rejection { status: 403, outcome: Outcome::ProofMissing });
        };
        let call = [request.call_id(), request.from().tag.unwrap_or_default()];
        let is_under_way = || vouching.is_under_way(flow.remote, call, self.now());
        if entitlement == Entitlement::UnderWay && !is_under_way() {
            self.counters.count(Outcome::Unchallengeable);
            return Ok(());
        }
        let is_answer = entitlement == Entitlement::Unproven && vouched.passage.user.is_some();
        let may_pass = || vouching.may_pass(flow.remote, is_answer, self.now());
        if entitlement != Entitlement::Known && !may_pass() {
            let outcome = Outcome::UnprovenBudgetSpent;
            return Err(Rejection { status: 503, outcome });
        }
        if entitlement == Entitlement::Unproven {
            vouching.let_in(flow.remote, call, self.now());
        }
        let label = label(vouching, &vouched.passage);
        let registrant = label.as_deref().map(Registrant::User);
        let mut inquiry = self.inquiry(flow, evidence, request);
        let sent = self.send_inwards(|| {
            let forwarded =
                self.forwarder.vouched_inwards(request, flow, vouched, mandate, registrant);
            self.telling(forwarded.map_err(Rejection::of_relay)?, &mut inquiry)
        });
        sent?;
        // What the upstream may still ask for a proof of is nobody's yet.
        if entitlement == Entitlement::Known || is_answer {
            self.note_accepted(flow, evidence, request);
        }
        inquiry.iter().for_each(Inquiry::passed_on);
        Ok(())
    }

    /// What a request was passed on as, if it was one of a user: an upstream that does not bring back our Via as it
    /// was has told nothing of him.
    pub(super) fn passage_of(&self, response: &Message<'_>, arrival: &Flow) -> Option<Passage> {
        self.forwarder.passage_of(response, arrival).or_else(|| {
            let to = self.forwarder.way_back(response, arrival).ok()?;
            let evidence = self.evidence(&to);
            let is_users = matches!(self.standing(&to, &evidence), Standing::NeedsDigest(_));
            is_users.then(|| Passage::unmarked(evidence.has_answered))
        })
    }

    /// The upstream's answer to a request that was let in so. What it accepts with an answer to its own challenge
    /// proves who answered; what it refuses is held against where the answer came from, which has received the
    /// challenge.
    pub(super) fn upstream_answered(
        &self,
        vouching: &Vouching,
        passage: &Passage,
        response: &Message<'_>,
        arrival: &Flow,
    ) {
        let StartLine::Response { status } = response.start_line() else { return };
        let Ok(to) = self.forwarder.way_back(response, arrival) else {
            return self.counters.count(Outcome::ResponseNotOurs);
        };
        let has_begun = (101..300).contains(&status);
        if has_begun && !passage.is_known && !passage.is_proof {
            self.upstream_does_not_ask.call_once(|| {
                tracing::warn!(
                    method = %String::from_utf8_lossy(response.cseq().method.as_bytes()),
                    "the upstream accepts requests without asking who sends them: strangers reach it, up to \
                     the budget of [users.upstream]. Does it trust our address?"
                );
            });
            return self.counters.count(Outcome::UpstreamDidNotAsk);
        }
        let now = self.clock.wall();
        if let Some((user, realm)) = &passage.user {
            let (user, realm) = (user.as_bytes(), realm.as_bytes());
            if is_success(response) && passage.is_proof {
                vouching.succeeded(to.remote, realm, user, now);
                // A repeated acceptance is none of another answer.
                if !passage.is_known && !self.evidence(&to).has_answered {
                    vouching.proved_himself(to.remote);
                }
            } else if is_failure(status, passage, response) {
                vouching.failed(to.remote, realm, user, now);
            }
        }
        let proven = label(vouching, passage).filter(|_| is_success(response));
        let longest = proven.and_then(|label| self.vouched_for(&label, response, &to));
        let forwarded =
            self.forwarder.vouched_outwards(response, to, (passage, now), longest, |to| {
                self.has_trust_domains && self.is_in_trust_domain(to)
            });
        if forwarded.is_ok() {
            self.note_answered_by_upstream(response);
            self.tell_served(response, &to);
        }
        self.forward(forwarded, Outcome::ResponseRelayedOutwards);
    }

    /// Says whether users whom the upstream tells are told by the same names.
    pub(super) fn knows_users_as(&self, other: &Self) -> bool {
        let realms = self.vouching.as_ref().zip(other.vouching.as_ref());
        realms.is_some_and(|(one, other)| one.realm() == other.realm())
    }

    /// Opens the place of a user whom the upstream has accepted, for as long as he is registered if he has
    /// registered there; yields how many seconds that may be.
    fn vouched_for(&self, label: &Arc<str>, response: &Message<'_>, flow: &Flow) -> Option<u32> {
        let users = self.config.users.as_ref()?;
        let (now, lifetime) = (self.now(), users.lifetime());
        let granted = if answers_registration(response) { self.granted(response) } else { None };
        let granted = granted.filter(|_| in_clear(flow));
        let longest = users.longest_registration();
        let Some(mut ledger) = self.ledger_in_force() else {
            let successor = self.successor.get().filter(|it| it.knows_users_as(self));
            return successor.and_then(|it| it.vouched_for(label, response, flow));
        };
        let mut entered: Result<(), KernelError> = ledger
            .digest_proven(label, flow, lifetime, now)
            .and_then(|()| ledger.may_return(label, flow, lifetime, now));
        if let Some(granted) = granted {
            let granted = Duration::from_secs(granted.into()).min(longest);
            let lifetime = Users::lifetime_of_registration(granted);
            entered = entered.and_then(|()| ledger.registered(flow, lifetime, now));
        }
        drop(ledger);
        self.report(entered);
        granted.map(|_| u32::try_from(longest.as_secs()).unwrap_or(u32::MAX))
    }
}

/// Whom the acceptance of a request proves.
fn label(vouching: &Vouching, passage: &Passage) -> Option<Arc<str>> {
    let (user, realm) = passage.user.as_ref().filter(|_| passage.is_proof)?;
    Some(vouching.label(user, realm))
}

/// Says whether a refusal is one of the answer to a challenge. Who has proved himself may be refused for whom he
/// calls.
fn is_failure(status: u16, passage: &Passage, response: &Message<'_>) -> bool {
    match status {
        401 | 407 => !is_stale(response),
        403 => !passage.is_known || answers_registration(response),
        404 => answers_registration(response),
        _ => false,
    }
}
