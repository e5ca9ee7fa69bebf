//! Where users are kept: each store tells a whole snapshot of them, or what is wrong.
//!
//! No store is asked while a packet waits: what was read stays in memory until something else was.

mod change;
mod file;
mod postgres;
mod row_mistake;
mod sqlite;

use thiserror::Error;

pub use change::{Change, ChangeError, UserChange, change, import};
pub use postgres::PostgresError;
pub use row_mistake::RowMistake;
pub use sqlite::SqliteError;

use super::{Users, UsersError};
use crate::config::{PostgresAccess, UserStore};

/// A store of users. Reading may block, for a bounded time.
pub trait Store: Send {
    /// Reads everything.
    fn read(&self) -> Result<Snapshot, StoreError>;

    /// Reads everything, unless the store is as it was when this version was told.
    fn read_changed(&self, known: &Version) -> Result<Option<Snapshot>, StoreError>;
}

/// Everything that a store has.
#[derive(Debug)]
pub struct Snapshot {
    /// The users.
    pub users: Users,
    /// What to know it by; `None` where the store cannot tell whether it has changed.
    pub version: Option<Version>,
}

/// What the contents of one store are known by: equal ones mean that nothing has changed in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Box<[u8]>);

/// Why a store cannot be read. It never repeats a hash or a password.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A users file.
    #[error(transparent)]
    File(#[from] UsersError),
    /// A database file.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// A database of `PostgreSQL`.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

/// The store at a place, and what it takes to get in where that is a database. Nothing is opened yet.
#[must_use]
pub fn store_at(place: &UserStore, access: &PostgresAccess) -> Box<dyn Store> {
    match place {
        UserStore::File(path) => Box::new(file::FileStore::at(path)),
        UserStore::Sqlite(path) => Box::new(sqlite::SqliteStore::at(path)),
        UserStore::Postgres(place) => Box::new(postgres::PostgresStore::at(place, access)),
    }
}
