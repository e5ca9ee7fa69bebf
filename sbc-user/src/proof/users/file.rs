use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::Spanned;
use zeroize::Zeroizing;

use super::{UserMistake, UserPart, UserRecord, Users, UsersBuilder, UsersProblem};
use crate::proof::digest::HashFunction;

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

/// What a users file tells, before any of it was judged.
#[derive(Debug)]
pub(super) struct UsersText {
    pub(super) realm: String,
    /// Each with its realm.
    pub(super) domains: Vec<(String, String)>,
    pub(super) users: Vec<UserRecord>,
}

/// Reads the text of a users file.
pub(super) fn read(text: &str) -> Result<Users, UsersMistake> {
    let text = Text(text);
    let file = text.parse()?;
    let of_realm = |problem| text.mistake_in(&file.realm, problem);
    let mut users = UsersBuilder::new(file.realm.get_ref()).map_err(of_realm)?;
    for realm in file.user.iter().filter_map(|stanza| stanza.realm.as_ref()) {
        users.add_realm(realm.get_ref()).map_err(|problem| text.mistake_in(realm, problem))?;
    }
    for domain in &file.domain {
        let realm = &domain.realm;
        users.add_realm(realm.get_ref()).map_err(|problem| text.mistake_in(realm, problem))?;
    }
    for Domain { name, realm } in &file.domain {
        let added = users.add_domain(name.get_ref(), realm.get_ref());
        added.map_err(|problem| text.mistake_in(name, problem))?;
    }
    for stanza in &file.user {
        let added = users.add_user(&stanza.record());
        added.map_err(|UserMistake { part, problem }| {
            text.mistake_at(stanza.place_of(part), problem)
        })?;
    }
    Ok(users.build())
}

/// What the text of a users file tells, for another store to judge.
pub(super) fn told(text: &str) -> Result<UsersText, UsersMistake> {
    let file = Text(text).parse()?;
    let domain = |it: Domain| (it.name.into_inner(), it.realm.into_inner());
    Ok(UsersText {
        users: file.user.iter().map(Stanza::record).collect(),
        domains: file.domain.into_iter().map(domain).collect(),
        realm: file.realm.into_inner(),
    })
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
    may_assert: Option<Spanned<Vec<String>>>,
    may_divert: Option<Spanned<Vec<String>>>,
    may_call: Option<Spanned<Vec<String>>>,
}

impl Stanza {
    fn hash(&self, function: HashFunction) -> Option<&Spanned<Secret>> {
        match function {
            HashFunction::Sha512_256 => self.sha_512_256.as_ref(),
            HashFunction::Sha256 => self.sha_256.as_ref(),
            HashFunction::Md5 => self.md5.as_ref(),
        }
    }

    fn record(&self) -> UserRecord {
        let list =
            |list: &Option<Spanned<Vec<String>>>| list.as_ref().map(|it| it.get_ref().clone());
        UserRecord {
            name: self.name.get_ref().clone(),
            realm: self.realm.as_ref().map(|realm| realm.get_ref().clone()),
            ha1s: HashFunction::ALL
                .map(|function| self.hash(function).map(|digits| digits.get_ref().0.clone())),
            may_assert: list(&self.may_assert).unwrap_or_default(),
            may_divert: list(&self.may_divert),
            may_call: list(&self.may_call),
        }
    }

    /// The offset at which a part of the table begins.
    fn place_of(&self, part: UserPart) -> usize {
        let list = |list: &Option<Spanned<Vec<String>>>| list.as_ref().map(Spanned::span);
        let span = match part {
            UserPart::Name => None,
            UserPart::Realm => self.realm.as_ref().map(Spanned::span),
            UserPart::Hash(function) => self.hash(function).map(Spanned::span),
            UserPart::MayAssert => list(&self.may_assert),
            UserPart::MayDivert => list(&self.may_divert),
            UserPart::MayCall => list(&self.may_call),
        };
        span.unwrap_or_else(|| self.name.span()).start
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
    fn parse(self) -> Result<UsersFile, UsersMistake> {
        toml::from_str(self.0).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            self.mistake_at(offset, UsersProblem::Toml(error.message().to_owned()))
        })
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
