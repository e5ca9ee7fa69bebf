//! Users who are replaced.

use super::*;
use crate::border::Replaced;
use crate::proof::users::Users;

const REALM: &str = "realm = \"example.com\"\n";

/// The users of a file in which everybody has MD5 alone, of this many equal digits.
fn users(digits: &[(&str, char)]) -> Arc<Users> {
    let entries = digits.iter().map(|(name, digit)| {
        let md5 = digit.to_string().repeat(32);
        format!("[[user]]\nname = \"{name}\"\nmd5 = \"{md5}\"\n")
    });
    Arc::new(Users::parse(&(REALM.to_owned() + &entries.collect::<String>())).unwrap())
}

fn holders(scene: &Scene) -> Vec<String> {
    let ledger = scene.border.ledger();
    let grants = ledger.grants().filter(|(_, grant)| grant.lane == sbc_common::Lane::Digest);
    let mut holders: Vec<_> = grants.map(|(_, grant)| format!("{:?}", grant.holder)).collect();
    holders.sort();
    holders
}

#[tokio::test]
async fn who_is_gone_or_has_another_password_loses_his_places_and_the_rest_keep_theirs() {
    let scene = Scene::new("", MemoryTable::default());
    scene.border.replace_users(&users(&[("alice", 'a'), ("bob", 'b'), ("carol", 'c')]));
    for (port, user) in (1..).zip(["alice", "bob", "carol"]) {
        scene.promote(user, &Flow::udp(OUTSIDE, SocketAddr::from(([198, 18, 0, port], 5060))));
    }
    let all = [r#"User("alice")"#, r#"User("bob")"#, r#"User("carol")"#];
    assert_eq!(holders(&scene), all);
    let told = scene.border.replace_users(&users(&[
        ("dave", 'd'),
        ("carol", 'c'),
        ("bob", 'b'),
        ("alice", 'a'),
    ]));
    assert_eq!(told, Replaced { disproved: 0, shut: 0 });
    assert_eq!(holders(&scene), all);
    // Dave is gone as well; each of the others had a place, and might have returned to it.
    let told = scene.border.replace_users(&users(&[("bob", 'e'), ("carol", 'c')]));
    assert_eq!(told, Replaced { disproved: 3, shut: 4 });
    assert_eq!(holders(&scene), [r#"User("carol")"#]);
}

#[tokio::test]
async fn a_proof_that_was_judged_before_the_users_changed_opens_nothing_afterwards() {
    let scene = Scene::new("", MemoryTable::default());
    scene.border.replace_users(&users(&[("alice", 'a'), ("bob", 'b')]));
    let [alice, bob] = ["alice", "bob"].map(|name| scene.user(name));
    scene.border.replace_users(&users(&[("alice", 'c'), ("bob", 'b')]));
    scene.border.promote(&alice, &scene.phone);
    assert!(holders(&scene).is_empty());
    scene.border.promote(&bob, &scene.phone);
    assert_eq!(holders(&scene), [r#"User("bob")"#]);
}

#[tokio::test]
async fn a_challenge_that_was_made_before_the_users_changed_is_answered_by_those_who_are_there_now()
{
    let mut scene = Scene::new("", MemoryTable::default());
    let before = scene.border.digest.as_ref().unwrap().realms().users().clone();
    scene.border.replace_users(&users(&[]));
    scene.phone_sends(&request("INVITE", "alice@example.com", ""));
    let challenge = scene.phone_hears().await;
    scene.border.replace_users(&before);
    let credentials = test_client::answer(&challenge, "alice", "ecila", ("INVITE", TARGET));
    let answered = format!("Proxy-Authorization: {credentials}\r\n");
    scene.phone_sends(&request("INVITE", "alice@example.com", &answered));
    assert!(scene.upstream_hears().await.starts_with("INVITE "));
}
