use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{RealmUsers, User, UserMistake, UserPart, Username, Users, UsersProblem};
use crate::config::{AssertablePattern, Assertables, Permissions};
use crate::proof::digest::{Ha1, HashFunction, Realm};

/// How many users there may be: some 400 MB of them, and as many again while they are replaced.
pub const MOST_USERS: usize = 250_000;
/// How many realms and domains there may be, together.
pub(super) const MOST_REALMS: usize = 10_000;
/// How many identities a list of a user may have.
pub(super) const MOST_PATTERNS: usize = 256;
/// In bytes.
pub(super) const LONGEST_PATTERN: usize = 512;
/// In bytes (RFC 1035 §2.3.4).
const LONGEST_DOMAIN: usize = 255;

/// A user as a store tells it, before any of it was judged.
#[derive(Default)]
pub struct UserRecord {
    /// The name that it authenticates with.
    pub name: String,
    /// `None` for the default realm.
    pub realm: Option<String>,
    /// Hexadecimal digits, in the order of [`HashFunction::ALL`].
    pub ha1s: [Option<Zeroizing<String>>; 3],
    /// The identities that it may claim; none: those that its name makes in the realm's domains.
    pub may_assert: Vec<String>,
    /// Who it may say has diverted a call; `None`: anybody.
    pub may_divert: Option<Vec<String>>,
    /// Whom it may call; `None`: anybody.
    pub may_call: Option<Vec<String>>,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, realm, .. } = self;
        f.debug_struct("UserRecord")
            .field("name", name)
            .field("realm", realm)
            .finish_non_exhaustive()
    }
}

/// Users that are put together from what a store tells of them, by the same rules whichever it is.
#[derive(Debug)]
pub struct UsersBuilder {
    /// The first is the default one.
    realms: Vec<RealmUsers>,
    /// By the name in lower case: domains have no case, so realms that differ in it alone would be one domain's.
    positions: HashMap<String, usize>,
    domains: HashSet<String>,
    labels: HashSet<Box<str>>,
    count: usize,
}

impl UsersBuilder {
    /// Begins with the realm of all who name no other.
    pub fn new(default_realm: &str) -> Result<Self, UsersProblem> {
        let mut builder = Self {
            realms: Vec::new(),
            positions: HashMap::new(),
            domains: HashSet::new(),
            labels: HashSet::new(),
            count: 0,
        };
        builder.add_realm(default_realm)?;
        Ok(builder)
    }

    /// Adds a realm, unless it is there. Who tells of all of them first hears of a domain that has the name of one.
    pub fn add_realm(&mut self, name: &str) -> Result<(), UsersProblem> {
        self.position_of(name).map(drop)
    }

    /// Adds a domain to a realm; before that realm's users, who may claim what their names make in it.
    pub fn add_domain(&mut self, name: &str, realm: &str) -> Result<(), UsersProblem> {
        let at = self.position_of(realm)?;
        let domain = name.to_ascii_lowercase();
        let is_in_domain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if domain.is_empty() || domain.len() > LONGEST_DOMAIN || !domain.bytes().all(is_in_domain) {
            let shown = domain.chars().take(LONGEST_DOMAIN).collect();
            return Err(UsersProblem::Domain(shown));
        }
        self.take_domain(&domain)?;
        if let Some(realm) = self.realms.get_mut(at) {
            realm.add_domain(&domain);
        }
        Ok(())
    }

