use super::*;
use crate::proof::digest::test_client::settings;

const START: UnixMillis = UnixMillis(1_700_000_000_000);
const METHOD: &str = "INVITE";
const TARGET: &str = "sip:bob@example.com";

/// A client that answers a challenge, honestly unless told otherwise.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) username: &'static str,
    pub(super) password: &'static str,
    pub(super) realm: &'static str,
    pub(super) method: &'static str,
    pub(super) uri: &'static str,
    pub(super) algorithm: Algorithm,
    pub(super) qop: Qop,
    pub(super) body: &'static str,
    pub(super) userhash: bool,
    pub(super) count: u32,
}

pub(super) const ALICE: Client = Client {
    username: "alice",
    password: "secret",
    realm: "example.com",
    method: METHOD,
    uri: TARGET,
    algorithm: Algorithm::SHA_256,
    qop: Qop::Auth,
    body: "",
    userhash: false,
    count: 1,
};

impl Client {
    pub(super) fn answer(&self, nonce: &str) -> String {
        let Self { username, realm, method, uri, algorithm, count, .. } = *self;
        let hash = |text: String| {
            let hex = HashValue::of(algorithm.function(), &[text.as_bytes()]).to_hex();
            String::from_utf8(hex.as_bytes().to_vec()).unwrap()
        };
        let mut ha1 = hash(format!("{username}:{realm}:{}", self.password));
        if algorithm.is_session() {
            ha1 = hash(format!("{ha1}:{nonce}:c0ffee"));
        }
        let qop = self.qop.name();
        let ha2 = match self.qop {
            Qop::Auth => hash(format!("{method}:{uri}")),
            Qop::AuthInt => hash(format!("{method}:{uri}:{}", hash(self.body.to_owned()))),
        };
        let response = hash(format!("{ha1}:{nonce}:{count:08x}:c0ffee:{qop}:{ha2}"));
        let username =
            if self.userhash { hash(format!("{username}:{realm}")) } else { username.to_owned() };
        let userhash = if self.userhash { ", userhash=true" } else { "" };
        format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={algorithm}, cnonce=\"c0ffee\", qop={qop}, \
             nc={count:08x}{userhash}"
        )
    }
}

pub(super) struct Scene {
    pub(super) check: DigestCheck,
    realms: Arc<Realms>,
}

impl Scene {
    /// Alice has both hashes, Mia only MD5.
    fn new(offered: &[Algorithm]) -> Self {
        Self::with_capacity(offered, 8)
    }

    fn with_capacity(offered: &[Algorithm], capacity: usize) -> Self {
        let replay_capacity = NonZeroUsize::new(capacity).unwrap();
        Self::with(DigestSettings { replay_capacity, ..settings(offered, START) })
    }

    pub(super) fn with(settings: DigestSettings) -> Self {
        let check = DigestCheck::new(settings, users(), START);
        Self { realms: Guard::into_inner(check.realms()), check }
    }

    /// Everything is offered.
    fn with_everything() -> Self {
        let (qops, offers_userhash) = (OfferedQops::AuthIntFirst, true);
        Self::with(DigestSettings { qops, offers_userhash, ..settings(&Algorithm::ALL, START) })
    }

    fn realm(&self) -> ProtectedRealm<'_> {
        self.realm_at([])
    }

    fn realm_at<'a>(&self, domains: impl IntoIterator<Item = &'a [u8]>) -> ProtectedRealm<'_> {
        self.check.realm_of(&self.realms, domains)
    }

    pub(super) fn nonce(&self) -> String {
        self.nonce_number(0)
    }

    pub(super) fn nonce_number(&self, number: u8) -> String {
        self.realm().mint.issue(START, number.into(), source())
    }

    pub(super) fn judge(&self, answer: &str) -> &'static str {
        self.judge_request(answer, &request(), 0)
    }

    fn judge_request(
        &self,
        answer: &str,
        request: &RequestFacts<'_>,
        seconds: u64,
    ) -> &'static str {
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        let now = UnixMillis(START.0 + seconds * 1000);
        self.realm().judge(&credentials, request, self.check.offered(), now).name()
    }
}

