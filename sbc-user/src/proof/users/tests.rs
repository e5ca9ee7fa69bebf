use std::{fs, os::unix::fs::OpenOptionsExt};

use super::*;
use crate::config::Assertables;
use crate::proof::digest::Realm;
use crate::sip::Uri;

const MD5: &str = "0cc175b9c0f1b6a831c399e269772661";
const SHA_256: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";

fn alice() -> String {
    format!("realm = \"example.com\"\n\n[[user]]\nname = \"alice\"\nmd5 = \"{MD5}\"\n")
}

fn mistake(text: &str) -> String {
    Users::parse(text).unwrap_err().to_string()
}

#[test]
fn reads_users_with_their_hashes_and_assertions() {
    let users = Users::parse(&format!(
        "{}[[user]]\nname = \"bob\"\nsha-256 = \"{}\"\nmay-assert = [\"tel:+1212*\"]\n",
        alice(),
        SHA_256.to_uppercase(),
    ))
    .unwrap();
    assert_eq!((users.default_realm().realm().as_str(), users.len()), ("example.com", 2));
    let bob = users.default_realm().find(b"bob").unwrap();
    assert_eq!(bob.name(), "bob");
    assert_eq!(bob.ha1(HashFunction::Sha256).unwrap().expose(), SHA_256);
    assert!(bob.ha1(HashFunction::Md5).is_none());
    let uri = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
    let asserts = |name: &[u8], text| {
        let permissions = users.default_realm().find(name).unwrap().permissions();
        permissions.may_assert.as_ref().unwrap().allow(&uri(text))
    };
    assert!(asserts(b"bob", "tel:+12125550100") && !asserts(b"bob", "sip:bob@example.com"));
    assert!(
        asserts(b"alice", "sip:alice@EXAMPLE.com") && !asserts(b"alice", "sip:bob@example.com")
    );
    assert!(users.default_realm().find(b"Bob").is_none());
    let lacking: Vec<&str> = users.lacking(HashFunction::Sha256).map(|user| user.name()).collect();
    assert_eq!(lacking, ["alice"]);
}

#[test]
fn a_realm_without_users_is_a_start() {
    assert!(Users::parse("realm = \"example.com\"").unwrap().is_empty());
}

#[test]
fn says_what_is_wrong_and_where() {
    let alice = alice();
    let replaced = |from: &str, to: &str| {
        assert!(alice.contains(from));
        mistake(&alice.replace(from, to))
    };
    for (message, place, problem) in [
        (replaced("md5", "mdfive"), "line 5, column 1", "unknown field `mdfive`"),
        (replaced("realm", "reelm"), "line 1, column 1", "unknown field `reelm`"),
        (replaced("example.com", "a\\\"b"), "line 1, column 9", "realm has a quote"),
        (replaced("name = \"alice\"", "name = \"\""), "line 4, column 8", "name is empty"),
        (replaced("name = \"alice\"", "name = \"a:b\""), "line 4, column 8", "colon"),
        (replaced("name = \"alice\"", "name = \"a\\nb\""), "line 4, column 8", "control"),
        (replaced("name = \"alice\"", "name = 5"), "line 4, column 8", "expected a string"),
        (replaced("name = \"alice\"\n", ""), "line 3, column 1", "missing field `name`"),
        (replaced("2661\"", "266\""), "line 5, column 7", "MD5 takes 32 hexadecimal digits"),
        (replaced("2661\"", "266g\""), "line 5, column 7", "MD5 takes 32 hexadecimal digits"),
        (replaced("md5 = \"", "sha-256 = \""), "line 5, column 11", "SHA-256 takes 64"),
        (replaced("alice\"\n", "ä\" x\n"), "line 4, column 12", ""),
        (
            replaced("md5", "may-assert = [\"bob\"]\nmd5"),
            "line 5, column 14",
            "\"bob\" is not an identity",
        ),
        (
            mistake(&format!("{alice}[[user]]\nname = \"alice\"\nmd5 = \"{MD5}\"\n")),
            "line 7, column 8",
            "another user \"alice\"",
        ),
        (
            mistake("realm = \"x\"\n[[user]]\nname = \"bob\""),
            "line 3, column 8",
            "user \"bob\" needs md5, sha-256 or sha-512-256",
        ),
    ] {
        assert!(message.starts_with(place) && message.contains(problem), "{message}");
    }
}

