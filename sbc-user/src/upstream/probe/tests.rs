use super::*;
use crate::sip::Reply;
use crate::transport::{Limits, ListenSpec, Listeners};
use crate::upstream::Place;

const OWN: &str = "10.0.0.1:5060";

/// A pool of one, that died after one failure, and what it was asked.
struct Asked {
    pool: Pool,
    to: Flow,
    question: Vec<u8>,
}

impl Asked {
    fn new() -> Self {
        let policy: Probe = toml::from_str("failures = 1\nsuccesses = 1").unwrap();
        let to = Flow::udp(3, "10.0.0.5:5060".parse().unwrap());
        let place = Place { flow: to, name: "sip:10.0.0.5".into(), rank: (1, 0), weight: 1 };
        let pool = Pool::new(vec![place], 1).probed(&policy);
        let target = pool.targets()[0].clone();
        let name = "0123456789abcdef0123456789abcdef";
        let message = question(name, &target, OWN.parse().unwrap());
        let asked = Question { to, health: target.health, message: message.clone() };
        pool.unanswered(|questions| questions.insert(name.to_owned(), asked));
        Self { pool, to, question: message }
    }

    fn answer(&self, status: u16) -> Vec<u8> {
        let question = Message::scan(&self.question).unwrap();
        assert!(is_probe(&question));
        Reply::new(&question, status, OWN.parse().unwrap(), b"far").finish().unwrap()
    }

    fn hears(&self, answer: &[u8], from: &Flow) -> bool {
        self.pool.is_answered(&Message::scan(answer).unwrap(), from)
    }

    fn is_alive(&self) -> bool {
        self.pool.targets()[0].health.is_alive()
    }
}

#[test]
fn whoever_answers_lives_except_with_503() {
    for (status, lives) in [(200, true), (404, true), (483, true), (500, true), (503, false)] {
        let asked = Asked::new();
        assert!(asked.hears(&asked.answer(status), &asked.to));
        assert_eq!(asked.is_alive(), lives, "{status}");
        assert!(!asked.hears(&asked.answer(200), &asked.to), "it was answered");
    }
    let asked = Asked::new();
    asked.pool.targets()[0].health.failed(std::num::NonZeroU8::MIN);
    assert!(asked.hears(&asked.answer(100), &asked.to));
    assert!(!asked.is_alive(), "a provisional response is no answer");
    assert!(asked.hears(&asked.answer(200), &asked.to));
    assert!(asked.is_alive());
}

#[test]
fn an_answer_of_somebody_else_or_to_another_question_changes_nothing() {
    let asked = Asked::new();
    let good = asked.answer(503);
    let neighbour = Flow::udp(3, "10.0.0.6:5060".parse().unwrap());
    let other_port = Flow::udp(3, "10.0.0.5:5061".parse().unwrap());
    let outside = Flow::udp(0, "10.0.0.5:5060".parse().unwrap());
    for from in [neighbour, other_port, outside] {
        assert!(!asked.hears(&good, &from));
    }
    let forged = String::from_utf8(good).unwrap().replace("probe0123", "probe1123");
    assert!(!asked.hears(forged.as_bytes(), &asked.to));
    assert!(asked.is_alive());
}

#[tokio::test]
async fn who_is_silent_dies_after_as_many_questions_as_were_asked_for() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let spec = ListenSpec {
        transport: Transport::Udp,
        address,
        interface: None,
        feeds_connections: true,
        tls: None,
    };
    let silent = Listeners::bind(std::slice::from_ref(&spec), Limits::default()).unwrap();
    let sockets = Listeners::bind(&[spec], Limits::default()).unwrap();
    let policy: Probe = toml::from_str("failures = 2\ntimeout = \"1s\"").unwrap();
    let flow = Flow::udp(0, silent.addresses()[0]);
    let place = Place { flow, name: "sip:silent".into(), rank: (1, 0), weight: 1 };
    let pool = Pool::new(vec![place], 1).probed(&policy);
    let own = [(Transport::Udp, sockets.addresses()[0])];
    let outbox = sockets.outbox();
    let is_alive = || pool.targets()[0].health.is_alive();
    pool.ask_all(&policy, &outbox, &own).await;
    assert!(is_alive());
    pool.ask_all(&policy, &outbox, &own).await;
    assert!(!is_alive());
}
