use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use subtle::{Choice, ConstantTimeEq};

use super::{
    Algorithm, Credentials, Failures, HashFunction, HashValue, Incarnation, MalformedCredentials,
    NONCE_LENGTH, NonceBinding, NonceKeys, NonceMint, NonceState, OfferedAlgorithms, OfferedQops,
    Qop, Realm, Realms, ReplayVerdict, ReplayWindow, UnixMillis, failures::Attempt,
    realms::Minting, uri::names_same_target,
};
use crate::proof::users::{RealmUsers, User, Users};

/// The digits that stand in for the HA1 of an unknown user. They need not be secret: a response that
/// was made with them is refused for having no user.
const NOBODY: [u8; 64] = [b'0'; 64];

/// Challenges the requests of users, and judges their responses.
pub struct DigestCheck {
    offered: OfferedAlgorithms,
    qops: OfferedQops,
    offers_userhash: bool,
    /// No request waits while they are replaced.
    realms: ArcSwap<Realms>,
    /// Held while the realms are replaced, and for nothing else.
    minting: Mutex<Minting>,
    replay: Arc<Mutex<ReplayWindow>>,
    failures: Failures,
}

/// What a [`DigestCheck`] is made of, besides the users.
pub struct DigestSettings {
    /// What challenges offer, and in which order.
    pub offered: OfferedAlgorithms,
    /// What clients may protect.
    pub qops: OfferedQops,
    /// Whether clients may hash their user names.
    pub offers_userhash: bool,
    /// The secrets behind the nonces.
    pub nonce_keys: NonceKeys,
    /// Which run of which node this is.
    pub incarnation: Incarnation,
    /// From where a client may use a nonce.
    pub nonce_binding: NonceBinding,
    /// How long a client may use a nonce.
    pub nonce_lifetime: Duration,
    /// How many nonces in use are remembered; see [`ReplayWindow`] for what happens when full.
    pub replay_capacity: NonZeroUsize,
    /// What slows down who guesses.
    pub failures: Failures,
}

/// One of our realms, for requests that are addressed to it.
#[derive(Clone, Copy)]
pub struct ProtectedRealm<'c> {
    check: &'c DigestCheck,
    mint: &'c NonceMint,
    users: &'c RealmUsers,
}

/// What the check needs to know of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method as received.
    pub method: &'a [u8],
    /// The Request-URI as received.
    pub request_uri: &'a [u8],
    /// The body as received.
    pub body: &'a [u8],
    /// Where the request came from.
    pub source: SocketAddr,
    /// Whether it came over a connection, so that its source is not forged.
    pub is_connected: bool,
    /// A keyed hash of the whole request; see [`ReplayWindow::admit`].
    pub fingerprint: u64,
}

/// What credentials are worth.
#[derive(Clone, Debug)]
#[must_use]
pub enum DigestVerdict {
    /// The sender knows the password of this user, and this is its request.
    Proven {
        /// Who sent it.
        user: Arc<User>,
        /// Whether this very request was accepted before.
        retransmission: bool,
        /// Whether the nonce was issued to this very source. If not, the request may have been carried here by
        /// somebody else: it says who made it, and nothing of its source.
        is_sources_own: bool,
    },
    /// A correct response, but the nonce has expired or was forgotten, or another node or an earlier run has issued
    /// it: a challenge with `stale=true`
    /// spares the client from asking its user. Never given for a wrong response (RFC 7616 §3.3).
    Stale,
    /// A wrong response, an unknown user, an algorithm that is not offered, a user without an HA1 for it, or one who
    /// is barred: nothing tells which.
    Wrong {
        /// Whether it is the source's own doing: the nonce went there of late, or it is connected.
        is_proven: bool,
    },
    /// The credentials are for someone else; to be ignored.
    ForeignRealm,
    /// As good as no credentials: the nonce was not issued by us to this source.
    NonceNotOurs,
    /// The credentials were made for another target than the Request-URI.
    UriMismatch,
    /// A correct response that was used by another request. Old clients that never count look like
    /// this too, and a challenge with `stale=true` helps them and nobody else.
    Replayed,
    /// Too many proofs have failed from there: it was not looked at.
    TooManyFailures {
        /// Whether it is the source's own doing: the nonce went there of late, or it is connected.
        is_proven: bool,
    },
}

