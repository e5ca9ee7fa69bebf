//! What a directory says of the users, while their phones are connected.

use std::sync::{Arc, Mutex};

use sbc_common::MonotonicNanos;
use serde::{Deserialize, Serialize};

use super::Border;
use super::parts::locked;
use super::users::Replaced;
use crate::config::{self, Assertables};
use crate::directory::{Claim, Doubt, Doubts, Known, People};
use crate::proof::digest::Realm;
use crate::proof::users::{Standing, User, Users};
use crate::trust::TrustTable;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// A user may say to be no more: each claim stands for itself in every domain of the realm.
const MOST_PATTERNS: usize = 1024;

/// What users the store has, and what a directory says of them.
///
/// Until it has said anything nobody is let in: who was taken out of it while nobody looked must not be.
pub struct Authority {
    settings: config::Directory,
    /// What everybody may say to be at most.
    bound: Option<Arc<Assertables>>,
    /// Those of the store.
    users: Arc<Users>,
    people: Option<People>,
    doubts: Doubts,
    answered: Option<(String, MonotonicNanos)>,
    problem: Option<String>,
}

/// What the directory says, for `sbc status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DirectoryStatus {
    /// The server whose answer is in force; absent if none has answered yet, so that nobody is let in.
    pub server: Option<String>,
    /// Seconds since an answer was believed.
    pub age_seconds: Option<u64>,
    /// How many names of users it knows.
    pub people: usize,
    /// How many users of the store are let in.
    pub let_in: usize,
    /// How many are not.
    pub barred: usize,
    /// Why what it says now is not in force.
    pub problem: Option<String>,
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It is in force.
    Believed {
        /// Who has lost what by it.
        replaced: Replaced,
        /// How many users of the store are let in.
        let_in: usize,
        /// Users of the store who are nobody's, since several entries have their name.
        ambiguous: Vec<String>,
    },
    /// What was before it stays in force.
    Doubted(Doubt),
}

impl Authority {
    /// That of these users, of whom nobody is let in yet.
    #[must_use]
    pub fn new(settings: config::Directory, users: Arc<Users>) -> Self {
        Self {
            bound: settings.may_assert.clone().map(Arc::new),
            settings,
            users,
            people: None,
            doubts: Doubts::default(),
            answered: None,
            problem: None,
        }
    }

    /// The users with the standing that they have.
    #[must_use]
    pub fn users(&self) -> Users {
        self.judged(&self.users, self.people.as_ref())
    }

    /// The same of other users of the store.
    pub(super) fn users_among(&self, users: &Users) -> Users {
        self.judged(users, self.people.as_ref())
    }

    /// Lets those in whom the server has named.
    #[must_use]
    pub fn believing(mut self, people: People, server: String, now: MonotonicNanos) -> Self {
        (self.people, self.answered) = (Some(people), Some((server, now)));
        self
    }

    pub(super) fn take_users(&mut self, users: &Arc<Users>) {
        self.users = Arc::clone(users);
    }

    fn judged(&self, users: &Users, people: Option<&People>) -> Users {
        let realm = self.realm_among(users);
        users.standing(|user, domains| {
            if realm.is_some_and(|realm| realm != user.realm()) {
                return Standing::Good;
            }
            // A realm that no user has would leave everybody as he is.
            let Some(people) = people.filter(|_| realm.is_some()) else { return Standing::Barred };
            match people.find(user.name()) {
                None | Some(Known::Ambiguous) => Standing::Barred,
                Some(Known::As(_)) if self.settings.identity_attributes.is_empty() => {
                    Standing::Good
                }
                Some(Known::As(claims)) => Standing::Claiming(self.assertables(claims, domains)),
            }
        })
    }

    /// That whose users are looked for in the directory.
    fn realm(&self) -> Option<&Realm> {
        self.realm_among(&self.users)
    }

