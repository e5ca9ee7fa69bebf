//! Users whom the upstream alone can tell.

use super::*;
use crate::proof::digest::{
    Algorithm, Allowance, Failures, Incarnation, NonceBinding, NonceKey, Realm, Vouching,
    VouchingSettings,
};
use crate::trust::Holder;

const REALM: &str = "pbx.example";
const UPSTREAM: &str = "store = \"upstream\"\nupstream = { realm = \"pbx.example\" }";
/// As a telephone system writes it that answers REGISTER and INVITE.
const ASKED: &str = "Digest realm=\"pbx.example\", nonce=\"0815\", algorithm=MD5, qop=\"auth\"";

fn scene() -> Scene {
    scene_with("", NonceBinding::Address)
}

fn scene_with(more: &str, nonce_binding: NonceBinding) -> Scene {
    let text = sample::BASE.replace("store = \"file:users.toml\"", UPSTREAM);
    let text = text.replace("algorithms = [\"SHA-256\", \"MD5\"]", "");
    let text = text.replace("realm = \"pbx.example\"", &format!("realm = \"pbx.example\"{more}"));
    let mut scene = Scene::of(sample::parse(&text).unwrap(), MemoryTable::default());
    let started = scene.border.clock.wall();
    let allow = |failures| Allowance { failures, within: Duration::from_mins(1) };
    let upstream = scene.border.config.users.as_ref().unwrap().upstream.as_ref().unwrap();
    scene.border.vouching = Some(Vouching::new(VouchingSettings {
        realm: Realm::new(REALM).unwrap(),
        algorithm: Algorithm::MD5,
        nonce_keys: NonceKey::new(0, [9; 32]).into(),
        incarnation: Incarnation::new(1),
        nonce_binding,
        nonce_lifetime: Duration::from_mins(1),
        failures: Failures::new(allow(3), allow(5), Duration::from_hours(1), started),
        budget: upstream.budget.budget(),
        budget_per_source: upstream.budget_per_source.budget(),
        unaccepted_per_source: allow(4),
    }));
    scene.border.digest = None;
    scene
}

fn register(more: &str) -> String {
    let lines = format!("Contact: <sip:alice@192.168.1.2>\r\n{more}");
    request("REGISTER", "alice@example.com", &lines)
        .replace("To: <sip:bob@example.com>", "To: <sip:alice@example.com>")
}

fn invite(more: &str) -> String {
    request("INVITE", "alice@example.com", more)
}

/// What a phone writes that has this password.
fn answer_to(challenge: &str, user: &str, method: &str) -> String {
    let header = if method == "REGISTER" { "Authorization" } else { "Proxy-Authorization" };
    let credentials = test_client::answer(challenge, user, "ecila", (method, TARGET));
    let opaque = challenge.split_once("opaque=\"").and_then(|(_, rest)| rest.split_once('"'));
    let opaque = opaque.map(|(opaque, _)| format!(", opaque=\"{opaque}\"")).unwrap_or_default();
    format!("{header}: {credentials}{opaque}\r\n")
}

fn asking(request: &str, challenge: &str) -> String {
    let (status, name) = if request.starts_with("REGISTER") {
        ("401 Unauthorized", "WWW-Authenticate")
    } else {
        ("407 Proxy Authentication Required", "Proxy-Authenticate")
    };
    answer(request, status)
        .replace("Content-Length", &format!("{name}: {challenge}\r\nContent-Length"))
}

fn accepting(register: &str) -> String {
    let contact = "Contact: <sip:alice@192.168.1.2>;expires=6000\r\nContent-Length";
    answer(register, "200 OK").replace("Content-Length", contact)
}

fn is_open(scene: &Scene) -> bool {
    let now = scene.border.now();
    scene.border.ledger().has_answered(&scene.phone, now)
}

fn count_of(scene: &Scene, outcome: Outcome) -> u64 {
    let mut outcomes = scene.border.counters().outcomes();
    outcomes.find(|(name, _)| *name == outcome.name()).unwrap().1
}

impl Scene {
    /// The phone shows that it receives, and the request goes on as it came.
    async fn reaches_upstream(&mut self, request: &dyn Fn(&str) -> String) -> String {
        let method = request("").split(' ').next().unwrap().to_owned();
        self.phone_sends(&request(""));
        let ours = self.phone_hears().await;
        assert!(ours.contains("realm=\"pbx.example\"") && !ours.contains("stale"), "{ours}");
        self.phone_sends(&request(&answer_to(&ours, "alice", &method)));
        let passed = self.upstream_hears().await;
        assert!(!passed.contains("uthorization:"), "{passed}");
        passed
    }

