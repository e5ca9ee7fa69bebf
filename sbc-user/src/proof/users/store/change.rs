//! Changes to a store, for `sbc user`.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::super::file::{self, UsersText};
use super::super::{
    EditError, Exchange, Username, Users, UsersError, read_private, with_password, with_user,
    without_user,
};
use super::StoreError;
use super::sqlite::{self, SqliteError};
use crate::config::UserStore;
use crate::proof::digest::Realm;

/// What is to be done with a user.
#[derive(Clone, Copy)]
pub struct UserChange<'c> {
    /// Who it is.
    pub name: &'c Username,
    /// The user's realm; `None`: the default one.
    pub realm: Option<&'c Realm>,
    /// The new password, in clear; not looked at when the user is removed.
    pub password: &'c str,
    /// What.
    pub what: Change<'c>,
}

/// What is to be done.
#[derive(Clone, Copy)]
pub enum Change<'c> {
    /// Add the user, with all hashes.
    Add {
        /// The identities that the user may claim; none: those that the name makes.
        may_assert: &'c [String],
    },
    /// Remove the user.
    Remove,
    /// Make every hash that the user has anew.
    Password,
}

/// Why a store is not changed. It never repeats a hash or a password.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// It cannot be read, or could not afterwards.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The users do not allow it.
    #[error("{store}: {cause}")]
    Edit {
        /// Where they are kept.
        store: String,
        /// What it is.
        cause: EditError,
    },
    /// The file cannot be written.
    #[error("cannot replace {}", path.display())]
    Unreplaced {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The first user brings a realm.
    #[error("there is no {0} yet: name the realm of its first user with --realm")]
    NoRealm(String),
    /// There is nothing to be changed.
    #[error("there is no {0}")]
    Absent(String),
    /// It is somebody else's.
    #[error("users in PostgreSQL are changed there: they are only read from here")]
    ReadOnly,
    /// Not a store that takes an import.
    #[error("users are imported into a store such as \"sqlite:users.db\"; this one is {0}")]
    NoImport(String),
}

impl From<UsersError> for ChangeError {
    fn from(error: UsersError) -> Self {
        Self::Store(error.into())
    }
}

impl From<SqliteError> for ChangeError {
    fn from(error: SqliteError) -> Self {
        Self::Store(error.into())
    }
}

/// Changes a store in one step: whenever this is cut short, it is as it was or as it is to be. A rehearsal changes
/// nothing and fails alike.
pub fn change(
    place: &UserStore,
    what: &UserChange<'_>,
    is_rehearsal: bool,
) -> Result<(), ChangeError> {
    match place {
        UserStore::File(path) => change_file(path, what, is_rehearsal),
        UserStore::Sqlite(path) => sqlite::change(path, what, is_rehearsal),
        UserStore::Postgres(_) => Err(ChangeError::ReadOnly),
    }
}

/// Adds the users of a users file to a store, or has them take the place of all there are, in one step; returns how many
/// they are. Calls `progress` with how many were added so far.
pub fn import(
    place: &UserStore,
    file: &Path,
    replaces: bool,
    progress: &mut dyn FnMut(usize),
) -> Result<usize, ChangeError> {
    let UserStore::Sqlite(path) = place else {
        return Err(ChangeError::NoImport(place.to_string()));
    };
    let (text, _) = read_private(file)?;
    let mistake = |mistake| UsersError::Mistake { path: file.to_owned(), mistake };
    // What is wrong with the file is told with its line.
    Users::parse(&text).map_err(mistake)?;
    let told: UsersText = file::told(&text).map_err(mistake)?;
    sqlite::import(path, &told, replaces, progress)?;
    Ok(told.users.len())
}

fn change_file(
    path: &Path,
    change: &UserChange<'_>,
    is_rehearsal: bool,
) -> Result<(), ChangeError> {
    let exchange = Exchange::begin(path)?;
    let text = exchange.text()?;
    let text = text.as_ref().map(|text| text.as_str());
    let store = || path.display().to_string();
    let there = || text.ok_or_else(|| ChangeError::Absent(store()));
    let UserChange { name, realm, password, what } = *change;
    let changed: Result<Zeroizing<String>, EditError> = match what {
        Change::Add { may_assert } => {
            // The first user's realm is that of the file.
            let first = realm.map(beginning).filter(|_| text.is_none());
            let text = text.or(first.as_deref()).ok_or_else(|| ChangeError::NoRealm(store()))?;
            with_user(text, name, realm, password, may_assert)
        }
        Change::Remove => without_user(there()?, name, realm),
        Change::Password => with_password(there()?, name, realm, password),
    };
    let changed = changed.map_err(|cause| ChangeError::Edit { store: store(), cause })?;
    if is_rehearsal {
        return Ok(());
    }
    let replaced = exchange.replace(&changed);
    replaced.map_err(|cause| ChangeError::Unreplaced { path: path.to_owned(), cause })
}

fn beginning(realm: &Realm) -> String {
    let realm = toml::Value::from(realm.as_str());
    format!("# Who answers challenges: `sbc user`. Kept at mode 600.\nrealm = {realm}\n")
}
