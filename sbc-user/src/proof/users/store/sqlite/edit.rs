use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params,
};
use zeroize::Zeroizing;

use super::super::super::edit::EditError;
use super::super::super::file::UsersText;
use super::super::super::{UserRecord, UsersProblem};
use super::super::{Change, ChangeError, RowMistake, StoreError, UserChange};
use super::{
    APPLICATION, Database, SCHEMA, SCHEMA_VERSION, SqliteError, default_realm, failed, harden,
    read_users, refuse_foreign,
};
use crate::proof::digest::{Ha1, HashFunction};

/// How many users are imported between two signs of progress.
const STEP: usize = 10_000;

/// Changes a user, or finds out whether that would do. The file is made with its first user.
pub(in super::super) fn change(
    path: &Path,
    change: &UserChange<'_>,
    is_rehearsal: bool,
) -> Result<(), ChangeError> {
    let may_make = matches!(change.what, Change::Add { .. });
    if may_make && change.realm.is_none() && !path.exists() {
        return Err(ChangeError::NoRealm(path.display().to_string()));
    }
    transact(path, may_make, is_rehearsal, |transaction| carry_out(transaction, change, path))
}

/// Adds all users of a users file, or has them take the place of all there are. Tells how many of them it has added
/// so far.
pub(in super::super) fn import(
    path: &Path,
    text: &UsersText,
    replaces: bool,
    progress: &mut dyn FnMut(usize),
) -> Result<(), ChangeError> {
    transact(path, true, false, |transaction| add_all(transaction, text, replaces, path, progress))
}

/// One transaction, after which the users are such that the daemon takes them, or as they were.
fn transact(
    path: &Path,
    may_make: bool,
    is_rehearsal: bool,
    mut change: impl FnMut(&Transaction<'_>) -> Result<(), ChangeError>,
) -> Result<(), ChangeError> {
    let is_there = path.exists();
    if !is_there && !may_make {
        return Err(ChangeError::Absent(path.display().to_string()));
    }
    if !is_there && !is_rehearsal {
        make(path)?;
    }
    let mut connection = if is_there || !is_rehearsal {
        Database::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?.connection
    } else {
        let connection = Connection::open_in_memory().map_err(|cause| failed(path, cause))?;
        harden(&connection).map_err(|cause| failed(path, cause))?;
        connection
    };
    let of_path = |cause| failed(path, cause);
    if is_empty(&connection).map_err(of_path)? {
        // Outside of transactions only.
        connection.pragma_update(None, "journal_mode", "wal").map_err(of_path)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = transaction.map_err(of_path)?;
    if is_empty(&transaction).map_err(of_path)? {
        lay_out(&transaction).map_err(of_path)?;
    }
    refuse_foreign(&transaction, path)?;
    change(&transaction)?;
    // Nothing is written that the daemon would refuse.
    read_users(&transaction, path)?;
    if !is_rehearsal {
        transaction.commit().map_err(of_path)?;
    }
    Ok(())
}

/// An empty file is a database without tables, also one that was left by who was cut short here.
fn make(path: &Path) -> Result<(), SqliteError> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(SqliteError::Unreadable { path: path.to_owned(), cause }),
        Ok(_) => Ok(()),
    }
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn lay_out(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)
}

fn carry_out(
    transaction: &Transaction<'_>,
    change: &UserChange<'_>,
    path: &Path,
) -> Result<(), ChangeError> {
    let of_path = |cause| failed(path, cause);
    let default = default_realm(transaction).map_err(of_path)?;
    let named = change.realm.map(|realm| realm.as_str().to_owned());
    let realm = named.or_else(|| default.clone());
    let realm = realm.ok_or_else(|| ChangeError::NoRealm(path.display().to_string()))?;
    let (name, password) = (change.name.as_str(), change.password);
    let store = path.display().to_string();
    let refused = |cause| ChangeError::Edit { store, cause };
    let absent = || EditError::Absent(name.to_owned(), realm.clone());
    match change.what {
        Change::Add { may_assert } => {
            add_realm(transaction, &realm, default.is_none()).map_err(of_path)?;
            let ha1 = |function| Some(digits(function, name, &realm, password));
            let record = UserRecord {
                name: name.to_owned(),
                realm: Some(realm.clone()),
                ha1s: HashFunction::ALL.map(ha1),
                may_assert: may_assert.to_vec(),
                ..UserRecord::default()
            };
            if !add_user(transaction, &record, &realm).map_err(of_path)? {
                return Err(refused(EditError::Exists(name.to_owned(), realm)));
            }
        }
        Change::Remove => {
            let removed = transaction
                .execute("DELETE FROM user WHERE name = ?1 AND realm = ?2", [name, &realm])
                .map_err(of_path)?;
            if removed == 0 {
                return Err(refused(absent()));
            }
            let unused = "DELETE FROM realm WHERE name = ?1 AND NOT is_default \
                          AND name NOT IN (SELECT realm FROM user) \
                          AND name NOT IN (SELECT realm FROM domain)";
            transaction.execute(unused, [&realm]).map_err(of_path)?;
        }
        Change::Password => {
            // Every hash that there is, and no other.
            let [sha_512_256, sha_256, md5] =
                HashFunction::ALL.map(|function| digits(function, name, &realm, password));
            let update = "UPDATE user SET sha_512_256 = iif(sha_512_256 IS NULL, NULL, ?3), \
                          sha_256 = iif(sha_256 IS NULL, NULL, ?4), md5 = iif(md5 IS NULL, NULL, ?5) \
                          WHERE name = ?1 AND realm = ?2";
            let values = params![name, realm, sha_512_256.as_str(), sha_256.as_str(), md5.as_str()];
            if transaction.execute(update, values).map_err(of_path)? == 0 {
                return Err(refused(absent()));
            }
        }
    }
    Ok(())
}

