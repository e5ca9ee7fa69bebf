//! Requests of users whom the upstream alone can tell.

use std::mem;
use std::sync::Arc;

use rsip::Method as KnownMethod;

use super::excess::excess;
use super::rejection::{begin_reply, reply_limit};
use super::screen::{Screen, Screened, is_unchallengeable};
use super::{Evidence, Outcome, Rejection};
use crate::config::{Mandate, Permissions, UpstreamUsers};
use crate::proof::digest::{AuthParams, NonceState, Realm, Vouching};
use crate::proof::users::Username;
use crate::session::{Brought, Passage, Subject, Ticket, Vouched};
use crate::sip::{Header, HeaderKind, Message, Method, NameAddr};
use crate::transport::Flow;

/// Headers with credentials that a request may have: one each for a registrar, a proxy and who is behind them.
const MOST_CREDENTIALS: usize = 4;

/// Why a request is let in whose sender is for the upstream to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entitlement {
    /// Somebody has proved himself there, or it is one of a dialog that he was admitted to.
    Known,
    /// Its sender receives where it says to be, and no more is known: as far as the budget goes.
    Unproven,
    /// The same of what ends a transaction: if that is under way.
    UnderWay,
}

/// What the credentials of a request are worth before the upstream has seen them.
#[derive(Default)]
struct Credentials<'m> {
    brought: Vec<Brought<'m>>,
    /// The first that answer a challenge of the upstream's which was passed on to there.
    first: Option<Answer>,
    /// How many do.
    answers: usize,
    /// Whether they name different users: a failure could be held against one of them only.
    is_of_several: bool,
    /// Whether our own nonce came back, which was issued to there.
    has_shown: bool,
    /// Whether there is an answer to a challenge that was good once.
    is_stale: bool,
}

/// Whose answer to which challenge it is.
struct Answer {
    user: String,
    realm: String,
    subject: Subject,
}

/// What one header is worth.
enum Worth {
    Nothing,
    OurNonce,
    Stale,
    Answer(Answer, Ticket),
}