    /// The upstream asks who it is; the phone's answer as it reaches the upstream.
    async fn answers_upstream(
        &mut self,
        request: &dyn Fn(&str) -> String,
        challenge: &str,
    ) -> String {
        let passed = self.reaches_upstream(request).await;
        self.upstream_sends(&asking(&passed, challenge));
        let theirs = self.phone_hears().await;
        assert!(theirs.contains("nonce=\"0815\"") && theirs.contains(",stale=true"), "{theirs}");
        let method = passed.split(' ').next().unwrap();
        self.phone_sends(&request(&answer_to(&theirs, "alice", method)));
        self.upstream_hears().await
    }
}

#[tokio::test]
async fn a_registration_that_the_upstream_accepts_opens_the_phones_place() {
    let mut scene = scene();
    let answered = scene.answers_upstream(&register, ASKED).await;
    assert!(answered.contains("Authorization: Digest username=\"alice\""), "{answered}");
    assert!(!answered.contains("opaque"), "the upstream wrote none: {answered}");
    assert!(answered.contains("\r\nPath: "), "{answered}");
    assert!(!is_open(&scene), "nothing is proven yet");
    scene.upstream_sends(&accepting(&answered));
    let ok = scene.phone_hears().await;
    assert!(ok.starts_with("SIP/2.0 200 ") && !ok.contains("passage"), "{ok}");
    assert!(is_open(&scene));
    let now = scene.border.now();
    let ledger = scene.border.ledger();
    let grant = ledger.grant_for(scene.phone.remote, Some(sbc_common::Lane::Digest)).unwrap();
    assert_eq!(grant.holder, Holder::User("alice".into()));
    assert_eq!((grant.expires_at.0 - now.0).div_ceil(1_000_000_000), 6032);
    drop(ledger);
    scene.counted(&[
        (Outcome::Challenged, 1),
        (Outcome::RequestRelayedInwards, 2),
        (Outcome::ResponseRelayedOutwards, 2),
    ]);
}

#[tokio::test]
async fn the_upstreams_own_opaque_comes_back_to_it() {
    let mut scene = scene();
    let asked = format!("{ASKED}, opaque=\"theirs\"");
    let answered = scene.answers_upstream(&register, &asked).await;
    assert!(answered.contains("opaque=\"theirs\"\r\n"), "{answered}");
}

#[tokio::test]
async fn a_call_that_the_upstream_accepts_opens_the_phones_place_and_can_be_given_up_before() {
    let mut scene = scene();
    let answered = scene.answers_upstream(&invite, ASKED).await;
    scene.upstream_sends(&answer(&answered, "180 Ringing"));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 180 "));
    assert!(!is_open(&scene));
    scene.phone_sends(&invite("").replace("INVITE", "CANCEL"));
    let cancel = scene.upstream_hears().await;
    let branch = |text: &str| {
        let (_, rest) = text.split_once("branch=").unwrap();
        rest.split_once(';').unwrap().0.to_owned()
    };
    assert!(cancel.starts_with("CANCEL ") && branch(&cancel) == branch(&answered), "{cancel}");
    scene.upstream_sends(&answer(&cancel, "200 OK"));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 200 "));
    assert!(!is_open(&scene), "nobody is proven by giving up");
    scene.upstream_sends(&answer(&answered, "200 OK"));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 200 "));
    assert!(is_open(&scene));
}

#[tokio::test]
async fn what_the_upstream_accepts_without_asking_goes_no_further_and_opens_nothing() {
    for request in [&register as &dyn Fn(&str) -> String, &invite] {
        let mut scene = scene();
        let passed = scene.reaches_upstream(request).await;
        for status in ["183 Session Progress", "200 OK"] {
            scene.upstream_sends(&answer(&passed, status));
        }
        scene.upstream_sends(&answer(&passed, "486 Busy Here"));
        assert!(scene.phone_hears().await.starts_with("SIP/2.0 486 "));
        assert!(!is_open(&scene));
        scene.counted(&[
            (Outcome::Challenged, 1),
            (Outcome::RequestRelayedInwards, 1),
            (Outcome::UpstreamDidNotAsk, 2),
            (Outcome::ResponseRelayedOutwards, 1),
        ]);
    }
}

