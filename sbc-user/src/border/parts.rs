use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use sbc_common::MonotonicNanos;

use super::activity::Activity;
use super::directory::Authority;
use super::known_good::Servings;
use super::mode::Trial;
use super::names::NamedAddresses;
use super::nonces::Nonces;
use super::own_certificates::OwnCertificates;
use super::stir::Stir;
use super::users::UsersAccount;
use super::{Clock, Counters};
use crate::config::Config;
use crate::homer::Homer;
use crate::proof::digest::{DigestCheck, Vouching};
use crate::proof::dns::NameAccount;
use crate::proof::ipsec::IpsecAccount;
use crate::samples::SampleLog;
use crate::session::{Forwarder, KeyRing, TokenSeal};
use crate::transport::{Flow, Outbox};
use crate::trust::{Acquaintances, CertificateProof, Ledger, Offenders, TrustTable};
use crate::upstream::Pool;

/// Everything that a border is made of.
pub struct BorderParts<T> {
    /// The policy.
    pub config: Arc<Config>,
    /// Rewrites messages.
    pub forwarder: Forwarder,
    /// Checks credentials; `None` when no users are configured.
    pub digest: Option<DigestCheck>,
    /// Who is trusted.
    pub ledger: Ledger<T>,
    /// The way out.
    pub outbox: Outbox,
    /// The clocks.
    pub clock: Clock,
}

/// The border between outside and inside, under one policy: a message is judged by it from beginning to end, also
/// if [another](super::InForce) takes its place meanwhile.
pub struct Border<T> {
    pub(super) config: Arc<Config>,
    pub(super) forwarder: Forwarder,
    pub(super) digest: Option<DigestCheck>,
    pub(super) vouching: Option<Vouching>,
    /// Whether the operator was told that the upstream accepts requests without asking who sends them.
    pub(super) upstream_does_not_ask: Arc<Once>,
    /// How the users in force stand to those of the store.
    pub(super) users_account: Mutex<UsersAccount>,
    /// What says who of the users is let in; `None` if all are.
    pub(super) authority: Option<Arc<Mutex<Authority>>>,
    pub(super) ledger: Arc<Mutex<Ledger<T>>>,
    /// What has taken this one's place; it does so while the ledger is locked.
    pub(super) successor: OnceLock<Arc<Self>>,
    pub(super) acquaintances: Arc<Acquaintances>,
    pub(super) offenders: Offenders,
    /// Whose each TLS connection is.
    pub(super) peers_by_connection: Arc<Mutex<HashMap<u64, PeerConnection>>>,
    pub(super) outbox: Outbox,
    /// By the position of the peer; `None` for one that nothing is sent to but along tokens.
    pub(super) peer_pools: Vec<Option<Arc<Pool>>>,
    pub(super) clock: Clock,
    pub(super) began: MonotonicNanos,
    pub(super) counters: Arc<Counters>,
    pub(super) activity: Activity,
    pub(super) samples: Arc<SampleLog>,
    pub(super) fingerprints: RandomState,
    /// Whether the operator was told that the registrar does not seem to know Path.
    pub(super) registrar_without_path: Arc<Once>,
    pub(super) nonces: Arc<Nonces>,
    pub(super) stir: Stir,
    /// Who gets copies of what was challenged or rejected.
    pub(super) homer: Option<Arc<Homer>>,
    /// Whether any peer is in our trust domain.
    pub(super) has_trust_domains: bool,
    /// What was last known of IPsec.
    pub(super) ipsec: Mutex<IpsecAccount>,
    /// Whose the addresses are that the DNS gives for the names of peers.
    pub(super) named: ArcSwap<NamedAddresses>,
    /// What was last known of these names.
    pub(super) names: Mutex<Vec<NameAccount>>,
    pub(super) own_certificates: Mutex<OwnCertificates>,
    /// A [`Load`](crate::transport::Load).
    pub(super) load: Arc<AtomicU8>,
    /// By how much strangers' budget in the kernel is divided.
    pub(super) strangers_slowed: Arc<AtomicU32>,
    pub(super) servings: Arc<Servings>,
    /// Enforcement that was not confirmed yet.
    pub(super) trial: Arc<Mutex<Option<Trial>>>,
    pub(super) mode_changes: Arc<AtomicU64>,
}

/// A connection whose certificate is a peer's.
#[derive(Clone, Debug)]
pub(super) struct PeerConnection {
    /// The name of the peer.
    pub(super) peer: Arc<str>,
    pub(super) flow: Flow,
    pub(super) proof: CertificateProof,
}

