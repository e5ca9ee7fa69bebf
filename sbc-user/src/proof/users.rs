//! The users file: who may authenticate by digest, and what each of them may assert.
//!
//! ```toml
//! realm = "example.com"
//!
//! [[user]]
//! name = "alice"
//! md5 = "…"                # 32 hexadecimal digits: MD5(name:realm:password)
//! sha-256 = "…"            # 64 hexadecimal digits; at least one of both
//! may-assert = ["sip:alice@example.com", "tel:+12125551234"]
//! ```
//!
//! It holds no passwords, but hashes that are as good as them within the realm: a file that anyone
//! but its owner may access is refused.

mod file;
mod stanza;
mod username;

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;
use zeroize::Zeroizing;

pub use file::{UsersMistake, UsersProblem};
pub use stanza::stanza;
pub use username::{InvalidUsername, Username};

use crate::proof::digest::{Algorithm, Ha1, Realm};

/// Access for the group or for others.
const NOT_THE_OWNER: u32 = 0o077;
const PERMISSION_BITS: u32 = 0o7777;

/// A snapshot of the users of one realm.
pub struct Users {
    realm: Realm,
    /// The standard hasher is seeded at random: names to look up come from strangers.
    by_name: HashMap<Box<[u8]>, Arc<User>>,
}

/// Someone who can prove who it is by digest.
#[derive(Clone, Debug)]
pub struct User {
    name: Username,
    md5: Option<Ha1>,
    sha_256: Option<Ha1>,
    may_assert: Vec<String>,
}

/// Why the users file cannot be taken.
#[derive(Debug, Error)]
pub enum UsersError {
    /// The file cannot be opened or read, or is not UTF-8.
    #[error("cannot read the users file {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The group or others have access to the file.
    #[error(
        "the users file {path} holds credentials, but others than its owner have access to it \
         (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text of the file is wrong.
    #[error("{}: {mistake}", path.display())]
    Mistake {
        /// Which file.
        path: PathBuf,
        /// What and where.
        mistake: UsersMistake,
    },
}

impl Users {
    /// Reads the users file, which only its owner may have access to.
    pub fn load(path: &Path) -> Result<Self, UsersError> {
        let unreadable = |cause| UsersError::Unreadable { path: path.to_owned(), cause };
        let mut file = File::open(path).map_err(unreadable)?;
        // Asked of the open file, so that it cannot be exchanged in between.
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(unreadable(io::Error::other("not a regular file")));
        }
        let mode = metadata.permissions().mode() & PERMISSION_BITS;
        if mode & NOT_THE_OWNER != 0 {
            return Err(UsersError::Exposed { path: path.to_owned(), mode });
        }
        // Room for all of it: a buffer that grows would leave copies that are not wiped.
        let size = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1);
        let mut text = Zeroizing::new(String::with_capacity(size));
        file.read_to_string(&mut text).map_err(unreadable)?;
        Self::parse(&text).map_err(|mistake| UsersError::Mistake { path: path.to_owned(), mistake })
    }

    /// Reads the text of a users file.
    pub fn parse(text: &str) -> Result<Self, UsersMistake> {
        file::read(text)
    }

    /// The realm that every HA1 was made for.
    #[must_use]
    pub fn realm(&self) -> &Realm {
        &self.realm
    }

    /// The user with exactly this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// All users, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// The users that can never answer a challenge with `algorithm`; offering it before one that
    /// they have locks them out, since clients answer the first challenge they know.
    pub fn lacking(&self, algorithm: Algorithm) -> impl Iterator<Item = &Arc<User>> {
        self.iter().filter(move |user| user.ha1(algorithm).is_none())
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether nobody can authenticate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    fn without_users(realm: Realm) -> Self {
        Self { realm, by_name: HashMap::new() }
    }

    /// Adds a user unless there is one of that name; says whether it did.
    fn add(&mut self, user: User) -> bool {
        match self.by_name.entry(user.name.as_str().as_bytes().into()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(Arc::new(user));
                true
            }
        }
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("realm", &self.realm)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl User {
    /// The name that it authenticates with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// What its responses with `algorithm` are verified against.
    #[must_use]
    pub fn ha1(&self, algorithm: Algorithm) -> Option<&Ha1> {
        match algorithm {
            Algorithm::Sha256 => self.sha_256.as_ref(),
            Algorithm::Md5 => self.md5.as_ref(),
        }
    }

    /// The patterns of the identities that it may assert, as written in the file.
    #[must_use]
    pub fn may_assert(&self) -> &[String] {
        &self.may_assert
    }
}

#[cfg(test)]
mod tests;