#[tokio::test]
async fn an_answer_to_a_challenge_for_something_else_proves_nobody() {
    let mut scene = scene();
    let passed = scene.reaches_upstream(&register).await;
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    // A call that the upstream may not ask about.
    let credentials = answer_to(&theirs, "alice", "REGISTER");
    scene.phone_sends(&invite(&credentials));
    let passed = scene.upstream_hears().await;
    assert!(!passed.contains("uthorization:"), "{passed}");
    scene.upstream_sends(&answer(&passed, "200 OK"));
    // Another registration with the same answer.
    let other = register(&credentials).replace("Call-ID: one", "Call-ID: two");
    scene.phone_sends(&other);
    let passed = scene.upstream_hears().await;
    assert!(!passed.contains("uthorization:") && !passed.contains("\r\nPath"), "{passed}");
    scene.upstream_sends(&accepting(&passed));
    // Two answers, of which the upstream may look at the other.
    let two = credentials.replace("alice", "bob").replace("Author", "Proxy-Author");
    scene.phone_sends(&register(&format!("{credentials}{two}")));
    let passed = scene.upstream_hears().await;
    scene.upstream_sends(&accepting(&passed));
    assert!(!is_open(&scene));
    assert_eq!(count_of(&scene, Outcome::UpstreamDidNotAsk), 3);
}

#[tokio::test]
async fn invented_credentials_reach_nobody() {
    let mut scene = scene();
    let invented = answer_to(&ASKED.replace(", qop", ",qop"), "alice", "REGISTER");
    scene.phone_sends(&register(&invented.replace("nonce=\"", "opaque=\"AAAA\", nonce=\"")));
    let ours = scene.phone_hears().await;
    assert!(ours.starts_with("SIP/2.0 401 ") && !ours.contains("stale"), "{ours}");
    scene.counted(&[(Outcome::ForeignNonce, 1)]);
}

#[tokio::test]
async fn what_is_known_by_our_nonce_or_the_upstreams_is_good_at_its_own_address_alone() {
    let mut scene = scene();
    let passed = scene.reaches_upstream(&register).await;
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    let elsewhere = Flow::udp(OUTSIDE, "127.0.0.2:5060".parse().unwrap());
    scene.arrives(&elsewhere, &register(&answer_to(&theirs, "alice", "REGISTER")));
    scene.arrives(&elsewhere, &register(""));
    scene.counted(&[
        (Outcome::Challenged, 2),
        (Outcome::ForeignNonce, 1),
        (Outcome::RequestRelayedInwards, 1),
        (Outcome::ResponseRelayedOutwards, 1),
    ]);
}

#[tokio::test]
async fn a_forged_request_is_answered_with_no_more_than_it_was_and_reaches_nobody() {
    let scene = scene();
    let long = "x".repeat(500);
    for request in [register("").replace(&long, ""), request("OPTIONS", "alice@example.com", "")] {
        scene.phone_sends(&request);
    }
    for method in ["CANCEL", "ACK"] {
        scene.phone_sends(&request(method, "alice@example.com", "Contact: <sip:a@192.0.2.9>\r\n"));
    }
    scene.counted(&[
        (Outcome::WouldAmplify, 1),
        (Outcome::ProofMissing, 1),
        (Outcome::Unchallengeable, 2),
    ]);
}

#[tokio::test]
async fn who_is_refused_too_often_is_not_passed_on_any_more() {
    let mut scene = scene();
    for refused in 0..4 {
        let passed = scene.reaches_upstream(&register).await;
        scene.upstream_sends(&asking(&passed, ASKED));
        let theirs = scene.phone_hears().await;
        scene.phone_sends(&register(&answer_to(&theirs, "alice", "REGISTER")));
        if refused == 3 {
            assert!(scene.phone_hears().await.starts_with("SIP/2.0 403 "));
            break;
        }
        let answered = scene.upstream_hears().await;
        // That the nonce was too old is no failure.
        let stale = format!("{ASKED}, stale=true");
        scene.upstream_sends(&asking(&answered, &stale));
        scene.phone_hears().await;
        let refusal = if refused == 1 {
            answer(&answered, "403 Forbidden")
        } else {
            asking(&answered, ASKED)
        };
        scene.upstream_sends(&refusal);
        let again = scene.phone_hears().await;
        assert!(!again.contains("stale"), "{again}");
    }
    assert!(!is_open(&scene));
    assert_eq!(count_of(&scene, Outcome::TooManyFailures), 1);
}