    /// Adds a user, and its realm if that is not there.
    pub fn add_user(&mut self, record: &UserRecord) -> Result<(), UserMistake> {
        let mistake = |part, problem| UserMistake { part, problem };
        let at = match &record.realm {
            None => 0,
            Some(realm) => {
                self.position_of(realm).map_err(|problem| mistake(UserPart::Realm, problem))?
            }
        };
        let of_name = |problem| mistake(UserPart::Name, problem);
        if self.count == MOST_USERS {
            return Err(of_name(UsersProblem::TooManyUsers));
        }
        let Some(realm) = self.realms.get_mut(at) else { return Ok(()) };
        let user = record.read(realm, at == 0)?;
        let label: Box<str> = user.label().into();
        if !realm.add(user) {
            return Err(of_name(UsersProblem::RepeatedName(record.name.clone())));
        }
        if self.labels.contains(&label) {
            return Err(of_name(UsersProblem::RepeatedLabel(label.into())));
        }
        self.labels.insert(label);
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// The snapshot.
    #[must_use]
    pub fn build(mut self) -> Users {
        Users::of(self.realms.remove(0), self.realms)
    }

    fn position_of(&mut self, name: &str) -> Result<usize, UsersProblem> {
        let realm = Realm::new(name).map_err(UsersProblem::Realm)?;
        let lower = name.to_ascii_lowercase();
        if let Some(at) = self.positions.get(&lower).copied() {
            let is_spelled_alike = self.realms.get(at).is_some_and(|other| *other.realm() == realm);
            let problem = || UsersProblem::RepeatedDomain(name.to_owned());
            return is_spelled_alike.then_some(at).ok_or_else(problem);
        }
        self.take_domain(&lower)?;
        let at = self.realms.len();
        self.positions.insert(lower, at);
        self.realms.push(RealmUsers::new(realm));
        Ok(at)
    }

    /// A realm's own name is a domain of it.
    fn take_domain(&mut self, domain: &str) -> Result<(), UsersProblem> {
        if self.domains.len() == MOST_REALMS {
            return Err(UsersProblem::TooManyRealms);
        }
        if !self.domains.insert(domain.to_owned()) {
            return Err(UsersProblem::RepeatedDomain(domain.to_owned()));
        }
        Ok(())
    }
}

impl UserRecord {
    fn read(&self, realm: &RealmUsers, is_default: bool) -> Result<User, UserMistake> {
        let mistake = |part, problem| UserMistake { part, problem };
        let of_name = |problem| mistake(UserPart::Name, problem);
        let name = Username::new(&self.name).map_err(|it| of_name(UsersProblem::Name(it)))?;
        let mut ha1s = [None, None, None];
        for ((function, digits), place) in
            HashFunction::ALL.into_iter().zip(&self.ha1s).zip(&mut ha1s)
        {
            let Some(digits) = digits else { continue };
            let ha1 = Ha1::from_hex(function, digits);
            let problem = || mistake(UserPart::Hash(function), UsersProblem::Ha1 { function });
            *place = Some(ha1.ok_or_else(problem)?);
        }
        if ha1s.iter().all(Option::is_none) {
            return Err(of_name(UsersProblem::NoHa1(name.to_string())));
        }
        let label = if is_default { name.to_string() } else { format!("{name}@{}", realm.realm()) };
        let permissions = Arc::new(self.permissions(&name, realm.domains())?);
        Ok(User {
            name,
            realm: realm.realm().clone(),
            label: label.into(),
            ha1s,
            permissions,
            is_bounded: !self.may_assert.is_empty(),
            is_barred: false,
        })
    }

    /// A user may claim what is listed, or the addresses of record that the name makes in the realm's domains.
    fn permissions(&self, name: &Username, domains: &[String]) -> Result<Permissions, UserMistake> {
        let list = |part, texts: &Vec<String>| {
            patterns(texts).map_err(|problem| UserMistake { part, problem })
        };
        let may_assert = if self.may_assert.is_empty() {
            let own = domains.iter().map(|domain| AssertablePattern::AddressOfRecord {
                user: name.as_str().to_owned(),
                host: domain.clone(),
            });
            Assertables::new(own.collect())
        } else {
            list(UserPart::MayAssert, &self.may_assert)?
        };
        let optional = |part, texts: &Option<Vec<String>>| {
            texts.as_ref().map(|texts| list(part, texts)).transpose()
        };
        Ok(Permissions {
            may_assert: Some(may_assert),
            may_divert: optional(UserPart::MayDivert, &self.may_divert)?,
            may_call: optional(UserPart::MayCall, &self.may_call)?,
            ..Permissions::default()
        })
    }
}

fn patterns(texts: &[String]) -> Result<Assertables, UsersProblem> {
    if texts.len() > MOST_PATTERNS {
        return Err(UsersProblem::TooManyPatterns);
    }
    let pattern = |text: &String| {
        if text.len() > LONGEST_PATTERN {
            return Err(UsersProblem::LongPattern);
        }
        text.parse().map_err(UsersProblem::Pattern)
    };
    Ok(Assertables::new(texts.iter().map(pattern).collect::<Result<_, _>>()?))
}
