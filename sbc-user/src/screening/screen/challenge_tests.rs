//! What challenges the configuration can make, and whom they are for.

use proptest::prelude::*;

use super::tests::{Told, request};
use super::*;
use crate::config::sample;
use crate::proof::digest::test_client::{NONCE_LIFETIME, START, answer, settings};
use crate::proof::digest::{Algorithm, HashFunction, OfferedQops, Realm};
use crate::proof::users::{Username, Users, stanza};
use crate::session::RoutingKey;
use crate::transport::Transport;
use crate::upstream::Pool;

const STRANGER: &str = "198.18.0.9:5060";
const OFFICE: &str = "192.0.2.129:5060";
const TARGET: &str = "sip:bob@example.com";

const PEERS: &str = r#"
[[peer]]
name = "office"
require = ["static", "digest"]
sources = ["192.0.2.128/28"]
opens = ["udp", "tcp"]
algorithms = ["MD5", "SHA-256"]
"#;

struct Scene {
    config: Config,
    forwarder: Forwarder,
    digest: DigestCheck,
    now: UnixMillis,
}

impl Scene {
    fn new(offered: &[Algorithm], qops: OfferedQops, offers_userhash: bool, realm: &str) -> Self {
        let alice = |realm: &str| {
            let (name, realm) = (Username::new("alice").unwrap(), Realm::new(realm).unwrap());
            stanza(&name, &realm, "secret", &HashFunction::ALL, &[])
        };
        let users = format!(
            "realm = {realm:?}\n{}{}realm = \"b.example\"\n\
             [[domain]]\nname = \"branch.example\"\nrealm = \"b.example\"\n",
            *alice(realm),
            *alice("b.example")
        );
        let settings = crate::proof::digest::DigestSettings {
            qops,
            offers_userhash,
            ..settings(offered, START)
        };
        let digest = DigestCheck::new(settings, Arc::new(Users::parse(&users).unwrap()), START);
        let listeners = vec![
            (Transport::Udp, "203.0.113.1:5060".parse().unwrap()),
            (Transport::Udp, "10.0.0.1:5060".parse().unwrap()),
        ];
        let seal = TokenSeal::new(RoutingKey::new([7; 32]));
        let upstream = Pool::of(Flow::udp(1, "10.0.0.5:5060".parse().unwrap()));
        let forwarder = Forwarder::new(seal, listeners, 1, Arc::new(upstream));
        Self { config: sample::config(PEERS), forwarder, digest, now: START }
    }

    fn plain() -> Self {
        let offered = [Algorithm::SHA_256, Algorithm::MD5];
        Self::new(&offered, OfferedQops::Auth, false, "example.com")
    }

    fn screen(&self, transport: Transport, remote: &str, request: &str) -> Told {
        let request = Message::scan(request.as_bytes()).unwrap();
        let flow = Flow { transport, listener: 0, remote: remote.parse().unwrap(), connection: 0 };
        let mut screen = Screen {
            config: &self.config,
            forwarder: &self.forwarder,
            digest: Some(&self.digest),
            vouching: None,
            now: self.now,
            nonce_number: 3,
            fingerprint: &|_| 1,
            buffer: Vec::new(),
            is_proven_guess: false,
        };
        Told::of(screen.screen(&request, &flow, &Evidence::default()))
    }

