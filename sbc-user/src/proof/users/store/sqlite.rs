//! Users in a file of `SQLite`, which `sbc user` makes and changes.

mod edit;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};
use thiserror::Error;
use zeroize::Zeroizing;

pub(super) use edit::{change, import};

use super::super::{
    MOST_USERS, NOT_THE_OWNER, PERMISSION_BITS, UserMistake, UserPart, UserRecord, Users,
    UsersBuilder, UsersProblem,
};
use super::{RowMistake, Snapshot, Store, StoreError, Version};

const SCHEMA: &str = include_str!("sqlite/schema.sql");
/// `PRAGMA application_id`: "sbcU".
const APPLICATION: i32 = 0x7362_6355;
/// `PRAGMA user_version`.
const SCHEMA_VERSION: i32 = 1;
/// How long to wait for somebody who changes the users.
const BUSY: Duration = Duration::from_secs(5);
/// The longest text of a row, in bytes: the lists of a user, with room for their escapes.
const LONGEST_VALUE: i32 = 1 << 20;
/// The mistake of a list that is none.
const NO_LIST: &str = "a list is not a JSON array of texts";

/// Users in a database file.
pub(super) struct SqliteStore(PathBuf);

/// Why a database file cannot be used. It never repeats a hash.
#[derive(Debug, Error)]
pub enum SqliteError {
    /// There is no file that could be opened.
    #[error("cannot open the users database {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The group or others have access to the file, or to one that belongs to it.
    #[error(
        "the users database {path} holds credentials, but others than its owner have access to it \
         (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not made by `sbc user`, or by a version of it whose tables we do not know.
    #[error("{} has no users for this version of sbc (schema {version})", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// `PRAGMA user_version`, or 0 in the database of another program.
        version: i32,
    },
    /// No realm is the default one.
    #[error("{}: no realm is the default one", .0.display())]
    NoRealm(PathBuf),
    /// `SQLite` cannot read or write.
    #[error("{}", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// What it says.
        #[source]
        cause: rusqlite::Error,
    },
    /// More than are kept in memory.
    #[error("{} has {count} users, more than {MOST_USERS}", path.display())]
    TooMany {
        /// Which file.
        path: PathBuf,
        /// How many there are.
        count: i64,
    },
    /// A row is wrong.
    #[error("{}: {mistake}", path.display())]
    Row {
        /// Which file.
        path: PathBuf,
        /// Which row, and what.
        mistake: RowMistake,
    },
}

impl SqliteStore {
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Store for SqliteStore {
    fn read(&self) -> Result<Snapshot, StoreError> {
        let snapshot = Database::open(&self.0)?.snapshot(None)?;
        snapshot.ok_or_else(|| SqliteError::NoRealm(self.0.clone()).into())
    }

    fn read_changed(&self, known: &Version) -> Result<Option<Snapshot>, StoreError> {
        Ok(Database::open(&self.0)?.snapshot(Some(known))?)
    }
}

/// A connection to a file that is private and has our tables.
struct Database {
    /// Without links.
    path: PathBuf,
    connection: Connection,
}

impl Database {
    fn open(path: &Path) -> Result<Self, SqliteError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open_with(path: &Path, access: OpenFlags) -> Result<Self, SqliteError> {
        let unreadable = |cause| SqliteError::Unreadable { path: path.to_owned(), cause };
        let path = fs::canonicalize(path).map_err(unreadable)?;
        // SQLite gives what it makes beside the file the same owner and mode.
        for suffix in ["", "-wal", "-shm", "-journal"] {
            refuse_exposed(&beside(&path, suffix), suffix.is_empty())?;
        }
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, access | flags);
        let connection = connection.map_err(|cause| failed(&path, cause))?;
        let database = Self { path, connection };
        database.told(harden(&database.connection))?;
        Ok(database)
    }

    /// Everything, or nothing if the version is the known one.
    fn snapshot(mut self, known: Option<&Version>) -> Result<Option<Snapshot>, SqliteError> {
        let file = fs::metadata(&self.path);
        let file =
            file.map_err(|cause| SqliteError::Unreadable { path: self.path.clone(), cause })?;
        let path = self.path;
        let transaction = self.connection.transaction().map_err(|cause| failed(&path, cause))?;
        refuse_foreign(&transaction, &path)?;
        let version = version(&transaction, &file).map_err(|cause| failed(&path, cause))?;
        if Some(&version) == known {
            return Ok(None);
        }
        let users = read_users(&transaction, &path)?;
        Ok(Some(Snapshot { users, version: Some(version) }))
    }

    fn told<T>(&self, told: rusqlite::Result<T>) -> Result<T, SqliteError> {
        told.map_err(|cause| failed(&self.path, cause))
    }
}