impl DigestCheck {
    /// Makes a check for the realms of `users`. Nonces issued before `started` are stale.
    #[must_use]
    pub fn new(settings: DigestSettings, users: Arc<Users>, started: UnixMillis) -> Self {
        let minting = Minting {
            keys: settings.nonce_keys,
            incarnation: settings.incarnation,
            binding: settings.nonce_binding,
            lifetime: settings.nonce_lifetime,
        };
        Self {
            offered: settings.offered,
            qops: settings.qops,
            offers_userhash: settings.offers_userhash,
            realms: ArcSwap::from_pointee(Realms::new(users, &minting)),
            replay: Arc::new(Mutex::new(ReplayWindow::new(
                settings.replay_capacity,
                minting.lifetime,
                started,
            ))),
            minting: Mutex::new(minting),
            failures: settings.failures,
        }
    }

    /// The same, which knows the nonces of `earlier` and what was done with them, and remembers who has failed there. As
    /// many nonces are remembered as there.
    #[must_use]
    pub fn continuing(self, earlier: &Self) -> Self {
        let mut minting = self.minting();
        minting.incarnation = earlier.minting().incarnation;
        let realms = Realms::new(Arc::clone(self.realms.load().users()), &minting);
        drop(minting);
        Self {
            realms: ArcSwap::from_pointee(realms),
            replay: Arc::clone(&earlier.replay),
            failures: self.failures.continuing(&earlier.failures),
            ..self
        }
    }

    /// Remembers nonces for as long as they are good by this check, and no longer by an earlier one.
    pub fn count_nonces_anew(&self) {
        let lifetime = self.minting().lifetime;
        self.replay().set_lifetime(lifetime);
    }

    /// Those that are in force now: what one request is judged by from its beginning to its end.
    #[must_use]
    pub fn realms(&self) -> Guard<Arc<Realms>> {
        self.realms.load()
    }

    /// Puts these users in force, for all requests that begin from now on; returns those that were before.
    /// Nonces that were issued stay good.
    pub fn replace_users(&self, users: Arc<Users>) -> Arc<Users> {
        let minting = self.minting();
        let realms = Realms::new(users, &minting);
        Arc::clone(self.realms.swap(Arc::new(realms)).users())
    }

    /// Makes nonces with these keys from now on, and knows those that these have made.
    pub fn take_nonce_keys(&self, keys: NonceKeys) {
        let mut minting = self.minting();
        if minting.keys == keys {
            return;
        }
        minting.keys = keys;
        let realms = Realms::new(Arc::clone(self.realms.load().users()), &minting);
        self.realms.store(Arc::new(realms));
    }

