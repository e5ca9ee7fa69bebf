//! Users, and phones that answer challenges as they do.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Algorithm, Allowance, DigestCheck, DigestSettings, Failures, Ha1, HashFunction, HashValue,
    Incarnation, NonceBinding, NonceKey, OfferedAlgorithms, OfferedQops, Realm, UnixMillis,
};
use crate::proof::users::{Username, Users, stanza};

pub(crate) const START: UnixMillis = UnixMillis(1_700_000_000_000);
pub(crate) const NONCE_LIFETIME: Duration = Duration::from_mins(1);

/// Alice and Bob of `example.com`, whose passwords are their names backwards. Bob may be `sales`.
pub(crate) fn users() -> Arc<Users> {
    let realm = Realm::new("example.com").unwrap();
    let stanza = |name: &str, may_assert: &[String]| {
        let password: String = name.chars().rev().collect();
        let name = Username::new(name).unwrap();
        stanza(&name, &realm, &password, &HashFunction::ALL, may_assert).to_string()
    };
    let bob = stanza("bob", &["sales@example.com".to_owned()]);
    let text = format!("realm = \"example.com\"\n{}{bob}", stanza("alice", &[]));
    Arc::new(Users::parse(&text).unwrap())
}

/// A check that offers SHA-256 and then MD5.
pub(crate) fn check(started: UnixMillis) -> DigestCheck {
    DigestCheck::new(settings(&[Algorithm::SHA_256, Algorithm::MD5], started), users(), started)
}

/// Three proofs may fail from a source, and five for a user, in a minute.
pub(crate) fn settings(offered: &[Algorithm], started: UnixMillis) -> DigestSettings {
    let allow = |failures| Allowance { failures, within: Duration::from_mins(1) };
    DigestSettings {
        offered: OfferedAlgorithms::new(offered.to_vec()).unwrap(),
        qops: OfferedQops::default(),
        offers_userhash: false,
        nonce_keys: NonceKey::new(0, [9; 32]).into(),
        incarnation: Incarnation::new(1),
        nonce_binding: NonceBinding::default(),
        nonce_lifetime: NONCE_LIFETIME,
        replay_capacity: NonZeroUsize::new(8).unwrap(),
        failures: Failures::new(allow(3), allow(5), Duration::from_hours(1), started),
    }
}

/// The first challenge of a 401 or 407, answered.
pub(crate) fn answer(reply: &str, user: &str, password: &str, request: (&str, &str)) -> String {
    let (method, uri) = request;
    let part = |name: &str| {
        let (_, rest) = reply.split_once(&format!("{name}=\"")).expect("a challenge");
        rest.split_once('"').expect("a quote").0.to_owned()
    };
    let (realm, nonce) = (part("realm"), part("nonce"));
    let (_, algorithm) = reply.split_once("algorithm=").expect("an algorithm");
    let algorithm = algorithm.split(',').next().unwrap_or_default();
    let algorithm = Algorithm::from_name(algorithm.as_bytes()).expect("a known one");
    let ha1 = Ha1::of(algorithm.function(), user, &realm, password);
    let hash = |text: String| {
        let digits = HashValue::of(algorithm.function(), &[text.as_bytes()]).to_hex();
        String::from_utf8_lossy(digits.as_bytes()).into_owned()
    };
    let ha2 = hash(format!("{method}:{uri}"));
    let response = hash(format!("{}:{nonce}:00000001:c0ffee:auth:{ha2}", ha1.expose()));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm={}, cnonce=\"c0ffee\", qop=auth, nc=00000001",
        algorithm.name()
    )
}
