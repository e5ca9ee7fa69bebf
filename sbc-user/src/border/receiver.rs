use std::hash::BuildHasher as _;
use std::mem;
use std::sync::Arc;

use rsip::Method as KnownMethod;

use super::Border;
use super::bans::Offence;
use super::parts::locked;
use super::registration::answers_registration;
use super::stir::Inquiry;
use crate::kernel::KernelError;
use crate::screening::{Evidence, Outcome, Rejection, Screen, Screened, asks_us, is_shed};
use crate::session::Forwarded;
use crate::sip::{Malformed, Message, StartLine, without_verstat};
use crate::transport::{
    Admission, Flow, Load, Note, Party, Receiver, Refusal, SendFailure, Transport,
};
use crate::trust::TrustTable;

/// What is known of whoever had a request accepted, as far as the length of an answer goes.
pub(super) const PROVEN: Evidence = Evidence {
    tls_connection: None,
    tls_source: None,
    ipsec_source: None,
    dns_source: None,
    has_answered: true,
};

const OPTIONS_ANSWERED: Rejection = Rejection { status: 200, outcome: Outcome::OptionsAnswered };

impl<T: TrustTable> Border<T> {
    fn receive_from_outside(
        &self,
        flow: &Flow,
        message: &Message<'_>,
        load: Load,
        answer: &mut Vec<u8>,
    ) {
        let evidence = self.evidence(flow);
        // Whose first copy went in is not to be told that it did not.
        if is_shed(message, load) && !self.is_under_way(message) {
            return self.put_off(flow, &evidence, message, answer);
        }
        match message.start_line() {
            StartLine::Response { .. } => {
                let peers = &self.config.peers;
                let mandate = self.standing(flow, &evidence).mandate(peers);
                let forwarded = self.forwarder.response(message, flow, Some(&mandate));
                if forwarded.is_ok() {
                    self.note_answered_outside(message);
                    self.tell_served(message, flow);
                }
                self.forward(forwarded, Outcome::ResponseRelayedInwards);
            }
            StartLine::Request { .. } => self.receive_request(flow, &evidence, message, answer),
        }
    }

    fn receive_request(
        &self,
        flow: &Flow,
        evidence: &Evidence,
        request: &Message<'_>,
        answer: &mut Vec<u8>,
    ) {
        match self.screen(flow, evidence, request, answer) {
            Screened::Accepted { proven, is_there, mandate, consumed } => {
                // What was carried here from elsewhere opens nothing, and shows nobody to receive here.
                if let Some(user) = proven.as_ref().filter(|_| is_there) {
                    self.promote(user, flow);
                }
                let has_answered = is_there || evidence.has_answered;
                let hearer = if proven.is_some() && !is_there { evidence } else { &PROVEN };
                if asks_us(request, &self.forwarder, self.digest.as_ref()) {
                    let evidence = Evidence { has_answered, ..*evidence };
                    return self.reject(OPTIONS_ANSWERED, flow, &evidence, request, answer);
                }
                let mut inquiry = self.inquiry(flow, evidence, request);
                let registrant = self.registrant(flow, evidence, proven.as_deref());
                let sent = self.send_inwards(|| {
                    let forwarded = self.forwarder.request_inwards(
                        request,
                        flow,
                        consumed.as_ref(),
                        Some(&mandate),
                        registrant,
                    );
                    let forwarded = forwarded.map_err(Rejection::of_relay)?;
                    self.telling(forwarded, &mut inquiry)
                });
                let Err(rejection) = sent else {
                    self.note_accepted(flow, evidence, request);
                    return inquiry.iter().for_each(Inquiry::passed_on);
                };
                self.note_refused(flow, evidence, rejection.outcome);
                // Whose address the operator vouches for may be forged. There is nothing that he would have to
                // know, and who does receive there repeats what he sent.
                let is_heard = flow.transport.is_stream() || has_answered;
                if rejection.outcome == Outcome::UpstreamDown && !is_heard {
                    return self.counters.count(rejection.outcome);
                }
                self.reject(rejection, flow, hearer, request, answer);
            }
            Screened::Vouched { vouched, mandate, entitlement } => {
                let passing = (&vouched, &mandate, entitlement);
                let passed = self.pass_to_upstream(flow, evidence, request, passing);
                if let Err(rejection) = passed {
                    self.note_refused(flow, evidence, rejection.outcome);
                    self.reject(rejection, flow, &PROVEN, request, answer);
                }
            }
            Screened::Answered(outcome, reply) => {
                self.note_refused(flow, evidence, outcome);
                self.answer(outcome, reply, answer);
            }
            Screened::Silent(outcome) => {
                self.note_refused(flow, evidence, outcome);
                self.counters.count(outcome);
            }
        }
    }

