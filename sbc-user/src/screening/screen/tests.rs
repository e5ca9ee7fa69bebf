use super::*;
use crate::config::sample;
use crate::proof::digest::test_client::{NONCE_LIFETIME, START, answer, check};
use crate::session::RoutingKey;
use crate::transport::Transport;
use crate::upstream::Pool;

mod claims;

const PEERS: &str = r#"
[[peer]]
name = "trunk"
require = ["static"]
sources = ["192.0.2.0/28"]
opens = ["udp", "tcp"]
may-assert = ["*@trunk.example"]

[[peer]]
name = "carrier"
require = ["tls"]
identities = ["carrier.example"]
sources = ["198.51.100.0/24"]
opens = ["udp"]

[[peer]]
name = "office"
require = ["static", "digest"]
sources = ["192.0.2.128/28"]
opens = ["udp"]
may-assert = ["*@office.example"]
"#;

const STRANGER: &str = "198.18.0.9:5060";
const TRUNK: &str = "192.0.2.1:5060";
const CARRIER: &str = "198.51.100.9:5060";
const OFFICE: &str = "192.0.2.129:5060";
const TARGET: &str = "sip:bob@example.com";

struct Scene {
    config: Config,
    forwarder: Forwarder,
    digest: DigestCheck,
    evidence: Evidence,
    now: UnixMillis,
    fingerprint: u64,
}

impl Scene {
    fn new() -> Self {
        let config = sample::config(PEERS);
        let listeners = vec![
            (Transport::Udp, "203.0.113.1:5060".parse().unwrap()),
            (Transport::Udp, "10.0.0.1:5060".parse().unwrap()),
        ];
        let seal = TokenSeal::new(RoutingKey::new([7; 32]));
        let upstream = Pool::of(Flow::udp(1, "10.0.0.5:5060".parse().unwrap()));
        let forwarder = Forwarder::new(seal, listeners, 1, Arc::new(upstream));
        let evidence = Evidence::default();
        Self { config, forwarder, digest: check(START), evidence, now: START, fingerprint: 1 }
    }

    fn screen(&mut self, transport: Transport, remote: &str, request: &str) -> Told {
        let request = Message::scan(request.as_bytes()).unwrap();
        let flow = Flow { transport, listener: 0, remote: remote.parse().unwrap(), connection: 0 };
        let mut screen = Screen {
            config: &self.config,
            forwarder: &self.forwarder,
            digest: Some(&self.digest),
            vouching: None,
            now: self.now,
            nonce_number: 3,
            fingerprint: &|_| self.fingerprint,
            buffer: Vec::new(),
            is_proven_guess: false,
        };
        Told::of(screen.screen(&request, &flow, &self.evidence))
    }

    fn udp(&mut self, remote: &str, request: &str) -> Told {
        self.screen(Transport::Udp, remote, request)
    }

    /// A challenge over a stream, whose answers are not bounded.
    fn challenge(&mut self, remote: &str, method: &str) -> String {
        let told = self.screen(Transport::Tcp, remote, &request(method, "alice@example.com", ""));
        told.reply(Outcome::Challenged)
    }

    /// The request again, with credentials.
    fn respond(&mut self, remote: &str, from: &str, credentials: &str) -> Told {
        let line = format!("Proxy-Authorization: {credentials}\r\n");
        self.screen(Transport::Tcp, remote, &request("INVITE", from, &line))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Who just answered a challenge, and whether credentials were consumed.
    Accepted(Option<String>, bool),
    Answered(Outcome, String),
    Silent(Outcome),
}

impl Told {
    pub(super) fn of(screened: Screened<'_>) -> Self {
        match screened {
            Screened::Accepted { proven, consumed, .. } => {
                Self::Accepted(proven.map(|user| user.name().to_owned()), consumed.is_some())
            }
            Screened::Answered(outcome, reply) => {
                Message::scan(&reply).unwrap();
                Self::Answered(outcome, String::from_utf8(reply).unwrap())
            }
            Screened::Silent(outcome) => Self::Silent(outcome),
            Screened::Vouched { .. } => unreachable!("the users are ours"),
        }
    }

