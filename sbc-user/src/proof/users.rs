//! The users file: who may authenticate by digest, and what each of them may assert.
//!
//! ```toml
//! realm = "example.com"    # of all users who name no other, and of requests for no domain of ours
//!
//! [[domain]]               # a domain whose realm has another name than itself
//! name = "branch.example"
//! realm = "Branch"
//!
//! [[user]]
//! name = "alice"
//! md5 = "…"                # 32 hexadecimal digits: MD5(name:realm:password)
//! sha-256 = "…"            # 64 hexadecimal digits
//! sha-512-256 = "…"        # 64 hexadecimal digits; at least one of the three
//! may-assert = ["sip:alice@example.com", "tel:+12125551234"]
//! ```
//!
//! It holds no passwords, but hashes that are as good as them within the realm: a file that anyone
//! but its owner may access is refused.

mod builder;
mod edit;
mod exchange;
mod file;
mod problem;
mod realm_users;
mod stanza;
pub mod store;
mod username;

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;
use zeroize::Zeroizing;

pub use builder::{MOST_USERS, UserRecord, UsersBuilder};
pub use edit::{EditError, with_password, with_user, without_user};
pub use exchange::Exchange;
pub use file::UsersMistake;
pub use problem::{UserMistake, UserPart, UsersProblem};
pub use realm_users::RealmUsers;
pub use stanza::{hash_key, stanza};
pub use username::{InvalidUsername, Username};

use crate::config::{Assertables, Permissions};
use crate::proof::digest::{Ha1, HashFunction, Realm};

/// Access for the group or for others.
const NOT_THE_OWNER: u32 = 0o077;
const PERMISSION_BITS: u32 = 0o7777;

/// A snapshot of the users of all realms.
#[derive(Debug)]
pub struct Users {
    default: RealmUsers,
    others: Vec<RealmUsers>,
    /// In lower case and in order, each with the position of its realm among the others, or `None` for
    /// the default one.
    domains: Vec<(Box<[u8]>, Option<usize>)>,
}

/// Someone who can prove who it is by digest.
#[derive(Clone, Debug)]
pub struct User {
    name: Username,
    realm: Realm,
    label: Box<str>,
    /// In the order of [`HashFunction::ALL`].
    ha1s: [Option<Ha1>; 3],
    permissions: Arc<Permissions>,
    /// Whether the store says who it may claim to be, and does not leave that to its name.
    is_bounded: bool,
    is_barred: bool,
}