fn digits(function: HashFunction, name: &str, realm: &str, password: &str) -> Zeroizing<String> {
    Zeroizing::new(Ha1::of(function, name, realm, password).expose().to_owned())
}

fn add_all(
    transaction: &Transaction<'_>,
    text: &UsersText,
    replaces: bool,
    path: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<(), ChangeError> {
    let of_path = |cause| failed(path, cause);
    if replaces {
        let all = "DELETE FROM user; DELETE FROM domain; DELETE FROM realm;";
        transaction.execute_batch(all).map_err(of_path)?;
    }
    let is_first = default_realm(transaction).map_err(of_path)?.is_none();
    add_realm(transaction, &text.realm, is_first).map_err(of_path)?;
    for (name, realm) in &text.domains {
        add_realm(transaction, realm, false).map_err(of_path)?;
        if !add_domain(transaction, &name.to_ascii_lowercase(), realm).map_err(of_path)? {
            let problem = UsersProblem::RepeatedDomain(name.clone());
            let mistake = RowMistake::of_domain(name, problem);
            let path = path.to_owned();
            return Err(StoreError::from(SqliteError::Row { path, mistake }).into());
        }
    }
    for (count, user) in (1..).zip(&text.users) {
        let realm = user.realm.as_ref().unwrap_or(&text.realm);
        if user.realm.is_some() {
            add_realm(transaction, realm, false).map_err(of_path)?;
        }
        if !add_user(transaction, user, realm).map_err(of_path)? {
            let cause = EditError::Exists(user.name.clone(), realm.clone());
            return Err(ChangeError::Edit { store: path.display().to_string(), cause });
        }
        if count % STEP == 0 || count == text.users.len() {
            progress(count);
        }
    }
    Ok(())
}

fn add_realm(transaction: &Transaction<'_>, realm: &str, is_default: bool) -> rusqlite::Result<()> {
    let insert =
        "INSERT INTO realm (name, is_default) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
    transaction.prepare(insert)?.execute(params![realm, is_default]).map(drop)
}

/// Says whether the domain is this realm's afterwards.
fn add_domain(transaction: &Transaction<'_>, name: &str, realm: &str) -> rusqlite::Result<bool> {
    let query = "SELECT realm FROM domain WHERE name = ?1";
    let known: Option<String> =
        transaction.query_row(query, [name], |row| row.get(0)).optional()?;
    if known.is_none() {
        transaction.execute("INSERT INTO domain (name, realm) VALUES (?1, ?2)", [name, realm])?;
    }
    Ok(known.is_none_or(|known| known == realm))
}

/// Adds a user unless there is one; says whether it did.
fn add_user(
    transaction: &Transaction<'_>,
    user: &UserRecord,
    realm: &str,
) -> rusqlite::Result<bool> {
    let json = |list: &Vec<String>| serde_json::Value::from(list.clone()).to_string();
    let [sha_512_256, sha_256, md5] =
        user.ha1s.each_ref().map(|it| it.as_ref().map(|digits| digits.as_str()));
    let may_assert = (!user.may_assert.is_empty()).then(|| json(&user.may_assert));
    let (may_divert, may_call) =
        (user.may_divert.as_ref().map(json), user.may_call.as_ref().map(json));
    let insert = "INSERT INTO user (name, realm, sha_512_256, sha_256, md5, may_assert, \
                  may_divert, may_call) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                  ON CONFLICT (realm, name) DO NOTHING";
    let values =
        params![user.name, realm, sha_512_256, sha_256, md5, may_assert, may_divert, may_call];
    let added = transaction.prepare(insert)?.execute(values)?;
    Ok(added > 0)
}
