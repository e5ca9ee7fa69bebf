//! Sources that are proven hostile, and all those who are not.

use sbc_common::{Lane, TrustEntry};

use super::*;
use crate::trust::Place;

const ENFORCED: &str = "[trust]\nban = \"enforce\"\nban-after = \"10 in 5m\"";

fn scene(tail: &str) -> Scene {
    Scene::new(tail, MemoryTable::default())
}

fn attacker(transport: Transport) -> Flow {
    let connection = u64::from(transport != Transport::Udp);
    Flow { transport, listener: OUTSIDE, remote: "198.51.100.66:4000".parse().unwrap(), connection }
}

fn answer_to(scene: &Scene, flow: &Flow, message: &str) -> String {
    let mut answer = Vec::new();
    scene.border.received(flow, message.as_bytes(), Load::Calm, &mut answer);
    String::from_utf8(answer).unwrap()
}

/// A wrong password for a challenge that went to `asked`, in a request from `from`.
fn guess(scene: &Scene, asked: &Flow, from: &Flow) {
    let challenge = answer_to(scene, asked, &request("INVITE", "alice@example.com", ""));
    if challenge.contains("nonce=") {
        let credentials = test_client::answer(&challenge, "alice", "guess", ("INVITE", TARGET));
        let line = format!("Proxy-Authorization: {credentials}\r\n");
        answer_to(scene, from, &request("INVITE", "alice@example.com", &line));
    }
}

fn denied(scene: &Scene) -> Vec<(Place, TrustEntry)> {
    let entries = scene.border.ledger().table().entries().into_iter();
    entries.filter(|(_, entry)| entry.lane() == Some(Lane::Denied)).collect()
}

fn guesses(scene: &Scene, flow: &Flow, count: usize) {
    (0..count).for_each(|_| guess(scene, flow, flow));
}

#[tokio::test]
async fn who_goes_on_guessing_where_he_is_is_denied_for_a_time() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut scene = scene(ENFORCED);
        let attacker = attacker(transport);
        guesses(&scene, &attacker, 9);
        assert!(denied(&scene).is_empty());
        guesses(&scene, &attacker, 1);
        let [(place, entry)] = denied(&scene)[..] else { panic!("{transport}") };
        assert_eq!(place, Place::Address(attacker.remote.ip()));
        let left = entry.expires_at - scene.border.now().0;
        assert_eq!(left.div_ceil(1_000_000_000), 300);
        assert_eq!(scene.border.counters().bans(), [0, 1]);
        assert!(!scene.border.acquaintances.may_include(attacker.remote.ip()), "nobody we know");

        scene.border.clock.advance(Duration::from_mins(5));
        scene.border.sweep();
        assert!(denied(&scene).is_empty());
        guesses(&scene, &attacker, 20);
        let left = denied(&scene)[0].1.expires_at - scene.border.now().0;
        assert_eq!(left.div_ceil(1_000_000_000), 600, "and longer the next time");
    }
}

#[tokio::test]
async fn bans_are_counted_and_not_made_while_they_are_observed() {
    for (tail, expected) in [
        ("[trust]\nban = \"observe\"\nban-after = \"10 in 5m\"", [1, 0]),
        ("[trust]\nban-after = \"10 in 5m\"", [1, 0]),
        ("[trust]\nban = \"off\"\nban-after = \"10 in 5m\"", [0, 0]),
    ] {
        let scene = scene(tail);
        guesses(&scene, &attacker(Transport::Udp), 100);
        assert!(denied(&scene).is_empty());
        assert_eq!(scene.border.counters().bans(), expected, "once, and not for each packet");
    }
}

#[tokio::test]
async fn nonsense_counts_over_connections_alone() {
    for (transport, banned) in [(Transport::Udp, 0), (Transport::Tcp, 1)] {
        let scene = scene(ENFORCED);
        let flow = attacker(transport);
        (0..10).for_each(|_| {
            answer_to(&scene, &flow, "GET / HTTP/1.1\r\n\r\n");
        });
        assert_eq!(denied(&scene).len(), banned, "{transport}");
    }
}

#[tokio::test]
async fn nobody_has_another_banned_by_his_address() {
    let scene = scene(ENFORCED);
    let (attacker, victim) = (attacker(Transport::Udp), scene.phone);
    let made_up = "Proxy-Authorization: Digest username=\"alice\", realm=\"example.com\", \
        nonce=\"AAABi8-WgAAAAAAAAAAAAAAAAAAAAAAAAAAA\", uri=\"sip:bob@example.com\", \
        algorithm=MD5, response=\"00000000000000000000000000000000\", cnonce=\"c0ffee\", \
        qop=auth, nc=00000001\r\n";
    for _ in 0..200 {
        // A nonce that went to himself, in the other's name, and what he makes up.
        guess(&scene, &attacker, &victim);
        answer_to(&scene, &victim, &request("INVITE", "alice@example.com", made_up));
        answer_to(&scene, &victim, "GET / HTTP/1.1\r\n\r\n");
    }
    assert!(denied(&scene).is_empty());
    assert_eq!(scene.border.counters().bans(), [0, 0]);
}

#[tokio::test]
async fn a_nonce_that_an_address_got_before_somebody_else_had_it_is_held_against_nobody() {
    let mut scene = scene(ENFORCED);
    let victim = scene.phone;
    let challenge = answer_to(&scene, &victim, &request("INVITE", "alice@example.com", ""));
    let credentials = test_client::answer(&challenge, "alice", "guess", ("INVITE", TARGET));
    let line = format!("Proxy-Authorization: {credentials}\r\n");
    scene.border.clock.advance(Duration::from_mins(2));
    (0..100).for_each(|_| {
        answer_to(&scene, &victim, &request("INVITE", "alice@example.com", &line));
    });
    assert!(denied(&scene).is_empty());
}