/// What a directory says of a user in the store.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It may use what it proves, as the store says.
    Good,
    /// The same, and may claim these identities: as far as the store allows them, if that lists any, and instead of those
    /// that its name makes, if not.
    Claiming(Assertables),
    /// It may not.
    Barred,
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
        let (text, _) = read_private(path)?;
        Self::parse(&text).map_err(|mistake| UsersError::Mistake { path: path.to_owned(), mistake })
    }

    /// Reads the text of a users file.
    pub fn parse(text: &str) -> Result<Self, UsersMistake> {
        file::read(text)
    }

    fn of(default: RealmUsers, others: Vec<RealmUsers>) -> Self {
        let of_realm = |position, users: &RealmUsers| {
            let domains = users.domains().iter();
            domains.map(move |it| (it.as_bytes().into(), position)).collect::<Vec<_>>()
        };
        let mut domains = of_realm(None, &default);
        for (position, users) in others.iter().enumerate() {
            domains.extend(of_realm(Some(position), users));
        }
        domains.sort();
        Self { default, others, domains }
    }

    /// The realm of requests that are for no domain of ours.
    #[must_use]
    pub const fn default_realm(&self) -> &RealmUsers {
        &self.default
    }

    /// All other realms, in the order of the file.
    #[must_use]
    pub fn others(&self) -> &[RealmUsers] {
        &self.others
    }

    /// Whose domain it is: the position among the others, or `None` inside for the default realm. A realm's
    /// own name is a domain of its, in any case.
    ///
    /// Takes steps by the logarithm of the number of domains.
    #[must_use]
    pub fn position_at(&self, domain: &[u8]) -> Option<Option<usize>> {
        let lower = || domain.iter().map(u8::to_ascii_lowercase);
        let compare = |(known, _): &(Box<[u8]>, _)| known.iter().copied().cmp(lower());
        let at = self.domains.binary_search_by(compare).ok()?;
        self.domains.get(at).map(|(_, position)| *position)
    }

    /// All users, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.realms().flat_map(RealmUsers::iter)
    }

    /// The users that can never answer a challenge with an algorithm of this hash function; offering it
    /// before one that they have locks them out, since clients answer the first challenge they know.
    pub fn lacking(&self, function: HashFunction) -> impl Iterator<Item = &Arc<User>> {
        self.iter().filter(move |user| user.ha1(function).is_none())
    }

    /// Says whether what a user of this or another snapshot has proved is a proof still: there is a user of that
    /// name and realm, told by the same label, and has every hash that the other one has, and is not barred.
    #[must_use]
    pub fn still_prove(&self, user: &Arc<User>) -> bool {
        let now = self
            .realm_named(&user.realm)
            .and_then(|realm| realm.find(user.name.as_str().as_bytes()));
        now.is_some_and(|now| {
            let is_same = Arc::ptr_eq(now, user);
            let is_so = is_same || now.label == user.label && now.has_all_hashes_of(user);
            is_so && !now.is_barred
        })
    }

    /// The same users, each of whom has the standing that `standing` says of him and the domains of his realm.
    #[must_use]
    pub fn standing(&self, standing: impl Fn(&User, &[String]) -> Standing) -> Self {
        let judged = |users: &RealmUsers| {
            users.map(|user| match standing(user, users.domains()) {
                Standing::Good => Arc::clone(user),
                Standing::Claiming(claims) => Arc::new(user.claiming(claims)),
                Standing::Barred => Arc::new(User { is_barred: true, ..User::clone(user) }),
            })
        };
        let others = self.others.iter().map(judged).collect();
        Self { default: judged(&self.default), others, domains: self.domains.clone() }
    }

    /// The realm of this name, if users have it.
    #[must_use]
    pub fn realm(&self, name: &str) -> Option<&Realm> {
        self.realms().map(RealmUsers::realm).find(|realm| realm.as_str() == name)
    }

    fn realm_named(&self, realm: &Realm) -> Option<&RealmUsers> {
        let users = match self.position_at(realm.as_bytes())? {
            None => &self.default,
            Some(at) => self.others.get(at)?,
        };
        (users.realm() == realm).then_some(users)
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.realms().map(RealmUsers::len).sum()
    }

    /// Whether nobody can authenticate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn realms(&self) -> impl Iterator<Item = &RealmUsers> {
        [&self.default].into_iter().chain(&self.others)
    }
}

impl User {
    /// The name that it authenticates with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// What it is told from all others by: the name, followed by `@` and the realm where that is not the
    /// default one. No two users have the same.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What its responses with algorithms of this hash function are verified against.
    #[must_use]
    pub fn ha1(&self, function: HashFunction) -> Option<&Ha1> {
        self.ha1s.iter().flatten().find(|ha1| ha1.function() == function)
    }

    /// The realm that it authenticates in.
    #[must_use]
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// Whether it may not use what it proves.
    #[must_use]
    pub const fn is_barred(&self) -> bool {
        self.is_barred
    }

    fn claiming(&self, claims: Assertables) -> Self {
        let stored = self.permissions.may_assert.as_ref().filter(|_| self.is_bounded);
        let claims = match stored {
            Some(stored) => claims.within(Arc::new(stored.clone())),
            None => claims,
        };
        let permissions =
            Permissions { may_assert: Some(claims), ..Permissions::clone(&self.permissions) };
        Self { permissions: Arc::new(permissions), ..self.clone() }
    }

    fn has_all_hashes_of(&self, other: &Self) -> bool {
        other.ha1s.iter().flatten().all(|known| self.ha1s.iter().flatten().any(|it| it == known))
    }

    /// What it may say, and whom it may call.
    #[must_use]
    pub const fn permissions(&self) -> &Arc<Permissions> {
        &self.permissions
    }
}

/// The text of a file that nobody but its owner has access to, and what the file was before it was read.
fn read_private(path: &Path) -> Result<(Zeroizing<String>, Metadata), UsersError> {
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
    Ok((text, metadata))
}

#[cfg(test)]
mod tests;