    #[track_caller]
    pub(super) fn reply(self, expected: Outcome) -> String {
        match self {
            Self::Answered(outcome, reply) if outcome == expected => reply,
            told @ (Self::Accepted(..) | Self::Answered(..) | Self::Silent(_)) => {
                panic!("{told:?} instead of an answer, {}", expected.name())
            }
        }
    }
}

pub(super) fn request(method: &str, from: &str, more: &str) -> String {
    let to = if method == "REGISTER" { from } else { "bob@example.com" };
    format!(
        "{method} {TARGET} SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.2;branch=z9hG4bK1;rport\r\n\
         From: <sip:{from}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: one\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// A request that is long enough for any answer.
fn long_request(method: &str) -> String {
    request(method, "alice@example.com", &format!("Subject: {}\r\n", "x".repeat(500)))
}

fn alice(reply: &str) -> String {
    answer(reply, "alice", "ecila", ("INVITE", TARGET))
}

#[test]
fn a_stranger_is_challenged_with_each_algorithm_best_first() {
    let mut scene = Scene::new();
    let reply = scene.udp(STRANGER, &long_request("INVITE")).reply(Outcome::Challenged);
    assert!(reply.starts_with("SIP/2.0 407 "), "{reply}");
    let sha_256 = reply.find("Proxy-Authenticate: Digest realm=\"example.com\"").unwrap();
    assert!(reply[sha_256..].contains("algorithm=SHA-256"));
    assert!(reply.find("algorithm=MD5").unwrap() > reply.find("algorithm=SHA-256").unwrap());
    assert!(!reply.contains("stale"));

    let reply = scene.udp(STRANGER, &long_request("REGISTER")).reply(Outcome::Challenged);
    assert!(reply.starts_with("SIP/2.0 401 "), "{reply}");
    assert!(reply.contains("\r\nWWW-Authenticate: "));
}

#[test]
fn over_udp_no_stranger_gets_more_than_he_sent_and_loses_the_less_preferred_algorithm_first() {
    let mut scene = Scene::new();
    let full = scene.udp(STRANGER, &long_request("INVITE")).reply(Outcome::Challenged).len();
    let length = |padding: usize| {
        request("INVITE", "alice@example.com", &format!("Subject: {}\r\n", "x".repeat(padding)))
    };
    let base = length(0).len();
    for size in base..=full + 1 {
        let request = length(size - base);
        match scene.udp(STRANGER, &request) {
            Told::Answered(Outcome::Challenged, reply) => {
                assert!(reply.len() <= request.len());
                assert!(reply.contains("algorithm=SHA-256"));
                assert_eq!(reply.contains("algorithm=MD5"), request.len() >= full, "{size}");
            }
            Told::Silent(Outcome::WouldAmplify) => assert!(request.len() < full),
            told @ (Told::Accepted(..) | Told::Answered(..) | Told::Silent(_)) => {
                panic!("{told:?}")
            }
        }
    }
    assert_eq!(scene.udp(STRANGER, &length(0)), Told::Silent(Outcome::WouldAmplify));

    // Who has shown that it receives there gets everything.
    scene.evidence.has_answered = true;
    assert!(scene.udp(STRANGER, &length(0)).reply(Outcome::Challenged).contains("MD5"));
}

#[test]
fn a_correct_answer_is_accepted_once_and_its_retransmission_again() {
    let mut scene = Scene::new();
    let credentials = alice(&scene.challenge(STRANGER, "INVITE"));
    let accepted = Told::Accepted(Some("alice".to_owned()), true);
    assert_eq!(scene.respond(STRANGER, "alice@example.com", &credentials), accepted);
    assert_eq!(scene.respond(STRANGER, "alice@example.com", &credentials), accepted);

    scene.fingerprint = 2;
    let reply = scene.respond(STRANGER, "alice@example.com", &credentials);
    assert!(reply.reply(Outcome::ReplayedCredentials).contains("stale=true"));
}

#[test]
fn an_answer_from_another_source_is_as_good_as_none() {
    let mut scene = Scene::new();
    let credentials = alice(&scene.challenge(STRANGER, "INVITE"));
    let told = scene.respond("198.18.0.10:5060", "alice@example.com", &credentials);
    assert!(!told.reply(Outcome::ForeignNonce).contains("stale"));
}

#[test]
fn an_answer_that_is_late_is_stale_only_if_it_is_right() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "INVITE");
    let wrong = answer(&challenge, "alice", "wrong", ("INVITE", TARGET));
    scene.now = scene.now.saturating_add(NONCE_LIFETIME);

    let told = scene.respond(STRANGER, "alice@example.com", &alice(&challenge));
    assert!(told.reply(Outcome::StaleCredentials).contains("stale=true"));
    let told = scene.respond(STRANGER, "alice@example.com", &wrong);
    assert!(!told.reply(Outcome::WrongCredentials).contains("stale"));
}

#[test]
fn a_wrong_password_and_an_unknown_user_hear_the_same() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "INVITE");
    let replies = ["alice", "nobody"].map(|user| {
        let credentials = answer(&challenge, user, "wrong", ("INVITE", TARGET));
        let told = scene.respond(STRANGER, "alice@example.com", &credentials);
        told.reply(Outcome::WrongCredentials)
    });
    assert_eq!(replies[0], replies[1]);
}

