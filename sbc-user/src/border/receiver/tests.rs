//! A border between a phone and an upstream on the loopback interface, driven as the transport drives
//! it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::border::Clock;
use crate::border::parts::BorderParts;
use crate::config::{Config, sample};
use crate::proof::digest::{DigestCheck, test_client};
use crate::proof::tls::ShownCertificate;
use crate::proof::users::User;
use crate::session::{Forwarder, RelayRefusal, RoutingKey, TokenSeal};
use crate::sip::RewriteError;
use crate::transport::{Limits, ListenSpec, Listeners, Running, Transport};
use crate::trust::Ledger;
use crate::trust::memory_table::MemoryTable;
use crate::upstream::Pool;

mod activity;
mod admitted;
mod answers;
mod bans;
mod directory;
mod forged;
mod outwards;
mod overload;
mod registration;
mod stir;
mod succession;
mod undelivered;
mod users;
mod vouching;

const OUTSIDE: u8 = 0;
const TLS: u8 = 1;
const INSIDE: u8 = 2;
const TARGET: &str = "sip:bob@example.com";

const CARRIER: &str = r#"
[[peer]]
name = "carrier"
require = ["tls"]
identities = ["carrier.example"]
sources = ["127.0.0.0/8"]
opens = ["udp"]
on-disconnect = "remove"
may-assert = ["*@carrier.example"]
"#;

/// Puts what a phone and an upstream hear into one box.
struct Mailbox(mpsc::UnboundedSender<(u8, String)>);

impl Receiver for Mailbox {
    fn connected(&self, _: &Flow, _: Party<'_>) -> Admission {
        Admission::Close
    }

    fn received(&self, flow: &Flow, message: &[u8], _: Load, _: &mut Vec<u8>) {
        let _ = self.0.send((flow.listener, String::from_utf8_lossy(message).into_owned()));
    }

    fn broken_off(&self, _: &Flow, _: &[u8], _: Malformed, _: &mut Vec<u8>) {}

    fn refused(&self, _: &Flow, _: Refusal) {}

    fn disconnected(&self, _: &Flow) {}
}

struct Scene {
    border: Border<MemoryTable>,
    /// Its sockets, which nobody reads: the test itself hands messages to the border.
    listeners: Listeners,
    _peers: Running,
    heard: mpsc::UnboundedReceiver<(u8, String)>,
    phone: Flow,
    upstream: Flow,
}

impl Scene {
    fn new(tail: &str, table: MemoryTable) -> Self {
        Self::of(sample::config(tail), table)
    }

    fn of(config: Config, table: MemoryTable) -> Self {
        let udp = || ListenSpec {
            transport: Transport::Udp,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            interface: None,
            feeds_connections: true,
            tls: None,
        };
        let (sender, heard) = mpsc::unbounded_channel();
        let peers = Listeners::bind(&[udp(), udp()], Limits::default()).unwrap();
        let [phone, upstream] = [peers.addresses()[0], peers.addresses()[1]];
        let peers = peers.start(Arc::new(Mailbox(sender))).unwrap();

        let listeners = Listeners::bind(&[udp(), udp(), udp()], Limits::default()).unwrap();
        let transports = [Transport::Udp, Transport::Tls, Transport::Udp];
        let addresses = listeners.addresses().iter().copied();
        let forwarder = Forwarder::new(
            TokenSeal::new(RoutingKey::new([7; 32])),
            transports.into_iter().zip(addresses).collect(),
            INSIDE,
            Arc::new(Pool::of(Flow::udp(INSIDE, upstream))),
        );
        let config = Arc::new(config);
        let clock = Clock::start();
        let border = Border::new(BorderParts {
            ledger: Ledger::begin(table, &config, clock.monotonic()).unwrap(),
            config,
            forwarder,
            digest: Some(test_client::check(clock.wall())),
            outbox: listeners.outbox(),
            clock,
        });
        Self {
            border,
            listeners,
            _peers: peers,
            heard,
            phone: Flow::udp(OUTSIDE, phone),
            upstream: Flow::udp(INSIDE, upstream),
        }
    }

    /// Hands a message to the border, and sends what it answers as the transport does.
    fn arrives(&self, flow: &Flow, message: &str) {
        self.arrives_under(Load::Calm, flow, message);
    }

