use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::PostgresPlace;
use super::values::from_text;

/// Where users are kept: `file:users.toml`, `sqlite:/var/lib/sbc/users.db`, `postgres://sbc@db.example/sbc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserStore {
    /// A users file.
    File(PathBuf),
    /// A database file that `sbc user` makes.
    Sqlite(PathBuf),
    /// A database that is only read.
    Postgres(PostgresPlace),
}

impl UserStore {
    /// Has relative paths start at a directory.
    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        match self {
            Self::File(path) | Self::Sqlite(path) => *path = directory.join(&path),
            Self::Postgres(_) => {}
        }
    }
}

impl FromStr for UserStore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres", _)) => text.parse().map(Self::Postgres),
            Some(_) | None => Err(format!(
                "{text:?} is not a store such as \"file:users.toml\", \"sqlite:/var/lib/sbc/users.db\" or \
                 \"postgres://sbc@db.example/sbc\""
            )),
        }
    }
}

from_text!(UserStore);

/// As it is written in the configuration.
impl fmt::Display for UserStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(place) => place.fmt(f),
        }
    }
}

/// Who tells users from everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSource {
    /// We do, by what a store has of them.
    Store(UserStore),
    /// The upstream, which has their passwords, and shares them with nobody.
    Upstream,
}

impl UserSource {
    /// The store, if there is one.
    #[must_use]
    pub const fn store(&self) -> Option<&UserStore> {
        match self {
            Self::Store(store) => Some(store),
            Self::Upstream => None,
        }
    }

    /// Has relative paths start at a directory.
    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        match self {
            Self::Store(store) => store.resolve_paths(directory),
            Self::Upstream => {}
        }
    }
}

impl FromStr for UserSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "upstream" {
            return Ok(Self::Upstream);
        }
        text.parse().map(Self::Store).map_err(|error: String| format!("{error}, or \"upstream\""))
    }
}

from_text!(UserSource);

/// As it is written in the configuration.
impl fmt::Display for UserSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(store) => store.fmt(f),
            Self::Upstream => f.write_str("upstream"),
        }
    }
}
