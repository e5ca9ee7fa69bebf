use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use rsip::Method as KnownMethod;

use super::Health;
use super::choice::choose;
use super::probe::Questions;
use super::recent::{Call, Recent};
use crate::config::Probe;
use crate::sip::{Message, StartLine};
use crate::transport::{Flow, Transport};

/// Where a target is, and when its turn is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The way to it. Over a stream its connection is 0: whichever leads there.
    pub flow: Flow,
    /// What the operator calls it.
    pub name: Arc<str>,
    /// The priority that the operator gave, and that of the DNS; the lowest come first.
    pub rank: (u16, u32),
    /// The share among those of the same rank; 0 for a target that is never chosen by itself.
    pub weight: u32,
}

/// One who requests are sent to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Stands for it in the memory of recent choices.
    pub(super) number: u16,
    /// The way to it.
    pub flow: Flow,
    /// What the operator calls it.
    pub name: Arc<str>,
    pub(super) rank: (u16, u32),
    pub(super) weight: u32,
    /// Whether it lives.
    pub health: Arc<Health>,
}

impl Target {
    /// The priority that the operator gave.
    #[must_use]
    pub const fn priority(&self) -> u16 {
        self.rank.0
    }

    /// The share among those of the same rank.
    #[must_use]
    pub const fn weight(&self) -> u32 {
        self.weight
    }
}

/// Those who a request can be sent to.
#[derive(Debug)]
pub struct Pool {
    current: RwLock<Arc<[Target]>>,
    numbers: AtomicU16,
    recent: Recent,
    pub(super) probe: Option<Probe>,
    pub(super) questions: Questions,
}

impl Pool {
    /// A pool of these, which remembers the last choices of about `memory` calls, at 8 bytes each.
    #[must_use]
    pub fn new(places: Vec<Place>, memory: usize) -> Self {
        let pool = Self {
            current: RwLock::new(Arc::new([])),
            numbers: AtomicU16::new(0),
            recent: Recent::new(memory),
            probe: None,
            questions: Questions::default(),
        };
        pool.replace(places);
        pool
    }

    /// The same, whose targets are asked whether they live: that one can connect to them is no answer.
    #[must_use]
    pub fn probed(self, probe: &Probe) -> Self {
        Self { probe: Some(probe.clone()), ..self }
    }

    /// Says whether its targets are asked.
    #[must_use]
    pub const fn is_probed(&self) -> bool {
        self.probe.is_some()
    }

    /// A pool of one.
    #[must_use]
    pub fn of(flow: Flow) -> Self {
        let name = flow.remote.to_string().into();
        Self::new(vec![Place { flow, name, rank: (1, 0), weight: 1 }], 1)
    }

    /// Puts others in the place of its targets; who stays keeps its health.
    pub fn replace(&self, places: Vec<Place>) {
        let before = self.targets();
        let target = |place: Place| {
            let known = before.iter().find(|target| target.flow == place.flow);
            let Place { flow, name, rank, weight } = place;
            let (number, health) = match known {
                Some(known) => (known.number, Arc::clone(&known.health)),
                None => (self.numbers.fetch_add(1, Ordering::Relaxed), Arc::default()),
            };
            Target { number, flow, name, rank, weight, health }
        };
        let targets = places.into_iter().map(target).collect();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = targets;
    }

    /// The targets as they are now.
    #[must_use]
    pub fn targets(&self) -> Arc<[Target]> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says whether one of them has this address.
    #[must_use]
    pub fn is_at(&self, address: IpAddr) -> bool {
        self.targets().iter().any(|target| target.flow.remote.ip() == address)
    }

    /// Says whether this is the way to one of them.
    #[must_use]
    pub fn leads_to(&self, flow: &Flow) -> bool {
        self.targets().iter().any(|target| target.flow == *flow)
    }

    /// The health of the one that this is the way to.
    #[must_use]
    pub fn health(&self, flow: &Flow) -> Option<Arc<Health>> {
        let targets = self.targets();
        targets.iter().find(|target| target.flow == *flow).map(|target| Arc::clone(&target.health))
    }

