//! Users whom a directory says to let in, or not.

use super::*;
use crate::border::{DirectoryStatus, Reception, Replaced};
use crate::directory::People;
use crate::proof::users::Users;
use crate::sip::Uri;

const DIRECTORY: &str = "[directory]\nurl = \"ldap://127.0.0.1\"\nbase = \"\"\nfilter = \"(uid=*)\"\n\
    user-attribute = \"uid\"\n";
const CLAIMS: &str = "identity-attributes = [\"mail\"]\n";
const SERVER: &str = "ldap://127.0.0.1";

/// A border of users, all with MD5 alone and the hash of their names' first letter, by a directory of which nothing is
/// known yet.
fn scene(tail: &str, users: &str) -> Scene {
    let tail = format!("{DIRECTORY}{tail}");
    let mut scene = Scene::new(&tail, MemoryTable::default());
    scene.border.replace_users(&store(users));
    let settings = sample::config(&tail).directory;
    scene.border = scene.border.authorised_by(settings.as_ref());
    scene
}

fn store(users: &str) -> Arc<Users> {
    let user = |line: &str| {
        let (name, more) = line.split_once(' ').unwrap_or((line, ""));
        let md5 = "a".repeat(32);
        format!("[[user]]\nname = \"{name}\"\nmd5 = \"{md5}\"\n{more}\n")
    };
    let users = users.split(", ").map(user).collect::<String>();
    Arc::new(Users::parse(&format!("realm = \"example.com\"\n{users}")).unwrap())
}

fn take(scene: &Scene, people: &[&str]) -> Reception {
    let people: Vec<_> = people.iter().map(|it| it.split_once(' ').unwrap_or((it, ""))).collect();
    scene.border.take_people(People::of(&people), SERVER, false).unwrap()
}

/// How many lost what, and how many are let in.
#[track_caller]
fn believed(reception: &Reception) -> (usize, usize, usize) {
    match reception {
        Reception::Believed { replaced: Replaced { disproved, shut }, let_in, .. } => {
            (*disproved, *shut, *let_in)
        }
        Reception::Doubted(doubt) => panic!("{doubt}"),
    }
}

fn is_let_in(scene: &Scene, name: &str) -> bool {
    !scene.user(name).is_barred()
}

fn may_say(scene: &Scene, name: &str, uri: &str) -> bool {
    let may_assert = scene.user(name).permissions().may_assert.clone();
    may_assert.unwrap().allow(&Uri::parse(uri.as_bytes()).unwrap())
}

fn status(scene: &Scene) -> DirectoryStatus {
    scene.border.directory_status().unwrap()
}

fn place(number: u8) -> Flow {
    Flow::udp(OUTSIDE, SocketAddr::from(([198, 18, 0, number], 5060)))
}

#[tokio::test]
async fn nobody_is_let_in_before_the_directory_has_answered_and_nobody_fails_by_that() {
    let mut scene = scene("", "bob");
    // Alice's password is one that the test's phone knows.
    let alice = test_client::check(scene.border.clock.wall());
    scene.border.replace_users(alice.realms().users());
    let ask = |scene: &Scene| scene.phone_sends(&request("INVITE", "alice@example.com", ""));
    for _ in 0..30 {
        ask(&scene);
        let challenge = scene.phone_hears().await;
        let credentials = test_client::answer(&challenge, "alice", "ecila", ("INVITE", TARGET));
        let answered = format!("Proxy-Authorization: {credentials}\r\n");
        scene.phone_sends(&request("INVITE", "alice@example.com", &answered));
        assert!(scene.phone_hears().await.starts_with("SIP/2.0 407 "));
    }
    assert!(!scene.border.ledger().has_answered(&scene.phone, scene.border.now()));
    let before = status(&scene);
    assert_eq!((before.server, before.let_in, before.age_seconds), (None, 0, None));

    assert_eq!(believed(&take(&scene, &["Alice"])).2, 1);
    ask(&scene);
    let challenge = scene.phone_hears().await;
    let credentials = test_client::answer(&challenge, "alice", "ecila", ("INVITE", TARGET));
    let answered = format!("Proxy-Authorization: {credentials}\r\n");
    scene.phone_sends(&request("INVITE", "alice@example.com", &answered));
    assert!(scene.upstream_hears().await.starts_with("INVITE "));
    let after = status(&scene);
    assert_eq!((after.server.as_deref(), after.people, after.let_in), (Some(SERVER), 1, 1));
}

#[tokio::test]
async fn who_is_taken_out_loses_his_places_at_once_and_the_rest_keep_theirs() {
    let scene = scene("", "alice, bob, carol");
    assert_eq!(believed(&take(&scene, &["alice", "bob", "carol"])), (0, 0, 3));
    for (number, user) in (1..).zip(["alice", "bob", "carol"]) {
        scene.promote(user, &place(number));
    }
    let alice = scene.user("alice");
    // His place, and his return to it.
    assert_eq!(believed(&take(&scene, &["bob", "carol", "dave"])), (1, 2, 2));
    assert!(!is_let_in(&scene, "alice") && is_let_in(&scene, "bob"));
    // What was judged before opens nothing now.
    scene.border.promote(&alice, &place(9));
    let open = |number| scene.border.ledger().has_answered(&place(number), scene.border.now());
    assert_eq!([1, 2, 3, 9].map(open), [false, true, true, false]);
    // He is not lost twice.
    assert_eq!(believed(&take(&scene, &["bob", "carol"])), (0, 0, 2));
    assert_eq!(believed(&take(&scene, &["bob", "carol", "alice"])), (0, 0, 3));
}