    fn realm_among<'u>(&self, users: &'u Users) -> Option<&'u Realm> {
        let default = users.default_realm().realm();
        self.settings.realm.as_deref().map_or(Some(default), |name| users.realm(name))
    }

    fn is_looked_for(&self, user: &User) -> bool {
        self.realm().is_none_or(|realm| realm == user.realm())
    }

    fn assertables(&self, claims: &[Claim], domains: &[String]) -> Assertables {
        let patterns = claims.iter().flat_map(|claim| claim.patterns(domains));
        let claimed = Assertables::new(patterns.take(MOST_PATTERNS).collect());
        match &self.bound {
            Some(bound) => claimed.within(Arc::clone(bound)),
            None => claimed,
        }
    }

    fn ambiguous(&self, people: &People) -> Vec<String> {
        let users = self.users.iter().filter(|user| self.is_looked_for(user));
        let is_ambiguous = |user: &&Arc<User>| people.find(user.name()) == Some(&Known::Ambiguous);
        let mut names: Vec<_> =
            users.filter(is_ambiguous).map(|user| user.label().to_owned()).collect();
        names.sort();
        names
    }

    /// How many users are let in, and how many not.
    fn count(&self, users: &Users) -> (usize, usize) {
        let looked_for = || users.iter().filter(|user| self.is_looked_for(user));
        let barred = looked_for().filter(|user| user.is_barred()).count();
        (looked_for().count().saturating_sub(barred), barred)
    }
}

impl<T: TrustTable> Border<T> {
    /// The same, which lets in only users whom a directory knows, if there is one; nobody yet.
    #[must_use]
    pub fn authorised_by(mut self, directory: Option<&config::Directory>) -> Self {
        let (Some(digest), Some(directory)) = (&self.digest, directory) else { return self };
        let users = Arc::clone(digest.realms().users());
        let authority = Authority::new(directory.clone(), users);
        digest.replace_users(Arc::new(authority.users()));
        self.authority = Some(Arc::new(Mutex::new(authority)));
        self
    }

    /// Takes what a server of the directory says. Who is not in it any more loses what he has opened before this
    /// returns. `is_believed`: the operator knows what it says.
    pub fn take_people(
        &self,
        people: People,
        server: &str,
        is_believed: bool,
    ) -> Option<Reception> {
        let (authority, digest) = (self.authority.as_ref()?, self.digest.as_ref()?);
        let mut authority = locked(authority);
        if self.successor.get().is_some() {
            return None;
        }
        let judged = Arc::new(authority.judged(&authority.users, Some(&people)));
        let before = Arc::clone(digest.realms().users());
        let let_in = before.iter().filter(|it| !it.is_barred() && authority.is_looked_for(it));
        let (mut of, mut lost) = (0, 0);
        for user in let_in {
            of += 1;
            lost += usize::from(!judged.still_prove(user));
        }
        if is_believed {
            authority.doubts.forget();
        } else if let Some(doubt) = authority.doubts.weigh(lost, of, people.is_empty()) {
            authority.problem = Some(format!("{server}: {doubt}"));
            return Some(Reception::Doubted(doubt));
        }
        let (let_in, _) = authority.count(&judged);
        let ambiguous = authority.ambiguous(&people);
        authority.people = Some(people);
        authority.answered = Some((server.to_owned(), self.now()));
        authority.problem = None;
        // Under the lock: nobody else puts users in force in between.
        let replaced = self.put_in_force(&judged);
        Some(Reception::Believed { replaced, let_in, ambiguous })
    }

    /// Notes why the directory does not answer, until it does. Says whether it ever has.
    pub fn keep_people(&self, problem: String) -> bool {
        let Some(authority) = &self.authority else { return false };
        let mut authority = locked(authority);
        if self.successor.get().is_some() {
            return false;
        }
        authority.problem = Some(problem);
        authority.people.is_some()
    }

    pub(super) fn directory_status(&self) -> Option<DirectoryStatus> {
        let (authority, digest) = (self.authority.as_ref()?, self.digest.as_ref()?);
        let authority = locked(authority);
        let (let_in, barred) = authority.count(digest.realms().users());
        let (server, at) = authority.answered.clone().unzip();
        let since = |at: MonotonicNanos| self.now().0.saturating_sub(at.0) / NANOS_PER_SECOND;
        Some(DirectoryStatus {
            server,
            age_seconds: at.map(since),
            people: authority.people.as_ref().map_or(0, People::len),
            let_in,
            barred,
            problem: authority.problem.clone(),
        })
    }
}
