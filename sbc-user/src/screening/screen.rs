use std::mem;
use std::sync::Arc;

use rsip::Method as KnownMethod;

use super::excess::excess;
use super::options::asks_us;
use super::rejection::{begin_reply, reply_limit};
use super::{Entitlement, Evidence, Outcome, Rejection, Standing};
use crate::config::{Config, Mandate, Permissions};
use crate::proof::digest::{
    Credentials, DigestCheck, DigestVerdict, OfferedAlgorithms, ProtectedRealm, RequestFacts,
    UnixMillis, Vouching,
};
use crate::proof::users::User;
use crate::session::{Forwarder, TokenSeal, Vouched};
use crate::sip::{Header, HeaderKind, Message, Method, StartLine, Uri};
use crate::transport::Flow;

/// What is to be done with a request.
#[derive(Debug)]
pub enum Screened<'m> {
    /// It is relayed.
    Accepted {
        /// The user who just answered a challenge.
        proven: Option<Arc<User>>,
        /// Whether that proves him to be where the request came from.
        is_there: bool,
        /// What its sender may say in it.
        mandate: Mandate,
        /// The header with the credentials that were meant for us.
        consumed: Option<Header<'m>>,
    },
    /// It is relayed, if it is entitled to that, and the upstream is to say who sent it.
    Vouched {
        /// Its credentials, and what it is passed on as.
        vouched: Vouched<'m>,
        /// What its sender may say in it.
        mandate: Mandate,
        /// Why it is let in.
        entitlement: Entitlement,
    },
    /// It is answered.
    Answered(Outcome, Vec<u8>),
    /// Nothing is sent.
    Silent(Outcome),
}

impl Screened<'_> {
    /// Relayed without anybody having proved himself just now.
    pub(super) const fn unasked(mandate: Mandate) -> Self {
        Self::Accepted { proven: None, is_there: false, mandate, consumed: None }
    }
}

/// What a decision is made with.
pub struct Screen<'s> {
    /// The policy.
    pub config: &'s Config,
    /// Knows our tokens.
    pub forwarder: &'s Forwarder,
    /// Checks credentials; `None` when no users are configured.
    pub digest: Option<&'s DigestCheck>,
    /// Tells what can be told of users whom the upstream alone knows; `None` if there are none.
    pub vouching: Option<&'s Vouching>,
    /// The wall clock.
    pub now: UnixMillis,
    /// What tells a nonce from others of the same millisecond.
    pub nonce_number: u32,
    /// Makes a keyed hash of a message with good credentials, which tells a retransmission from a
    /// replay.
    pub fingerprint: &'s dyn Fn(&[u8]) -> u64,
    /// Room that a challenge may be written in.
    pub buffer: Vec<u8>,
    /// Whether the request that was just judged was a wrong answer to a challenge, or one too many, of who nobody
    /// else can have been.
    pub is_proven_guess: bool,
}