    /// The same, of one whose connection is all that tells whether it lives.
    #[must_use]
    pub fn unprobed(&self, flow: &Flow) -> Option<Arc<Health>> {
        self.health(flow).filter(|_| !self.is_probed() && flow.transport.is_stream())
    }

    /// The way to the one that a message came from on `flow`, perhaps from another port: over the same
    /// transport if it is known there.
    #[must_use]
    pub fn behind(&self, flow: &Flow) -> Option<Flow> {
        let likeness = |target: &&Target| {
            let to = &target.flow;
            (to.transport == flow.transport, to.remote.port() == flow.remote.port())
        };
        let targets = self.targets();
        let is_there =
            |target: &&Target| target.weight > 0 && target.flow.remote.ip() == flow.remote.ip();
        let there = targets.iter().filter(is_there);
        there.max_by_key(likeness).map(|target| target.flow)
    }

    /// The way over TCP to the one that `flow` leads to over UDP, if it has answered there of late; for a
    /// request that is too large for UDP. What belongs to the same transaction follows it.
    #[must_use]
    pub fn instead_of_udp(&self, flow: &Flow, request: &Message<'_>, now: Instant) -> Option<Flow> {
        let targets = self.targets();
        let found = answering_over_tcp(&targets, flow)?;
        self.recent.remember(call_of(request), found.number, now);
        Some(found.flow)
    }

    /// Says whether a call of this Call-ID and caller was sent to a target of late.
    #[must_use]
    pub fn remembers(&self, request: &Message<'_>, now: Instant) -> bool {
        self.recent.target_of(call_of(request), now).is_some()
    }

    /// Says whether requests that are too large for UDP go over TCP to the one that `flow` leads to.
    #[must_use]
    pub fn is_used_for_large(&self, flow: &Flow) -> bool {
        answering_over_tcp(&self.targets(), flow).is_some()
    }

    /// The way to the target of a request that belongs to no dialog; `None` if none lives.
    ///
    /// Where a call of late was sent its next messages go too, unless that target died: then a new
    /// transaction, or a retransmission of one, goes to another. A CANCEL, and the ACK to a rejection, are
    /// for who got the INVITE, dead or not (RFC 3261 §9.1, §17.1.1.3). That one request was too large for UDP
    /// says nothing of the next.
    #[must_use]
    pub fn choose(&self, request: &Message<'_>, now: Instant) -> Option<Flow> {
        let call = call_of(request);
        let targets = self.targets();
        let remembered = self.recent.target_of(call, now);
        let before = targets.iter().find(|target| remembered == Some(target.number));
        if let Some(before) = before
            && (follows_another(request) || before.health.is_alive())
        {
            let is_new = before.weight == 0 && !follows_another(request);
            let Some(over_udp) = is_new.then(|| living_over_udp(&targets, before)).flatten() else {
                return Some(before.flow);
            };
            self.recent.remember(call, over_udp.number, now);
            return Some(over_udp.flow);
        }
        let chosen = choose(&targets, request.call_id())?;
        self.recent.remember(call, chosen.number, now);
        Some(chosen.flow)
    }
}

fn answering_over_tcp<'t>(targets: &'t [Target], flow: &Flow) -> Option<&'t Target> {
    let is_other_way = |target: &&Target| {
        target.flow.transport == Transport::Tcp
            && target.flow.remote == flow.remote
            && target.health.has_answered()
    };
    targets.iter().find(is_other_way).filter(|_| flow.transport == Transport::Udp)
}

/// The way over UDP to the one that this other way leads to, if he lives there.
fn living_over_udp<'t>(targets: &'t [Target], other: &Target) -> Option<&'t Target> {
    let is_his = |target: &&Target| {
        target.flow.transport == Transport::Udp
            && target.flow.remote == other.flow.remote
            && target.health.is_alive()
    };
    targets.iter().find(is_his)
}

fn call_of<'m>(request: &Message<'m>) -> Call<'m> {
    Call(request.call_id(), request.from().tag.unwrap_or_default())
}

fn follows_another(request: &Message<'_>) -> bool {
    matches!(request.start_line(), StartLine::Request { method, .. }
        if method.is(KnownMethod::Cancel) || method.is(KnownMethod::Ack))
}

#[cfg(test)]
mod tests;
