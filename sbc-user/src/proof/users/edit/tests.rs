use super::*;

/// What people write: comments everywhere, tables in their own order.
const FILE: &str = "# Ours.\nrealm = \"example.com\" # the one\n\n\
    # The desk.\n[[user]]\nname = \"alice\"   # since 2024\nmd5 = \"0cc175b9c0f1b6a831c399e269772661\"\n\
    may-assert = [\n  \"alice@example.com\", # herself\n  \"tel:+1\",\n] # all\n# below alice\n\n\
    [[domain]]\nname = \"b.example\"\nrealm = \"B\"\n\n\
    [[user]]\nname = 'alice'\nrealm = \"B\"\n\
    sha-256 = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'\n\n\
    # The last.\n  [[user]]\n  md5 = \"0cc175b9c0f1b6a831c399e269772661\"\n  name = \"bob\"";

fn name(text: &str) -> Username {
    Username::new(text).unwrap()
}

fn realm(text: &str) -> Realm {
    Realm::new(text).unwrap()
}

/// A part of the file that has to be there once, replaced.
fn replaced(part: &str, by: &str) -> String {
    assert_eq!(FILE.matches(part).count(), 1, "{part}");
    FILE.replace(part, by)
}

#[test]
fn a_user_is_added_at_the_end_and_nothing_else_changes() {
    let changed = with_user(FILE, &name("carol"), None, "secret", &["tel:+2".to_owned()]).unwrap();
    let added = changed.strip_prefix(FILE).unwrap();
    assert!(added.starts_with("\n\n[[user]]\nname = \"carol\"\nsha-512-256 = \""), "{added}");
    assert!(!added.contains("realm"), "{added}");
    let users = Users::parse(&changed).unwrap();
    let carol = users.default_realm().find(b"carol").unwrap();
    for function in HashFunction::ALL {
        let ha1 = Ha1::of(function, "carol", "example.com", "secret");
        assert_eq!(carol.ha1(function), Some(&ha1));
    }
    let again = with_user(&changed, &name("bob"), Some(&realm("B")), "secret", &[]).unwrap();
    assert!(again[changed.len()..].starts_with("\n[[user]]\nname = \"bob\"\nrealm = \"B\"\n"));
    let users = Users::parse(&again).unwrap();
    let bob = users.iter().find(|user| user.label() == "bob@B").unwrap();
    let ha1 = Ha1::of(HashFunction::Md5, "bob", "B", "secret");
    assert_eq!(bob.ha1(HashFunction::Md5), Some(&ha1));
}

#[test]
fn a_user_is_removed_with_the_lines_of_its_table_and_nothing_else_changes() {
    let alice = "[[user]]\nname = \"alice\"   # since 2024\nmd5 = \"0cc175b9c0f1b6a831c399e269772661\"\n\
        may-assert = [\n  \"alice@example.com\", # herself\n  \"tel:+1\",\n] # all\n";
    assert_eq!(*without_user(FILE, &name("alice"), None).unwrap(), replaced(alice, ""));
    let of_b = "[[user]]\nname = 'alice'\nrealm = \"B\"\n\
        sha-256 = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'\n\n";
    assert_eq!(*without_user(FILE, &name("alice"), Some(&realm("B"))).unwrap(), replaced(of_b, ""));
    let bob = "  [[user]]\n  md5 = \"0cc175b9c0f1b6a831c399e269772661\"\n  name = \"bob\"";
    assert_eq!(*without_user(FILE, &name("bob"), None).unwrap(), replaced(bob, ""));
}

#[test]
fn who_is_added_and_removed_again_leaves_no_trace() {
    let file = format!("{FILE}\n");
    let added = with_user(&file, &name("carol"), Some(&realm("C")), "secret", &[]).unwrap();
    assert_eq!(*without_user(&added, &name("carol"), Some(&realm("C"))).unwrap(), file);
}

#[test]
fn another_password_changes_the_hashes_that_are_there_and_nothing_else() {
    let ha1 = |function, realm| Ha1::of(function, "alice", realm, "another");
    let changed = with_password(FILE, &name("alice"), None, "another").unwrap();
    let md5 = ha1(HashFunction::Md5, "example.com");
    let before = "# since 2024\nmd5 = \"0cc175b9c0f1b6a831c399e269772661\"";
    let after = format!("# since 2024\nmd5 = \"{}\"", md5.expose());
    assert_eq!(*changed, replaced(before, &after));
    let changed = with_password(FILE, &name("alice"), Some(&realm("B")), "another").unwrap();
    let sha_256 = ha1(HashFunction::Sha256, "B");
    let before = "'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'";
    assert_eq!(*changed, replaced(before, &format!("\"{}\"", sha_256.expose())));
    let all = with_user(FILE, &name("carol"), None, "one", &[]).unwrap();
    let changed = with_password(&all, &name("carol"), None, "two").unwrap();
    assert_eq!(*changed, *with_user(FILE, &name("carol"), None, "two", &[]).unwrap());
}

#[test]
fn what_cannot_be_done_is_said() {
    let said = |done: Result<Zeroizing<String>, EditError>| done.unwrap_err().to_string();
    let (alice, nobody, b) = (name("alice"), name("nobody"), realm("B"));
    let exists = "there is a user \"alice\" in the realm \"B\" already";
    assert_eq!(said(with_user(FILE, &alice, Some(&b), "x", &[])), exists);
    let absent = "there is no user \"nobody\" in the realm \"example.com\"";
    assert_eq!(said(without_user(FILE, &nobody, None)), absent);
    assert_eq!(said(with_password(FILE, &nobody, None, "x")), absent);
    assert_eq!(
        said(with_password(FILE, &name("bob"), Some(&b), "x")),
        "there is no user \"bob\" in the realm \"B\""
    );
    let wrong = "realm = \"a\"\nuser = 1\n";
    let told = [
        said(with_user(wrong, &alice, None, "x", &[])),
        said(without_user(wrong, &alice, None)),
        said(with_password(wrong, &alice, None, "x")),
    ];
    assert!(told.iter().all(|it| it.starts_with("line 2, column 8: ")), "{told:?}");
    let unfit = said(with_user(FILE, &nobody, None, "x", &["nobody".to_owned()]));
    assert!(unfit.contains("wrong one: \"nobody\" is not an identity"), "{unfit}");
    let label = said(with_user(&format!("{FILE}\n"), &name("alice@B"), None, "x", &[]));
    assert!(label.contains("told by \"alice@B\""), "{label}");
    let inline = "realm = \"a\"\nuser = [{ name = \"alice\", md5 = \"0cc175b9c0f1b6a831c399e269772661\" }]\n";
    for done in [
        with_user(inline, &nobody, None, "x", &[]),
        without_user(inline, &alice, None),
        with_password(inline, &alice, None, "x"),
    ] {
        assert_eq!(done.unwrap_err(), EditError::Inline);
    }
}