#[test]
fn no_message_repeats_a_hash() {
    let alice = alice();
    for text in [
        alice.replace('"', ""),
        alice.replace(&format!("\"{MD5}\""), MD5),
        alice.replace(&format!("\"{MD5}\""), &format!("[\"{MD5}\"]")),
        alice.replace(&format!("{MD5}\""), MD5),
        alice.replace(MD5, &format!("{MD5}0")),
        alice.replace("md5 = ", ""),
        alice.replace("md5 = ", "mdfive = "),
        format!("{alice}md5 = \"{MD5}\""),
    ] {
        let error = Users::parse(&text).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains(&MD5[..8]), "{shown}");
        }
    }
}

#[test]
fn debug_does_not_show_a_hash() {
    let users = Users::parse(&alice()).unwrap();
    let shown = format!("{users:?} {:?}", users.default_realm().find(b"alice"));
    assert!(!shown.contains(&MD5[..8]), "{shown}");
}

#[test]
fn a_rendered_stanza_reads_back() {
    let name = Username::new("o'al \"ice\" \\").unwrap();
    let realm = Realm::new("example.com").unwrap();
    let may_assert = vec!["sip:\"a\"@x".to_owned(), "tel:+1".to_owned()];
    for functions in [&HashFunction::ALL[..], &[HashFunction::Md5], &[HashFunction::Sha256]] {
        let text = stanza(&name, &realm, "pass:wörd", functions, &may_assert);
        let users = Users::parse(&format!("realm = \"example.com\"\n{}", *text)).unwrap();
        let users = users.default_realm();
        let user = users.find(name.as_str().as_bytes()).unwrap();
        let expected = may_assert.iter().map(|pattern| pattern.parse().unwrap()).collect();
        assert_eq!(user.permissions().may_assert, Some(Assertables::new(expected)));
        for function in HashFunction::ALL {
            let made = Ha1::of(function, name.as_str(), "example.com", "pass:wörd");
            let expected = functions.contains(&function).then_some(made.expose());
            assert_eq!(user.ha1(function).map(Ha1::expose), expected);
        }
    }
    let plain = stanza(&Username::new("a").unwrap(), &realm, "b", &[HashFunction::Md5], &[]);
    assert!(plain.starts_with("[[user]]\nname = \"a\"\nmd5 = \""), "{}", *plain);
    assert!(!plain.contains("may-assert"));
}

#[test]
fn loads_a_file_that_only_its_owner_can_access() {
    let directory = tempfile::tempdir().unwrap();
    for (mode, is_private) in [
        (0o600, true),
        (0o400, true),
        (0o640, false),
        (0o604, false),
        (0o620, false),
        (0o602, false),
        (0o601, false),
    ] {
        let path = directory.path().join(format!("{mode:o}.toml"));
        fs::write(&path, alice()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let loaded = Users::load(&path);
        assert_eq!(loaded.is_ok(), is_private, "{mode:o}");
        if let Err(error) = loaded {
            let message = error.to_string();
            assert!(message.contains(&format!("chmod 600 {}", path.display())), "{message}");
            assert!(message.contains(&format!("(mode {mode:04o})")), "{message}");
        }
    }
}

#[test]
fn names_the_file_that_is_absent_or_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let absent = Users::load(&directory.path().join("absent.toml")).unwrap_err();
    assert!(matches!(absent, UsersError::Unreadable { .. }));
    assert!(absent.to_string().contains("absent.toml"));

    let folder = Users::load(directory.path()).unwrap_err();
    assert!(matches!(folder, UsersError::Unreadable { .. }));

    let path = directory.path().join("wrong.toml");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&path).unwrap();
    io::Write::write_all(&mut file, b"realm = \"x\"\nuser = 1\n").unwrap();
    let wrong = Users::load(&path).unwrap_err().to_string();
    assert!(wrong.contains("wrong.toml: line 2, column 8: "), "{wrong}");
}