    fn arrives_under(&self, load: Load, flow: &Flow, message: &str) {
        let mut answer = Vec::new();
        self.border.received(flow, message.as_bytes(), load, &mut answer);
        if !answer.is_empty() {
            let _ = self.border.outbox.send(flow, answer);
        }
    }

    /// A user who is in force has answered a challenge on `flow`.
    fn promote(&self, user: &str, flow: &Flow) {
        let user = self.user(user);
        self.border.promote(&user, flow);
    }

    fn user(&self, name: &str) -> Arc<User> {
        let realms = self.border.digest.as_ref().unwrap().realms();
        let found = realms.users().iter().find(|user| user.label() == name);
        Arc::clone(found.unwrap())
    }

    fn phone_sends(&self, message: &str) {
        self.arrives(&self.phone, message);
    }

    fn upstream_sends(&self, message: &str) {
        self.arrives(&self.upstream, message);
    }

    async fn hear(&mut self) -> (u8, String) {
        let deadline = Duration::from_secs(10);
        timeout(deadline, self.heard.recv()).await.expect("nothing was heard").unwrap()
    }

    async fn phone_hears(&mut self) -> String {
        let (who, message) = self.hear().await;
        assert_eq!(who, 0, "the upstream heard {message}");
        message
    }

    async fn upstream_hears(&mut self) -> String {
        let (who, message) = self.hear().await;
        assert_eq!(who, 1, "the phone heard {message}");
        message
    }

    /// What has become of every message so far, and nothing else.
    #[track_caller]
    fn counted(&self, expected: &[(Outcome, u64)]) {
        let counted: Vec<_> = self.border.counters().outcomes().filter(|(_, it)| *it > 0).collect();
        let mut expected: Vec<_> =
            expected.iter().map(|(outcome, count)| (*outcome, outcome.name(), *count)).collect();
        expected.sort_unstable();
        let expected: Vec<_> = expected.into_iter().map(|(_, name, count)| (name, count)).collect();
        assert_eq!(counted, expected);
    }
}

fn tls_flow(number: u64, remote: &str) -> Flow {
    Flow {
        transport: Transport::Tls,
        listener: TLS,
        remote: remote.parse().unwrap(),
        connection: number,
    }
}

fn showing(shown: &Arc<ShownCertificate>) -> Party<'_> {
    Party { shown: Some(shown), ..Party::default() }
}

fn shown(names: &[&str]) -> Arc<ShownCertificate> {
    Arc::new(ShownCertificate::of(names, u64::MAX))
}

fn request(method: &str, from: &str, more: &str) -> String {
    format!(
        "{method} {TARGET} SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.2;branch=z9hG4bK1;rport\r\n\
         From: <sip:{from}>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: one\r\n\
         CSeq: 1 {method}\r\nMax-Forwards: 70\r\nSubject: {}\r\n{more}Content-Length: 0\r\n\r\n",
        "x".repeat(500)
    )
}

/// The answer of a user agent server, with a tag of its own.
fn answer(request: &str, status: &str) -> String {
    let kept = ["via", "record-route", "from", "to", "call-id", "cseq"];
    let lines = request.split("\r\n").skip(1).filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        kept.contains(&name.to_ascii_lowercase().as_str())
    });
    let lines: Vec<_> = lines
        .map(|line| format!("{line}{}\r\n", if line.starts_with("To:") { ";tag=2" } else { "" }))
        .collect();
    format!("SIP/2.0 {status}\r\n{}Content-Length: 0\r\n\r\n", lines.concat())
}

#[tokio::test]
async fn a_phone_that_answers_its_challenge_calls_and_is_trusted_where_it_is() {
    let mut scene = Scene::new("", MemoryTable::default());
    scene.phone_sends(&request("INVITE", "alice@example.com", ""));
    let challenge = scene.phone_hears().await;
    assert!(challenge.starts_with("SIP/2.0 407 "), "{challenge}");

    let credentials = test_client::answer(&challenge, "alice", "ecila", ("INVITE", TARGET));
    let line = format!("Proxy-Authorization: {credentials}\r\n");
    scene.phone_sends(&request("INVITE", "alice@example.com", &line));
    let invite = scene.upstream_hears().await;
    assert!(!invite.contains("Proxy-Authorization"), "{invite}");
    assert!(scene.border.ledger().has_answered(&scene.phone, scene.border.now()));

    scene.upstream_sends(&answer(&invite, "486 Busy Here"));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 486 "));
    scene.phone_sends(&request("ACK", "alice@example.com", ""));
    assert!(scene.upstream_hears().await.starts_with("ACK "));
    scene.counted(&[
        (Outcome::Challenged, 1),
        (Outcome::RequestRelayedInwards, 2),
        (Outcome::ResponseRelayedOutwards, 1),
    ]);
}

