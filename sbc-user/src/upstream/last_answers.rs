use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::directory::{LONGEST, PAUSE};
use super::resolve::{Answer, Names, NoAnswer, Server, Service};

/// How long all questions about one source may take together.
const WHOLE: Duration = Duration::from_secs(15);
/// How long one of them may take, so that a silent name leaves time for the others.
const EACH: Duration = Duration::from_secs(5);
/// Of how many names an answer is kept, of each kind. When it is full of names that are asked for, more are
/// not remembered.
const MOST_NAMES: usize = 8192;

/// What the DNS said last of every name: it holds for as long as it says nothing else. So a silence about
/// one host takes no target away.
#[derive(Debug, Default)]
pub(super) struct LastAnswers {
    services: Mutex<HashMap<String, Last<Service>>>,
    servers: Mutex<HashMap<String, Last<Server>>>,
    addresses: Mutex<HashMap<String, Last<IpAddr>>>,
}

#[derive(Debug)]
struct Last<T> {
    records: Vec<T>,
    asked: Instant,
}

impl LastAnswers {
    /// Asks these, for as long as the questions about one source may take from now.
    pub(super) fn over<'n, N: Names>(&'n self, names: &'n N) -> impl Names + 'n {
        Asking { names, last: self, deadline: Instant::now() + WHOLE }
    }
}

struct Asking<'n, N> {
    names: &'n N,
    last: &'n LastAnswers,
    deadline: Instant,
}

impl<N: Names> Asking<'_, N> {
    async fn ask<T: Clone + Send>(
        &self,
        last: &Mutex<HashMap<String, Last<T>>>,
        name: &str,
        answer: impl Future<Output = Result<Answer<T>, NoAnswer>> + Send,
    ) -> Result<Answer<T>, NoAnswer> {
        let deadline = self.deadline.min(Instant::now() + EACH);
        let answer = tokio::time::timeout_at(deadline.into(), answer).await;
        let now = Instant::now();
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Ok(answer)) = answer {
            if last.len() >= MOST_NAMES {
                last.retain(|_, it| now.saturating_duration_since(it.asked) <= LONGEST * 2);
            }
            if last.len() < MOST_NAMES || last.contains_key(name) {
                let records = answer.records.clone();
                last.insert(name.to_owned(), Last { records, asked: now });
            }
            return Ok(answer);
        }
        let last = last.get_mut(name).ok_or(NoAnswer)?;
        last.asked = now;
        tracing::warn!(name, "the DNS does not answer; what it said before holds");
        Ok(Answer { records: last.records.clone(), until: now + PAUSE, is_whole: true })
    }
}

impl<N: Names> Names for Asking<'_, N> {
    async fn services(&self, name: &str) -> Result<Answer<Service>, NoAnswer> {
        self.ask(&self.last.services, name, self.names.services(name)).await
    }

    async fn servers(&self, name: &str) -> Result<Answer<Server>, NoAnswer> {
        self.ask(&self.last.servers, name, self.names.servers(name)).await
    }

    async fn addresses(&self, name: &str) -> Result<Answer<IpAddr>, NoAnswer> {
        self.ask(&self.last.addresses, name, self.names.addresses(name)).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Knows the address of every host until it falls silent, and never answers anything else.
    #[derive(Default)]
    struct Falling(AtomicBool);

    impl Names for Falling {
        async fn services(&self, _: &str) -> Result<Answer<Service>, NoAnswer> {
            pending().await
        }

        async fn servers(&self, _: &str) -> Result<Answer<Server>, NoAnswer> {
            pending().await
        }

        async fn addresses(&self, _: &str) -> Result<Answer<IpAddr>, NoAnswer> {
            if self.0.load(Ordering::Relaxed) {
                return Err(NoAnswer);
            }
            let records = vec![IpAddr::from([10, 0, 0, 5])];
            Ok(Answer { records, until: Instant::now() + LONGEST, is_whole: true })
        }
    }

    #[tokio::test]
    async fn what_was_said_of_a_name_holds_while_nothing_is_said_and_is_soon_asked_for_again() {
        let (names, last) = (Falling::default(), LastAnswers::default());
        let said = last.over(&names).addresses("a.example").await.unwrap();
        names.0.store(true, Ordering::Relaxed);
        let held = last.over(&names).addresses("a.example").await.unwrap();
        assert_eq!(held.records, said.records);
        assert!(held.until <= Instant::now() + PAUSE);
        let other = last.over(&names).addresses("b.example").await;
        assert_eq!(other.unwrap_err(), NoAnswer);
    }

    #[tokio::test]
    async fn a_silent_name_is_given_up_when_the_time_for_its_source_is_over() {
        let (names, last) = (Falling::default(), LastAnswers::default());
        let asking = Asking { names: &names, last: &last, deadline: Instant::now() };
        assert_eq!(asking.services("a.example").await.unwrap_err(), NoAnswer);
        assert_eq!(asking.servers("a.example").await.unwrap_err(), NoAnswer);
        assert!(asking.addresses("a.example").await.is_ok(), "it answers without delay");
    }
}