    fn read(&self, flow: &Flow, message: &Message<'_>, load: Load, answer: &mut Vec<u8>) {
        if self.forwarder.is_inside(flow) {
            self.receive_from_inside(flow, message, load, answer);
        } else {
            self.receive_from_outside(flow, message, load, answer);
        }
    }

    /// Decides about a request; a challenge is written in the room of `answer`.
    fn screen<'m>(
        &self,
        flow: &Flow,
        evidence: &Evidence,
        request: &Message<'m>,
        answer: &mut Vec<u8>,
    ) -> Screened<'m> {
        let mut screen = Screen {
            config: &self.config,
            forwarder: &self.forwarder,
            digest: self.digest.as_ref(),
            vouching: self.vouching.as_ref(),
            now: self.clock.wall(),
            nonce_number: self.nonces.next(),
            fingerprint: &|message| self.fingerprints.hash_one(message),
            buffer: mem::take(answer),
            is_proven_guess: false,
        };
        let screened = screen.screen(request, flow, evidence);
        if screen.is_proven_guess {
            self.offended(flow, Offence::Guess);
        }
        *answer = screen.buffer;
        answer.clear();
        screened
    }

    fn receive_from_inside(
        &self,
        flow: &Flow,
        message: &Message<'_>,
        load: Load,
        answer: &mut Vec<u8>,
    ) {
        if !self.forwarder.is_upstream(flow) {
            return self.counters.count(Outcome::NotFromUpstream);
        }
        // Calls go on: whether a first copy of this one rings somewhere is not known.
        if is_shed(message, load.min(Load::Heavy)) {
            return self.put_off(flow, &PROVEN, message, answer);
        }
        let StartLine::Request { method, .. } = message.start_line() else {
            if self.forwarder.upstream().is_answered(message, flow) {
                return self.counters.count(Outcome::ProbeAnswered);
            }
            if let Some(vouching) = &self.vouching
                && let Some(passage) = self.passage_of(message, flow)
            {
                return self.upstream_answered(vouching, &passage, message, flow);
            }
            let forwarded = if answers_registration(message) {
                self.registration_answered(message, flow)
            } else {
                self.forwarder.response_outwards(message, flow, |to| {
                    self.has_trust_domains && self.is_in_trust_domain(to)
                })
            };
            if let Ok(Forwarded { to, .. }) = &forwarded {
                self.note_answered_by_upstream(message);
                self.tell_served(message, to);
            }
            return self.forward(forwarded, Outcome::ResponseRelayedOutwards);
        };
        let Err(rejection) = self.request_from_upstream(message, flow) else { return };
        let is_for_us = rejection.outcome == Outcome::NoRoute;
        let rejection = if is_for_us && method.is(KnownMethod::Options) {
            Rejection { status: 200, outcome: Outcome::UpstreamOptionsAnswered }
        } else {
            rejection
        };
        self.counters.count(rejection.outcome);
        if let Ok(reply) = rejection.answer(self.forwarder.seal(), message, flow, &PROVEN) {
            *answer = reply;
        }
    }

    /// Answers a request that is not relayed.
    fn reject(
        &self,
        rejection: Rejection,
        flow: &Flow,
        evidence: &Evidence,
        request: &Message<'_>,
        answer: &mut Vec<u8>,
    ) {
        match rejection.answer(self.forwarder.seal(), request, flow, evidence) {
            Ok(reply) => self.answer(rejection.outcome, reply, answer),
            Err(outcome) => self.counters.count(outcome),
        }
    }

    fn answer(&self, outcome: Outcome, reply: Vec<u8>, answer: &mut Vec<u8>) {
        self.counters.count(outcome);
        *answer = reply;
    }

    /// Says whether nothing at all is known of whoever wrote over UDP. Takes no lock.
    fn is_stranger(&self, flow: &Flow) -> bool {
        let remote = flow.remote.ip();
        flow.transport == Transport::Udp
            && !self.acquaintances.may_include(remote)
            && self.config.peers.at(remote).is_none()
            && self.named_peer(remote).is_none()
    }

    /// What is known of whoever is behind a flow. A stranger over UDP is told without a lock: neither a
    /// flood of them nor what is written for somebody else makes the other wait.
    pub(super) fn evidence(&self, flow: &Flow) -> Evidence {
        if self.is_stranger(flow) {
            return Evidence::default();
        }
        let now = self.now();
        let tls_connection = locked(&self.peers_by_connection)
            .get(&flow.connection)
            .map(|connected| Arc::clone(&connected.peer));
        let tls_connection = tls_connection.and_then(|name| self.position_of(&name));
        let ledger = self.ledger();
        let here = |position| self.own_position(position);
        Evidence {
            tls_connection,
            tls_source: match tls_connection {
                Some(_) => None,
                None => ledger.tls_peer(&self.config.peers, flow, now).and_then(here),
            },
            ipsec_source: self.ipsec_peer(&ledger, flow, now),
            dns_source: self.named_peer(flow.remote.ip()),
            has_answered: ledger.has_answered(flow, now),
        }
    }

    /// Decides about a message, and writes the answer if there is one.
    fn take_in(&self, flow: &Flow, bytes: &[u8], load: Load, answer: &mut Vec<u8>) {
        let is_inside = self.forwarder.is_inside(flow);
        if !is_inside {
            self.counters.count_received(flow.transport);
            if load > Load::Calm && self.is_stranger(flow) {
                return self.counters.count(Outcome::ShedStranger);
            }
        }
        // It is looked at where it is made: it is too large to be moved for nothing.
        match &Message::scan(bytes) {
            Err(malformed) => {
                let outcome = self.say_what_is_wrong(flow, bytes, *malformed, answer);
                self.counters.count_malformed(*malformed, outcome);
                if flow.transport.is_stream() && !is_inside {
                    self.offended(flow, Offence::Nonsense);
                }
            }
            Ok(message) => match without_verstat(message) {
                None => self.read(flow, message, load, answer),
                // What others say to have found out about a number is not passed on, and what we say is for the
                // upstream alone. From here on it was never there.
                Some(rest) => match &Message::scan(&rest) {
                    Ok(message) => self.read(flow, message, load, answer),
                    Err(malformed) => self.counters.count_malformed(*malformed, Outcome::Malformed),
                },
            },
        }
    }

    /// A proof that the kernel did not take is no reason to refuse the message that brought it.
    pub(super) fn report(&self, written: Result<(), KernelError>) {
        match written {
            Ok(()) => {}
            Err(KernelError::TableFull(table)) => {
                self.counters.count_full_table();
                tracing::warn!(table, "full: a proven source was not entered");
            }
            Err(error) => {
                tracing::error!(%error, "the kernel's tables and the ledger may disagree");
            }
        }
    }
}