impl Screen<'_> {
    /// Decides about a request that the upstream has to be asked about. Nothing that could be forged gets there:
    /// over UDP each request shows something that its sender has received.
    pub(super) fn screen_vouched<'m>(
        &mut self,
        request: &Message<'m>,
        method: &Method<'m>,
        flow: &Flow,
        evidence: &Evidence,
        position: Option<usize>,
    ) -> Screened<'m> {
        let Some(vouching) = self.vouching else {
            return Screened::Silent(Outcome::ProofMissing);
        };
        let within = self.permissions_of(position);
        let mute = Mandate::mute_within(within.clone());
        let is_admitted = self.forwarder.is_admitted(request, flow);
        if !is_admitted && evidence.has_answered && self.asks_us(request) {
            return Screened::unasked(mute);
        }
        let Some(credentials) = self.read_credentials(vouching, request, flow) else {
            let rejection = Rejection { status: 400, outcome: Outcome::BadCredentials };
            return self.reject(request, flow, evidence, rejection);
        };
        let is_known = is_admitted || evidence.has_answered;
        let ends_something = is_unchallengeable(method);
        let may_prove = proves(method) && request.to().tag.is_none();
        if !ends_something && !is_known && !may_prove {
            return self.refuse_lacking(request, flow, evidence, method);
        }
        let has_shown = flow.transport.is_stream() || credentials.has_shown;
        if !ends_something && !is_admitted && !has_shown {
            return self.ask_for_our_nonce(vouching, request, method, flow, evidence, &credentials);
        }
        // From here on whoever is answered receives that, or could not have brought this.
        let evidence = &Evidence { has_answered: true, ..*evidence };
        let answer = credentials.first.as_ref();
        if answer.is_some_and(|it| {
            vouching.refuses(flow.remote, it.realm.as_bytes(), it.user.as_bytes(), self.now)
        }) {
            self.is_proven_guess = true;
            let rejection = Rejection { status: 403, outcome: Outcome::TooManyFailures };
            return self.reject(request, flow, evidence, rejection);
        }
        let claims = Mandate::of(self.permissions_of_users(), within);
        // What ends something claims nothing, and is nobody's to be answered whose source may be forged.
        let excess = excess(&claims, request, self.forwarder, is_admitted)
            .filter(|_| is_admitted || !ends_something);
        let is_own = is_admitted || ends_something || self.is_own_name(request, method, answer);
        if let Some(outcome) = excess.or((!is_own).then_some(Outcome::IdentityNotAllowed)) {
            return self.forbid(request, flow, evidence, outcome);
        }
        let subject = self.seal().subject(request);
        let is_proof = !is_admitted
            && credentials.answers == 1
            && may_prove
            && answer.is_some_and(|answer| answer.subject == subject);
        let is_heard = is_known || ends_something;
        // A registration that proves nobody could not be called by.
        let is_kept =
            is_proof || is_heard && !method.is(KnownMethod::Register) && !credentials.is_of_several;
        let credentials = if is_kept { credentials } else { credentials.left_out() };
        let vouched = credentials.vouched(subject, is_heard, is_proof);
        let entitlement = match (is_known, ends_something) {
            (true, _) => Entitlement::Known,
            (false, true) => Entitlement::UnderWay,
            (false, false) => Entitlement::Unproven,
        };
        Screened::Vouched { vouched, mandate: mute, entitlement }
    }

    /// Challenges with a nonce of ours, so that whoever it is shows to receive what is sent there.
    fn ask_for_our_nonce<'m>(
        &mut self,
        vouching: &Vouching,
        request: &Message<'m>,
        method: &Method<'_>,
        flow: &Flow,
        evidence: &Evidence,
        credentials: &Credentials<'_>,
    ) -> Screened<'m> {
        let (status, name) = if method.is(KnownMethod::Register) {
            (401, "WWW-Authenticate")
        } else {
            (407, "Proxy-Authenticate")
        };
        let outcome = match (credentials.is_stale, credentials.brought.is_empty()) {
            (true, _) => Outcome::StaleCredentials,
            (false, true) => Outcome::Challenged,
            (false, false) => Outcome::ForeignNonce,
        };
        let nonce = vouching.nonce(flow.remote, self.now, self.nonce_number);
        let buffer = mem::take(&mut self.buffer);
        let reply = begin_reply(buffer, self.seal(), request, flow, status);
        let reply = reply.header_of(name, &vouching.challenge(&nonce, credentials.is_stale));
        match reply.finish() {
            Ok(reply) if reply.len() <= reply_limit(request, flow, evidence) => {
                Screened::Answered(outcome, reply)
            }
            Ok(reply) => {
                self.buffer = reply;
                Screened::Silent(Outcome::WouldAmplify)
            }
            Err(_) => Screened::Silent(Outcome::Malformed),
        }
    }

    /// Reads the credentials of a request; `None` if there are more than anybody needs.
    fn read_credentials<'m>(
        &self,
        vouching: &Vouching,
        request: &Message<'m>,
        flow: &Flow,
    ) -> Option<Credentials<'m>> {
        let mut found = Credentials::default();
        let kinds = [HeaderKind::Authorization, HeaderKind::ProxyAuthorization];
        for header in kinds.into_iter().flat_map(|kind| request.headers_of(kind)) {
            if found.brought.len() == MOST_CREDENTIALS {
                return None;
            }
            let worth = self.worth_of(vouching, &header, flow).unwrap_or(Worth::Nothing);
            found.add(header, worth);
        }
        Some(found)
    }

    fn worth_of(&self, vouching: &Vouching, header: &Header<'_>, flow: &Flow) -> Option<Worth> {
        let params = AuthParams::read(header.value).ok()?;
        let (realm, nonce) = (params.value(b"realm")?, params.value(b"nonce")?);
        match vouching.check(&realm, &nonce, flow.remote, self.now) {
            NonceState::Fresh(_) => return Some(Worth::OurNonce),
            NonceState::Stale => return Some(Worth::Stale),
            NonceState::NotOurs => {}
        }
        let address = flow.remote.ip();
        let ticket = self.seal().ticket_of(&realm, &nonce, address, params.opaque()?)?;
        if !vouching.may_answer(flow.remote, ticket.to, ticket.passed, self.now) {
            return Some(Worth::Stale);
        }
        // Another reader would take that name, and not the one that is looked at here (RFC 7616 §3.4).
        if params.value(b"username*").is_some() {
            return None;
        }
        let user = Username::new(std::str::from_utf8(&params.value(b"username")?).ok()?).ok()?;
        let realm = Realm::new(std::str::from_utf8(&realm).ok()?).ok()?;
        let (user, realm) = (user.as_str().to_owned(), realm.as_str().to_owned());
        let answer = Answer { user, realm, subject: ticket.subject };
        Some(Worth::Answer(answer, ticket))
    }

    fn permissions_of_users(&self) -> Arc<Permissions> {
        let users = self.config.users.as_ref().and_then(|users| users.upstream.as_ref());
        users.map(UpstreamUsers::permissions).unwrap_or_default()
    }

    /// Says whether who answers a challenge calls himself as he does there, if he has to.
    fn is_own_name(
        &self,
        request: &Message<'_>,
        method: &Method<'_>,
        answer: Option<&Answer>,
    ) -> bool {
        let users = self.config.users.as_ref().and_then(|users| users.upstream.as_ref());
        let (Some(answer), true) = (answer, users.is_some_and(|users| users.own_name)) else {
            return true;
        };
        let is_his = |address: NameAddr<'_>| address.uri.user_is(answer.user.as_bytes());
        is_his(request.from()) && (!method.is(KnownMethod::Register) || is_his(request.to()))
    }
}

impl<'m> Credentials<'m> {
    fn add(&mut self, header: Header<'m>, worth: Worth) {
        let mut answered = None;
        match worth {
            Worth::Nothing => {}
            Worth::OurNonce => {
                self.has_shown = true;
                self.is_stale = true;
            }
            Worth::Stale => self.is_stale = true,
            Worth::Answer(answer, ticket) => {
                self.has_shown = true;
                self.answers += 1;
                self.is_of_several |=
                    self.first.as_ref().is_some_and(|first| first.user != answer.user);
                self.first.get_or_insert(answer);
                answered = Some(ticket);
            }
        }
        self.brought.push(Brought { header, answered });
    }

    /// The same without what can prove nobody: the upstream may accept without looking at an answer what it would
    /// not have asked about. It will ask, and its challenge can be answered.
    fn left_out(mut self) -> Self {
        self.is_stale |= self.answers > 0;
        self.first = None;
        self.brought.iter_mut().for_each(|brought| brought.answered = None);
        self
    }

    /// What goes on of them, and as what.
    fn vouched(self, subject: Subject, is_known: bool, is_proof: bool) -> Vouched<'m> {
        let user = self.first.map(|answer| (answer.user, answer.realm));
        let was_stale = self.is_stale && user.is_none();
        let passage = Passage { is_known, was_stale, is_proof, subject, user };
        Vouched { passage, brought: self.brought }
    }
}

/// Whether the upstream's acceptance of such a request can be a proof.
fn proves(method: &Method<'_>) -> bool {
    method.is(KnownMethod::Register) || method.is(KnownMethod::Invite)
}
