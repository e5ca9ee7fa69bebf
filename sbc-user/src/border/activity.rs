//! What each peer does, and all users together: counted where a request is relayed or refused, in rows that are
//! there from the start. Nothing is counted of strangers, of whom there may be any number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rsip::Method as KnownMethod;
use serde::{Deserialize, Serialize};

use self::call_table::{CallTable, Direction};
use super::Border;
use crate::config::Peers;
use crate::screening::{Evidence, Outcome};
use crate::sip::{Message, StartLine};
use crate::transport::Flow;
use crate::trust::TrustTable;

mod call_table;

/// The row of those who are nobody's peer.
const USERS: usize = 0;

/// What one peer, or all users, did since the daemon began.
///
/// An INVITE without a To tag that is relayed begins a call, once for its Call-ID, and the first 2xx to it that is
/// relayed answers that: retransmissions, forks and re-INVITEs are no further calls. The daemon keeps no calls, but
/// the marks of the last 65,536 that began: one that many began after is not counted as answered, nor is one
/// that rang while the daemon was restarted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActivityStatus {
    /// `peer NAME`, or `users` for everybody who is no peer.
    pub holder: String,
    /// Requests of theirs that were relayed to the upstream; retransmissions too.
    pub accepted: u64,
    /// Requests of theirs that were refused. Those of a peer's address over UDP may be forged; those of users
    /// are counted from when they have proved themselves.
    pub refused: u64,
    /// Those among the accepted that register.
    pub registrations: u64,
    /// Calls that they began.
    pub calls_from: u64,
    /// Those of them that were answered.
    pub answered_from: u64,
    /// Calls to them that the upstream began.
    pub calls_to: u64,
    /// Those of them that were answered.
    pub answered_to: u64,
}

/// A cache line for each, so that two busy peers do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Row {
    accepted: AtomicU64,
    refused: AtomicU64,
    registrations: AtomicU64,
    /// By direction.
    calls: [AtomicU64; 2],
    answered: [AtomicU64; 2],
}

/// The rows, and the marks of the calls that began last.
#[derive(Debug)]
pub(super) struct Activity {
    /// That of the users, and those of the peers by their position.
    rows: Vec<(String, Arc<Row>)>,
    /// Under the numbers of these rows.
    calls: Arc<CallTable>,
}

impl Activity {
    /// Nothing, of all of these.
    pub(super) fn of(peers: &Peers) -> Self {
        let rows = names(peers).map(|name| (name, Arc::default())).collect();
        Self { rows, calls: Arc::new(CallTable::new()) }
    }

    /// What goes on to be counted under a policy that has these peers. Where they are others than before, calls that
    /// began under that one are not counted as answered.
    pub(super) fn under(&self, peers: &Peers) -> Self {
        let known = |name: &String| self.rows.iter().find(|(known, _)| known == name);
        let row = |name| {
            let row = known(&name).map(|(_, row)| Arc::clone(row)).unwrap_or_default();
            (name, row)
        };
        let rows: Vec<_> = names(peers).map(row).collect();
        let are_same = rows.iter().map(|(name, _)| name).eq(self.rows.iter().map(|(name, _)| name));
        let calls = if are_same { Arc::clone(&self.calls) } else { Arc::new(CallTable::new()) };
        Self { rows, calls }
    }

    fn row(&self, number: usize) -> Option<&Row> {
        self.rows.get(number).map(|(_, row)| &**row)
    }

    /// A request went to the upstream.
    fn relayed_inwards(&self, number: usize, request: &Message<'_>) {
        let Some(row) = self.row(number) else { return };
        add(&row.accepted);
        if request.cseq().method.is(KnownMethod::Register) {
            add(&row.registrations);
        }
        self.began(number, Direction::Inwards, request);
    }

    /// A request was relayed: it may begin a call.
    fn began(&self, number: usize, direction: Direction, request: &Message<'_>) {
        if may_begin_a_call(request) && self.calls.begin(request.call_id(), direction, number) {
            self.count_call(number, |row| &row.calls, direction);
        }
    }

    /// A response was relayed: it may answer a call.
    fn answered(&self, direction: Direction, response: &Message<'_>) {
        let is_acceptance = matches!(response.start_line(),
            StartLine::Response { status, .. } if status / 100 == 2);
        if is_acceptance
            && response.cseq().method.is(KnownMethod::Invite)
            && let Some(number) = self.calls.answer(response.call_id(), direction)
        {
            self.count_call(number, |row| &row.answered, direction);
        }
    }

