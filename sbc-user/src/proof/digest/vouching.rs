use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sbc_common::{Budget, MonotonicNanos};

use super::under_way::UnderWay;
use super::unproven_budget::UnprovenBudget;
use super::{
    Algorithm, Allowance, Failures, Incarnation, NONCE_LENGTH, NonceBinding, NonceKeys, NonceMint,
    NonceState, OfferedQops, Realm, UnixMillis,
};

/// Users whose passwords the upstream alone has: what can be told of them without those.
///
/// Our own challenge is answered with a response that nobody here can judge; but it brings back our nonce, and
/// so shows that its sender receives where it says to be.
pub struct Vouching {
    /// No request waits while it is replaced.
    mint: ArcSwap<NonceMint>,
    incarnation: Incarnation,
    lifetime: Duration,
    realm: Realm,
    binding: NonceBinding,
    algorithm: Algorithm,
    failures: Failures,
    budget: UnprovenBudget,
    under_way: Arc<UnderWay>,
}

/// What a [`Vouching`] is made of.
pub struct VouchingSettings {
    /// The realm of the upstream's challenges.
    pub realm: Realm,
    /// Their algorithm.
    pub algorithm: Algorithm,
    /// The secrets behind our nonces.
    pub nonce_keys: NonceKeys,
    /// Which run of which node issues them.
    pub incarnation: Incarnation,
    /// From where a nonce, ours or the upstream's, may be used.
    pub nonce_binding: NonceBinding,
    /// How long.
    pub nonce_lifetime: Duration,
    /// What slows down who guesses.
    pub failures: Failures,
    /// How many requests of who is not proven reach the upstream.
    pub budget: Budget,
    /// How many of one source.
    pub budget_per_source: Budget,
    /// How many answers of one source that nobody has accepted.
    pub unaccepted_per_source: Allowance,
}

impl Vouching {
    /// Has passed nothing on yet.
    #[must_use]
    pub fn new(settings: VouchingSettings) -> Self {
        let VouchingSettings {
            realm, nonce_keys, incarnation, nonce_binding, nonce_lifetime, ..
        } = settings;
        let mint =
            NonceMint::new(&nonce_keys, incarnation, nonce_binding, nonce_lifetime, realm.clone());
        Self {
            mint: ArcSwap::from_pointee(mint),
            incarnation,
            lifetime: nonce_lifetime,
            realm,
            binding: nonce_binding,
            algorithm: settings.algorithm,
            failures: settings.failures,
            budget: UnprovenBudget::new(
                settings.budget,
                settings.budget_per_source,
                budget_of(settings.unaccepted_per_source),
            ),
            under_way: Arc::new(UnderWay::new()),
        }
    }

    /// The same, which knows the nonces of `earlier`, and remembers what it does of calls, failures and budgets.
    /// `keys` are those that it was made with.
    #[must_use]
    pub fn continuing(self, earlier: &Self, keys: &NonceKeys) -> Self {
        let continued = Self {
            incarnation: earlier.incarnation,
            failures: self.failures.continuing(&earlier.failures),
            budget: self.budget.continuing(&earlier.budget),
            under_way: Arc::clone(&earlier.under_way),
            ..self
        };
        continued.take_nonce_keys(keys);
        continued
    }

    /// The realm of the upstream's challenges.
    #[must_use]
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// Makes nonces with these keys from now on, and knows those that these have made.
    pub fn take_nonce_keys(&self, keys: &NonceKeys) {
        let Self { incarnation, binding, lifetime, realm, .. } = self;
        let mint = NonceMint::new(keys, *incarnation, *binding, *lifetime, realm.clone());
        self.mint.store(Arc::new(mint));
    }

    /// A nonce for `source`.
    #[must_use]
    pub fn nonce(&self, source: SocketAddr, now: UnixMillis, number: u32) -> [u8; NONCE_LENGTH] {
        self.mint.load().nonce(now, number, source)
    }