fn failed(path: &Path, cause: rusqlite::Error) -> SqliteError {
    SqliteError::Database { path: path.to_owned(), cause }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn refuse_exposed(path: &Path, has_to_be: bool) -> Result<(), SqliteError> {
    let unreadable = |cause| SqliteError::Unreadable { path: path.to_owned(), cause };
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !has_to_be => return Ok(()),
        metadata => metadata.map_err(unreadable)?,
    };
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let mode = metadata.permissions().mode() & PERMISSION_BITS;
    if mode & NOT_THE_OWNER != 0 {
        return Err(SqliteError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Has no text of the file do more than hold users.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    // Who is removed leaves no hash behind in the file.
    connection.pragma_update(None, "secure_delete", true)
}

fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), SqliteError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = number("application_id").map_err(|cause| failed(path, cause))?;
    let version = number("user_version").map_err(|cause| failed(path, cause))?;
    if application == APPLICATION && version == SCHEMA_VERSION {
        return Ok(());
    }
    let version = if application == APPLICATION { version } else { 0 };
    Err(SqliteError::Foreign { path: path.to_owned(), version })
}

/// A file that was put in the place of another has another version, whatever is in it.
fn version(connection: &Connection, file: &fs::Metadata) -> rusqlite::Result<Version> {
    let value: Vec<u8> = connection.query_row("SELECT value FROM version", [], |row| row.get(0))?;
    let file = [file.dev().to_ne_bytes(), file.ino().to_ne_bytes()].concat();
    Ok(Version([file, value].concat().into()))
}

fn default_realm(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let query = "SELECT name FROM realm WHERE is_default";
    connection.query_row(query, [], |row| row.get(0)).optional()
}

fn read_users(connection: &Connection, path: &Path) -> Result<Users, SqliteError> {
    let failed = |cause| failed(path, cause);
    let wrong = |mistake| SqliteError::Row { path: path.to_owned(), mistake };
    let default = default_realm(connection).map_err(failed)?;
    let default = default.ok_or_else(|| SqliteError::NoRealm(path.to_owned()))?;
    let mut users = UsersBuilder::new(&default)
        .map_err(|problem| wrong(RowMistake::of_realm(&default, problem)))?;

    let mut query = connection.prepare("SELECT name FROM realm").map_err(failed)?;
    let mut rows = query.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let name: String = row.get(0).map_err(failed)?;
        users.add_realm(&name).map_err(|problem| wrong(RowMistake::of_realm(&name, problem)))?;
    }
    let mut query = connection.prepare("SELECT name, realm FROM domain").map_err(failed)?;
    let mut rows = query.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (name, realm): (String, String) =
            (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        users
            .add_domain(&name, &realm)
            .map_err(|problem| wrong(RowMistake::of_domain(&name, problem)))?;
    }
    refuse_too_many(connection, path)?;
    let columns = "name, realm, sha_512_256, sha_256, md5, may_assert, may_divert, may_call";
    let mut query = connection.prepare(&format!("SELECT {columns} FROM user")).map_err(failed)?;
    let mut rows = query.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (mut record, lists) = told(row).map_err(failed)?;
        let added = take_lists(&mut record, &lists).and_then(|()| users.add_user(&record));
        added.map_err(|mistake| wrong(RowMistake::of_user(&record, mistake)))?;
    }
    Ok(users.build())
}

/// Before any of them takes memory.
fn refuse_too_many(connection: &Connection, path: &Path) -> Result<(), SqliteError> {
    let counted = connection.query_row("SELECT count(*) FROM user", [], |row| row.get(0));
    let count: i64 = counted.map_err(|cause| failed(path, cause))?;
    if usize::try_from(count).is_ok_and(|count| count <= MOST_USERS) {
        return Ok(());
    }
    Err(SqliteError::TooMany { path: path.to_owned(), count })
}

/// What a row tells, and its lists, which may be none.
fn told(row: &Row<'_>) -> rusqlite::Result<(UserRecord, [Option<String>; 3])> {
    let record = UserRecord {
        name: row.get(0)?,
        realm: Some(row.get(1)?),
        ha1s: [digits(row, 2)?, digits(row, 3)?, digits(row, 4)?],
        ..UserRecord::default()
    };
    Ok((record, [row.get(5)?, row.get(6)?, row.get(7)?]))
}

/// Not by way of a text that is not wiped.
fn digits(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Zeroizing<String>>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    Ok(text.map(|digits| Zeroizing::new(digits.to_owned())))
}

fn take_lists(record: &mut UserRecord, lists: &[Option<String>; 3]) -> Result<(), UserMistake> {
    let list = |part, text: &Option<String>| {
        let list = text.as_deref().map(serde_json::from_str::<Vec<String>>).transpose();
        list.map_err(|_| UserMistake { part, problem: UsersProblem::Pattern(NO_LIST.to_owned()) })
    };
    let [may_assert, may_divert, may_call] = lists;
    record.may_assert = list(UserPart::MayAssert, may_assert)?.unwrap_or_default();
    record.may_divert = list(UserPart::MayDivert, may_divert)?;
    record.may_call = list(UserPart::MayCall, may_call)?;
    Ok(())
}

#[cfg(test)]
mod tests;
