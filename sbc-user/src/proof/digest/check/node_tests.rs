//! Several nodes, and several runs of one, which share the keys of their nonces.

use super::tests::{ALICE, Client, Scene, request, source, users};
use super::*;
use crate::proof::digest::NonceKey;
use crate::proof::digest::test_client::{START, settings};
use crate::session::{KeyFile, Rotation};

const HOUR: u64 = 3600;

fn keys(current: u8, beside: u8) -> NonceKeys {
    let key = |number: u8| NonceKey::new(number, [number; 32]);
    NonceKeys { current: key(current), beside: Some(key(beside)) }
}

/// One run of a node.
fn run(number: u64, nonce_keys: NonceKeys) -> Scene {
    let incarnation = Incarnation::new(number);
    let replay_capacity = NonZeroUsize::new(256).unwrap();
    let settings = settings(&Algorithm::ALL, START);
    Scene::with(DigestSettings { nonce_keys, incarnation, replay_capacity, ..settings })
}

/// What Alice answers when it is her so-manieth request with a nonce.
fn counted(count: u32, nonce: &str) -> String {
    Client { count, ..ALICE }.answer(nonce)
}

/// By what is in force now.
impl Scene {
    fn nonce_now(&self, number: u32) -> String {
        let realms = self.check.realms();
        let nonce = self.check.realm_of(&realms, []).nonce(source(), START, number);
        String::from_utf8(nonce.to_vec()).unwrap()
    }

    fn judge_now(&self, answer: &str) -> &'static str {
        let realms = self.check.realms();
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        let realm = self.check.realm_of(&realms, []);
        realm.judge(&credentials, &request(), self.check.offered(), START).name()
    }
}

fn wrong() -> Client {
    Client { password: "guess", ..ALICE }
}

#[test]
fn a_nonce_of_another_node_is_asked_for_anew_and_nothing_replayed_there_is_accepted() {
    let nodes = [run(1, keys(1, 0)), run(2, keys(1, 0))];
    for (one, other) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
        let nonce = one.nonce();
        let answer = ALICE.answer(&nonce);
        assert_eq!(other.judge(&answer), "stale", "unused");
        assert_eq!(one.judge(&answer), "proven");
        for _ in 0..3 {
            assert_eq!(other.judge(&answer), "stale", "used where it was issued");
        }
        let counted_on = counted(2, &nonce);
        assert_eq!(other.judge(&counted_on), "stale");
        assert_eq!(one.judge(&counted_on), "proven", "and it goes on there");
        assert_eq!(other.judge(&wrong().answer(&nonce)), "wrong", "only who is right is told");
    }
}

#[test]
fn who_guesses_with_a_nonce_of_another_node_has_no_more_guesses() {
    let (one, other) = (run(1, keys(1, 0)), run(2, keys(1, 0)));
    let verdicts = (0..4).map(|number| other.judge(&wrong().answer(&one.nonce_number(number))));
    assert_eq!(verdicts.collect::<Vec<_>>(), ["wrong", "wrong", "wrong", "too-many-failures"]);
}

#[test]
fn after_a_restart_what_was_used_before_is_asked_for_anew_wherever_the_clock_has_gone() {
    let before = run(1, keys(1, 0));
    let answer = ALICE.answer(&before.nonce());
    assert_eq!(before.judge(&answer), "proven");
    for started in [START.0 - HOUR * 1000, START.0, START.0 + 1, START.0 + HOUR * 1000] {
        let started = UnixMillis(started);
        let (nonce_keys, incarnation) = (keys(1, 0), Incarnation::new(2));
        let settings =
            DigestSettings { nonce_keys, incarnation, ..settings(&Algorithm::ALL, started) };
        let check = DigestCheck::new(settings, users(), started);
        let realms = check.realms();
        let realm = check.realm_of(&realms, []);
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        let verdict = realm.judge(&credentials, &request(), check.offered(), started);
        assert!(matches!(verdict, DigestVerdict::Stale), "{started:?}: {verdict:?}");
    }
}

/// As many answers under way as a change of keys meets.
#[test]
fn keys_change_under_traffic_and_nobody_notices() {
    let scene = run(1, keys(1, 0));
    let asked_before = [scene.nonce_number(1), scene.nonce_number(2)];
    assert_eq!(scene.judge_now(&ALICE.answer(&asked_before[0])), "proven");
    scene.check.take_nonce_keys(keys(1, 2));
    assert_eq!(scene.judge_now(&counted(2, &asked_before[0])), "proven");
    scene.check.take_nonce_keys(keys(2, 1));
    assert_eq!(scene.judge_now(&counted(3, &asked_before[0])), "proven");
    assert_eq!(scene.judge_now(&counted(3, &asked_before[0])), "retransmission");
    assert_eq!(scene.judge_now(&ALICE.answer(&asked_before[1])), "proven");
    let asked_after = scene.nonce_now(3);
    assert_ne!(asked_after, scene.nonce_number(3), "made with the next key");
    assert_eq!(scene.judge_now(&ALICE.answer(&asked_after)), "proven");
    scene.check.take_nonce_keys(keys(3, 2));
    assert_eq!(scene.judge_now(&counted(2, &asked_before[1])), "nonce-not-ours");
    assert_eq!(scene.judge_now(&counted(2, &asked_after)), "proven");
}

#[test]
fn users_who_are_replaced_and_keys_that_change_do_not_undo_each_other() {
    let scene = run(1, keys(1, 0));
    let nonce = scene.nonce();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(|_| drop(scene.check.replace_users(users()))));
        scope.spawn(|| {
            (0..200).for_each(|_| {
                scene.check.take_nonce_keys(keys(0, 1));
                scene.check.take_nonce_keys(keys(2, 1));
            });
        });
    });
    let after = scene.nonce_now(0);
    assert_ne!(after, nonce);
    assert_eq!(run(1, keys(2, 3)).judge(&ALICE.answer(&after)), "proven", "by the last key");
}

#[test]
fn nodes_with_one_key_file_know_each_other_through_every_change() {
    let directory = tempfile::tempdir().unwrap();
    let day = Duration::from_hours(24);
    let file = KeyFile::new(directory.path(), Rotation { period: day, overlap: day });
    let start = START.0 / 1000;
    let of = |now: u64| file.turn(now).unwrap().nonce_keys(now).unwrap();
    let nodes = [run(1, of(start)), run(2, of(start))];
    let mut used = std::collections::HashSet::new();
    for (number, at) in (1..).zip((0..3 * 24 * HOUR).step_by(1733)) {
        // The other looks at the file up to a minute later.
        let (seen, seen_by_other) = (of(start + at), of(start + at - at.min(60)));
        used.insert(seen.current.number);
        nodes[0].check.take_nonce_keys(seen);
        nodes[1].check.take_nonce_keys(seen_by_other);
        for (one, other) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
            let nonce = one.nonce_now(number);
            let answer = ALICE.answer(&nonce);
            assert_eq!(other.judge_now(&answer), "stale", "{at}");
            assert_eq!(one.judge_now(&answer), "proven", "{at}");
        }
    }
    assert_eq!(used.len(), 3);
}
