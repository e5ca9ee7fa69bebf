use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use sbc_common::{Budget, MonotonicNanos};

/// Words of 8 bytes, in which addresses are counted. Those that fall into the same share a budget.
const SOURCES: usize = 16_384;

/// How many requests of who is not proven are passed on: of all together, and of each address or IPv6 /64.
///
/// Its size is fixed and nothing is locked. Which addresses share a word nobody outside can tell.
pub(super) struct UnprovenBudget {
    of_all: Budget,
    of_source: Budget,
    /// Theoretical arrival times.
    spent_by_all: AtomicU64,
    spent_by_source: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl UnprovenBudget {
    pub(super) fn new(of_all: Budget, of_source: Budget) -> Self {
        Self {
            of_all,
            of_source,
            spent_by_all: AtomicU64::new(0),
            spent_by_source: (0..SOURCES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Spends what a request costs; `false` if there is not as much. Who has spent his own takes nothing of
    /// what all have.
    pub(super) fn spend(&self, source: IpAddr, now: MonotonicNanos) -> bool {
        let source = match source.to_canonical() {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address) & !u128::from(u64::MAX),
        };
        let hash = usize::try_from(self.hasher.hash_one(source) & 0xffff_ffff).unwrap_or(0);
        let Some(word) = self.spent_by_source.get(hash % SOURCES) else { return false };
        spend(word, self.of_source, now) && spend(&self.spent_by_all, self.of_all, now)
    }
}

fn spend(word: &AtomicU64, budget: Budget, now: MonotonicNanos) -> bool {
    let next = |arrival| budget.spend(arrival, now);
    word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &UnprovenBudget, source: &str, tries: usize, now: u64) -> usize {
        let source = source.parse().unwrap();
        (0..tries).filter(|_| budget.spend(source, MonotonicNanos(now))).count()
    }

    #[test]
    fn one_source_spends_its_own_and_leaves_the_rest_to_others() {
        let budget = UnprovenBudget::new(Budget::per_second(10, 5), Budget::per_second(1, 2));
        assert_eq!(spent(&budget, "192.0.2.1", 100, 1), 2);
        assert_eq!(spent(&budget, "192.0.2.2", 100, 1), 2);
        assert_eq!(spent(&budget, "192.0.2.3", 100, 1), 1, "all together have no more");
        let later = 2_000_000_000;
        assert_eq!(spent(&budget, "192.0.2.1", 100, later), 2);
    }

    #[test]
    fn an_ipv6_subnet_is_one_source() {
        let budget = UnprovenBudget::new(Budget::per_second(10, 50), Budget::per_second(1, 2));
        assert_eq!(spent(&budget, "2001:db8::1", 100, 1), 2);
        assert_eq!(spent(&budget, "2001:db8::ffff:2", 100, 1), 0);
        assert_eq!(spent(&budget, "2001:db8:0:1::1", 100, 1), 2);
    }
}
