//! The directory that says who of the users is let in: asked in the background, for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::border::{Border, Reception, Replaced};
use crate::config::Config;
use crate::directory::Source;
use crate::proof::users::Users;
use crate::trust::TrustTable;

/// How long the start waits for the first answer: until there is one a correct password is refused, and some phones
/// do not try again soon. Well below the shortest `silence` after which the filter may take the daemon for dead.
const FIRST_ANSWER: Duration = Duration::from_secs(1);
/// How soon a directory that did not answer is asked again; then after twice that, and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// No more names than these are written into the log at once.
const MOST_NAMES: usize = 10;

/// Whoever asks a directory.
pub(super) struct Inquirer<T> {
    source: Arc<Source>,
    border: Arc<Border<T>>,
    /// What was said last about what is wrong.
    told: Option<String>,
    /// Whose answer was in force last, and how many users it lets in.
    in_force: Option<(String, usize)>,
    ambiguous: Vec<String>,
}

impl<T: TrustTable + Send + 'static> Inquirer<T> {
    /// Begins to ask, if there is a directory, and waits some moments for the first answer; `is_believed` if the
    /// operator says that he knows it. Returns what makes it end.
    pub(super) async fn start(
        source: Option<Source>,
        border: Arc<Border<T>>,
        is_believed: bool,
    ) -> Option<AbortHandle> {
        let source = Arc::new(source?);
        let mut inquirer =
            Self { source, border, told: None, in_force: None, ambiguous: Vec::new() };
        let is_answered = timeout(FIRST_ANSWER, inquirer.ask(is_believed)).await.unwrap_or(false);
        Some(tokio::spawn(inquirer.go_on(is_answered, is_believed)).abort_handle())
    }

    async fn go_on(mut self, mut is_answered: bool, mut is_believed: bool) {
        let refresh = self.source.settings().refresh();
        let mut failures: u32 = 0;
        loop {
            failures = if is_answered { 0 } else { failures.saturating_add(1) };
            // Until there is an answer it is the one that the operator knows.
            is_believed &= !is_answered;
            sleep(pause(refresh, failures)).await;
            is_answered = self.ask(is_believed).await;
        }
    }

    /// Says whether there was an answer.
    async fn ask(&mut self, is_believed: bool) -> bool {
        let (people, server) = match self.source.read().await {
            Ok((people, url)) => (people, url.to_string()),
            Err(problem) => {
                self.silent(problem.to_string());
                return false;
            }
        };
        let border = Arc::clone(&self.border);
        let count = people.len();
        let taking = {
            let server = server.clone();
            move || border.take_people(people, &server, is_believed)
        };
        // It looks at all users, of whom there may be very many.
        match tokio::task::spawn_blocking(taking).await {
            Ok(Some(Reception::Believed { replaced, let_in, ambiguous })) => {
                let Replaced { disproved, shut } = replaced;
                let in_force = Some((server.clone(), let_in));
                let is_news = self.told.take().is_some() || self.in_force != in_force;
                if is_news || is_believed || disproved > 0 {
                    tracing::info!(server, people = count, let_in, disproved, shut, "{IN_FORCE}");
                }
                self.in_force = in_force;
                self.tell_ambiguous(ambiguous);
            }
            Ok(Some(Reception::Doubted(doubt))) => {
                self.tell(
                    format!("{server}: {doubt}"),
                    "the users stay as the directory said before",
                );
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "taking what the directory says failed"),
        }
        true
    }

    fn silent(&mut self, problem: String) {
        let had_answered = self.border.keep_people(problem.clone());
        let consequence = if had_answered {
            "the directory does not answer, and what it said before holds"
        } else {
            "the directory does not answer, and no user is let in until it does"
        };
        self.tell(problem, consequence);
    }

    /// Once for each change.
    fn tell(&mut self, problem: String, consequence: &str) {
        if self.told.as_ref() != Some(&problem) {
            tracing::error!("{consequence}: {problem}");
            self.told = Some(problem);
        }
    }

    fn tell_ambiguous(&mut self, ambiguous: Vec<String>) {
        if ambiguous != self.ambiguous && !ambiguous.is_empty() {
            let names: Vec<_> = ambiguous.iter().take(MOST_NAMES).collect();
            let count = ambiguous.len();
            tracing::warn!(
                count,
                "several entries of the directory have the name of one user, who is refused"
            );
            tracing::debug!(?names, "they are refused");
        }
        self.ambiguous = ambiguous;
    }
}

/// How long to wait before the next question, after so many in a row that nobody answered.
fn pause(refresh: Duration, failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => refresh,
        Some(before) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(before)).min(refresh),
    }
}

/// What the log says when an answer is believed.
const IN_FORCE: &str = "the users are let in as the directory says";

/// What is hardly meant.
pub(super) fn warnings(config: &Config, users: &Users) -> Vec<String> {
    let Some(directory) = &config.directory else { return Vec::new() };
    let default = users.default_realm().realm();
    let Some(realm) = directory.realm.as_deref().map_or(Some(default), |name| users.realm(name))
    else {
        let realm = directory.realm.as_deref().unwrap_or_default();
        return vec![format!(
            "[directory] realm is {realm:?}, which no user has: nobody is let in"
        )];
    };
    let others = users.iter().filter(|user| user.realm() != realm).count();
    if others == 0 {
        return Vec::new();
    }
    vec![format!(
        "{others} users are not of the realm {realm:?}: the directory is not asked about them"
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_does_not_answer_is_asked_soon_and_then_ever_less_often() {
        let seconds = Duration::from_secs;
        for (refresh, failures, expected) in [
            (300, 0, 300),
            (300, 1, 1),
            (300, 2, 2),
            (300, 9, 256),
            (300, u32::MAX, 300),
            (1, 3, 1),
        ] {
            assert_eq!(pause(seconds(refresh), failures), seconds(expected));
        }
    }
}