#[tokio::test]
async fn who_guesses_behind_the_same_nat_as_a_phone_cannot_have_it_blocked() {
    let mut scene = scene(ENFORCED);
    let phone = scene.phone;
    scene.promote("alice", &phone);
    for transport in [Transport::Udp, Transport::Tcp] {
        let remote = SocketAddr::new(phone.remote.ip(), 4000);
        let neighbour = Flow { remote, ..attacker(transport) };
        guesses(&scene, &neighbour, 50);
        (0..50).for_each(|_| {
            answer_to(&scene, &neighbour, "GET / HTTP/1.1\r\n\r\n");
        });
    }
    assert!(denied(&scene).is_empty());
    scene.phone_sends(&request("OPTIONS", "alice@example.com", ""));
    assert!(scene.border.ledger().has_answered(&phone, scene.border.now()));
    // Nor for a while after it: his address is that of somebody who returns.
    let lifetime = scene.border.config.users.as_ref().unwrap().lifetime();
    scene.border.clock.advance(lifetime);
    scene.border.sweep();
    guesses(&scene, &phone, 50);
    assert!(denied(&scene).is_empty());
}

#[tokio::test]
async fn peers_and_whom_the_operator_spares_are_never_banned() {
    let peer = "[[peer]]\nname = \"office\"\nrequire = [\"static\", \"digest\"]\n\
        sources = [\"198.51.100.0/24\"]\nopens = [\"udp\", \"tcp\"]\n";
    let spared = format!("{ENFORCED}\nnever-ban = [\"198.51.100.64/26\"]");
    for tail in [&format!("{ENFORCED}\n{peer}"), &spared] {
        let scene = scene(tail);
        for transport in [Transport::Udp, Transport::Tcp] {
            guesses(&scene, &attacker(transport), 100);
        }
        assert!(denied(&scene).is_empty(), "{tail}");
        assert_eq!(scene.border.counters().bans(), [0, 0]);
    }
}

#[tokio::test]
async fn a_whole_ipv6_site_is_one_offender_unless_somebody_in_it_is_spared() {
    for (more, expected) in [
        ("", Some("2001:db8:7::/64")),
        ("\nipv6-subnet = false", Some("2001:db8:7::42")),
        ("\nnever-ban = [\"2001:db8:7::1\"]", None),
        ("\nnever-ban = [\"2001:db8::/32\"]", None),
    ] {
        let scene = scene(&format!("{ENFORCED}{more}"));
        let remote = "[2001:db8:7::42]:4000".parse().unwrap();
        guesses(&scene, &Flow { remote, ..attacker(Transport::Udp) }, 20);
        let denied: Vec<_> = denied(&scene).iter().map(|(place, _)| place.to_string()).collect();
        assert_eq!(denied.first().map(String::as_str), expected);
    }
}

#[tokio::test]
async fn the_operator_and_new_users_lift_bans() {
    let scene = scene(ENFORCED);
    let attacker = attacker(Transport::Udp);
    let banned = Place::Address(attacker.remote.ip());
    guesses(&scene, &attacker, 10);
    assert_eq!(scene.border.lift_bans(Some("198.51.100.67".parse().unwrap())), []);
    assert_eq!(scene.border.lift_bans(Some(attacker.remote.ip())), [banned]);
    guesses(&scene, &attacker, 9);
    assert!(denied(&scene).is_empty(), "he begins anew");
    guesses(&scene, &attacker, 1);
    assert_eq!(denied(&scene).len(), 1);
    scene.border.replace_users(&test_client::users());
    assert_eq!(denied(&scene).len(), 1, "they are the same");
    let users = |text: &str| Arc::new(crate::proof::users::Users::parse(text).unwrap());
    let nobody = users("realm = \"example.com\"");
    scene.border.replace_users(&nobody);
    assert!(denied(&scene).is_empty(), "it may have been ours that was wrong");
    guesses(&scene, &attacker, 10);
    assert_eq!(denied(&scene).len(), 1);
    scene.border.replace_users(&test_client::users());
    assert!(denied(&scene).is_empty(), "somebody is new");
}

#[tokio::test]
async fn a_directory_that_is_asked_again_and_again_lifts_no_bans() {
    let directory = "[directory]\nurl = \"ldap://127.0.0.1\"\nbase = \"\"\nfilter = \"(uid=*)\"\n\
        user-attribute = \"uid\"\n";
    let tail = format!("{ENFORCED}\n{directory}");
    let mut scene = scene(&tail);
    scene.border = scene.border.authorised_by(sample::config(&tail).directory.as_ref());
    let asked = |scene: &Scene, names: &[&str]| {
        let people: Vec<_> = names.iter().map(|name| (*name, "")).collect();
        let people = crate::directory::People::of(&people);
        scene.border.take_people(people, "ldap://127.0.0.1", true).unwrap();
    };
    asked(&scene, &["alice", "bob"]);
    guesses(&scene, &attacker(Transport::Udp), 10);
    assert_eq!(denied(&scene).len(), 1);
    for names in [&["alice", "bob"][..], &["alice"], &["alice", "bob"]] {
        asked(&scene, names);
        assert_eq!(denied(&scene).len(), 1);
    }
    scene.border.replace_users(&test_client::users());
    assert_eq!(denied(&scene).len(), 1, "the store is as it was");
}
