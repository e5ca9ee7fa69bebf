/// A point in time: nanoseconds of `CLOCK_MONOTONIC` since boot, which no change of the wall clock
/// moves. The kernel reads it at the grain of the timer tick (1 to 10 ms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonotonicNanos(pub u64);

/// A rate with a burst, kept in one word by the generic cell rate algorithm (ITU-T I.371): the word is
/// the theoretical arrival time of the next packet if the rate were kept exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Nanoseconds that one packet costs: 10⁹ divided by the rate per second.
    pub interval: u64,
    /// Nanoseconds by which the theoretical arrival time may run ahead of now: burst × interval.
    pub tolerance: u64,
}

impl Budget {
    /// Makes the budget of `rate` packets a second with up to `burst` at once. A rate of zero never
    /// allows a packet.
    #[must_use]
    pub const fn per_second(rate: u32, burst: u32) -> Self {
        if rate == 0 {
            return Self { interval: 0, tolerance: 0 };
        }
        let interval = 1_000_000_000 / rate as u64;
        Self { interval, tolerance: interval.saturating_mul(burst as u64) }
    }

    /// Returns the new theoretical arrival time if a packet at `now` is within the budget, `None` if
    /// the budget is spent.
    #[must_use]
    #[inline(always)]
    pub fn spend(&self, arrival: u64, now: MonotonicNanos) -> Option<u64> {
        if self.interval == 0 {
            return None;
        }
        let next = arrival.max(now.0).saturating_add(self.interval);
        (next - now.0 <= self.tolerance).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(budget: Budget, times: impl Iterator<Item = u64>) -> usize {
        let mut arrival = 0;
        times
            .filter(|now| match budget.spend(arrival, MonotonicNanos(*now)) {
                Some(next) => {
                    arrival = next;
                    true
                }
                None => false,
            })
            .count()
    }

    #[test]
    fn a_burst_passes_exactly_its_size_and_no_more() {
        assert_eq!(allowed(Budget::per_second(200, 10), (0..1000).map(|_| 5)), 10);
    }

    #[test]
    fn a_steady_flood_passes_the_rate() {
        let ten_seconds_of_a_packet_each_millisecond = (0..10_000).map(|ms| ms * 1_000_000);
        let passed = allowed(Budget::per_second(200, 10), ten_seconds_of_a_packet_each_millisecond);
        assert!((2000..=2010).contains(&passed), "{passed}");
    }

    #[test]
    fn a_rate_of_zero_passes_nothing() {
        assert_eq!(allowed(Budget::per_second(0, 10), 0..100), 0);
    }

    #[test]
    fn a_clock_that_ran_backwards_does_not_open_the_budget() {
        let budget = Budget::per_second(1, 1);
        assert_eq!(budget.spend(10_000_000_000, MonotonicNanos(0)), None);
    }
}