#[tokio::test]
async fn a_stranger_is_challenged_while_others_hold_every_lock() {
    let scene = Scene::new("", MemoryTable::default());
    let (border, request) = (&scene.border, request("INVITE", "alice@example.com", ""));
    let held = (border.ledger(), locked(&border.peers_by_connection));
    let (sender, receiver) = std::sync::mpsc::channel();
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut answer = Vec::new();
            border.received(&scene.phone, request.as_bytes(), Load::Calm, &mut answer);
            sender.send(answer)
        });
        let answer = receiver.recv_timeout(Duration::from_secs(10));
        drop(held);
        answer
    });
    assert!(answer.unwrap().starts_with(b"SIP/2.0 407 "));
    scene.counted(&[(Outcome::Challenged, 1)]);
}

#[tokio::test]
async fn a_proof_that_the_table_has_no_room_for_is_counted_and_the_call_goes_on() {
    let mut scene = Scene::new("", MemoryTable { capacity: Some(0), ..MemoryTable::default() });
    scene.phone_sends(&request("MESSAGE", "alice@example.com", ""));
    let challenge = scene.phone_hears().await;
    let credentials = test_client::answer(&challenge, "alice", "ecila", ("MESSAGE", TARGET));
    let line = format!("Proxy-Authorization: {credentials}\r\n");
    scene.phone_sends(&request("MESSAGE", "alice@example.com", &line));

    assert!(scene.upstream_hears().await.starts_with("MESSAGE "));
    assert_eq!(scene.border.counters().full_table(), 1);
    assert!(!scene.border.ledger().has_answered(&scene.phone, scene.border.now()));
}

#[tokio::test]
async fn a_tls_peers_clear_text_passes_for_as_long_as_it_is_connected() {
    let mut scene = Scene::new(CARRIER, MemoryTable::default());
    let call = request("INVITE", "anyone@carrier.example", "");
    scene.phone_sends(&call);
    scene.counted(&[(Outcome::ProofMissing, 1)]);

    let flows = [tls_flow(7, "127.0.0.1:40000"), tls_flow(8, "127.0.0.2:40000")];
    for flow in &flows {
        let admission = scene.border.connected(flow, showing(&shown(&["carrier.example"])));
        assert_eq!(admission, Admission::Keep);
    }
    scene.border.disconnected(&flows[0]);
    scene.border.sweep();
    scene.phone_sends(&call);
    assert!(scene.upstream_hears().await.starts_with("INVITE "));

    scene.border.disconnected(&flows[1]);
    scene.phone_sends(&call);
    scene.counted(&[(Outcome::ProofMissing, 2), (Outcome::RequestRelayedInwards, 1)]);
}

#[tokio::test]
async fn a_peer_is_itself_on_its_connection_and_nobody_after_it() {
    let mut scene = Scene::new(CARRIER, MemoryTable::default());
    let flow = tls_flow(7, "127.0.0.1:40000");
    let _ = scene.border.connected(&flow, showing(&shown(&["other.example", "carrier.example"])));
    let call = request("INVITE", "anyone@carrier.example", "");
    scene.arrives(&flow, &call);
    let invite = scene.upstream_hears().await;

    // Its connection is nothing that the outbox knows: the answer has nowhere to go.
    scene.upstream_sends(&answer(&invite, "200 OK"));
    scene.border.disconnected(&flow);
    scene.border.disconnected(&flow);
    scene.arrives(&flow, &call);
    scene.counted(&[
        (Outcome::RequestRelayedInwards, 1),
        (Outcome::ConnectionGone, 1),
        (Outcome::ProofMissing, 1),
    ]);
}