    /// The realm of the first of these domains that is ours, or the default one.
    pub fn realm_of<'c, 'a>(
        &'c self,
        realms: &'c Realms,
        domains: impl IntoIterator<Item = &'a [u8]>,
    ) -> ProtectedRealm<'c> {
        let (mint, users) = realms.realm_of(domains);
        ProtectedRealm { check: self, mint, users }
    }

    /// Says whether a domain is one of ours.
    #[must_use]
    pub fn serves(&self, domain: &[u8]) -> bool {
        self.realms().users().position_at(domain).is_some()
    }

    /// The algorithms to challenge with where nothing else is said, first header first.
    #[must_use]
    pub fn offered(&self) -> &OfferedAlgorithms {
        &self.offered
    }

    /// Waits for the one lock that is taken here, after a correct response.
    pub fn wait_until_unlocked(&self) {
        drop(self.replay());
    }

    /// A panic in another thread leaves at worst the keys of before in use.
    fn minting(&self) -> MutexGuard<'_, Minting> {
        self.minting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic in another thread leaves at worst one nonce behind that it was about to write.
    fn replay(&self) -> MutexGuard<'_, ReplayWindow> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'c> ProtectedRealm<'c> {
    /// Its name.
    #[must_use]
    pub fn realm(&self) -> &'c Realm {
        self.users.realm()
    }

    /// Who can prove himself in it.
    #[must_use]
    pub fn users(&self) -> &'c RealmUsers {
        self.users
    }

    /// A nonce for `source`; see [`NonceMint::nonce`].
    #[must_use]
    pub fn nonce(&self, source: SocketAddr, now: UnixMillis, number: u32) -> [u8; NONCE_LENGTH] {
        self.mint.nonce(now, number, source)
    }

    /// The value of one `WWW-Authenticate` or `Proxy-Authenticate` header, in parts.
    ///
    /// It is as short as RFC 7616 allows: over UDP an answer must not be larger than the request.
    #[must_use]
    pub fn challenge<'a>(
        &self,
        algorithm: Algorithm,
        nonce: &'a [u8; NONCE_LENGTH],
        stale: bool,
    ) -> [&'a [u8]; 9]
    where
        'c: 'a,
    {
        [
            b"Digest realm=\"",
            self.realm().as_bytes(),
            b"\",nonce=\"",
            nonce,
            b"\",algorithm=",
            algorithm.name().as_bytes(),
            self.check.qops.parameter(),
            if self.check.offers_userhash { b",userhash=true" } else { b"" },
            if stale { b",stale=true" } else { b"" },
        ]
    }

    /// Reads a header value if it answers this realm; see [`MalformedCredentials::is_not_for_us`].
    pub fn read<'a>(&self, value: &'a [u8]) -> Result<Credentials<'a>, MalformedCredentials> {
        let credentials = Credentials::parse_for(value, self.realm())?;
        if !self.check.qops.contains(credentials.qop) {
            return Err(MalformedCredentials::QopNotOffered);
        }
        if credentials.userhash && !self.check.offers_userhash {
            return Err(MalformedCredentials::UserhashNotOffered);
        }
        Ok(credentials)
    }

    /// Judges the credentials of a request that was challenged with `offered`.
    ///
    /// What does not depend on the users comes first, so that forged nonces cost one MAC; what does
    /// costs the same for every user that exists or not.
    pub fn judge(
        &self,
        credentials: &Credentials<'_>,
        request: &RequestFacts<'_>,
        offered: &OfferedAlgorithms,
        now: UnixMillis,
    ) -> DigestVerdict {
        if *credentials.realm != *self.realm().as_bytes() {
            return DigestVerdict::ForeignRealm;
        }
        let checked = self.mint.check(credentials.nonce, request.source, now);
        let fresh = match checked.state {
            NonceState::NotOurs => return DigestVerdict::NonceNotOurs,
            NonceState::Stale => None,
            NonceState::Fresh(nonce) => Some(nonce),
        };
        if !names_same_target(credentials.uri, request.request_uri) {
            return DigestVerdict::UriMismatch;
        }
        // Nobody fails in the name of another address: only who has received the nonce there does, or who is
        // connected from there.
        let is_from_there = checked.is_sources_own || request.is_connected;
        // An address may have been somebody else's when it got a nonce that has expired since.
        let is_proven = fresh.is_some() && checked.is_sources_own || request.is_connected;
        let (failures, attempt) = (&self.check.failures, self.attempt(credentials, request, now));
        if failures.refuses(attempt) {
            return DigestVerdict::TooManyFailures { is_proven };
        }
        let Some(user) = self.user_who_answered(credentials, request, offered) else {
            if is_from_there {
                failures.failed(attempt);
            }
            return DigestVerdict::Wrong { is_proven };
        };
        // He has not guessed, so nothing is counted: he is heard as soon as the directory knows him.
        if user.is_barred() {
            return DigestVerdict::Wrong { is_proven: false };
        }
        let Some(nonce) = fresh else {
            return DigestVerdict::Stale;
        };
        let count = credentials.nonce_count.number;
        let verdict = self.check.replay().admit(nonce, count, request.fingerprint, now);
        let retransmission = match verdict {
            ReplayVerdict::New => false,
            ReplayVerdict::Retransmission => true,
            ReplayVerdict::Replayed => return DigestVerdict::Replayed,
            ReplayVerdict::Stale => return DigestVerdict::Stale,
        };
        let is_sources_own = checked.is_sources_own;
        if is_sources_own {
            failures.succeeded(attempt);
        }
        DigestVerdict::Proven { user, retransmission, is_sources_own }
    }

    /// Where names may be hashed they all are, so that a user who exists has no more and no fewer
    /// attempts than one who does not, however he is named.
    fn attempt(
        &self,
        credentials: &Credentials<'_>,
        request: &RequestFacts<'_>,
        now: UnixMillis,
    ) -> Attempt {
        let (source, realm) = (request.source, self.realm().as_bytes());
        let attempt = |name: &[u8]| self.check.failures.attempt(source, realm, name, now);
        if !self.check.offers_userhash {
            return attempt(&credentials.username);
        }
        let function = credentials.algorithm.function();
        if credentials.userhash {
            return attempt(&credentials.username.to_ascii_lowercase());
        }
        let hashed = HashValue::of_user(function, &credentials.username, self.realm());
        attempt(hashed.to_hex().as_bytes())
    }

    fn user_who_answered(
        &self,
        credentials: &Credentials<'_>,
        request: &RequestFacts<'_>,
        offered: &OfferedAlgorithms,
    ) -> Option<Arc<User>> {
        let function = credentials.algorithm.function();
        let name = &credentials.username;
        let user = if credentials.userhash {
            self.users.find_hashed(function, name)
        } else {
            self.users.find(name)
        };
        let ha1 = user
            .filter(|_| offered.contains(credentials.algorithm))
            .and_then(|it| it.ha1(function));
        let digits = ha1.map_or_else(|| nobody(function), |it| it.expose().as_bytes());
        let expected = expected_response(digits, credentials, request.method, request.body);
        let is_someone = Choice::from(u8::from(ha1.is_some()));
        let is_correct = expected.ct_eq(&credentials.response) & is_someone;
        if bool::from(is_correct) { user.cloned() } else { None }
    }
}

