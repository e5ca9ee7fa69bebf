use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{
    Algorithm, Credentials, HashValue, MalformedCredentials, NONCE_LENGTH, NonceMint, NonceState,
    OfferedAlgorithms, Realm, ReplayVerdict, ReplayWindow, UnixMillis, uri::names_same_target,
};
use crate::proof::users::{User, Users};

/// The digits that stand in for the HA1 of an unknown user. They need not be secret: a response that
/// was made with them is refused for having no user.
const NOBODY: [u8; 64] = [b'0'; 64];

/// Challenges the requests of users, and judges their responses.
#[derive(Debug)]
pub struct DigestCheck {
    offered: OfferedAlgorithms,
    mint: NonceMint,
    users: Arc<Users>,
    replay: Mutex<ReplayWindow>,
}

/// What a [`DigestCheck`] is made of, besides the users.
pub struct DigestSettings {
    /// What challenges offer, and in which order.
    pub offered: OfferedAlgorithms,
    /// The secret behind the nonces.
    pub nonce_key: Zeroizing<[u8; 32]>,
    /// How long a client may use a nonce.
    pub nonce_lifetime: Duration,
    /// How many nonces in use are remembered; see [`ReplayWindow`] for what happens when full.
    pub replay_capacity: NonZeroUsize,
}

/// What the check needs to know of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method as received.
    pub method: &'a [u8],
    /// The Request-URI as received.
    pub request_uri: &'a [u8],
    /// Where the request came from.
    pub source: IpAddr,
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
    },
    /// A correct response, but the nonce has expired or was forgotten: a challenge with `stale=true`
    /// spares the client from asking its user. Never given for a wrong response (RFC 7616 §3.3).
    Stale,
    /// A wrong response, an unknown user, an algorithm that is not offered, or a user without an HA1
    /// for it: nothing tells which.
    Wrong,
    /// The credentials are for someone else; to be ignored.
    ForeignRealm,
    /// As good as no credentials: the nonce was not issued by us to this source.
    NonceNotOurs,
    /// The credentials were made for another target than the Request-URI.
    UriMismatch,
    /// A correct response that was used by another request. Old clients that never count look like
    /// this too, and a challenge with `stale=true` helps them and nobody else.
    Replayed,
}

impl DigestCheck {
    /// Makes a check for the realm of `users`. Nonces issued before `started` are stale.
    #[must_use]
    pub fn new(settings: &DigestSettings, users: Arc<Users>, started: UnixMillis) -> Self {
        let lifetime = settings.nonce_lifetime;
        Self {
            offered: settings.offered.clone(),
            mint: NonceMint::new(&settings.nonce_key, lifetime, users.realm().clone()),
            users,
            replay: Mutex::new(ReplayWindow::new(settings.replay_capacity, lifetime, started)),
        }
    }

    /// The realm that is challenged for.
    #[must_use]
    pub fn realm(&self) -> &Realm {
        self.mint.realm()
    }

    /// The algorithms to challenge with, one header each, in this order (RFC 8760 §2.3).
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.offered.iter()
    }

    /// A nonce for `source`; see [`NonceMint::nonce`].
    #[must_use]
    pub fn nonce(&self, source: IpAddr, now: UnixMillis, random: [u8; 8]) -> [u8; NONCE_LENGTH] {
        self.mint.nonce(now, random, source)
    }

    /// The value of one `WWW-Authenticate` or `Proxy-Authenticate` header, in parts.
    ///
    /// It is as short as RFC 7616 allows: over UDP an answer must not be larger than the request.
    #[must_use]
    pub fn challenge<'a>(
        &'a self,
        algorithm: Algorithm,
        nonce: &'a [u8; NONCE_LENGTH],
        stale: bool,
    ) -> [&'a [u8]; 8] {
        [
            b"Digest realm=\"",
            self.realm().as_bytes(),
            b"\",nonce=\"",
            nonce,
            b"\",algorithm=",
            algorithm.name().as_bytes(),
            b",qop=\"auth\"",
            if stale { b",stale=true" } else { b"" },
        ]
    }

    /// Reads a header value if it answers our realm; see [`MalformedCredentials::is_not_for_us`].
    pub fn read<'a>(&self, value: &'a [u8]) -> Result<Credentials<'a>, MalformedCredentials> {
        Credentials::parse_for(value, self.realm())
    }

    /// Judges the credentials of a request.
    ///
    /// What does not depend on the users comes first, so that forged nonces cost one MAC; what does
    /// costs the same for every user that exists or not.
    pub fn judge(
        &self,
        credentials: &Credentials<'_>,
        request: &RequestFacts<'_>,
        now: UnixMillis,
    ) -> DigestVerdict {
        if *credentials.realm != *self.realm().as_bytes() {
            return DigestVerdict::ForeignRealm;
        }
        let fresh = match self.mint.check(credentials.nonce, request.source, now) {
            NonceState::NotOurs => return DigestVerdict::NonceNotOurs,
            NonceState::Expired => None,
            NonceState::Fresh(nonce) => Some(nonce),
        };
        if !names_same_target(credentials.uri, request.request_uri) {
            return DigestVerdict::UriMismatch;
        }
        let Some(user) = self.user_who_answered(credentials, request.method) else {
            return DigestVerdict::Wrong;
        };
        let Some(nonce) = fresh else {
            return DigestVerdict::Stale;
        };
        let count = credentials.nonce_count.number;
        match self.replay().admit(nonce, count, request.fingerprint, now) {
            ReplayVerdict::New => DigestVerdict::Proven { user, retransmission: false },
            ReplayVerdict::Retransmission => DigestVerdict::Proven { user, retransmission: true },
            ReplayVerdict::Replayed => DigestVerdict::Replayed,
            ReplayVerdict::Stale => DigestVerdict::Stale,
        }
    }

    /// Waits for the one lock that is taken here, after a correct response.
    pub fn wait_until_unlocked(&self) {
        drop(self.replay());
    }

    /// A panic in another thread leaves at worst one nonce behind that it was about to write.
    fn replay(&self) -> MutexGuard<'_, ReplayWindow> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn user_who_answered(&self, credentials: &Credentials<'_>, method: &[u8]) -> Option<Arc<User>> {
        let algorithm = credentials.algorithm;
        let user = self.users.find(&credentials.username);
        let ha1 =
            user.filter(|_| self.offered.contains(algorithm)).and_then(|it| it.ha1(algorithm));
        let digits = ha1.map_or_else(|| nobody(algorithm), |it| it.expose().as_bytes());
        let expected = expected_response(digits, credentials, method);
        let is_someone = Choice::from(u8::from(ha1.is_some()));
        let is_correct = expected.ct_eq(&credentials.response) & is_someone;
        if bool::from(is_correct) { user.cloned() } else { None }
    }
}

/// RFC 7616 §3.4.1 to §3.4.3 for `qop=auth`, everything as received.
fn expected_response(ha1: &[u8], credentials: &Credentials<'_>, method: &[u8]) -> HashValue {
    let algorithm = credentials.algorithm;
    let ha2 = HashValue::of(algorithm, &[method, b":", credentials.uri]).to_hex();
    HashValue::of(
        algorithm,
        &[
            ha1,
            b":",
            credentials.nonce,
            b":",
            credentials.nonce_count.digits,
            b":",
            credentials.cnonce,
            b":auth:",
            ha2.as_bytes(),
        ],
    )
}

fn nobody(algorithm: Algorithm) -> &'static [u8] {
    NOBODY.get(..algorithm.hash_length() * 2).unwrap_or(&NOBODY)
}

#[cfg(test)]
mod tests;