    /// The value of our challenge, in parts.
    #[must_use]
    pub fn challenge<'a>(&'a self, nonce: &'a [u8; NONCE_LENGTH], is_stale: bool) -> [&'a [u8]; 8] {
        [
            b"Digest realm=\"",
            self.realm.as_bytes(),
            b"\",nonce=\"",
            nonce,
            b"\",algorithm=",
            self.algorithm.name().as_bytes(),
            OfferedQops::default().parameter(),
            if is_stale { b",stale=true" } else { b"" },
        ]
    }

    /// What a nonce is to us that came from `source` in credentials for this realm.
    pub fn check(
        &self,
        realm: &[u8],
        nonce: &[u8],
        source: SocketAddr,
        now: UnixMillis,
    ) -> NonceState {
        if realm == self.realm.as_bytes() {
            self.mint.load().check(nonce, source, now).state
        } else {
            NonceState::NotOurs
        }
    }

    /// Says whether `source` may answer a challenge of the upstream's that was passed to `to` at some time.
    #[must_use]
    pub fn may_answer(
        &self,
        source: SocketAddr,
        to: SocketAddr,
        passed: UnixMillis,
        now: UnixMillis,
    ) -> bool {
        let is_there = match self.binding {
            NonceBinding::AddressAndPort => source == to,
            NonceBinding::Address | NonceBinding::None => source.ip() == to.ip(),
        };
        is_there && now.saturating_since(passed) < self.lifetime
    }

    /// Says whether one more request of who is not proven may reach the upstream; `is_answer` says whether it answers
    /// a challenge of the upstream's.
    #[must_use]
    pub fn may_pass(&self, source: SocketAddr, is_answer: bool, now: MonotonicNanos) -> bool {
        self.budget.spend(source.ip(), is_answer, now)
    }

    /// Takes note of a call, by Call-ID and the caller's tag, that was let in from who is not proven.
    pub fn let_in(&self, source: SocketAddr, call: [&[u8]; 2], now: MonotonicNanos) {
        self.under_way.remember(source, call, now);
    }

    /// Says whether a call was let in from there during the last five minutes.
    #[must_use]
    pub fn is_under_way(&self, source: SocketAddr, call: [&[u8]; 2], now: MonotonicNanos) -> bool {
        self.under_way.has(source, call, now)
    }

    /// Somebody has proved himself at `source` who had not before.
    pub fn proved_himself(&self, source: SocketAddr) {
        self.budget.was_proof(source.ip());
    }

    /// Says whether too many have failed from there, or as this user.
    #[must_use]
    pub fn refuses(&self, source: SocketAddr, realm: &[u8], user: &[u8], now: UnixMillis) -> bool {
        self.failures.refuses(self.failures.attempt(source, realm, user, now))
    }

    /// The upstream has refused an answer to its challenge.
    pub fn failed(&self, source: SocketAddr, realm: &[u8], user: &[u8], now: UnixMillis) {
        self.failures.failed(self.failures.attempt(source, realm, user, now));
    }

    /// The upstream has accepted one.
    pub fn succeeded(&self, source: SocketAddr, realm: &[u8], user: &[u8], now: UnixMillis) {
        self.failures.succeeded(self.failures.attempt(source, realm, user, now));
    }

    /// What a user is told by from all others: the name, followed by `:`, which is in no name, and the realm where
    /// that is not the configured one.
    #[must_use]
    pub fn label(&self, user: &str, realm: &str) -> Arc<str> {
        if realm == self.realm.as_str() {
            Arc::from(user)
        } else {
            Arc::from(format!("{user}:{realm}"))
        }
    }
}

/// All of an allowance at once, or evenly spread.
fn budget_of(allowance: Allowance) -> Budget {
    let tolerance = u64::try_from(allowance.within.as_nanos()).unwrap_or(u64::MAX);
    let interval = tolerance.checked_div(allowance.failures.into()).unwrap_or(tolerance).max(1);
    Budget { interval, tolerance }
}
