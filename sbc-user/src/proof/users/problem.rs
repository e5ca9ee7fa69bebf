use thiserror::Error;

use super::InvalidUsername;
use super::builder::{LONGEST_PATTERN, MOST_PATTERNS, MOST_REALMS, MOST_USERS};
use crate::proof::digest::{HashFunction, InvalidRealm};

/// What can be wrong with what a store tells of users. It never repeats a hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UsersProblem {
    /// Not TOML, an unknown or repeated key, a missing one, or a value of another type.
    #[error("{0}")]
    Toml(String),
    /// The realm cannot be sent in a challenge.
    #[error(transparent)]
    Realm(InvalidRealm),
    /// No client could send the name.
    #[error(transparent)]
    Name(InvalidUsername),
    /// An earlier user has the name.
    #[error("there is another user {0:?} above")]
    RepeatedName(String),
    /// In status and logs it would look like another user of another realm.
    #[error("this user would be told by {0:?}, like another one")]
    RepeatedLabel(String),
    /// Not a domain as it stands in a URI.
    #[error("{0:?} is not a domain such as example.com")]
    Domain(String),
    /// Another realm has it.
    #[error("domain {0:?} is a realm of its own, or there is another one above")]
    RepeatedDomain(String),
    /// Not an HA1 of this hash function.
    #[error("{function} takes {} hexadecimal digits", function.hash_length() * 2)]
    Ha1 {
        /// The hash function that the key names.
        function: HashFunction,
    },
    /// A user that could never authenticate.
    #[error("user {0:?} needs md5, sha-256 or sha-512-256")]
    NoHa1(String),
    /// Not an identity, or a pattern of some.
    #[error("{0}")]
    Pattern(String),
    /// A pattern that no identity is as long as.
    #[error("an identity is longer than {LONGEST_PATTERN} bytes")]
    LongPattern,
    /// More than anybody has, and each of them is asked with every request.
    #[error("there are more than {MOST_PATTERNS} identities in one list")]
    TooManyPatterns,
    /// More than are kept in memory.
    #[error("there are more than {MOST_USERS} users")]
    TooManyUsers,
    /// More than are kept in memory.
    #[error("there are more than {MOST_REALMS} realms and domains")]
    TooManyRealms,
}

/// What is wrong with a user, and which part of what was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct UserMistake {
    /// Where.
    pub part: UserPart,
    /// What.
    pub problem: UsersProblem,
}

/// A part of what a store tells of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPart {
    /// The name.
    Name,
    /// The realm.
    Realm,
    /// The hash of this function.
    Hash(HashFunction),
    /// The identities that it may claim.
    MayAssert,
    /// Who it may say has diverted a call.
    MayDivert,
    /// Whom it may call.
    MayCall,
}
