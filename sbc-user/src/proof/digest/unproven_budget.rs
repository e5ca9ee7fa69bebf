use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sbc_common::{Budget, MonotonicNanos};

/// Words of 8 bytes, in which addresses are counted. Those that fall into the same share a budget.
const SOURCES: usize = 16_384;

/// How many requests of who is not proven are passed on: of all together, and of each address or IPv6 /64; and how
/// many answers to challenges among them that nobody has judged yet, or that were no proof.
///
/// Its size is fixed and nothing is locked. Which addresses share a word nobody outside can tell.
pub(super) struct UnprovenBudget {
    of_all: Budget,
    spent_by_all: Arc<AtomicU64>,
    of_sources: Meter,
    answers: Meter,
}

/// The budget of each source.
struct Meter {
    budget: Budget,
    /// Theoretical arrival times.
    spent: Arc<[AtomicU64]>,
    hasher: RandomState,
}

impl UnprovenBudget {
    pub(super) fn new(of_all: Budget, of_source: Budget, answers_of_source: Budget) -> Self {
        Self {
            of_all,
            spent_by_all: Arc::default(),
            of_sources: Meter::new(of_source),
            answers: Meter::new(answers_of_source),
        }
    }

    /// The same, of which as much is spent as of `earlier`.
    pub(super) fn continuing(self, earlier: &Self) -> Self {
        Self {
            spent_by_all: Arc::clone(&earlier.spent_by_all),
            of_sources: self.of_sources.continuing(&earlier.of_sources),
            answers: self.answers.continuing(&earlier.answers),
            ..self
        }
    }

    /// Spends what a request costs; `false` if there is not as much. Who has spent his own takes nothing of
    /// what all have.
    ///
    /// An answer to a challenge costs one of the failures that are let pass, before anybody knows whether it is
    /// one: who sends many at once would else have as many guesses.
    pub(super) fn spend(&self, source: IpAddr, is_answer: bool, now: MonotonicNanos) -> bool {
        self.of_sources.spend(source, now)
            && (!is_answer || self.answers.spend(source, now))
            && spend(&self.spent_by_all, self.of_all, now)
    }

    /// Gives back what an answer has cost that was a proof.
    pub(super) fn was_proof(&self, source: IpAddr) {
        self.answers.give_back(source);
    }
}

impl Meter {
    fn new(budget: Budget) -> Self {
        let spent = (0..SOURCES).map(|_| AtomicU64::new(0)).collect();
        Self { budget, spent, hasher: RandomState::new() }
    }

    fn continuing(self, earlier: &Self) -> Self {
        let Self { budget, .. } = self;
        Self { budget, spent: Arc::clone(&earlier.spent), hasher: earlier.hasher.clone() }
    }

    fn spend(&self, source: IpAddr, now: MonotonicNanos) -> bool {
        self.word(source).is_some_and(|word| spend(word, self.budget, now))
    }

    fn give_back(&self, source: IpAddr) {
        let Some(word) = self.word(source) else { return };
        let before = |arrival: u64| Some(arrival.saturating_sub(self.budget.interval));
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, before);
    }

    fn word(&self, source: IpAddr) -> Option<&AtomicU64> {
        let source = match source.to_canonical() {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address) & !u128::from(u64::MAX),
        };
        let hash = usize::try_from(self.hasher.hash_one(source) & 0xffff_ffff).unwrap_or(0);
        self.spent.get(hash % SOURCES)
    }
}

fn spend(word: &AtomicU64, budget: Budget, now: MonotonicNanos) -> bool {
    let next = |arrival| budget.spend(arrival, now);
    word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(of_all: u32, of_source: u32) -> UnprovenBudget {
        let per_second = |burst| Budget::per_second(1, burst);
        UnprovenBudget::new(per_second(of_all), per_second(of_source), per_second(3))
    }

    fn spent(budget: &UnprovenBudget, source: &str, is_answer: bool, seconds: u64) -> usize {
        let (source, now) = (source.parse().unwrap(), MonotonicNanos(seconds * 1_000_000_000));
        (0..100).filter(|_| budget.spend(source, is_answer, now)).count()
    }

    #[test]
    fn one_source_spends_its_own_and_leaves_the_rest_to_others() {
        let budget = budget(5, 2);
        assert_eq!(spent(&budget, "192.0.2.1", false, 1), 2);
        assert_eq!(spent(&budget, "192.0.2.2", false, 1), 2);
        assert_eq!(spent(&budget, "192.0.2.3", false, 1), 1, "all together have no more");
        assert_eq!(spent(&budget, "192.0.2.1", false, 7), 2);
    }

    #[test]
    fn an_ipv6_subnet_is_one_source() {
        let budget = budget(50, 2);
        assert_eq!(spent(&budget, "2001:db8::1", false, 1), 2);
        assert_eq!(spent(&budget, "2001:db8::ffff:2", false, 1), 0);
        assert_eq!(spent(&budget, "2001:db8:0:1::1", false, 1), 2);
    }

    #[test]
    fn answers_are_counted_before_they_are_judged_and_proofs_given_back() {
        let budget = budget(1000, 500);
        let source = "192.0.2.1";
        assert_eq!(spent(&budget, source, true, 1), 3);
        budget.was_proof(source.parse().unwrap());
        assert_eq!(spent(&budget, source, true, 1), 1);
        assert_eq!(spent(&budget, source, false, 1), 100);
    }
}