impl<T: TrustTable> Border<T> {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: BorderParts<T>) -> Self {
        Self {
            has_trust_domains: parts.config.peers.iter().any(|peer| peer.trust_domain),
            offenders: Offenders::new(&parts.config, parts.clock.monotonic()),
            activity: Activity::of(&parts.config.peers),
            config: parts.config,
            forwarder: parts.forwarder,
            digest: parts.digest,
            vouching: None,
            upstream_does_not_ask: Arc::new(Once::new()),
            users_account: Mutex::default(),
            authority: None,
            acquaintances: parts.ledger.acquaintances(),
            ledger: Arc::new(Mutex::new(parts.ledger)),
            successor: OnceLock::new(),
            peers_by_connection: Arc::default(),
            outbox: parts.outbox,
            peer_pools: Vec::new(),
            began: parts.clock.monotonic(),
            clock: parts.clock,
            counters: Arc::default(),
            samples: Arc::default(),
            fingerprints: RandomState::new(),
            registrar_without_path: Arc::new(Once::new()),
            nonces: Arc::default(),
            stir: Stir::default(),
            homer: None,
            ipsec: Mutex::default(),
            named: ArcSwap::default(),
            names: Mutex::default(),
            own_certificates: Mutex::default(),
            load: Arc::default(),
            strangers_slowed: Arc::new(AtomicU32::new(1)),
            servings: Arc::default(),
            trial: Arc::default(),
            mode_changes: Arc::default(),
        }
    }

    /// The same, which sends requests of the upstream to these peers, by their position.
    #[must_use]
    pub fn reaching(self, peer_pools: Vec<Option<Arc<Pool>>>) -> Self {
        Self { peer_pools, ..self }
    }

    /// The same, whose users the upstream alone can tell.
    #[must_use]
    pub fn asking_upstream(self, vouching: Option<Vouching>) -> Self {
        Self { vouching, ..self }
    }

    /// The same, which verifies and signs with these.
    #[must_use]
    pub fn verifying(self, stir: Stir) -> Self {
        Self { stir, ..self }
    }

    /// The same, which copies what it challenges and rejects to a collector.
    #[must_use]
    pub fn copying_to(self, homer: Option<Homer>) -> Self {
        Self { homer: homer.map(Arc::new), ..self }
    }

    /// The same, to be kept.
    #[must_use]
    pub const fn shared_config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What requests of the upstream are sent by.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The seal of the tokens that are sent out.
    #[must_use]
    pub const fn seal(&self) -> &TokenSeal {
        self.forwarder.seal()
    }

    /// Takes what has become of the keys by `now`, in seconds since 1970.
    pub fn take_keys(&self, keys: &KeyRing, now: u64) {
        self.forwarder.seal().take(keys, now);
        let Some(keys) = keys.nonce_keys(now) else { return };
        if let Some(vouching) = &self.vouching {
            vouching.take_nonce_keys(&keys);
        }
        if let Some(digest) = &self.digest {
            digest.take_nonce_keys(keys);
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What the filter has sampled.
    #[must_use]
    pub fn samples(&self) -> &SampleLog {
        &self.samples
    }

    /// The ledger, for as long as the guard lives.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger<T>> {
        locked(&self.ledger)
    }

    /// The clock that grants expire by.
    #[must_use]
    pub fn now(&self) -> MonotonicNanos {
        self.clock.monotonic()
    }

    /// The ledger for whoever writes to it what this policy says; `None` once another has taken its place.
    pub(super) fn ledger_in_force(&self) -> Option<MutexGuard<'_, Ledger<T>>> {
        let ledger = self.ledger();
        self.successor.get().is_none().then_some(ledger)
    }

    /// Removes expired trust and renews what living connections hold.
    pub fn sweep(&self) {
        let now = self.now();
        self.report(self.ledger().sweep(now));
        if let Some(mut ledger) = self.ledger_in_force() {
            let ended = ledger.end_unheard_ipsec(&self.config.peers, now);
            drop(ledger);
            self.report(ended);
        }
        self.keep_connected();
    }

    /// Waits for each lock that a message takes.
    pub(super) fn wait_until_unlocked(&self) {
        if let Some(digest) = &self.digest {
            digest.wait_until_unlocked();
        }
        drop(locked(&self.peers_by_connection));
        drop(self.ledger());
    }
}

impl<T> Border<T> {
    /// The policy in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// A panic in another thread leaves at worst one entry behind that it was about to write.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
