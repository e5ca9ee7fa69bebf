//! Who was served, and what the filter drops of them, or would.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rsip::Method as KnownMethod;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use super::parts::locked;
use super::registration::{answers_registration, is_success};
use super::{Border, InForce};
use crate::known_good::{Account, KnownGood, Loss, Served, Service, remedy};
use crate::samples::Sample;
use crate::screening::Standing;
use crate::sip::Message;
use crate::transport::Flow;
use crate::trust::{Holder, TrustTable};

/// What was served and not taken note of yet. Beyond, it is not taken note of, and counted.
const WAITING: usize = 4096;
/// How often it is looked for. Who tells of it wakes nobody: that would cost more than all the rest.
const PAUSE: Duration = Duration::from_millis(100);
/// Samples of one source that are looked back at when it is served for the first time.
const LOOKED_BACK_AT: usize = 16;
/// Sources that a status tells of.
const MOST_TOLD: usize = 1000;

/// What is told on the way of a message, and taken note of elsewhere.
pub(super) struct Servings {
    known: Mutex<KnownGood>,
    told: SyncSender<(Flow, Service)>,
    waiting: Mutex<Option<Receiver<(Flow, Service)>>>,
    missed: AtomicU64,
}

/// The known-good sources: who was served.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KnownGoodStatus {
    /// How many addresses are known.
    pub sources: usize,
    /// How often there was too much to do to take note of what was served.
    pub missed: u64,
    /// How many of them would lose packets of what is served, or do.
    pub hurt: usize,
    /// Who loses packets, or would: who is hurt first, and at most a thousand.
    pub losers: Vec<LoserStatus>,
}

/// A known-good source, or a configured peer, whose packets the filter drops, or would.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoserStatus {
    /// The address.
    pub source: String,
    /// `peer NAME`, `user NAME`, or that it has no entry.
    pub holder: String,
    /// Calls that were answered.
    pub calls: u64,
    /// Registrations that were accepted.
    pub registrations: u64,
    /// Seconds since something was last served; absent if nothing ever was.
    pub served_seconds_ago: Option<u64>,
    /// Packets of what was served are among them.
    pub is_hurt: bool,
    /// What is dropped.
    pub losses: Vec<LossStatus>,
}

/// What the filter drops of a source for one reason, or would.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LossStatus {
    /// The reason's name.
    pub reason: String,
    /// `udp`, `tcp`, `tls`, `ipsec` or `other`.
    pub carrier: String,
    /// Sampled packets of what was served.
    pub served: u64,
    /// Sampled packets that nothing came of, which may be forged.
    pub unserved: u64,
    /// Seconds since the last one.
    pub seconds_ago: u64,
    /// What can be done about it.
    pub remedy: String,
}

impl Default for Servings {
    fn default() -> Self {
        let (told, waiting) = mpsc::sync_channel(WAITING);
        Self {
            known: Mutex::default(),
            told,
            waiting: Mutex::new(Some(waiting)),
            missed: AtomicU64::default(),
        }
    }
}

impl<T: TrustTable> InForce<T> {
    /// Takes note of what was served, for ever. A second call returns at once.
    pub async fn note_served(&self) {
        let Some(waiting) = locked(&self.border().servings.waiting).take() else { return };
        let mut looks = tokio::time::interval(PAUSE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let border = self.border();
            for (flow, what) in waiting.try_iter().take(WAITING) {
                border.note(&flow, what);
            }
        }
    }
}

impl<T: TrustTable> Border<T> {
    /// Tells that a response which was relayed ends a request well that `other` sent, or was sent. Does not wait.
    pub(super) fn tell_served(&self, response: &Message<'_>, other: &Flow) {
        if !is_success(response) {
            return;
        }
        let what = if response.cseq().method.is(KnownMethod::Invite) {
            use std::hash::BuildHasher as _;
            Service::Call(self.fingerprints.hash_one(response.call_id()))
        } else if answers_registration(response) {
            Service::Registration
        } else {
            Service::Other
        };
        if self.servings.told.try_send((*other, what)).is_err() {
            self.servings.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn note(&self, flow: &Flow, what: Service) {
        let served = Served { remote: flow.remote, transport: flow.transport, what };
        let earlier = || {
            let (address, port) = (flow.remote.ip(), flow.remote.port());
            self.samples().last_of(address, Some(port), LOOKED_BACK_AT)
        };
        let now = self.clock.moment();
        self.known_good().served(&served, now, || self.holder_behind(flow), earlier);
    }

    /// Takes note of a frame that the filter has judged.
    pub fn note_sample(&self, sample: &Sample) {
        let peer = |address| {
            let position = self.config.peers.at(address).or_else(|| self.named_peer(address))?;
            Some(self.holder_name(&Holder::Peer(position)).into())
        };
        self.known_good().sampled(sample, peer);
    }

    /// The known-good sources, for as long as the guard lives.
    pub fn known_good(&self) -> MutexGuard<'_, KnownGood> {
        locked(&self.servings.known)
    }

    fn holder_behind(&self, flow: &Flow) -> Option<Arc<str>> {
        let peer = |position| self.holder_name(&Holder::Peer(position));
        let name = match self.standing(flow, &self.evidence(flow)) {
            Standing::Proven(position) | Standing::NeedsDigest(Some(position)) => peer(position),
            Standing::NeedsDigest(None) | Standing::Lacking => {
                let ledger = self.ledger();
                self.holder_name(ledger.who_answered(flow, self.now())?)
            }
        };
        Some(name.into())
    }

    /// What an operator is told of them.
    pub(super) fn known_good_status(&self) -> KnownGoodStatus {
        let now = self.clock.unix_seconds();
        let known = self.known_good();
        let (sources, losers) = (known.len(), known.losers());
        drop(known);
        KnownGoodStatus {
            sources,
            missed: self.servings.missed.load(Ordering::Relaxed),
            hurt: losers.iter().filter(|account| account.is_hurt()).count(),
            losers: losers.iter().take(MOST_TOLD).map(|it| LoserStatus::of(it, now)).collect(),
        }
    }
}

impl LoserStatus {
    fn of(account: &Account, now: u64) -> Self {
        let losses = account.losses.iter();
        Self {
            source: account.address.to_string(),
            holder: account.holder.to_string(),
            calls: account.calls,
            registrations: account.registrations,
            served_seconds_ago: account.last_good.map(|last| now.saturating_sub(last)),
            is_hurt: account.is_hurt(),
            losses: losses.map(|loss| LossStatus::of(loss, now)).collect(),
        }
    }
}

impl LossStatus {
    fn of(loss: &Loss, now: u64) -> Self {
        Self {
            reason: loss.reason.name().to_owned(),
            carrier: loss.carrier.name().to_owned(),
            served: loss.served,
            unserved: loss.unserved,
            seconds_ago: now.saturating_sub(loss.last),
            remedy: remedy(loss.reason).to_owned(),
        }
    }
}