#[test]
fn credentials_for_another_target_or_unreadable_or_twice_are_bad() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "INVITE");
    let good = alice(&challenge);
    let other = answer(&challenge, "alice", "ecila", ("INVITE", "sip:premium@example.com"));
    for credentials in [
        other,
        good.replace("qop=auth", "qop=auth-int"),
        good.replace("qop=auth", "qop=auth,userhash=true"),
        format!("{good}\r\nProxy-Authorization: {good}"),
    ] {
        let told = scene.respond(STRANGER, "alice@example.com", &credentials);
        assert!(told.reply(Outcome::BadCredentials).starts_with("SIP/2.0 400 "));
    }
}

#[test]
fn credentials_for_somebody_else_are_no_credentials() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "INVITE").replace("example.com", "upstream.example");
    let told = scene.respond(STRANGER, "alice@example.com", &alice(&challenge));
    told.reply(Outcome::Challenged);
}

#[test]
fn the_method_that_was_signed_is_the_only_one() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "INVITE");
    let credentials = answer(&challenge, "alice", "ecila", ("MESSAGE", TARGET));
    scene.respond(STRANGER, "alice@example.com", &credentials).reply(Outcome::WrongCredentials);
}

#[test]
fn a_user_may_be_nobody_else() {
    let mut scene = Scene::new();
    for from in ["bob@example.com", "alice@example.net", "Alice@example.com"] {
        let credentials = alice(&scene.challenge(STRANGER, "INVITE"));
        let told = scene.respond(STRANGER, from, &credentials);
        assert!(told.reply(Outcome::IdentityNotAllowed).starts_with("SIP/2.0 403 "), "{from}");
        scene = Scene::new();
    }
    let challenge = scene.challenge(STRANGER, "INVITE");
    let bob = answer(&challenge, "bob", "bob", ("INVITE", TARGET));
    let told = scene.respond(STRANGER, "bob@example.com", &bob);
    told.reply(Outcome::IdentityNotAllowed);
}

#[test]
fn a_user_may_be_who_the_users_file_lists_instead() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "INVITE");
    let bob = answer(&challenge, "bob", "bob", ("INVITE", TARGET));
    let told = scene.respond(STRANGER, "sales@example.com", &bob);
    assert_eq!(told, Told::Accepted(Some("bob".to_owned()), true));
}

