//! A phone registers, and the upstream calls it.

use super::*;
use crate::session::Registrant;

/// Alice registers over UDP; the registration as it reaches the upstream.
async fn registration(scene: &mut Scene) -> String {
    scene.phone_sends(&register(""));
    let challenge = scene.phone_hears().await;
    assert!(challenge.starts_with("SIP/2.0 401 "), "{challenge}");
    let credentials = test_client::answer(&challenge, "alice", "ecila", ("REGISTER", TARGET));
    scene.phone_sends(&register(&format!("Authorization: {credentials}\r\n")));
    scene.upstream_hears().await
}

fn register(more: &str) -> String {
    let lines = format!("Contact: <sip:alice@192.168.1.2>\r\n{more}");
    request("REGISTER", "alice@example.com", &lines)
        .replace("To: <sip:bob@example.com>", "To: <sip:alice@example.com>")
}

fn accepted(register: &str, expires: &str) -> String {
    let contact = format!("Contact: <sip:alice@192.168.1.2>;expires={expires}\r\nContent-Length");
    answer(register, "200 OK").replace("Content-Length", &contact)
}

/// A call to the phone that registered so.
fn call_to(register: &str) -> String {
    let line = |start: &str| register.split("\r\n").find_map(|line| line.strip_prefix(start));
    let path = line("Path: ").expect("a Path");
    request("INVITE", "carol@example.com", &format!("Route: {path}\r\n"))
        .replace(&format!("INVITE {TARGET} SIP/2.0"), "INVITE sip:alice@192.168.1.2 SIP/2.0")
}

fn seconds_left(scene: &Scene) -> u64 {
    let (now, ledger) = (scene.border.now(), scene.border.ledger());
    let grant = ledger.grant_for(scene.phone.remote, Some(sbc_common::Lane::Digest)).unwrap();
    (grant.expires_at.0 - now.0).div_ceil(1_000_000_000)
}

#[tokio::test]
async fn a_phone_that_registered_is_called_and_stays_open_for_as_long_as_it_was_granted() {
    let mut scene = Scene::new("", MemoryTable::default());
    let register = registration(&mut scene).await;
    assert!(!register.contains("Authorization"), "{register}");
    assert_eq!(seconds_left(&scene), 3600, "the lifetime of a proof");
    scene.upstream_sends(&accepted(&register, "6000"));
    let ok = scene.phone_hears().await;
    assert!(ok.contains(";expires=6000\r\n"), "{ok}");
    assert_eq!(seconds_left(&scene), 6032);

    scene.upstream_sends(&call_to(&register));
    let invite = scene.phone_hears().await;
    assert!(invite.starts_with("INVITE sip:alice@192.168.1.2 SIP/2.0\r\n"), "{invite}");
    assert!(!invite.contains("Route: <sip:10."), "{invite}");
    scene.phone_sends(&answer(&invite, "486 Busy Here"));
    assert!(scene.upstream_hears().await.starts_with("SIP/2.0 486 "));
    scene.counted(&[
        (Outcome::Challenged, 1),
        (Outcome::RequestRelayedInwards, 1),
        (Outcome::ResponseRelayedOutwards, 1),
        (Outcome::RequestRelayedOutwards, 1),
        (Outcome::ResponseRelayedInwards, 1),
    ]);
}

#[tokio::test]
async fn who_is_granted_more_than_the_longest_is_told_the_longest() {
    let mut scene = Scene::new("", MemoryTable::default());
    let register = registration(&mut scene).await;
    scene.upstream_sends(&accepted(&register, "86400"));
    let ok = scene.phone_hears().await;
    assert!(ok.contains(";expires=7200\r\n"), "{ok}");
    assert_eq!(seconds_left(&scene), 7232);
}

#[tokio::test]
async fn a_refused_registration_and_an_answer_to_something_else_prolong_nothing() {
    let mut scene = Scene::new("", MemoryTable::default());
    let register = registration(&mut scene).await;
    let accepted = accepted(&register, "7200");
    for other in [
        accepted.replace("SIP/2.0 200 OK", "SIP/2.0 403 Forbidden"),
        accepted.replace("SIP/2.0 200 OK", "SIP/2.0 100 Trying"),
        accepted.replace("CSeq: 1 REGISTER", "CSeq: 1 SUBSCRIBE"),
    ] {
        scene.upstream_sends(&other);
        scene.phone_hears().await;
        assert_eq!(seconds_left(&scene), 3600);
    }
    let stranger = Flow::udp(OUTSIDE, scene.phone.remote);
    scene.border.received(&stranger, accepted.as_bytes(), Load::Calm, &mut Vec::new());
    assert_eq!(seconds_left(&scene), 3600, "not from the upstream");
}

