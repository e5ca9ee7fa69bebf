//! What is counted of each peer, and of users.

use super::*;
use crate::border::ActivityStatus;

const TRUNK: &str = "[[peer]]\nname = \"quiet\"\nrequire = [\"static\"]\n\
    sources = [\"192.0.2.1\"]\nopens = [\"udp\"]\n\
    [[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\nsources = [\"127.0.0.1\"]\nopens = [\"udp\"]\n\
    may-assert = [\"*@trunk.example\"]\ntarget = \"sip:127.0.0.1:5060\"\n[[route]]\npeer = \"trunk\"\n";

/// The rows of whoever did something.
#[track_caller]
fn expect_activity(scene: &Scene, expected: &[ActivityStatus]) {
    let quiet = |row: &ActivityStatus| ActivityStatus {
        holder: row.holder.clone(),
        ..ActivityStatus::default()
    };
    let rows = scene.border.activity.status();
    let active: Vec<_> = rows.into_iter().filter(|row| *row != quiet(row)).collect();
    assert_eq!(active, expected);
}

fn row(holder: &str) -> ActivityStatus {
    ActivityStatus { holder: holder.to_owned(), ..ActivityStatus::default() }
}

#[tokio::test]
async fn a_call_of_a_peer_is_counted_once_however_often_it_is_repeated() {
    let mut scene = Scene::new(TRUNK, MemoryTable::default());
    let call = request("INVITE", "anyone@trunk.example", "");
    let mut invite = String::new();
    for _ in 0..2 {
        scene.phone_sends(&call);
        invite = scene.upstream_hears().await;
    }
    for _ in 0..2 {
        scene.upstream_sends(&answer(&invite, "200 OK"));
        assert!(scene.phone_hears().await.starts_with("SIP/2.0 200 "));
    }
    let trunk = row("peer trunk");
    let called = ActivityStatus { accepted: 2, calls_from: 1, answered_from: 1, ..trunk };
    expect_activity(&scene, std::slice::from_ref(&called));

    scene.phone_sends(&request("INVITE", "anyone@elsewhere.example", ""));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 403 "));
    expect_activity(&scene, &[ActivityStatus { refused: 1, ..called }]);
}

#[tokio::test]
async fn a_call_to_a_peer_is_counted_where_it_goes() {
    let mut scene = Scene::new(TRUNK, MemoryTable::default());
    let pool = Arc::new(Pool::of(scene.phone));
    scene.border = scene.border.reaching(vec![None, Some(pool)]);
    scene.upstream_sends(&request("INVITE", "pbx@10.0.0.5", ""));
    let invite = scene.phone_hears().await;
    for status in ["180 Ringing", "200 OK", "200 OK"] {
        scene.phone_sends(&answer(&invite, status));
        assert!(scene.upstream_hears().await.contains(status));
    }
    expect_activity(&scene, &[ActivityStatus { calls_to: 1, answered_to: 1, ..row("peer trunk") }]);
}

#[tokio::test]
async fn users_have_one_row_and_strangers_none() {
    let mut scene = Scene::new("", MemoryTable::default());
    scene.phone_sends(&request("REGISTER", "alice@example.com", ""));
    let challenge = scene.phone_hears().await;
    // Nobody's answer to a challenge is nobody's request.
    let wrong = test_client::answer(&challenge, "alice", "wrong", ("REGISTER", TARGET));
    scene.phone_sends(&request(
        "REGISTER",
        "x@example.com",
        &format!("Authorization: {wrong}\r\n"),
    ));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 401 "));
    expect_activity(&scene, &[]);

    let right = test_client::answer(&challenge, "alice", "ecila", ("REGISTER", TARGET));
    let register = request("REGISTER", "alice@example.com", &format!("Authorization: {right}\r\n"));
    scene.phone_sends(&register);
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 403 "), "she may not register bob");
    scene.phone_sends(&register.replace("To: <sip:bob@", "To: <sip:alice@"));
    let challenge = scene.phone_hears().await;
    assert!(challenge.starts_with("SIP/2.0 401 "), "another request with the same answer");
    let right = test_client::answer(&challenge, "alice", "ecila", ("REGISTER", TARGET));
    let more = format!("Authorization: {right}\r\n");
    let register = request("REGISTER", "alice@example.com", &more);
    scene.phone_sends(&register.replace("To: <sip:bob@", "To: <sip:alice@"));
    assert!(scene.upstream_hears().await.starts_with("REGISTER "));
    let users = ActivityStatus { accepted: 1, refused: 1, registrations: 1, ..row("users") };
    expect_activity(&scene, &[users]);
}

#[tokio::test]
async fn a_response_that_nothing_of_ours_asked_for_answers_no_call() {
    let mut scene = Scene::new(TRUNK, MemoryTable::default());
    let call = request("INVITE", "anyone@trunk.example", "");
    scene.phone_sends(&call);
    let invite = scene.upstream_hears().await;
    scene.upstream_sends(&answer(&call, "200 OK"));
    scene.phone_sends(&answer(&invite, "200 OK"));
    scene.upstream_sends(&answer(&invite, "486 Busy Here"));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 486 "));
    expect_activity(&scene, &[ActivityStatus { accepted: 1, calls_from: 1, ..row("peer trunk") }]);
}
