//! Users that are replaced while their phones are connected.

use std::collections::HashSet;
use std::sync::Arc;

use sbc_common::MonotonicNanos;

use super::Border;
use super::parts::locked;
use crate::kernel::KernelError;
use crate::proof::users::{User, Users};
use crate::transport::Flow;
use crate::trust::TrustTable;

/// What was done about users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Those who are gone, or whose password is another one.
    pub disproved: usize,
    /// The places that were open for them, or for whom nobody knows.
    pub shut: usize,
}

/// What is known of the store of the users.
#[derive(Debug, Default)]
pub(super) struct UsersAccount {
    /// When the users in force were last known to be those of the store.
    pub(super) current_at: Option<MonotonicNanos>,
    /// Why that is not known now, if it is not.
    pub(super) problem: Option<String>,
}

impl<T: TrustTable> Border<T> {
    /// Puts users in force that were read anew, with the standing that they have by the directory, if there is one. Who
    /// is gone, or has another password, loses what he has opened before this returns. If they are other ones than
    /// before, all bans end.
    pub fn replace_users(&self, users: &Arc<Users>) -> Replaced {
        let mut authority = self.authority.as_ref().map(|authority| locked(authority));
        // What was read for a policy that is gone says nothing of this one, which shares the directory.
        if self.successor.get().is_some() {
            return Replaced { disproved: 0, shut: 0 };
        }
        let users = if let Some(authority) = &mut authority {
            authority.take_users(users);
            Arc::new(authority.users())
        } else {
            Arc::clone(users)
        };
        let before = self.digest.as_ref().map(|digest| Arc::clone(digest.realms().users()));
        let replaced = self.put_in_force(&users);
        drop(authority);
        let is_new = |user: &Arc<User>| {
            !user.is_barred() && before.as_ref().is_some_and(|before| !before.still_prove(user))
        };
        if replaced.disproved > 0 || users.iter().any(is_new) {
            // Whose password was missing here was no guesser.
            self.lift_bans(None);
        }
        self.users_are_current();
        replaced
    }

    pub(super) fn put_in_force(&self, users: &Arc<Users>) -> Replaced {
        let Some(digest) = &self.digest else { return Replaced { disproved: 0, shut: 0 } };
        let before = digest.replace_users(Arc::clone(users));
        let disproved = disproved(&before, users);
        let mut shut = 0;
        if !disproved.is_empty() {
            let now = self.now();
            // Another policy that has taken this one's place has users of its own.
            let Some(mut ledger) = self.ledger_in_force() else {
                return Replaced { disproved: 0, shut };
            };
            let ended;
            (shut, ended) = ledger.users_disproved(|label| disproved.contains(label), now);
            drop(ledger);
            self.report(ended);
        }
        Replaced { disproved: disproved.len(), shut }
    }

    /// Notes that the users in force are those of the store.
    pub fn users_are_current(&self) {
        let current_at = Some(self.now());
        *locked(&self.users_account) = UsersAccount { current_at, problem: None };
    }

    /// Notes why the users could not be read anew, until they can. Says whether that is news.
    pub fn keep_users(&self, problem: String) -> bool {
        let known = &mut locked(&self.users_account).problem;
        let is_news = known.as_ref() != Some(&problem);
        *known = Some(problem);
        is_news
    }

    /// Whether the store could not be read when it was last asked.
    pub fn is_missing_users(&self) -> bool {
        locked(&self.users_account).problem.is_some()
    }

    /// A user has just answered a challenge.
    pub(super) fn promote(&self, user: &Arc<User>, flow: &Flow) {
        let (Some(users), Some(digest)) = (&self.config.users, &self.digest) else { return };
        let now = self.now();
        let lifetime = users.lifetime();
        let label = Arc::from(user.label());
        let Some(mut ledger) = self.ledger_in_force() else {
            return self.successor.get().into_iter().for_each(|it| it.promote(user, flow));
        };
        // Asked under the lock, which who replaces the users takes afterwards: a proof that was judged before that
        // is either shut there or found here.
        if !digest.realms().users().still_prove(user) {
            return;
        }
        let entered: Result<(), KernelError> = ledger
            .digest_proven(&label, flow, lifetime, now)
            .and_then(|()| ledger.may_return(&label, flow, lifetime, now));
        drop(ledger);
        self.report(entered);
    }
}

/// The users who could prove themselves before, and by what they did then can no longer.
pub(super) fn disproved<'u>(before: &'u Users, users: &Users) -> HashSet<&'u str> {
    let disproved = before.iter().filter(|it| !it.is_barred() && !users.still_prove(it));
    disproved.map(|user| user.label()).collect()
}