    fn realm_offered(&self, request: &str) -> String {
        let reply = self.screen(Transport::Tcp, STRANGER, request).reply(Outcome::Challenged);
        reply.split("realm=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

fn guess(scene: &Scene, remote: &str) -> Told {
    let invite = request("INVITE", "alice@example.com", "");
    let told = scene.screen(Transport::Tcp, remote, &invite);
    let credentials =
        answer(&told.reply(Outcome::Challenged), "alice", "guess", ("INVITE", TARGET));
    let line = format!("Proxy-Authorization: {credentials}\r\n");
    scene.screen(Transport::Tcp, remote, &request("INVITE", "alice@example.com", &line))
}

#[test]
fn a_peers_phones_are_challenged_in_an_order_of_their_own() {
    let scene = Scene::plain();
    let invite = request("INVITE", "alice@example.com", "");
    let first = |remote| {
        let reply = scene.screen(Transport::Tcp, remote, &invite).reply(Outcome::Challenged);
        reply.split("algorithm=").nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    assert_eq!((first(STRANGER).as_str(), first(OFFICE).as_str()), ("SHA-256", "MD5"));
}

#[test]
fn the_realm_is_that_of_the_domain() {
    let scene = Scene::plain();
    let invite = request("INVITE", "alice@example.com", "");
    for (uri, from, realm) in [
        ("sip:bob@example.com", "example.com", "example.com"),
        ("sip:bob@B.example", "example.com", "example.com"),
        ("sip:bob@example.com", "B.example", "b.example"),
        ("sip:bob@example.com", "branch.example", "b.example"),
        ("sip:bob@branch.example", "elsewhere.example", "b.example"),
        ("sip:bob@b.example", "192.0.2.1", "b.example"),
        ("sip:bob@elsewhere.example", "b.example", "b.example"),
        ("tel:+12125551234", "b.example", "b.example"),
        ("sip:bob@elsewhere.example", "anonymous.invalid", "example.com"),
    ] {
        let invite =
            invite.replace(TARGET, uri).replace("alice@example.com", &format!("alice@{from}"));
        assert_eq!(scene.realm_offered(&invite), realm, "{uri}, {from}");
    }
    let register = request("REGISTER", "alice@b.example", "");
    assert_eq!(scene.realm_offered(&register), "b.example", "by whom it registers");
}

#[test]
fn a_caller_proves_the_domain_that_he_says_to_be_of_whomever_he_calls() {
    let scene = Scene::plain();
    let call = |from: &str, credentials: &str| {
        let line = format!("Proxy-Authorization: {credentials}\r\n");
        scene.screen(Transport::Tcp, STRANGER, &request("INVITE", from, &line))
    };
    let challenged = |from: &str| {
        let told = scene.screen(Transport::Tcp, STRANGER, &request("INVITE", from, ""));
        answer(&told.reply(Outcome::Challenged), "alice", "secret", ("INVITE", TARGET))
    };
    let of_other = challenged("alice@b.example");
    assert!(of_other.contains("realm=\"b.example\""));
    let accepted = call("alice@b.example", &of_other);
    assert_eq!(accepted, Told::Accepted(Some("alice".to_owned()), true), "into another domain");
    // Whoever answers for one domain is not heard as somebody of another, in neither direction.
    for (proven, claimed) in
        [("alice@b.example", "alice@example.com"), ("alice@example.com", "alice@b.example")]
    {
        let credentials = challenged(proven);
        call(claimed, &credentials).reply(Outcome::Challenged);
    }
    // Where From says nothing, he is the user whom he proves to be, and may not be called otherwise.
    let of_default = challenged("alice@nowhere.example");
    assert!(of_default.contains("realm=\"example.com\""));
    call("alice@nowhere.example", &of_default).reply(Outcome::IdentityNotAllowed);
}

#[test]
fn who_guesses_too_often_is_told_so_for_a_while_and_nobody_else_is() {
    let mut scene = Scene::plain();
    for _ in 0..3 {
        guess(&scene, STRANGER).reply(Outcome::WrongCredentials);
    }
    let reply = guess(&scene, STRANGER).reply(Outcome::TooManyFailures);
    assert!(reply.starts_with("SIP/2.0 403 "), "{reply}");
    guess(&scene, "198.18.0.10:5060").reply(Outcome::WrongCredentials);
    scene.now = scene.now.saturating_add(NONCE_LIFETIME);
    guess(&scene, STRANGER).reply(Outcome::WrongCredentials);
}

fn offers() -> impl Strategy<Value = Vec<Algorithm>> {
    let all = Just(Algorithm::ALL.to_vec()).prop_shuffle();
    (all, 1..=Algorithm::ALL.len()).prop_map(|(mut all, count)| {
        all.truncate(count);
        all
    })
}

proptest! {
    /// Over all that the configuration can say, and all sizes of requests.
    #[test]
    fn no_challenge_is_larger_than_the_request_of_a_stranger(
        offered in offers(),
        qops in prop::sample::select(OfferedQops::ALL.to_vec()),
        offers_userhash: bool,
        realm in "[a-z.]{1,255}",
        padding in 0_usize..2500,
        method in prop::sample::select(vec!["INVITE", "REGISTER", "OPTIONS", "X-NEW"]),
        is_stale: bool,
    ) {
        prop_assume!(realm != "b.example" && realm != "branch.example");
        let mut scene = Scene::new(&offered, qops, offers_userhash, &realm);
        let mut lines = format!("Subject: {}\r\n", "x".repeat(padding));
        if is_stale {
            let told = scene.screen(Transport::Tcp, STRANGER, &request(method, "alice@c.example", ""));
            let reply = told.reply(Outcome::Challenged);
            // Of an expired nonce a wrong answer gets a challenge too.
            scene.now = scene.now.saturating_add(NONCE_LIFETIME);
            let credentials = answer(&reply, "alice", "guess", (method, TARGET));
            let name = if method == "REGISTER" { "Authorization" } else { "Proxy-Authorization" };
            lines.extend([name, ": ", &credentials, "\r\n"]);
        }
        let request = request(method, "alice@c.example", &lines);
        match scene.screen(Transport::Udp, STRANGER, &request) {
            Told::Answered(_, reply) => {
                prop_assert!(reply.len() <= request.len());
                let algorithms: Vec<_> = reply.split("algorithm=").skip(1).map(|rest| {
                    Algorithm::from_name(rest.split(',').next().unwrap().as_bytes()).unwrap()
                }).collect();
                let is_refused = reply.starts_with("SIP/2.0 400 ");
                prop_assert!(is_refused || !algorithms.is_empty());
                prop_assert!(offered.starts_with(&algorithms), "the last ones go first");
            }
            Told::Silent(outcome) => prop_assert_eq!(outcome, Outcome::WouldAmplify),
            Told::Accepted(..) => prop_assert!(false, "accepted"),
        }
    }
}
