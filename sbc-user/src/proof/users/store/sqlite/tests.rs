use std::fs::{File, Permissions};
use std::io::Write as _;

use super::super::super::{MOST_USERS, Username};
use super::super::{Change, ChangeError, UserChange, change, import, store_at};
use super::*;
use crate::config::{PostgresAccess, UserStore};
use crate::proof::digest::{Ha1, HashFunction, Realm};
use crate::sip::Uri;

struct Scene {
    directory: tempfile::TempDir,
    place: UserStore,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = UserStore::Sqlite(directory.path().join("users.db"));
        Self { directory, place }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("users.db")
    }

    fn change(&self, name: &str, realm: Option<&str>, what: Change<'_>) -> Result<(), String> {
        let name = Username::new(name).unwrap();
        let realm = realm.map(|realm| Realm::new(realm).unwrap());
        let what = UserChange { name: &name, realm: realm.as_ref(), password: "secret", what };
        // A rehearsal says the same, and changes nothing.
        let before = self.read().ok().map(|it| (it.version, it.users.len()));
        let rehearsed = change(&self.place, &what, true).map_err(|error| told(&error));
        assert_eq!(self.read().ok().map(|it| (it.version, it.users.len())), before);
        let changed = change(&self.place, &what, false).map_err(|error| told(&error));
        assert_eq!(rehearsed, changed);
        changed
    }

    fn add(&self, name: &str, realm: Option<&str>, may_assert: &[&str]) -> Result<(), String> {
        let may_assert: Vec<_> = may_assert.iter().map(|&it| it.to_owned()).collect();
        self.change(name, realm, Change::Add { may_assert: &may_assert })
    }

    fn read(&self) -> Result<Snapshot, StoreError> {
        store_at(&self.place, &PostgresAccess::default()).read()
    }

    fn problem(&self) -> String {
        told(&ChangeError::from(self.read().unwrap_err()))
    }

    /// As somebody else would, with a tool of his own.
    fn execute(&self, statements: &str) {
        Connection::open(self.path()).unwrap().execute_batch(statements).unwrap();
    }

    fn import(&self, text: &str, replaces: bool) -> Result<(usize, Vec<usize>), String> {
        let path = self.directory.path().join("import.toml");
        let mut file = File::create(&path).unwrap();
        file.set_permissions(Permissions::from_mode(0o600)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut seen = Vec::new();
        let imported = import(&self.place, &path, replaces, &mut |count| seen.push(count));
        imported.map(|count| (count, seen)).map_err(|error| told(&error))
    }
}