#[tokio::test]
async fn who_is_not_proven_reaches_the_upstream_as_far_as_the_budget_goes() {
    let mut scene =
        scene_with(", budget-per-source = \"1/s burst 2\"", NonceBinding::AddressAndPort);
    let answered = scene.answers_upstream(&register, ASKED).await;
    scene.phone_sends(&register(""));
    let ours = scene.phone_hears().await;
    scene.phone_sends(&register(&answer_to(&ours, "alice", "REGISTER")));
    let put_off = scene.phone_hears().await;
    assert!(put_off.starts_with("SIP/2.0 503 ") && put_off.contains("Retry-After: "), "{put_off}");
    // Who is proven has no such budget.
    scene.upstream_sends(&accepting(&answered));
    scene.phone_hears().await;
    for _ in 0..5 {
        scene.reaches_upstream(&register).await;
    }
    assert_eq!(count_of(&scene, Outcome::UnprovenBudgetSpent), 1);
}

#[tokio::test]
async fn a_user_calls_himself_by_his_own_name_unless_the_upstream_judges_that() {
    for (more, is_let) in [("", false), (", own-name = false", true)] {
        let mut scene = scene_with(more, NonceBinding::Address);
        let ceo = |more: &str| register(more).replace("<sip:alice@", "<sip:ceo@");
        let passed = scene.reaches_upstream(&ceo).await;
        scene.upstream_sends(&asking(&passed, ASKED));
        let theirs = scene.phone_hears().await;
        let claim = "P-Asserted-Identity: <sip:ceo@example.com>\r\n";
        scene.phone_sends(&ceo(&(answer_to(&theirs, "alice", "REGISTER") + claim)));
        if is_let {
            let answered = scene.upstream_hears().await;
            assert!(!answered.contains("P-Asserted"), "{answered}");
        } else {
            assert!(scene.phone_hears().await.starts_with("SIP/2.0 403 "));
            assert_eq!(count_of(&scene, Outcome::IdentityNotAllowed), 1);
        }
    }
}

#[tokio::test]
async fn an_acceptance_that_does_not_say_of_what_opens_nothing_and_is_told_to_no_stranger() {
    let mut scene = scene();
    let answered = scene.answers_upstream(&register, ASKED).await;
    let (start, rest) = answered.split_once(";passage=").unwrap();
    let (token, rest) = rest.split_once("\r\n").unwrap();
    let other = format!("{}AA", &token[..token.len() - 2]);
    for mark in ["", ";passage", &format!(";passage={other}")] {
        scene.upstream_sends(&accepting(&format!("{start}{mark}\r\n{rest}")));
    }
    assert!(!is_open(&scene));
    assert_eq!(count_of(&scene, Outcome::UpstreamDidNotAsk), 3);
    scene.upstream_sends(&accepting(&answered));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 200 "));
    assert!(is_open(&scene));
}

#[tokio::test]
async fn a_phone_that_registers_again_after_its_ticket_is_told_twice_that_it_was_too_late() {
    let mut scene = scene();
    let passed = scene.reaches_upstream(&register).await;
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    let old = answer_to(&theirs, "alice", "REGISTER");
    scene.phone_sends(&register(&old));
    let answered = scene.upstream_hears().await;
    scene.upstream_sends(&accepting(&answered));
    scene.phone_hears().await;
    assert!(is_open(&scene));
    scene.border.clock.advance(Duration::from_mins(2));
    scene.phone_sends(&register(&old));
    let ours = scene.phone_hears().await;
    assert!(ours.contains(",stale=true") && !ours.contains("0815"), "{ours}");
    scene.phone_sends(&register(&answer_to(&ours, "alice", "REGISTER")));
    let passed = scene.upstream_hears().await;
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    assert!(theirs.contains(",stale=true") && theirs.contains("0815"), "{theirs}");
    scene.phone_sends(&register(&answer_to(&theirs, "alice", "REGISTER")));
    let answered = scene.upstream_hears().await;
    assert!(answered.contains("Authorization:") && answered.contains("\r\nPath"), "{answered}");
}

#[tokio::test]
async fn no_more_guesses_are_under_way_than_may_fail() {
    let mut scene = scene();
    let passed = scene.reaches_upstream(&register).await;
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    let guess = register(&answer_to(&theirs, "alice", "REGISTER"));
    for _ in 0..4 {
        scene.phone_sends(&guess);
        scene.upstream_hears().await;
    }
    scene.phone_sends(&guess);
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 503 "));
    assert_eq!(count_of(&scene, Outcome::UnprovenBudgetSpent), 1);
}