impl Screen<'_> {
    /// Decides about a request from outside.
    pub fn screen<'m>(
        &mut self,
        request: &Message<'m>,
        flow: &Flow,
        evidence: &Evidence,
    ) -> Screened<'m> {
        let StartLine::Request { method, uri } = request.start_line() else {
            return Screened::Silent(Outcome::ResponseNotOurs);
        };
        if method.is(KnownMethod::Ack)
            && request.to().tag == Some(self.seal().own_tag(request).as_bytes())
        {
            return Screened::Silent(Outcome::OwnAck);
        }
        let peers = &self.config.peers;
        let standing = Standing::of(evidence, flow, peers, self.has_users());
        match standing {
            Standing::Lacking => self.refuse_lacking(request, flow, evidence, &method),
            Standing::Proven(_) => {
                let mandate = standing.mandate(peers);
                // Who only asks us claims nothing to anybody.
                let is_admitted = self.forwarder.is_admitted(request, flow);
                let excess = excess(&mandate, request, self.forwarder, is_admitted);
                match excess.filter(|_| !self.asks_us(request)) {
                    Some(outcome) => self.forbid(request, flow, evidence, outcome),
                    None => Screened::unasked(mandate),
                }
            }
            Standing::NeedsDigest(position) if self.vouching.is_some() => {
                self.screen_vouched(request, &method, flow, evidence, position)
            }
            Standing::NeedsDigest(position) => {
                let is_unchallengeable = is_unchallengeable(&method);
                let is_admitted = self.forwarder.is_admitted(request, flow);
                if is_admitted
                    || is_unchallengeable && evidence.has_answered
                    || evidence.has_answered && self.is_bare_question(request)
                {
                    // Whoever it is was proven before; without credentials it claims nothing new.
                    let mandate = Mandate::mute_within(self.permissions_of(position));
                    let excess = excess(&mandate, request, self.forwarder, true);
                    return match excess.filter(|_| is_admitted) {
                        Some(outcome) => self.forbid(request, flow, evidence, outcome),
                        None => Screened::unasked(mandate),
                    };
                }
                if is_unchallengeable {
                    return Screened::Silent(Outcome::Unchallengeable);
                }
                self.judge_credentials(request, &method, &uri, flow, evidence, position)
            }
        }
    }

    const fn has_users(&self) -> bool {
        self.digest.is_some() || self.vouching.is_some()
    }

    pub(super) fn asks_us(&self, request: &Message<'_>) -> bool {
        asks_us(request, self.forwarder, self.digest)
    }

    /// Whoever brings credentials wants them judged: they prolong what they prove.
    fn is_bare_question(&self, request: &Message<'_>) -> bool {
        request.header(HeaderKind::ProxyAuthorization).is_none() && self.asks_us(request)
    }

    pub(super) fn permissions_of(&self, position: Option<usize>) -> Option<Arc<Permissions>> {
        let peer = self.config.peers.get(position?)?;
        Some(peer.permissions().clone())
    }

    /// Refuses what a proven sender may not say.
    pub(super) fn forbid<'m>(
        &self,
        request: &Message<'m>,
        flow: &Flow,
        evidence: &Evidence,
        outcome: Outcome,
    ) -> Screened<'m> {
        let evidence = Evidence { has_answered: true, ..*evidence };
        self.reject(request, flow, &evidence, Rejection { status: 403, outcome })
    }

    /// Answers a request that is not relayed; see [`Rejection::answer`].
    pub(super) fn reject<'m>(
        &self,
        request: &Message<'m>,
        flow: &Flow,
        evidence: &Evidence,
        rejection: Rejection,
    ) -> Screened<'m> {
        match rejection.answer(self.seal(), request, flow, evidence) {
            Ok(reply) => Screened::Answered(rejection.outcome, reply),
            Err(outcome) => Screened::Silent(outcome),
        }
    }

    /// Over UDP the claimed source may be somebody else, so it hears nothing.
    pub(super) fn refuse_lacking<'m>(
        &self,
        request: &Message<'m>,
        flow: &Flow,
        evidence: &Evidence,
        method: &Method<'_>,
    ) -> Screened<'m> {
        if flow.transport.is_stream() && !is_unchallengeable(method) {
            let rejection = Rejection { status: 403, outcome: Outcome::ProofMissing };
            self.reject(request, flow, evidence, rejection)
        } else {
            Screened::Silent(Outcome::ProofMissing)
        }
    }

    fn judge_credentials<'m>(
        &mut self,
        request: &Message<'m>,
        method: &Method<'_>,
        uri: &Uri<'_>,
        flow: &Flow,
        evidence: &Evidence,
        position: Option<usize>,
    ) -> Screened<'m> {
        let Some(digest) = self.digest else {
            return Screened::Silent(Outcome::ProofMissing);
        };
        let realms = digest.realms();
        let realm = digest.realm_of(&realms, domains_of(request, method, uri));
        let offered = offered_to(self.config, digest, position);
        let challenged = Challenged { request, method, realm, offered };
        let (header, credentials) = match own_credentials(realm, request, method) {
            OwnCredentials::None => {
                return self.challenge(challenged, flow, evidence, Outcome::Challenged);
            }
            OwnCredentials::Bad => {
                let rejection = Rejection { status: 400, outcome: Outcome::BadCredentials };
                return self.reject(request, flow, evidence, rejection);
            }
            OwnCredentials::One(header, credentials) => (header, credentials),
        };
        let facts = RequestFacts {
            method: method.as_bytes(),
            request_uri: uri.raw,
            body: request.body(),
            source: flow.remote,
            is_connected: flow.transport.is_stream(),
            fingerprint: (self.fingerprint)(request.bytes()),
        };
        let outcome = match realm.judge(&credentials, &facts, offered, self.now) {
            DigestVerdict::Proven { user, is_sources_own: is_there, .. } => {
                let within = self.permissions_of(position);
                let mandate = Mandate::of(user.permissions().clone(), within);
                // Whoever shows an admission is not asked for credentials.
                if let Some(outcome) = excess(&mandate, request, self.forwarder, false) {
                    // Credentials that were carried here from elsewhere do not show that anybody is.
                    let rejection = Rejection { status: 403, outcome };
                    let has_answered = is_there || evidence.has_answered;
                    let evidence = Evidence { has_answered, ..*evidence };
                    return self.reject(request, flow, &evidence, rejection);
                }
                let (proven, consumed) = (Some(user), Some(header));
                return Screened::Accepted { proven, is_there, mandate, consumed };
            }
            DigestVerdict::UriMismatch => {
                let rejection = Rejection { status: 400, outcome: Outcome::BadCredentials };
                return self.reject(request, flow, evidence, rejection);
            }
            DigestVerdict::TooManyFailures { is_proven } => {
                self.is_proven_guess = is_proven;
                let rejection = Rejection { status: 403, outcome: Outcome::TooManyFailures };
                return self.reject(request, flow, evidence, rejection);
            }
            DigestVerdict::Stale => Outcome::StaleCredentials,
            DigestVerdict::Replayed => Outcome::ReplayedCredentials,
            DigestVerdict::Wrong { is_proven } => {
                self.is_proven_guess = is_proven;
                Outcome::WrongCredentials
            }
            DigestVerdict::NonceNotOurs => Outcome::ForeignNonce,
            DigestVerdict::ForeignRealm => Outcome::Challenged,
        };
        self.challenge(challenged, flow, evidence, outcome)
    }

    /// Challenges with one header for each algorithm, best first (RFC 8760 §2.3). A source that has
    /// proved nothing gets no more bytes than it sent: first the less preferred algorithms are left
    /// out, then the answer.
    fn challenge<'m>(
        &mut self,
        challenged: Challenged<'_, 'm>,
        flow: &Flow,
        evidence: &Evidence,
        outcome: Outcome,
    ) -> Screened<'m> {
        let Challenged { request, method, realm, offered } = challenged;
        let (status, name) = if method.is(KnownMethod::Register) {
            (401, "WWW-Authenticate")
        } else {
            (407, "Proxy-Authenticate")
        };
        let is_stale = matches!(outcome, Outcome::StaleCredentials | Outcome::ReplayedCredentials);
        let limit = reply_limit(request, flow, evidence);
        let nonce = realm.nonce(flow.remote, self.now, self.nonce_number);
        let buffer = mem::take(&mut self.buffer);
        let mut reply = begin_reply(buffer, self.seal(), request, flow, status);
        let added = offered.iter().take_while(|algorithm| {
            reply.add_within(limit, name, &realm.challenge(*algorithm, &nonce, is_stale))
        });
        let is_challenge = added.count() > 0;
        match reply.finish() {
            Ok(reply) if is_challenge => Screened::Answered(outcome, reply),
            Ok(reply) => {
                self.buffer = reply;
                Screened::Silent(Outcome::WouldAmplify)
            }
            Err(_) => Screened::Silent(Outcome::Malformed),
        }
    }

    pub(super) fn seal(&self) -> &TokenSeal {
        self.forwarder.seal()
    }
}