#[tokio::test]
async fn a_phone_whose_proof_is_gone_is_not_called() {
    let mut scene = Scene::new("", MemoryTable::default());
    let register = registration(&mut scene).await;
    // Two others of hers: she may be at two places, and the oldest makes room.
    for port in [1, 2] {
        let elsewhere = Flow::udp(OUTSIDE, SocketAddr::from(([127, 0, 0, 1], port)));
        scene.promote("alice", &elsewhere);
    }
    scene.upstream_sends(&call_to(&register));
    let refusal = scene.upstream_hears().await;
    assert!(refusal.starts_with("SIP/2.0 480 "), "{refusal}");
    scene.counted(&[
        (Outcome::Challenged, 1),
        (Outcome::RequestRelayedInwards, 1),
        (Outcome::FlowExpired, 1),
    ]);
}

#[tokio::test]
async fn a_place_where_somebody_else_is_now_is_not_called_for_who_was_there() {
    let mut scene = Scene::new("", MemoryTable::default());
    let register = registration(&mut scene).await;
    scene.promote("bob", &scene.phone);
    scene.upstream_sends(&call_to(&register));
    assert!(scene.upstream_hears().await.starts_with("SIP/2.0 480 "));
    scene.promote("alice", &scene.phone);
    scene.upstream_sends(&call_to(&register));
    assert!(scene.phone_hears().await.starts_with("INVITE "));
}

#[tokio::test]
async fn a_phone_whose_connection_is_gone_is_not_called_and_who_was_promised_hears_why() {
    let mut scene = Scene::new("", MemoryTable::default());
    let gone = tls_flow(7, "127.0.0.1:40000");
    let token = scene.border.forwarder.seal().registration(Registrant::User("alice"), &gone);
    let address = scene.listeners.addresses()[usize::from(INSIDE)];
    for (outbound, status) in [("", "480"), (";ob", "430")] {
        let route = format!("Path: <sip:{token}@{address};lr{outbound}>\r\n");
        scene.upstream_sends(&call_to(&route));
        let refusal = scene.upstream_hears().await;
        assert!(refusal.starts_with(&format!("SIP/2.0 {status} ")), "{refusal}");
    }
    scene.upstream_sends(&call_to(&format!("Path: <sip:AAAA@{address};lr>\r\n")));
    assert!(scene.upstream_hears().await.starts_with("SIP/2.0 403 "));
    scene.counted(&[(Outcome::ConnectionGone, 2), (Outcome::ForgedRoute, 1)]);
}

#[tokio::test]
async fn what_a_peer_registers_without_answering_prolongs_nobodys_proof() {
    let office = "[[peer]]\nname = \"office\"\nrequire = [\"static\"]\nsources = [\"127.0.0.1\"]\n\
        opens = [\"udp\"]";
    let mut scene = Scene::new(office, MemoryTable::default());
    scene.promote("alice", &scene.phone);
    scene.phone_sends(&register(""));
    let register = scene.upstream_hears().await;
    scene.upstream_sends(&accepted(&register, "7200"));
    scene.phone_hears().await;
    assert_eq!(seconds_left(&scene), 3600);
}

#[tokio::test]
async fn a_listed_phone_is_called_for_as_long_as_it_is_listed() {
    let trunk = |name: &str, source: &str| {
        format!(
            "[[peer]]\nname = \"{name}\"\nrequire = [\"static\"]\nsources = [\"{source}\"]\n\
             opens = [\"udp\"]"
        )
    };
    let mut scene = Scene::new(&trunk("office", "127.0.0.1"), MemoryTable::default());
    scene.phone_sends(&register(""));
    let register = scene.upstream_hears().await;
    scene.upstream_sends(&accepted(&register, "86400"));
    assert!(scene.phone_hears().await.contains(";expires=86400\r\n"), "no entry to outlive");
    scene.upstream_sends(&call_to(&register));
    assert!(scene.phone_hears().await.starts_with("INVITE "));

    for other in [trunk("office", "127.0.0.9"), trunk("trunk", "127.0.0.1")] {
        scene.border.config = Arc::new(sample::config(&other));
        scene.upstream_sends(&call_to(&register));
        assert!(scene.upstream_hears().await.starts_with("SIP/2.0 480 "));
    }
}
