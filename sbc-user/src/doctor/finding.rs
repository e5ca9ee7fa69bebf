use serde::Serialize;

use super::Check;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Nobody could tell: mostly for want of privilege.
    Unseen,
    /// It works, and not as well or not for as long as it might.
    Warning,
    /// Something does not work.
    Failure,
}

impl Level {
    /// The word at the beginning of a line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unseen => "unseen",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// What is said of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it is.
    pub level: Level,
    /// What is known of it.
    pub said: String,
    /// What to do next, as a command where there is one.
    pub next: Option<String>,
}

impl Finding {
    /// It is as it should be.
    #[must_use]
    pub fn ok(check: Check, said: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, said: said.into(), next: None }
    }

    /// Nobody can tell, and `next` says who could.
    #[must_use]
    pub fn unseen(check: Check, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Unseen, said: said.into(), next: Some(next.into()) }
    }

    /// It should be better.
    #[must_use]
    pub fn warning(check: Check, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, said: said.into(), next: Some(next.into()) }
    }

    /// It does not work.
    #[must_use]
    pub fn failure(check: Check, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Failure, said: said.into(), next: Some(next.into()) }
    }
}