fn told(error: &ChangeError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn labels(users: &Users) -> Vec<&str> {
    let mut labels: Vec<_> = users.iter().map(|user| user.label()).collect();
    labels.sort_unstable();
    labels
}

#[test]
fn users_are_added_given_passwords_and_removed() {
    let scene = Scene::new();
    assert!(scene.add("alice", None, &[]).unwrap_err().contains("--realm"));
    assert!(!scene.path().exists());
    scene.add("alice", Some("example.com"), &[]).unwrap();
    scene.add("bob", None, &["tel:+1212*"]).unwrap();
    scene.add("alice", Some("b.example"), &[]).unwrap();
    let Snapshot { users, .. } = scene.read().unwrap();
    assert_eq!(labels(&users), ["alice", "alice@b.example", "bob"]);
    let bob = users.default_realm().find(b"bob").unwrap();
    for function in HashFunction::ALL {
        let expected = Ha1::of(function, "bob", "example.com", "secret");
        assert_eq!(bob.ha1(function), Some(&expected));
    }
    let uri = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
    let asserts = |text| bob.permissions().may_assert.as_ref().unwrap().allow(&uri(text));
    assert!(asserts("tel:+12125550100") && !asserts("sip:bob@example.com"));

    // Only what there was is made anew.
    scene
        .execute("UPDATE user SET sha_256 = NULL, md5 = '00' || substr(md5, 3) WHERE name = 'bob'");
    scene.change("bob", None, Change::Password).unwrap();
    let Snapshot { users, .. } = scene.read().unwrap();
    let bob = users.default_realm().find(b"bob").unwrap();
    let md5 = Ha1::of(HashFunction::Md5, "bob", "example.com", "secret");
    assert_eq!(bob.ha1(HashFunction::Md5), Some(&md5));
    assert!(bob.ha1(HashFunction::Sha256).is_none());

    scene.change("alice", Some("b.example"), Change::Remove).unwrap();
    let Snapshot { users, .. } = scene.read().unwrap();
    assert_eq!((labels(&users), users.others().len()), (vec!["alice", "bob"], 0));
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let scene = Scene::new();
    let problem = scene.change("alice", None, Change::Remove).unwrap_err();
    assert!(problem.contains("there is no"), "{problem}");
    scene.add("alice", Some("example.com"), &[]).unwrap();
    for (changed, problem) in [
        (scene.add("alice", None, &[]), "there is a user \"alice\" in the realm"),
        (scene.add("bob", None, &["bob"]), "\"bob\" is not an identity"),
        (scene.add("bob", Some("Example.com"), &[]), "realm \"Example.com\": domain"),
        (scene.change("bob", None, Change::Remove), "there is no user \"bob\""),
        (scene.change("alice", Some("b.example"), Change::Password), "there is no user \"alice\""),
    ] {
        let said = changed.unwrap_err();
        assert!(said.contains(problem), "{said}");
    }
    assert_eq!(labels(&scene.read().unwrap().users), ["alice"]);
}

#[test]
fn whoever_changes_anything_is_noticed_and_an_unchanged_store_is_not_read() {
    let scene = Scene::new();
    scene.add("alice", Some("example.com"), &[]).unwrap();
    let store = store_at(&scene.place, &PostgresAccess::default());
    let mut known = store.read().unwrap().version.unwrap();
    for statement in [
        "UPDATE user SET may_call = '[\"*@example.com\"]'",
        "INSERT INTO realm (name) VALUES ('b.example')",
        "INSERT INTO domain VALUES ('branch.example', 'b.example')",
        "DELETE FROM domain",
        "DELETE FROM user",
    ] {
        assert!(store.read_changed(&known).unwrap().is_none(), "before {statement}");
        scene.execute(statement);
        let changed = store.read_changed(&known).unwrap();
        known = changed.unwrap_or_else(|| panic!("{statement}")).version.unwrap();
    }
    // A copy that is put in its place is another one.
    let copy = scene.directory.path().join("copy.db");
    scene.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    fs::copy(scene.path(), &copy).unwrap();
    fs::rename(&copy, scene.path()).unwrap();
    assert!(store.read_changed(&known).unwrap().is_some());
}

#[test]
fn a_file_that_is_open_to_others_is_refused_and_so_is_what_belongs_to_it() {
    let scene = Scene::new();
    scene.add("alice", Some("example.com"), &[]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&scene.path()), 0o600);
    // Somebody is connected: the files beside it are there.
    let connection = Connection::open(scene.path()).unwrap();
    connection.execute("UPDATE user SET may_assert = NULL", []).unwrap();
    for suffix in ["-wal", "-shm", ""] {
        let path = beside(&scene.path().canonicalize().unwrap(), suffix);
        assert_eq!(mode(&path), 0o600, "{suffix}");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let said = scene.problem();
        assert!(said.contains(&format!("chmod 600 {}", path.display())), "{said}");
        let said = scene.add("bob", None, &[]).unwrap_err();
        assert!(said.contains("(mode 0640)"), "{said}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    assert!(scene.read().is_ok());
}

#[test]
fn what_is_no_users_database_is_named() {
    let scene = Scene::new();
    assert!(scene.problem().contains("cannot open the users database"));
    let file = File::create(scene.path()).unwrap();
    file.set_permissions(Permissions::from_mode(0o600)).unwrap();
    assert!(scene.problem().contains("has no users for this version of sbc"));
    // One who was cut short left it: it is taken.
    scene.add("alice", Some("example.com"), &[]).unwrap();
    scene.execute("PRAGMA user_version = 7");
    assert!(scene.problem().contains("(schema 7)"));
    assert!(scene.add("bob", None, &[]).unwrap_err().contains("(schema 7)"));
    fs::write(scene.path(), "realm = \"example.com\"\n".repeat(99)).unwrap();
    let said = scene.problem();
    assert!(said.contains("not a database"), "{said}");
    fs::write(scene.path(), "").unwrap();
    scene.execute("CREATE TABLE other (a)");
    assert!(scene.problem().contains("(schema 0)"));
    assert!(scene.add("alice", Some("a"), &[]).unwrap_err().contains("(schema 0)"));
}

#[test]
fn a_bad_row_is_refused_by_name_and_without_a_hash() {
    let scene = Scene::new();
    scene.add("alice", Some("example.com"), &[]).unwrap();
    scene.add("bob", None, &[]).unwrap();
    for (statement, problem) in [
        (
            "UPDATE user SET md5 = md5 || '0' WHERE name = 'bob'",
            "user \"bob\" of realm \"example.com\": MD5",
        ),
        (
            "UPDATE user SET md5 = NULL, sha_256 = NULL, sha_512_256 = NULL WHERE name = 'bob'",
            "user \"bob\" needs md5",
        ),
        ("UPDATE user SET may_call = '[1]' WHERE name = 'bob'", NO_LIST),
        ("UPDATE user SET may_assert = 'x' WHERE name = 'bob'", NO_LIST),
        ("UPDATE user SET may_assert = '[\"x\"]' WHERE name = 'bob'", "\"x\" is not an identity"),
        ("UPDATE user SET name = 'b:b' WHERE name = 'bob'", "user \"b:b\" of realm"),
        ("INSERT INTO realm (name) VALUES ('a\"b')", "realm has a quote"),
        ("INSERT INTO domain VALUES ('a b', 'example.com')", "domain \"a b\""),
        ("UPDATE realm SET is_default = 0", "no realm is the default one"),
    ] {
        let connection = Connection::open(scene.path()).unwrap();
        let before = fs::read(scene.path()).unwrap();
        connection.execute_batch(&format!("PRAGMA wal_checkpoint(TRUNCATE); {statement}")).unwrap();
        let said = scene.problem();
        assert!(said.contains(problem), "{said}");
        let digits = Ha1::of(HashFunction::Md5, "bob", "example.com", "secret");
        assert!(!said.contains(&digits.expose()[..8]), "{said}");
        drop(connection);
        fs::write(scene.path(), before).unwrap();
        assert!(scene.read().is_ok());
    }
}

#[test]
fn a_users_file_is_imported_whole_or_not_at_all() {
    let scene = Scene::new();
    let user = |name: &str, more: &str| {
        format!("[[user]]\nname = \"{name}\"\nmd5 = \"0cc175b9c0f1b6a831c399e269772661\"\n{more}")
    };
    let text = format!(
        "realm = \"example.com\"\n{}{}[[domain]]\nname = \"Branch.example\"\nrealm = \"Branch\"\n",
        user("alice", "may-assert = [\"tel:+1\"]\nmay-call = []\nmay-divert = [\"*\"]\n"),
        user("mia", "realm = \"Branch\"\n"),
    );
    assert_eq!(scene.import(&text, false).unwrap(), (2, vec![2]));
    let Snapshot { users, .. } = scene.read().unwrap();
    assert_eq!(labels(&users), ["alice", "mia@Branch"]);
    assert_eq!(users.position_at(b"branch.example"), Some(Some(0)));
    let expected = Users::parse(&text).unwrap();
    for user in expected.iter() {
        assert!(users.still_prove(user));
        let realm = [users.default_realm(), &users.others()[0]];
        let found = realm.iter().find_map(|realm| realm.find(user.name().as_bytes())).unwrap();
        assert_eq!(found.permissions(), user.permissions());
    }

    let said = scene.import(&text, false).unwrap_err();
    assert!(said.contains("there is a user \"alice\""), "{said}");
    let said = scene.import("realm = \"example.com\"\nuser = 1\n", true).unwrap_err();
    assert!(said.contains("import.toml: line 2"), "{said}");
    assert_eq!(scene.read().unwrap().users.len(), 2);
    let text = format!("realm = \"other.example\"\n{}", user("zoe", ""));
    scene.import(&text, true).unwrap();
    let Snapshot { users, .. } = scene.read().unwrap();
    assert_eq!(labels(&users), ["zoe"]);
    assert_eq!(users.default_realm().realm().as_str(), "other.example");
}

#[test]
fn many_users_are_read_and_too_many_are_not() {
    let scene = Scene::new();
    scene.add("alice", Some("example.com"), &[]).unwrap();
    let more = |from: usize, to: usize| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {to}) \
             INSERT INTO user (name, realm, md5) \
             SELECT 'user' || i, 'example.com', lower(hex(randomblob(16))) FROM n"
        )
    };
    scene.execute(&more(1, 20_000));
    assert_eq!(scene.read().unwrap().users.len(), 20_000);
    scene.execute(&more(20_000, MOST_USERS + 1));
    let said = scene.problem();
    assert!(said.contains("has 250001 users, more than 250000"), "{said}");
}