/// Alice has every hash, Mia only MD5; another Alice is of a realm of her own.
pub(super) fn users() -> Arc<Users> {
    use crate::proof::users::{Username, stanza};
    let stanza = |name: &str, realm: &str, functions: &[HashFunction]| {
        let realm = Realm::new(realm).unwrap();
        stanza(&Username::new(name).unwrap(), &realm, "secret", functions, &[]).to_string()
    };
    let alice = stanza("alice", "example.com", &HashFunction::ALL);
    let mia = stanza("mia", "example.com", &[HashFunction::Md5]);
    let other = stanza("alice", "b.example", &HashFunction::ALL);
    let text = format!("realm = \"example.com\"\n{alice}{mia}{other}realm = \"b.example\"\n");
    Arc::new(Users::parse(&text).unwrap())
}

pub(super) fn source() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

pub(super) fn request() -> RequestFacts<'static> {
    RequestFacts {
        method: METHOD.as_bytes(),
        request_uri: TARGET.as_bytes(),
        body: b"",
        source: source(),
        is_connected: false,
        fingerprint: 1,
    }
}

#[test]
fn proves_a_user_by_each_algorithm_and_recognizes_the_retransmission() {
    for algorithm in Algorithm::ALL {
        let scene = Scene::new(&Algorithm::ALL);
        let answer = Client { algorithm, ..ALICE }.answer(&scene.nonce());
        assert_eq!(scene.judge(&answer), "proven");
        assert_eq!(scene.judge(&answer), "retransmission");
    }
}