#[tokio::test]
async fn users_who_are_read_anew_stay_as_the_directory_says() {
    let scene = scene("", "alice");
    scene.border.replace_users(&store("alice, bob"));
    assert!(!is_let_in(&scene, "alice") && !is_let_in(&scene, "bob"));
    take(&scene, &["bob"]);
    let told = scene.border.replace_users(&store("alice, bob, carol"));
    assert_eq!(told, Replaced { disproved: 0, shut: 0 });
    assert!(!is_let_in(&scene, "alice") && is_let_in(&scene, "bob") && !is_let_in(&scene, "carol"));
    let DirectoryStatus { let_in, barred, .. } = status(&scene);
    assert_eq!((let_in, barred), (1, 2));
}

#[tokio::test]
async fn a_name_that_two_entries_have_is_refused_by_name() {
    let scene = scene("", "alice, bob");
    let reception = take(&scene, &["alice", "bob", "ALICE"]);
    let Reception::Believed { ambiguous, let_in, .. } = reception else { panic!() };
    assert_eq!((ambiguous, let_in), (vec!["alice".to_owned()], 1));
    assert!(!is_let_in(&scene, "alice"));
}

#[tokio::test]
async fn what_the_directory_says_is_bounded_by_the_store_and_the_configuration() {
    let bound = "may-assert = [\"tel:+1212*\", \"*@example.com\"]\n";
    let users = "alice, bob may-assert = [\"tel:+12125*\"], carol";
    let scene = scene(&format!("{CLAIMS}{bound}"), users);
    let people = ["alice +1 212 555 0001", "bob +12125550002", "bob2 x", "carol +13125550003"];
    take(&scene, &people);
    for (name, uri, expected) in [
        ("alice", "tel:+1-212-555-0001", true),
        ("alice", "sip:+12125550001@example.com", true),
        // Not what her name makes: the directory says who she is.
        ("alice", "sip:alice@example.com", false),
        ("alice", "tel:+12125550002", false),
        ("bob", "tel:+12125550002", true),
        // The store allows it over tel alone.
        ("bob", "sip:+12125550002@example.com", false),
        ("carol", "tel:+13125550003", false),
        ("carol", "sip:carol@example.com", false),
    ] {
        assert_eq!(may_say(&scene, name, uri), expected, "{name} {uri}");
    }
    // Another number, and what he has opened stays open.
    scene.promote("alice", &place(1));
    let told = take(&scene, &["alice +12125550009", "bob", "carol"]);
    assert_eq!(believed(&told), (0, 0, 3));
    assert!(may_say(&scene, "alice", "tel:+12125550009"));
    assert!(!may_say(&scene, "bob", "tel:+12125550002"));
}

#[tokio::test]
async fn a_directory_that_says_nothing_of_identities_leaves_them_to_the_store() {
    let scene = scene("", "alice, bob may-assert = [\"tel:+1212*\"]");
    take(&scene, &["alice +13125550001", "bob"]);
    assert!(may_say(&scene, "alice", "sip:alice@example.com"));
    assert!(!may_say(&scene, "alice", "tel:+13125550001"));
    assert!(may_say(&scene, "bob", "tel:+12125550001"));
}

#[tokio::test]
async fn only_users_of_its_realm_are_looked_for_in_a_directory() {
    let users = "alice realm = \"b.example\", bob, carol realm = \"b.example\"";
    let named = scene("realm = \"b.example\"\n", users);
    take(&named, &["carol"]);
    assert!(is_let_in(&named, "bob") && is_let_in(&named, "carol@b.example"));
    assert!(!is_let_in(&named, "alice@b.example"));
    let default = scene("", users);
    take(&default, &["alice"]);
    assert!(!is_let_in(&default, "bob") && is_let_in(&default, "carol@b.example"));
    // A realm that nobody has leaves nobody to the store.
    let nobodys = scene("realm = \"c.example\"\n", users);
    take(&nobodys, &["alice", "bob", "carol"]);
    assert_eq!(status(&nobodys).let_in, 0);
}

#[tokio::test]
async fn an_answer_that_would_shut_most_out_waits_for_two_more_or_the_operators_word() {
    let scene = scene("", "a, b, c, d, e");
    take(&scene, &["a", "b", "c", "d", "e"]);
    for needed in [2, 1] {
        let Reception::Doubted(doubt) = take(&scene, &["a", "b"]) else { panic!() };
        assert_eq!((doubt.lost, doubt.of, doubt.needed), (3, 5, needed));
        let told = status(&scene);
        assert!(told.problem.unwrap().contains("3 of 5 users would be shut out"));
        assert_eq!((told.let_in, told.people), (5, 5));
    }
    assert_eq!(believed(&take(&scene, &["a", "b"])), (3, 0, 2));
    assert_eq!(status(&scene).problem, None);

    assert!(matches!(take(&scene, &[]), Reception::Doubted(_)));
    let told = scene.border.take_people(People::default(), SERVER, true).unwrap();
    assert_eq!(believed(&told), (2, 0, 0));
}

#[tokio::test]
async fn a_directory_that_falls_silent_changes_nobody() {
    let scene = scene("", "alice, bob");
    assert!(!scene.border.keep_people("it is down".to_owned()));
    take(&scene, &["alice"]);
    assert!(scene.border.keep_people("it is down".to_owned()));
    let told = status(&scene);
    assert_eq!((told.problem.as_deref(), told.let_in), (Some("it is down"), 1));
    assert!(is_let_in(&scene, "alice"));
}