#[test]
fn a_binding_is_made_for_nobody_else() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "REGISTER");
    let credentials = answer(&challenge, "alice", "ecila", ("REGISTER", TARGET));
    let line = format!("Authorization: {credentials}\r\n");
    let own = request("REGISTER", "alice@example.com", &line);
    let others = own.replace("To: <sip:alice@", "To: <sip:bob@");
    let told = scene.screen(Transport::Tcp, STRANGER, &others);
    told.reply(Outcome::IdentityNotAllowed);
    // The count is spent; the fingerprint is the same, so this is the retransmission.
    let told = scene.screen(Transport::Tcp, STRANGER, &own);
    assert_eq!(told, Told::Accepted(Some("alice".to_owned()), true));
}

#[test]
fn a_proven_peer_claims_what_is_listed_for_it() {
    let mut scene = Scene::new();
    let told = scene.udp(TRUNK, &request("INVITE", "anyone@trunk.example", ""));
    assert_eq!(told, Told::Accepted(None, false));
    let told = scene.udp(TRUNK, &long_request("INVITE"));
    told.reply(Outcome::IdentityNotAllowed);
    let foreign = request("REGISTER", "anyone@trunk.example", "");
    let foreign = foreign.replace("To: <sip:anyone@trunk.example>", "To: <sip:bob@example.com>");
    let told = scene.screen(Transport::Tcp, TRUNK, &foreign);
    told.reply(Outcome::IdentityNotAllowed);
}

#[test]
fn a_missing_certificate_is_silence_over_udp_and_said_over_a_stream() {
    let mut scene = Scene::new();
    let invite = long_request("INVITE");
    assert_eq!(scene.udp(CARRIER, &invite), Told::Silent(Outcome::ProofMissing));
    let told = scene.screen(Transport::Tcp, CARRIER, &invite);
    assert!(told.reply(Outcome::ProofMissing).starts_with("SIP/2.0 403 "));
    for method in ["ACK", "CANCEL"] {
        let told = scene.screen(Transport::Tcp, CARRIER, &long_request(method));
        assert_eq!(told, Told::Silent(Outcome::ProofMissing));
    }

    scene.evidence.tls_source = Some(1);
    assert_eq!(scene.udp(CARRIER, &invite), Told::Accepted(None, false));
}

#[test]
fn whoever_answers_behind_a_peer_claims_what_both_may_claim() {
    let call_as = |may_assert: &str, from: &str| {
        let listed = PEERS.replace("*@office.example", may_assert);
        let mut scene = Scene { config: sample::config(&listed), ..Scene::new() };
        scene.evidence.has_answered = true;
        let challenge = scene.udp(OFFICE, &request("INVITE", from, "")).reply(Outcome::Challenged);
        let line = format!("Proxy-Authorization: {}\r\n", alice(&challenge));
        scene.udp(OFFICE, &request("INVITE", from, &line))
    };
    let accepted = Told::Accepted(Some("alice".to_owned()), true);
    assert_eq!(call_as("*@example.com", "alice@example.com"), accepted);
    for (may_assert, from) in [
        ("*@example.com", "ceo@example.com"),
        ("*@office.example", "desk@office.example"),
        ("*@office.example", "alice@example.com"),
    ] {
        call_as(may_assert, from).reply(Outcome::IdentityNotAllowed);
    }
}

#[test]
fn an_address_is_proof_over_the_transports_that_the_operator_opened() {
    let mut scene = Scene::new();
    let told = scene.screen(Transport::Tcp, OFFICE, &long_request("INVITE"));
    told.reply(Outcome::ProofMissing);
}

#[test]
fn the_ack_to_our_own_answer_is_taken_and_any_other_of_a_stranger_is_not() {
    let mut scene = Scene::new();
    let challenge = scene.challenge(STRANGER, "INVITE");
    let (_, tag) = challenge.split_once("To: <sip:bob@example.com>;tag=").unwrap();
    let tag = tag.split_once("\r\n").unwrap().0;
    let ack = request("ACK", "alice@example.com", "")
        .replace("To: <sip:bob@example.com>", &format!("To: <sip:bob@example.com>;tag={tag}"));
    for remote in [STRANGER, TRUNK, CARRIER] {
        assert_eq!(scene.udp(remote, &ack), Told::Silent(Outcome::OwnAck));
    }
    let other = ack.replace("Call-ID: one", "Call-ID: two");
    assert_eq!(scene.udp(STRANGER, &other), Told::Silent(Outcome::Unchallengeable));
}