#[tokio::test]
async fn a_certificate_lets_in_its_own_peer_from_its_own_sources() {
    let scene = Scene::new(CARRIER, MemoryTable::default());
    let entries = scene.border.ledger().table().entries();
    let here = tls_flow(7, "127.0.0.1:40000");
    let elsewhere = tls_flow(8, "198.18.0.1:40000");
    for (flow, names) in [(&here, ["other.example"]), (&elsewhere, ["carrier.example"])] {
        assert_eq!(scene.border.connected(flow, showing(&shown(&names))), Admission::Close);
    }
    assert_eq!(
        scene.border.connected(&elsewhere, Party::default()),
        Admission::KeepStranger,
        "a phone without one"
    );
    assert_eq!(scene.border.ledger().table().entries(), entries);
    let refusals: Vec<_> =
        scene.border.counters().refusals().filter(|(_, count)| *count > 0).collect();
    assert_eq!(refusals, [("identity-unknown", 1), ("identity-elsewhere", 1)]);
}

#[tokio::test]
async fn a_response_that_cannot_be_rewritten_is_counted_by_what_is_wrong_with_it() {
    let scene = Scene::new("", MemoryTable::default());
    for error in [RewriteError::TooLarge, RewriteError::Overlap] {
        let unwritable = Err(RelayRefusal::Unwritable(error));
        scene.border.forward(unwritable, Outcome::ResponseRelayedOutwards);
    }
    scene.counted(&[(Outcome::MessageTooLarge, 1), (Outcome::Malformed, 1)]);
}

#[tokio::test]
async fn on_the_inside_socket_only_the_upstream_is_heard() {
    let mut scene = Scene::new("", MemoryTable::default());
    let options = request("OPTIONS", "pbx@10.0.0.5", "");
    let stranger = Flow::udp(INSIDE, "127.0.0.9:5060".parse().unwrap());
    scene.arrives(&stranger, &options);
    scene.counted(&[(Outcome::NotFromUpstream, 1)]);

    scene.upstream_sends(&options);
    assert!(scene.upstream_hears().await.starts_with("SIP/2.0 200 "));
    scene.upstream_sends(&request("INVITE", "pbx@10.0.0.5", ""));
    assert!(scene.upstream_hears().await.starts_with("SIP/2.0 404 "));
    scene.upstream_sends(&request("ACK", "pbx@10.0.0.5", ""));
    scene.counted(&[
        (Outcome::NotFromUpstream, 1),
        (Outcome::UpstreamOptionsAnswered, 1),
        (Outcome::NoRoute, 2),
    ]);
}

#[tokio::test]
async fn what_a_proxy_must_refuse_is_refused_with_its_reason() {
    let trunk = "[[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\n\
        sources = [\"127.0.0.1\"]\nopens = [\"udp\"]";
    let mut scene = Scene::new(trunk, MemoryTable::default());
    scene.phone_sends(&request(
        "INVITE",
        "a@b.example",
        "Proxy-Require: a, b\r\nProxy-Require: c\r\n",
    ));
    let refusal = scene.phone_hears().await;
    assert!(refusal.starts_with("SIP/2.0 420 "), "{refusal}");
    assert!(refusal.contains("\r\nUnsupported: a, b\r\nUnsupported: c\r\n"), "{refusal}");
    let spent = request("INVITE", "a@b.example", "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    scene.phone_sends(&spent);
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 483 "));
    scene.phone_sends(&spent.replace("INVITE", "ACK"));
    scene.counted(&[(Outcome::BadExtension, 1), (Outcome::TooManyHops, 2)]);
}

#[tokio::test]
async fn what_cannot_be_read_and_what_answers_nothing_is_counted_and_goes_nowhere() {
    let scene = Scene::new("", MemoryTable::default());
    scene.phone_sends("INVITE sip:a@b SIP/2.0\r\n\r\n");
    scene.upstream_sends("nonsense");
    let ok = request("INVITE", "alice@example.com", "")
        .replace(&format!("INVITE {TARGET} SIP/2.0"), "SIP/2.0 200 OK");
    scene.phone_sends(&ok);
    scene.upstream_sends(&ok);
    scene.counted(&[(Outcome::Malformed, 2), (Outcome::ResponseNotOurs, 2)]);
    assert_eq!(scene.border.counters().received().next(), Some(("udp", 2)));
}