#[test]
fn a_proven_verdict_carries_the_user() {
    let scene = Scene::new(&Algorithm::ALL);
    let answer = ALICE.answer(&scene.nonce());
    let credentials = scene.realm().read(answer.as_bytes()).unwrap();
    let verdict = scene.realm().judge(&credentials, &request(), scene.check.offered(), START);
    let DigestVerdict::Proven { user, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(user.name(), "alice");
}

#[test]
fn a_challenge_is_answered_by_a_client_that_reads_it() {
    let scene = Scene::new(&[Algorithm::MD5, Algorithm::SHA_256]);
    let offered: Vec<_> = scene.check.offered().iter().collect();
    assert_eq!(offered, [Algorithm::MD5, Algorithm::SHA_256]);
    let nonce = scene.realm().nonce(source(), START, 3);
    let challenge = |stale| {
        let parts = scene.realm().challenge(Algorithm::SHA_256, &nonce, stale);
        String::from_utf8(parts.concat()).unwrap()
    };
    let (plain, stale) = (challenge(false), challenge(true));
    let nonce = plain.split('"').nth(3).unwrap().to_owned();
    assert_eq!(
        plain,
        format!("Digest realm=\"example.com\",nonce=\"{nonce}\",algorithm=SHA-256,qop=\"auth\"")
    );
    assert_eq!(stale, format!("{plain},stale=true"));
    assert_eq!(scene.judge(&ALICE.answer(&nonce)), "proven");
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_verdict() {
    let scene = || Scene::new(&[Algorithm::SHA_256]);
    let nonce = scene().nonce();
    for (what, client) in [
        ("wrong password", Client { password: "guess", ..ALICE }),
        ("unknown user", Client { username: "nobody", ..ALICE }),
        ("another method", Client { method: "REGISTER", ..ALICE }),
        ("not offered", Client { algorithm: Algorithm::MD5, ..ALICE }),
        ("no such hash", Client { username: "mia", ..ALICE }),
    ] {
        let answer = client.answer(&nonce);
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        let scene = scene();
        let verdict = scene.realm().judge(&credentials, &request(), scene.check.offered(), START);
        assert_eq!(format!("{verdict:?}"), "Wrong { is_proven: true }", "{what}");
        assert!(scene.check.replay().is_empty(), "{what}");
    }
}

#[test]
fn a_response_made_with_the_digits_of_nobody_proves_nothing() {
    let scene = Scene::new(&Algorithm::ALL);
    for (username, algorithm) in [
        ("nobody", Algorithm::SHA_256),
        ("nobody", Algorithm::MD5_SESS),
        ("mia", Algorithm::SHA_256),
    ] {
        let answer = Client { username, algorithm, ..ALICE }.answer(&scene.nonce());
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        let digits = nobody(algorithm.function());
        let response = expected_response(digits, &credentials, METHOD.as_bytes(), b"");
        let forged = Credentials { response, ..credentials };
        let verdict = scene.realm().judge(&forged, &request(), scene.check.offered(), START);
        assert_eq!(verdict.name(), "wrong");
    }
}

#[test]
fn only_a_correct_response_to_an_expired_nonce_is_stale() {
    let scene = Scene::new(&Algorithm::ALL);
    let nonce = scene.nonce();
    let wrong = Client { password: "guess", ..ALICE }.answer(&nonce);
    assert_eq!(scene.judge_request(&wrong, &request(), 60), "wrong");
    assert_eq!(scene.judge_request(&ALICE.answer(&nonce), &request(), 60), "stale");
    assert_eq!(scene.judge_request(&ALICE.answer(&nonce), &request(), 59), "proven");
}

#[test]
fn only_a_correct_response_to_a_forgotten_nonce_is_stale() {
    let scene = Scene::with_capacity(&Algorithm::ALL, 1);
    let [first, second] = [1, 2].map(|number| scene.nonce_number(number));
    assert_eq!(scene.judge(&ALICE.answer(&first)), "proven");
    assert_eq!(scene.judge(&ALICE.answer(&second)), "proven");
    let next = Client { count: 2, ..ALICE };
    assert_eq!(scene.judge(&next.answer(&first)), "stale");
    assert_eq!(scene.judge(&ALICE.answer(&first)), "stale");
    let wrong = Client { password: "guess", ..next };
    assert_eq!(scene.judge(&wrong.answer(&first)), "wrong");
}

#[test]
fn a_nonce_is_good_for_one_source_only() {
    let scene = Scene::new(&Algorithm::ALL);
    let answer = ALICE.answer(&scene.nonce());
    let elsewhere = RequestFacts { source: "192.0.2.2:5060".parse().unwrap(), ..request() };
    assert_eq!(scene.judge_request(&answer, &elsewhere, 0), "nonce-not-ours");
    assert_eq!(scene.judge(&ALICE.answer("made-up")), "nonce-not-ours");
}

#[test]
fn credentials_for_another_realm_are_ignored() {
    let scene = Scene::new(&Algorithm::ALL);
    let answer = Client { realm: "pbx.example", ..ALICE }.answer(&scene.nonce());
    assert_eq!(scene.judge(&answer), "foreign-realm");
    let refused = scene.realm().read(answer.as_bytes()).unwrap_err();
    assert_eq!(refused, MalformedCredentials::OtherRealm);
}

#[test]
fn the_signed_target_is_the_target_of_the_request() {
    let scene = Scene::new(&Algorithm::ALL);
    let answer = ALICE.answer(&scene.nonce());
    let redirected = RequestFacts { request_uri: b"sip:premium@example.com", ..request() };
    assert_eq!(scene.judge_request(&answer, &redirected, 0), "uri-mismatch");
    let decorated = RequestFacts { request_uri: b"sip:bob@EXAMPLE.com;transport=udp", ..request() };
    assert_eq!(scene.judge_request(&answer, &decorated, 0), "proven");
}

#[test]
fn a_nonce_count_proves_one_request() {
    let scene = Scene::new(&Algorithm::ALL);
    let nonce = scene.nonce();
    let other = RequestFacts { fingerprint: 2, ..request() };
    assert_eq!(scene.judge(&ALICE.answer(&nonce)), "proven");
    assert_eq!(scene.judge_request(&ALICE.answer(&nonce), &other, 0), "replayed");
    let next = Client { count: 2, ..ALICE };
    assert_eq!(scene.judge_request(&next.answer(&nonce), &other, 0), "proven");
    assert_eq!(scene.judge(&ALICE.answer(&nonce)), "retransmission");
}

#[test]
fn each_algorithm_proves_with_each_qop_and_with_a_hashed_name() {
    for algorithm in Algorithm::ALL {
        for qop in [Qop::Auth, Qop::AuthInt] {
            for userhash in [false, true] {
                let scene = Scene::with_everything();
                let client = Client { algorithm, qop, userhash, body: "v=0", ..ALICE };
                let answer = client.answer(&scene.nonce());
                let facts = RequestFacts { body: b"v=0", ..request() };
                assert_eq!(scene.judge_request(&answer, &facts, 0), "proven", "{answer}");
                let changed = RequestFacts { body: b"v=1", ..facts };
                let expected = if qop == Qop::Auth { "retransmission" } else { "wrong" };
                assert_eq!(scene.judge_request(&answer, &changed, 0), expected, "{answer}");
            }
        }
    }
}

#[test]
fn what_was_not_offered_is_refused() {
    let plain = Scene::new(&Algorithm::ALL);
    for (client, reason) in [
        (Client { qop: Qop::AuthInt, ..ALICE }, MalformedCredentials::QopNotOffered),
        (Client { userhash: true, ..ALICE }, MalformedCredentials::UserhashNotOffered),
    ] {
        let answer = client.answer(&plain.nonce());
        assert_eq!(plain.realm().read(answer.as_bytes()).unwrap_err(), reason);
    }
    let qops = OfferedQops::AuthInt;
    let strict = Scene::with(DigestSettings { qops, ..settings(&Algorithm::ALL, START) });
    let refused = strict.realm().read(ALICE.answer(&strict.nonce()).as_bytes()).unwrap_err();
    assert_eq!(refused, MalformedCredentials::QopNotOffered);
    let scene = Scene::new(&[Algorithm::SHA_256]);
    let session = Client { algorithm: Algorithm::SHA_256_SESS, ..ALICE };
    assert_eq!(scene.judge(&session.answer(&scene.nonce())), "wrong");
}

#[test]
fn a_challenge_says_all_that_is_offered() {
    let scene = Scene::with_everything();
    let nonce = scene.realm().nonce(source(), START, 3);
    let parts = scene.realm().challenge(Algorithm::SHA_512_256_SESS, &nonce, true).concat();
    let text = String::from_utf8(parts).unwrap();
    let tail = "\",algorithm=SHA-512-256-sess,qop=\"auth-int,auth\",userhash=true,stale=true";
    assert!(text.ends_with(tail), "{text}");
}

#[test]
fn credentials_of_one_realm_of_ours_are_none_in_another() {
    let scene = Scene::new(&Algorithm::ALL);
    let [first, other] = [&b"example.com"[..], b"B.example"].map(|it| scene.realm_at([it]));
    assert_eq!((first.realm().as_str(), other.realm().as_str()), ("example.com", "b.example"));
    assert_eq!(scene.realm_at([&b"c.example"[..], b"b.example"]).realm(), other.realm());
    assert_eq!(scene.realm_at([&b"c.example"[..]]).realm(), first.realm());
    let judge = |realm: ProtectedRealm<'_>, client: Client, nonce: [u8; NONCE_LENGTH]| {
        let answer = client.answer(str::from_utf8(&nonce).unwrap());
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        realm.judge(&credentials, &request(), scene.check.offered(), START)
    };
    let nonces = [first, other].map(|realm| realm.nonce(source(), START, 1));
    let alice_of_other = Client { realm: "b.example", ..ALICE };
    let verdict = judge(other, alice_of_other.clone(), nonces[1]);
    let DigestVerdict::Proven { user, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(user.label(), "alice@b.example");
    assert_eq!(judge(first, alice_of_other.clone(), nonces[0]).name(), "foreign-realm");
    assert_eq!(judge(other, alice_of_other, nonces[0]).name(), "nonce-not-ours");
    assert_eq!(judge(other, ALICE, nonces[1]).name(), "foreign-realm");
}

#[test]
fn who_guesses_is_refused_even_if_he_guesses_right() {
    for userhash in [false, true] {
        let scene = Scene::with_everything();
        for (attempt, username) in (0..).zip(["alice", "nobody", "mia"]) {
            let guess = Client { username, password: "guess", userhash, ..ALICE };
            assert_eq!(scene.judge(&guess.answer(&scene.nonce_number(attempt))), "wrong");
        }
        let right = Client { userhash, ..ALICE }.answer(&scene.nonce_number(9));
        assert_eq!(scene.judge(&right), "too-many-failures");
        assert_eq!(scene.judge_request(&right, &request(), 59), "proven");
    }
}

#[test]
fn a_failure_without_a_nonce_of_ours_is_held_against_nobody() {
    let scene = Scene::new(&Algorithm::ALL);
    let stolen = scene.nonce();
    let elsewhere = RequestFacts { source: "192.0.2.2:5060".parse().unwrap(), ..request() };
    let guess = Client { password: "guess", ..ALICE };
    for nonce in ["made-up", &stolen] {
        for _ in 0..100 {
            let verdict = scene.judge_request(&guess.answer(nonce), &elsewhere, 0);
            assert_eq!(verdict, "nonce-not-ours");
        }
    }
    let nonce = scene.realm().mint.issue(START, 8, elsewhere.source);
    assert_eq!(scene.judge_request(&ALICE.answer(&nonce), &elsewhere, 0), "proven");
}

#[test]
fn where_nonces_are_bound_to_nothing_what_is_carried_elsewhere_proves_the_user_and_no_place() {
    let nonce_binding = NonceBinding::None;
    let scene = Scene::with(DigestSettings { nonce_binding, ..settings(&Algorithm::ALL, START) });
    let elsewhere = RequestFacts { source: "192.0.2.2:5060".parse().unwrap(), ..request() };
    let judge = |answer: &str, request: &RequestFacts<'_>| {
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        scene.realm().judge(&credentials, request, scene.check.offered(), START)
    };
    let answer = ALICE.answer(&scene.nonce());
    for (facts, is_there) in [(&elsewhere, false), (&request(), true)] {
        let DigestVerdict::Proven { is_sources_own, .. } = judge(&answer, facts) else { panic!() };
        assert_eq!(is_sources_own, is_there);
    }
    // It is one nonce, wherever it is used: what was said with it is said once.
    let other = RequestFacts { fingerprint: 2, ..elsewhere };
    assert_eq!(judge(&answer, &other).name(), "replayed");

    // Nobody fails in the name of an address that is forged, but who is connected does.
    let guess = Client { password: "guess", ..ALICE };
    for number in 10..20 {
        assert_eq!(judge(&guess.answer(&scene.nonce_number(number)), &elsewhere).name(), "wrong");
    }
    let connected = RequestFacts { is_connected: true, ..elsewhere };
    let guesses: Vec<_> = (20..24)
        .map(|number| judge(&guess.answer(&scene.nonce_number(number)), &connected).name())
        .collect();
    assert_eq!(guesses, ["wrong", "wrong", "wrong", "too-many-failures"]);
}

#[test]
fn a_nonce_that_is_bound_to_a_port_is_nobodys_at_another() {
    let nonce_binding = NonceBinding::AddressAndPort;
    let scene = Scene::with(DigestSettings { nonce_binding, ..settings(&Algorithm::ALL, START) });
    let neighbour = RequestFacts { source: "192.0.2.1:5062".parse().unwrap(), ..request() };
    let answer = ALICE.answer(&scene.nonce());
    assert_eq!(scene.judge_request(&answer, &neighbour, 0), "nonce-not-ours");
    assert_eq!(scene.judge(&answer), "proven");
}

impl DigestVerdict {
    /// A short name, kebab-case.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Proven { retransmission: false, .. } => "proven",
            Self::Proven { retransmission: true, .. } => "retransmission",
            Self::Stale => "stale",
            Self::Wrong { .. } => "wrong",
            Self::ForeignRealm => "foreign-realm",
            Self::NonceNotOurs => "nonce-not-ours",
            Self::UriMismatch => "uri-mismatch",
            Self::Replayed => "replayed",
            Self::TooManyFailures { .. } => "too-many-failures",
        }
    }
}