impl<T: TrustTable + Send + 'static> Receiver for Border<T> {
    fn connected(&self, flow: &Flow, party: Party<'_>) -> Admission {
        self.admit(flow, party)
    }

    fn received(&self, flow: &Flow, bytes: &[u8], load: Load, answer: &mut Vec<u8>) {
        self.take_in(flow, bytes, load, answer);
        if let Some(homer) = self.homer.as_ref().filter(|_| !answer.is_empty()) {
            homer.copy(flow, bytes, answer);
        }
    }

    fn broken_off(&self, flow: &Flow, refused: &[u8], reason: Malformed, answer: &mut Vec<u8>) {
        self.say_what_is_wrong(flow, refused, reason, answer);
        if !self.forwarder.is_inside(flow) {
            self.offended(flow, Offence::Nonsense);
        }
    }

    fn sent(&self, note: Note, sent: Result<(), SendFailure>) {
        self.count_posted(note, sent);
    }

    fn refused(&self, flow: &Flow, refusal: Refusal) {
        self.counters.count_refusal(refusal);
        tracing::debug!(%flow, %refusal, "connection refused");
    }

    fn disproved(&self, flow: &Flow, refusal: Refusal) {
        self.end_proof(flow, refusal);
    }

    fn undeliverable(&self, flow: &Flow, messages: Vec<Vec<u8>>) {
        self.refuse_undeliverable(flow, &messages);
    }

    fn disconnected(&self, flow: &Flow) {
        let Some(gone) = locked(&self.peers_by_connection).remove(&flow.connection) else {
            return;
        };
        tracing::info!(%flow, peer = &*gone.peer, "peer disconnected");
        let position = self.position_of(&gone.peer);
        let Some(peer) = position.and_then(|it| self.config.peers.get(it)) else { return };
        let now = self.now();
        self.report(self.ledger().tls_disconnected(peer, flow.connection, now));
    }
}

#[cfg(test)]
mod tests;