#[test]
fn ack_and_cancel_are_never_challenged_and_pass_for_who_has_answered() {
    let mut scene = Scene::new();
    for method in ["ACK", "CANCEL"] {
        scene.evidence.has_answered = false;
        let told = scene.screen(Transport::Tcp, STRANGER, &long_request(method));
        assert_eq!(told, Told::Silent(Outcome::Unchallengeable));
        scene.evidence.has_answered = true;
        assert_eq!(scene.udp(STRANGER, &long_request(method)), Told::Accepted(None, false));
    }
}

#[test]
fn an_admission_passes_the_rest_of_a_dialog_and_no_new_call() {
    let mut scene = Scene::new();
    let invite = request("INVITE", "alice@example.com", "");
    let flow = Flow::udp(0, STRANGER.parse().unwrap());
    let message = Message::scan(invite.as_bytes()).unwrap();
    let token = scene.forwarder.seal().admission(&message, &flow, &flow);
    let route = format!("Route: <sip:{token}@203.0.113.1:5060;lr>\r\n");

    let new_call = request("INVITE", "alice@example.com", &route);
    let in_dialog =
        new_call.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=2");
    assert_eq!(scene.udp(STRANGER, &in_dialog), Told::Accepted(None, false));
    scene.evidence.has_answered = true;
    for other in [new_call, in_dialog.replace("From: <sip:alice", "From: <sip:ceo")] {
        scene.udp(STRANGER, &other).reply(Outcome::Challenged);
    }
}

#[test]
fn a_response_is_no_request() {
    let mut scene = Scene::new();
    let response = request("INVITE", "alice@example.com", "")
        .replace(&format!("INVITE {TARGET} SIP/2.0"), "SIP/2.0 200 OK");
    assert_eq!(scene.udp(TRUNK, &response), Told::Silent(Outcome::ResponseNotOurs));
}

#[test]
fn who_asks_us_alone_claims_nothing() {
    let mut scene = Scene::new();
    let nobody = "pinger@198.18.0.1";
    for uri in ["sip:203.0.113.1", "sip:203.0.113.1:5060;transport=udp"] {
        let ping = request("OPTIONS", nobody, "").replace(TARGET, uri);
        assert_eq!(scene.udp(TRUNK, &ping), Told::Accepted(None, false), "{uri}");
    }
    for uri in ["sip:pbx@203.0.113.1", "sip:203.0.113.1:5070", "sip:203.0.113.2", TARGET] {
        let ping = request("OPTIONS", nobody, "").replace(TARGET, uri);
        let reply = scene.udp(TRUNK, &ping).reply(Outcome::IdentityNotAllowed);
        assert!(reply.starts_with("SIP/2.0 403 "), "{reply}");
    }
}

#[test]
fn who_has_answered_a_challenge_asks_us_without_another() {
    let mut scene = Scene::new();
    for uri in ["sip:203.0.113.1", "sip:EXAMPLE.com", "sips:example.com"] {
        let ping = request("OPTIONS", "alice@example.com", "").replace(TARGET, uri);
        scene.evidence.has_answered = false;
        scene.screen(Transport::Tcp, STRANGER, &ping).reply(Outcome::Challenged);
        scene.evidence.has_answered = true;
        assert_eq!(
            scene.screen(Transport::Tcp, STRANGER, &ping),
            Told::Accepted(None, false),
            "{uri}"
        );
        let other = ping.replace("OPTIONS", "MESSAGE");
        scene.screen(Transport::Tcp, STRANGER, &other).reply(Outcome::Challenged);
    }
    let further = request("OPTIONS", "alice@example.com", "");
    scene.screen(Transport::Tcp, STRANGER, &further).reply(Outcome::Challenged);
}