/// RFC 7616 §3.4.1 to §3.4.3, everything as received.
///
/// In a session (`-sess`) the secret is made with the nonces of both sides: those of this very response,
/// since nothing is remembered of an earlier one. That is what clients send too.
fn expected_response(
    ha1: &[u8],
    credentials: &Credentials<'_>,
    method: &[u8],
    body: &[u8],
) -> HashValue {
    let Credentials { nonce, cnonce, uri, qop, algorithm, .. } = credentials;
    let hash = |parts: &[&[u8]]| HashValue::of(algorithm.function(), parts);
    let session;
    let ha1 = if algorithm.is_session() {
        session = hash(&[ha1, b":", nonce, b":", cnonce]).to_hex();
        session.as_bytes()
    } else {
        ha1
    };
    let ha2 = match qop {
        Qop::Auth => hash(&[method, b":", uri]),
        Qop::AuthInt => hash(&[method, b":", uri, b":", hash(&[body]).to_hex().as_bytes()]),
    };
    let count = credentials.nonce_count.digits;
    let (qop, ha2) = (qop.name().as_bytes(), ha2.to_hex());
    hash(&[ha1, b":", nonce, b":", count, b":", cnonce, b":", qop, b":", ha2.as_bytes()])
}

fn nobody(function: HashFunction) -> &'static [u8] {
    NOBODY.get(..function.hash_length() * 2).unwrap_or(&NOBODY)
}

#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
