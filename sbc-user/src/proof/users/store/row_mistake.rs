use std::fmt;

use thiserror::Error;

use super::super::{UserMistake, UserRecord, UsersProblem};

/// As much of a name is told as shows which it is.
const SHOWN: usize = 64;

/// What is wrong with a row of a database, and with which. It never repeats a hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct RowMistake {
    row: String,
    problem: UsersProblem,
}

impl RowMistake {
    pub(super) fn of_realm(name: &str, problem: UsersProblem) -> Self {
        Self { row: format!("realm {:?}", short(name)), problem }
    }

    pub(super) fn of_domain(name: &str, problem: UsersProblem) -> Self {
        Self { row: format!("domain {:?}", short(name)), problem }
    }

    pub(super) fn of_user(record: &UserRecord, mistake: UserMistake) -> Self {
        let realm = record.realm.as_deref().unwrap_or_default();
        let row = format!("user {:?} of realm {:?}", short(&record.name), short(realm));
        Self { row, problem: mistake.problem }
    }
}

fn short(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}

impl fmt::Display for RowMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.row, self.problem)
    }
}
