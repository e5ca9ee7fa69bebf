use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::Spanned;
use zeroize::Zeroizing;

use super::{InvalidUsername, RealmUsers, User, Username, Users};
use crate::config::{AssertablePattern, Assertables, Permissions};
use crate::proof::digest::{Ha1, HashFunction, InvalidRealm, Realm};

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
}

/// Reads the text of a users file.
pub(super) fn read(text: &str) -> Result<Users, UsersMistake> {
    let text = Text(text);
    let file: UsersFile = toml::from_str(text.0).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        text.mistake_at(offset, UsersProblem::Toml(error.message().to_owned()))
    })?;
    let mut realms = vec![RealmUsers::new(text.realm(&file.realm)?)];
    let places = file.user.iter().map(|it| position_of(it.realm.as_ref(), &mut realms, text));
    let places: Vec<usize> = places.collect::<Result<_, _>>()?;
    let mut named = Vec::new();
    for domain in &file.domain {
        let at = position_of(Some(&domain.realm), &mut realms, text)?;
        named.push((&domain.name, at));
    }
    let mut domains: HashSet<String> =
        realms.iter().flat_map(RealmUsers::domains).cloned().collect();
    for (name, at) in named {
        let domain = name.get_ref().to_ascii_lowercase();
        let is_in_domain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if domain.is_empty() || !domain.bytes().all(is_in_domain) {
            return Err(text.mistake_in(name, UsersProblem::Domain(domain)));
        }
        if !domains.insert(domain.clone()) {
            return Err(text.mistake_in(name, UsersProblem::RepeatedDomain(domain)));
        }
        if let Some(realm) = realms.get_mut(at) {
            realm.add_domain(&domain);
        }
    }
    let mut labels = HashSet::new();
    for (stanza, at) in file.user.iter().zip(places) {
        let Some(realm) = realms.get_mut(at) else { continue };
        let user = stanza.read(text, realm, at == 0)?;
        let label = user.label().to_owned();
        if !realm.add(user) {
            let problem = UsersProblem::RepeatedName(stanza.name.get_ref().clone());
            return Err(text.mistake_in(&stanza.name, problem));
        }
        if !labels.insert(label.clone()) {
            return Err(text.mistake_in(&stanza.name, UsersProblem::RepeatedLabel(label)));
        }
    }
    Ok(Users::of(realms.remove(0), realms))
}

/// Where the realm is among those that were read, the first of which is the default one.
fn position_of(
    realm: Option<&Spanned<String>>,
    realms: &mut Vec<RealmUsers>,
    text: Text<'_>,
) -> Result<usize, UsersMistake> {
    let Some(name) = realm else { return Ok(0) };
    let realm = text.realm(name)?;
    // Domains have no case: realms that differ in it alone would be one domain's.
    let is_same = |other: &RealmUsers| other.realm().as_str().eq_ignore_ascii_case(realm.as_str());
    if let Some(at) = realms.iter().position(is_same) {
        let is_spelled_alike = realms.get(at).is_some_and(|other| *other.realm() == realm);
        let problem = || UsersProblem::RepeatedDomain(name.get_ref().clone());
        return is_spelled_alike.then_some(at).ok_or_else(|| text.mistake_in(name, problem()));
    }
    realms.push(RealmUsers::new(realm));
    Ok(realms.len() - 1)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UsersFile {
    realm: Spanned<String>,
    #[serde(default)]
    domain: Vec<Domain>,
    #[serde(default)]
    user: Vec<Stanza>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Domain {
    name: Spanned<String>,
    realm: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stanza {
    name: Spanned<String>,
    realm: Option<Spanned<String>>,
    md5: Option<Spanned<Secret>>,
    #[serde(rename = "sha-256")]
    sha_256: Option<Spanned<Secret>>,
    #[serde(rename = "sha-512-256")]
    sha_512_256: Option<Spanned<Secret>>,
    #[serde(default)]
    may_assert: Vec<AssertablePattern>,
    may_divert: Option<Assertables>,
    may_call: Option<Assertables>,
}

impl Stanza {
    fn read(
        &self,
        text: Text<'_>,
        realm: &RealmUsers,
        is_default: bool,
    ) -> Result<User, UsersMistake> {
        let name = Username::new(self.name.get_ref())
            .map_err(|reason| text.mistake_in(&self.name, UsersProblem::Name(reason)))?;
        let mut ha1s = [None, None, None];
        for (function, place) in HashFunction::ALL.into_iter().zip(&mut ha1s) {
            let digits = match function {
                HashFunction::Sha512_256 => &self.sha_512_256,
                HashFunction::Sha256 => &self.sha_256,
                HashFunction::Md5 => &self.md5,
            };
            let Some(digits) = digits else { continue };
            let ha1 = Ha1::from_hex(function, &digits.get_ref().0);
            let problem = || UsersProblem::Ha1 { function };
            *place = Some(ha1.ok_or_else(|| text.mistake_in(digits, problem()))?);
        }
        if ha1s.iter().all(Option::is_none) {
            return Err(text.mistake_in(&self.name, UsersProblem::NoHa1(name.to_string())));
        }
        let label = if is_default { name.to_string() } else { format!("{name}@{}", realm.realm()) };
        let permissions = Arc::new(self.permissions(&name, realm.domains()));
        Ok(User { name, realm: realm.realm().clone(), label: label.into(), ha1s, permissions })
    }
}

impl Stanza {
    /// A user may claim what is listed, or the addresses of record that the name makes in the realm's domains.
    fn permissions(&self, name: &Username, domains: &[String]) -> Permissions {
        let may_assert = if self.may_assert.is_empty() {
            let own = domains.iter().map(|domain| AssertablePattern::AddressOfRecord {
                user: name.as_str().to_owned(),
                host: domain.clone(),
            });
            own.collect()
        } else {
            self.may_assert.clone()
        };
        Permissions {
            may_assert: Some(Assertables::new(may_assert)),
            may_divert: self.may_divert.clone(),
            may_call: self.may_call.clone(),
            ..Permissions::default()
        }
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
    fn realm(self, name: &Spanned<String>) -> Result<Realm, UsersMistake> {
        Realm::new(name.get_ref())
            .map_err(|reason| self.mistake_in(name, UsersProblem::Realm(reason)))
    }

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
