use super::*;
use crate::proof::digest::Ha1;

const START: UnixMillis = UnixMillis(1_700_000_000_000);
const LIFETIME: Duration = Duration::from_mins(1);
const METHOD: &str = "INVITE";
const TARGET: &str = "sip:bob@example.com";

/// A client that answers a challenge, honestly unless told otherwise.
#[derive(Clone)]
struct Client {
    username: &'static str,
    password: &'static str,
    realm: &'static str,
    method: &'static str,
    uri: &'static str,
    algorithm: Algorithm,
    count: u32,
}

const ALICE: Client = Client {
    username: "alice",
    password: "secret",
    realm: "example.com",
    method: METHOD,
    uri: TARGET,
    algorithm: Algorithm::Sha256,
    count: 1,
};

impl Client {
    fn answer(&self, nonce: &str) -> String {
        let Self { username, realm, method, uri, algorithm, count, .. } = *self;
        let hash = |text: String| {
            let hex = HashValue::of(algorithm, &[text.as_bytes()]).to_hex();
            String::from_utf8(hex.as_bytes().to_vec()).unwrap()
        };
        let ha1 = hash(format!("{username}:{realm}:{}", self.password));
        let ha2 = hash(format!("{method}:{uri}"));
        let response = hash(format!("{ha1}:{nonce}:{count:08x}:c0ffee:auth:{ha2}"));
        format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={algorithm}, cnonce=\"c0ffee\", qop=auth, \
             nc={count:08x}"
        )
    }
}

struct Scene {
    check: DigestCheck,
}

impl Scene {
    /// Alice has both hashes, Mia only MD5.
    fn new(offered: &[Algorithm]) -> Self {
        Self::with_capacity(offered, 8)
    }

    fn with_capacity(offered: &[Algorithm], capacity: usize) -> Self {
        let settings = DigestSettings {
            offered: OfferedAlgorithms::new(offered.to_vec()).unwrap(),
            nonce_key: Zeroizing::new([9; 32]),
            nonce_lifetime: LIFETIME,
            replay_capacity: NonZeroUsize::new(capacity).unwrap(),
        };
        Self { check: DigestCheck::new(&settings, users("example.com"), START) }
    }

    fn nonce(&self) -> String {
        self.nonce_number(0)
    }

    fn nonce_number(&self, number: u8) -> String {
        self.check.mint.issue(START, [number; 8], source())
    }

    fn judge(&self, answer: &str) -> &'static str {
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
        self.check.judge(&credentials, request, now).name()
    }
}

fn users(realm: &str) -> Arc<Users> {
    use crate::proof::users::{Username, stanza};
    let realm = Realm::new(realm).unwrap();
    let stanza = |name: &str, algorithms: &[Algorithm]| {
        stanza(&Username::new(name).unwrap(), &realm, "secret", algorithms, &[])
    };
    let alice = stanza("alice", &Algorithm::ALL);
    let mia = stanza("mia", &[Algorithm::Md5]);
    Arc::new(Users::parse(&format!("realm = \"{realm}\"\n{}{}", *alice, *mia)).unwrap())
}

fn source() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn request() -> RequestFacts<'static> {
    RequestFacts {
        method: METHOD.as_bytes(),
        request_uri: TARGET.as_bytes(),
        source: source(),
        fingerprint: 1,
    }
}

#[test]
fn reproduces_the_vectors_of_rfc_7616() {
    // §3.9.1
    for (algorithm, response) in [
        (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let header = format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\",\r\n \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\",\r\n \
             nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth,\r\n \
             response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let credentials = Credentials::parse(header.as_bytes()).unwrap();
        let ha1 = Ha1::of(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        let expected = expected_response(ha1.expose().as_bytes(), &credentials, b"GET");
        assert!(bool::from(expected.ct_eq(&credentials.response)), "{algorithm}");
    }
}

#[test]
fn proves_a_user_by_either_algorithm_and_recognizes_the_retransmission() {
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
    let credentials = scene.check.read(answer.as_bytes()).unwrap();
    let verdict = scene.check.judge(&credentials, &request(), START);
    let DigestVerdict::Proven { user, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(user.name(), "alice");
}

#[test]
fn a_challenge_is_answered_by_a_client_that_reads_it() {
    let scene = Scene::new(&[Algorithm::Md5, Algorithm::Sha256]);
    assert_eq!(scene.check.algorithms().collect::<Vec<_>>(), [Algorithm::Md5, Algorithm::Sha256]);
    let nonce = scene.check.nonce(source(), START, [3; 8]);
    let challenge = |stale| {
        let parts = scene.check.challenge(Algorithm::Sha256, &nonce, stale);
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
    let scene = || Scene::new(&[Algorithm::Sha256]);
    let nonce = scene().nonce();
    for (what, client) in [
        ("wrong password", Client { password: "guess", ..ALICE }),
        ("unknown user", Client { username: "nobody", ..ALICE }),
        ("another method", Client { method: "REGISTER", ..ALICE }),
        ("not offered", Client { algorithm: Algorithm::Md5, ..ALICE }),
        ("no such hash", Client { username: "mia", ..ALICE }),
    ] {
        let answer = client.answer(&nonce);
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        let scene = scene();
        let verdict = scene.check.judge(&credentials, &request(), START);
        assert_eq!(format!("{verdict:?}"), "Wrong", "{what}");
        assert!(scene.check.replay().is_empty(), "{what}");
    }
}

#[test]
fn a_response_made_with_the_digits_of_nobody_proves_nothing() {
    let scene = Scene::new(&Algorithm::ALL);
    for (username, algorithm) in
        [("nobody", Algorithm::Sha256), ("nobody", Algorithm::Md5), ("mia", Algorithm::Sha256)]
    {
        let answer = Client { username, algorithm, ..ALICE }.answer(&scene.nonce());
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        let response = expected_response(nobody(algorithm), &credentials, METHOD.as_bytes());
        let forged = Credentials { response, ..credentials };
        let verdict = scene.check.judge(&forged, &request(), START);
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
    let elsewhere = RequestFacts { source: "192.0.2.2".parse().unwrap(), ..request() };
    assert_eq!(scene.judge_request(&answer, &elsewhere, 0), "nonce-not-ours");
    assert_eq!(scene.judge(&ALICE.answer("made-up")), "nonce-not-ours");
}

#[test]
fn credentials_for_another_realm_are_ignored() {
    let scene = Scene::new(&Algorithm::ALL);
    let answer = Client { realm: "pbx.example", ..ALICE }.answer(&scene.nonce());
    assert_eq!(scene.judge(&answer), "foreign-realm");
    let refused = scene.check.read(answer.as_bytes()).unwrap_err();
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

impl DigestVerdict {
    /// A short name, kebab-case.
    fn name(&self) -> &'static str {
        match self {
            Self::Proven { retransmission: false, .. } => "proven",
            Self::Proven { retransmission: true, .. } => "retransmission",
            Self::Stale => "stale",
            Self::Wrong => "wrong",
            Self::ForeignRealm => "foreign-realm",
            Self::NonceNotOurs => "nonce-not-ours",
            Self::UriMismatch => "uri-mismatch",
            Self::Replayed => "replayed",
        }
    }
}