    fn count_call(
        &self,
        number: usize,
        counters: impl Fn(&Row) -> &[AtomicU64; 2],
        direction: Direction,
    ) {
        if let Some(counter) =
            self.row(number).and_then(|row| counters(row).get(direction as usize))
        {
            add(counter);
        }
    }

    pub(super) fn status(&self) -> Vec<ActivityStatus> {
        let described = self.rows.iter().map(|(holder, row)| {
            let [calls_from, calls_to] = row.calls.each_ref().map(read);
            let [answered_from, answered_to] = row.answered.each_ref().map(read);
            ActivityStatus {
                holder: holder.clone(),
                accepted: read(&row.accepted),
                refused: read(&row.refused),
                registrations: read(&row.registrations),
                calls_from,
                answered_from,
                calls_to,
                answered_to,
            }
        });
        described.collect()
    }
}

fn names(peers: &Peers) -> impl Iterator<Item = String> {
    let names = peers.iter().map(|peer| format!("peer {}", peer.name));
    std::iter::once("users".to_owned()).chain(names)
}

impl<T: TrustTable> Border<T> {
    /// Counts a request from outside that was accepted and has left for the upstream.
    pub(super) fn note_accepted(&self, flow: &Flow, evidence: &Evidence, request: &Message<'_>) {
        let number = self.peer_behind(flow, evidence).map_or(USERS, row_of);
        self.activity.relayed_inwards(number, request);
    }

    /// Counts a request that was refused, if it is one of a peer, or of a user who has proved himself.
    pub(super) fn note_refused(&self, flow: &Flow, evidence: &Evidence, outcome: Outcome) {
        // Challenges are not looked at further: strangers may ask for any number of them.
        if !is_refusal(outcome) {
            return;
        }
        let peer = self.peer_behind(flow, evidence).map(row_of);
        let number = peer.or_else(|| is_refusal_of_proven(outcome).then_some(USERS));
        if let Some(row) = number.and_then(|number| self.activity.row(number)) {
            add(&row.refused);
        }
    }

    /// Takes note of a request that was sent to a peer.
    pub(super) fn note_sent_to_peer(&self, position: usize, request: &Message<'_>) {
        self.activity.began(row_of(position), Direction::Outwards, request);
    }

    /// Takes note of a request that was sent to whoever registered at a place.
    pub(super) fn note_sent_to(&self, flow: &Flow, request: &Message<'_>) {
        if !may_begin_a_call(request) {
            return;
        }
        let address = flow.remote.ip();
        let peer = self.config.peers.at(address).or_else(|| self.named_peer(address));
        self.activity.began(peer.map_or(USERS, row_of), Direction::Outwards, request);
    }

    /// Takes note of a response of the upstream that was relayed.
    pub(super) fn note_answered_by_upstream(&self, response: &Message<'_>) {
        self.activity.answered(Direction::Inwards, response);
    }

    /// Takes note of a response from outside that was relayed.
    pub(super) fn note_answered_outside(&self, response: &Message<'_>) {
        self.activity.answered(Direction::Outwards, response);
    }

    /// The peer that a message is taken to be of, whether it has proved that or not.
    fn peer_behind(&self, flow: &Flow, evidence: &Evidence) -> Option<usize> {
        let by_source = || self.config.peers.at(flow.remote.ip());
        let position = evidence.tls_connection.or(evidence.tls_source).or_else(by_source);
        position.or(evidence.dns_source)
    }
}

fn may_begin_a_call(request: &Message<'_>) -> bool {
    request.cseq().method.is(KnownMethod::Invite) && request.to().tag.is_none()
}

const fn row_of(position: usize) -> usize {
    position + 1
}

/// Says whether a request was refused for good, rather than challenged, absorbed or unreadable.
const fn is_refusal(outcome: Outcome) -> bool {
    is_refusal_of_proven(outcome)
        || matches!(
            outcome,
            Outcome::ProofMissing
                | Outcome::BadCredentials
                | Outcome::WrongCredentials
                | Outcome::TooManyFailures
                | Outcome::UnprovenBudgetSpent
        )
}

/// Says whether only a request of who is proven is refused so.
const fn is_refusal_of_proven(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::IdentityNotAllowed
            | Outcome::ContactNotAllowed
            | Outcome::DestinationNotAllowed
            | Outcome::IdentityMissing
            | Outcome::IdentityInvalid
            | Outcome::IdentityNotLookedAt
            | Outcome::TooManyHops
            | Outcome::LoopDetected
            | Outcome::UnknownScheme
            | Outcome::BadExtension
            | Outcome::UpstreamDown
            | Outcome::NoRoute
            | Outcome::MessageTooLarge
            | Outcome::Overloaded
    )
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