#[test]
fn users_of_several_realms_are_told_apart() {
    let text = format!(
        "{}[[user]]\nname = \"alice\"\nrealm = \"b.example\"\nmd5 = \"{MD5}\"\n\
         [[user]]\nname = \"mia\"\nrealm = \"Branch Office\"\nmd5 = \"{MD5}\"\n\
         [[domain]]\nname = \"Branch.example\"\nrealm = \"Branch Office\"\n",
        alice()
    );
    let users = Users::parse(&text).unwrap();
    let labels =
        |realm: &RealmUsers| realm.iter().map(|user| user.label().to_owned()).collect::<Vec<_>>();
    assert_eq!(labels(users.default_realm()), ["alice"]);
    let others: Vec<_> = users.others().iter().map(labels).collect();
    assert_eq!(others, [["alice@b.example"], ["mia@Branch Office"]]);
    assert_eq!(users.len(), 3);
    for (domain, position) in [
        ("EXAMPLE.com", Some(None)),
        ("b.example", Some(Some(0))),
        ("branch.EXAMPLE", Some(Some(1))),
        ("c.example", None),
        ("", None),
    ] {
        assert_eq!(users.position_at(domain.as_bytes()), position, "{domain}");
    }
}

#[test]
fn a_domain_has_one_realm_and_a_label_one_user() {
    let user = |name: &str, realm: &str| {
        format!("[[user]]\nname = \"{name}\"\nrealm = \"{realm}\"\nmd5 = \"{MD5}\"\n")
    };
    let domain =
        |name: &str, realm: &str| format!("[[domain]]\nname = \"{name}\"\nrealm = \"{realm}\"\n");
    for (more, problem) in [
        (domain("EXAMPLE.COM", "other"), "domain \"example.com\" is a realm of its own"),
        (domain("a.example", "x") + &domain("A.example", "y"), "another one above"),
        (domain("a b", "x"), "is not a domain"),
        (domain("", "x"), "is not a domain"),
        (domain("a.example", "a\\\"b"), "realm has a quote"),
        (user("bob", "Example.com"), "\"Example.com\" is a realm of its own"),
        (user("alice@b", "c") + &user("alice", "b@c"), "told by \"alice@b@c\""),
    ] {
        let message = mistake(&format!("{}{more}", alice()));
        assert!(message.contains(problem), "{message}");
    }
}

#[test]
fn a_user_is_found_by_the_hash_of_name_and_realm() {
    let users = Users::parse(&alice()).unwrap();
    let realm = users.default_realm();
    // printf alice:example.com | md5sum, sha256sum; hashlib.new("sha512_256", b"alice:example.com")
    for (function, digits) in [
        (HashFunction::Md5, "e714bf7dde243fc2061a4e3d877edc0d"),
        (HashFunction::Sha256, "182821e63518db2dd774c82f8142291d0376025311d4a5988d61e5a5dfafbbde"),
        (
            HashFunction::Sha512_256,
            "57dfef4a5cc421c244596a418535c430e6f6586304d4df8ef4a9e5e4286c82e5",
        ),
    ] {
        let found = |digits: &str| realm.find_hashed(function, digits.as_bytes()).is_some();
        assert!(found(digits) && found(&digits.to_uppercase()), "{function}");
        assert!(!found("") && !found("alice") && !found(&digits.replace('a', "b")));
    }
}

#[test]
fn a_proof_outlives_a_snapshot_if_every_hash_that_it_may_be_of_is_there_still() {
    let other = MD5.replace('0', "1");
    let with = |from: &str, to: &str| Users::parse(&alice().replace(from, to)).unwrap();
    let before = Users::parse(&alice()).unwrap();
    let user = before.default_realm().find(b"alice").unwrap();
    let more = format!("sha-256 = \"{SHA_256}\"\nmay-call = [\"*@example.com\"]\nmd5");
    for (now, is_proof) in [
        (with("", ""), true),
        (with("md5", &more), true),
        (with("alice", "bob"), false),
        (with(MD5, &other), false),
        (with(&format!("md5 = \"{MD5}\""), &format!("sha-256 = \"{SHA_256}\"")), false),
        (with("realm = \"example.com\"", "realm = \"b.example\""), false),
        (with("name", "realm = \"b.example\"\nname"), false),
        // The same realm, but no longer the default one: she is told by another label.
        (
            Users::parse(&format!(
                "realm = \"b.example\"\n[[user]]\nname = \"alice\"\nrealm = \"example.com\"\n\
                 md5 = \"{MD5}\"\n"
            ))
            .unwrap(),
            false,
        ),
    ] {
        assert_eq!(now.still_prove(user), is_proof, "{now:?}");
    }
}
