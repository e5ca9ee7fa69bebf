use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::Spanned;
use zeroize::Zeroizing;

use super::{InvalidUsername, User, Username, Users};
use crate::proof::digest::{Algorithm, Ha1, InvalidRealm, Realm};

/// What is wrong with the text of a users file, and where. It never repeats a hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct UsersMistake {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What it is.
    pub problem: UsersProblem,
}

/// What can be wrong with the text of a users file.
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
    /// Not an HA1 of this algorithm.
    #[error("{algorithm} takes {} hexadecimal digits", algorithm.hash_length() * 2)]
    Ha1 {
        /// The algorithm that the key names.
        algorithm: Algorithm,
    },
    /// A user that could never authenticate.
    #[error("user {0:?} needs md5 or sha-256")]
    NoHa1(String),
}

/// Reads the text of a users file.
pub(super) fn read(text: &str) -> Result<Users, UsersMistake> {
    let text = Text(text);
    let file: UsersFile = toml::from_str(text.0).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        text.mistake_at(offset, UsersProblem::Toml(error.message().to_owned()))
    })?;
    let realm = Realm::new(file.realm.get_ref())
        .map_err(|reason| text.mistake_in(&file.realm, UsersProblem::Realm(reason)))?;
    let mut users = Users::without_users(realm);
    for stanza in &file.user {
        if !users.add(stanza.read(text)?) {
            let problem = UsersProblem::RepeatedName(stanza.name.get_ref().clone());
            return Err(text.mistake_in(&stanza.name, problem));
        }
    }
    Ok(users)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UsersFile {
    realm: Spanned<String>,
    #[serde(default)]
    user: Vec<Stanza>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stanza {
    name: Spanned<String>,
    md5: Option<Spanned<Secret>>,
    #[serde(rename = "sha-256")]
    sha_256: Option<Spanned<Secret>>,
    #[serde(default)]
    may_assert: Vec<String>,
}

impl Stanza {
    fn read(&self, text: Text<'_>) -> Result<User, UsersMistake> {
        let name = Username::new(self.name.get_ref())
            .map_err(|reason| text.mistake_in(&self.name, UsersProblem::Name(reason)))?;
        let read_ha1 = |algorithm, digits: &Spanned<Secret>| {
            Ha1::from_hex(algorithm, &digits.get_ref().0)
                .ok_or_else(|| text.mistake_in(digits, UsersProblem::Ha1 { algorithm }))
        };
        let md5 = self.md5.as_ref().map(|it| read_ha1(Algorithm::Md5, it)).transpose()?;
        let sha_256 =
            self.sha_256.as_ref().map(|it| read_ha1(Algorithm::Sha256, it)).transpose()?;
        if md5.is_none() && sha_256.is_none() {
            return Err(text.mistake_in(&self.name, UsersProblem::NoHa1(name.to_string())));
        }
        Ok(User { name, md5, sha_256, may_assert: self.may_assert.clone() })
    }
}

struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// The whole file, to find lines and columns in.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl Text<'_> {
    fn mistake_in<T>(self, value: &Spanned<T>, problem: UsersProblem) -> UsersMistake {
        self.mistake_at(value.span().start, problem)
    }

    fn mistake_at(self, offset: usize, problem: UsersProblem) -> UsersMistake {
        let before = self.0.get(..offset).unwrap_or(self.0);
        let (lines, last) = before
            .rsplit_once('\n')
            .map_or((0, before), |(lines, last)| (lines.split('\n').count(), last));
        UsersMistake { line: lines + 1, column: last.chars().count() + 1, problem }
    }
}