/// A request, and what it is challenged with.
#[derive(Clone, Copy)]
struct Challenged<'a, 'm> {
    request: &'a Message<'m>,
    method: &'a Method<'a>,
    realm: ProtectedRealm<'a>,
    offered: &'a OfferedAlgorithms,
}

/// What a peer's phones are challenged with may be another list than that of everybody else.
fn offered_to<'s>(
    config: &'s Config,
    digest: &'s DigestCheck,
    position: Option<usize>,
) -> &'s OfferedAlgorithms {
    let peer = position.and_then(|position| config.peers.get(position));
    peer.and_then(|peer| peer.algorithms.as_ref()).unwrap_or(digest.offered())
}

/// The domains that may say which realm a request belongs to: whom it registers, or whose it says to be, since that
/// one has to prove it; and else whom it is for. Whatever a stranger writes there, it is users of that realm that he
/// has to know, and as one of them he may say what that one may.
fn domains_of<'m>(request: &Message<'m>, method: &Method<'_>, uri: &Uri<'m>) -> [&'m [u8]; 2] {
    let from = request.from().uri.host;
    if method.is(KnownMethod::Register) { [request.to().uri.host, from] } else { [from, uri.host] }
}

/// The credentials in a request that are for its realm.
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
enum OwnCredentials<'m> {
    None,
    One(Header<'m>, Credentials<'m>),
    /// They cannot be read, or there are several: whose would count?
    Bad,
}

fn own_credentials<'m>(
    realm: ProtectedRealm<'_>,
    request: &Message<'m>,
    method: &Method<'_>,
) -> OwnCredentials<'m> {
    let kind = if method.is(KnownMethod::Register) {
        HeaderKind::Authorization
    } else {
        HeaderKind::ProxyAuthorization
    };
    let mut found = OwnCredentials::None;
    for header in request.headers_of(kind) {
        match (realm.read(header.value), &found) {
            (Err(error), _) if error.is_not_for_us() => {}
            (Ok(credentials), OwnCredentials::None) => {
                found = OwnCredentials::One(header, credentials);
            }
            (Ok(_) | Err(_), _) => return OwnCredentials::Bad,
        }
    }
    found
}

/// RFC 3261 §22.1: a server must not challenge an ACK, and a CANCEL cannot be sent again.
pub(super) fn is_unchallengeable(method: &Method<'_>) -> bool {
    method.is(KnownMethod::Ack) || method.is(KnownMethod::Cancel)
}

#[cfg(test)]
mod challenge_tests;
#[cfg(test)]
mod combination_tests;
#[cfg(test)]
mod tests;