#[tokio::test]
async fn nobody_gives_up_a_call_from_elsewhere() {
    let mut scene = scene();
    scene.answers_upstream(&invite, ASKED).await;
    let elsewhere = Flow { remote: "127.0.0.2:5060".parse().unwrap(), ..scene.phone };
    for method in ["CANCEL", "ACK"] {
        scene.arrives(&elsewhere, &invite("").replace("INVITE", method));
    }
    assert_eq!(count_of(&scene, Outcome::Unchallengeable), 2);
}

#[tokio::test]
async fn a_refusal_admits_nobody_to_anything() {
    let mut scene = scene();
    let passed = scene.reaches_upstream(&invite).await;
    assert!(!passed.contains("Record-Route"), "{passed}");
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    scene.phone_sends(&invite(&answer_to(&theirs, "alice", "INVITE")));
    let answered = scene.upstream_hears().await;
    let routes = answered.lines().filter(|line| line.starts_with("Record-Route: "));
    let routes = routes.flat_map(|line| [line, "\r\n"]).collect::<String>();
    assert!(!routes.is_empty(), "{answered}");
    let copied = |status: &str| {
        let lines = format!("{routes}Content-Length");
        answer(&answered, status).replace("Content-Length", &lines)
    };
    // As some stacks do.
    scene.upstream_sends(&copied("403 Forbidden"));
    let refused = scene.phone_hears().await;
    assert!(refused.starts_with("SIP/2.0 403 ") && !refused.contains("Record-Route"), "{refused}");
    scene.upstream_sends(&copied("180 Ringing"));
    assert!(scene.phone_hears().await.contains("\r\nRecord-Route: "));
}

#[tokio::test]
async fn a_call_of_nobodys_has_no_dialog_to_be_in() {
    let mut scene = scene();
    let within = |more: &str| {
        invite(more).replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=made-up")
    };
    scene.phone_sends(&within(""));
    assert_eq!(count_of(&scene, Outcome::Challenged), 0);
    scene.phone_sends(&invite(""));
    let ours = scene.phone_hears().await;
    scene.phone_sends(&within(&answer_to(&ours, "alice", "INVITE")));
    assert_eq!(count_of(&scene, Outcome::RequestRelayedInwards), 0);
}

#[tokio::test]
async fn who_is_known_answers_for_one_user_at_a_time() {
    let mut scene = scene();
    let answered = scene.answers_upstream(&register, ASKED).await;
    scene.upstream_sends(&accepting(&answered));
    scene.phone_hears().await;
    assert!(is_open(&scene));
    scene.phone_sends(&invite(""));
    let ours = scene.phone_hears().await;
    scene.phone_sends(&invite(&answer_to(&ours, "alice", "INVITE")));
    let passed = scene.upstream_hears().await;
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    let answer_as = |user: &str| answer_to(&theirs, user, "INVITE");
    let first = answer_as("alice").replace("Proxy-Authorization", "Authorization");
    for (second, count) in [("", 1), (&answer_as("alice"), 2), (&answer_as("victim"), 0)] {
        scene.phone_sends(&invite(&format!("{first}{second}")));
        let passed = scene.upstream_hears().await;
        assert_eq!(passed.matches("uthorization: ").count(), count, "{passed}");
    }
    scene.phone_sends(&invite(&answer_as("victim")));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 403 "), "his name is another's");
}

#[tokio::test]
async fn a_name_in_another_encoding_is_no_answer() {
    let mut scene = scene();
    let passed = scene.reaches_upstream(&invite).await;
    scene.upstream_sends(&asking(&passed, ASKED));
    let theirs = scene.phone_hears().await;
    let credentials = answer_to(&theirs, "alice", "INVITE");
    let encoded = credentials.replace(", opaque", ", username*=UTF-8''mallory, opaque");
    assert_ne!(encoded, credentials);
    scene.phone_sends(&invite(&encoded));
    assert!(scene.phone_hears().await.contains("realm=\"pbx.example\""));
    assert_eq!(count_of(&scene, Outcome::RequestRelayedInwards), 1);
}

#[tokio::test]
async fn nonces_are_made_with_the_keys_that_are_current() {
    let mut scene = scene();
    scene.phone_sends(&invite(""));
    let ours = scene.phone_hears().await;
    let other = NonceKey::new(1, [8; 32]).into();
    scene.border.vouching.as_ref().unwrap().take_nonce_keys(&other);
    scene.phone_sends(&invite(&answer_to(&ours, "alice", "INVITE")));
    let again = scene.phone_hears().await;
    assert!(again.starts_with("SIP/2.0 407 ") && !again.contains("stale"), "{again}");
    scene.phone_sends(&invite(&answer_to(&again, "alice", "INVITE")));
    scene.upstream_hears().await;
}
