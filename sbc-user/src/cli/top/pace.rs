use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::border::Status;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// Frames that met a verdict of the filter.
    Verdict(String),
    /// Messages that met an outcome of the daemon.
    Outcome(String),
    /// Requests of a peer or of users that were relayed.
    Accepted(String),
    /// Those that were refused.
    Refused(String),
}

/// How much of everything there is in a second, now and lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    before: Option<(Duration, BTreeMap<Counted, u64>)>,
    rates: BTreeMap<Counted, u64>,
    lately: BTreeMap<Counted, VecDeque<u64>>,
}

/// Looks that are remembered: as many as the widest line of bars has columns.
const REMEMBERED: usize = 120;

impl Pace {
    /// Takes what was counted `at` a moment; `None` if nobody told.
    pub(super) fn observe(&mut self, at: Duration, status: Option<&Status>) {
        let totals = status.map(totals);
        let elapsed = self.before.as_ref().map(|(before, _)| at.saturating_sub(*before));
        self.rates = match (&self.before, &totals, elapsed) {
            (Some((_, before)), Some(now), Some(elapsed)) if !elapsed.is_zero() => now
                .iter()
                .map(|(counted, now)| {
                    let before = before.get(counted).copied().unwrap_or(0);
                    (counted.clone(), per_second(before, *now, elapsed))
                })
                .collect(),
            _ => BTreeMap::new(),
        };
        if self.before.is_some() {
            let seen = self.rates.iter().filter(|(_, rate)| **rate > 0).map(|(counted, _)| counted);
            for counted in seen {
                self.lately.entry(counted.clone()).or_default();
            }
            for (counted, bars) in &mut self.lately {
                if bars.len() == REMEMBERED {
                    bars.pop_front();
                }
                bars.push_back(self.rates.get(counted).copied().unwrap_or(0));
            }
        }
        self.before = totals.map(|totals| (at, totals));
    }

    /// How often in the last second; zero until it is known.
    pub(super) fn rate(&self, counted: &Counted) -> u64 {
        self.rates.get(counted).copied().unwrap_or(0)
    }

    /// The last rates, the latest last: at most so many.
    pub(super) fn lately(&self, counted: &Counted, most: usize) -> Vec<u64> {
        let Some(bars) = self.lately.get(counted) else { return Vec::new() };
        bars.iter().skip(bars.len().saturating_sub(most)).copied().collect()
    }
}

/// A daemon that was started again has counted less than before: then nothing is known yet.
fn per_second(before: u64, now: u64, elapsed: Duration) -> u64 {
    let more = u128::from(now.saturating_sub(before)) * 1000;
    let elapsed = elapsed.as_millis().max(1);
    u64::try_from((more + elapsed / 2) / elapsed).unwrap_or(u64::MAX)
}

fn totals(status: &Status) -> BTreeMap<Counted, u64> {
    let verdicts = status.kernel.verdicts.iter();
    let verdicts = verdicts.map(|row| (Counted::Verdict(row.reason.clone()), row.packets));
    let outcomes = status.daemon.iter().flat_map(|daemon| &daemon.outcomes);
    let outcomes = outcomes.map(|(name, count)| (Counted::Outcome(name.clone()), *count));
    let activity = status.daemon.iter().flat_map(|daemon| &daemon.activity);
    let activity = activity.flat_map(|row| {
        [
            (Counted::Accepted(row.holder.clone()), row.accepted),
            (Counted::Refused(row.holder.clone()), row.refused),
        ]
    });
    verdicts.chain(outcomes).chain(activity).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn a_rate_is_what_was_added_in_the_time_that_it_took() {
        let stranger = Counted::Verdict("unknown-source".to_owned());
        let mut pace = Pace::default();
        let mut looks = Vec::new();
        for (millis, packets) in
            [(0, Some(5)), (1000, Some(105)), (3000, Some(305)), (3500, None), (4000, Some(400))]
        {
            let status = packets.map(scene::dropping);
            pace.observe(Duration::from_millis(millis), status.as_ref());
            looks.push(pace.rate(&stranger));
        }
        assert_eq!(looks, [0, 100, 100, 0, 0]);
        assert_eq!(pace.lately(&stranger, 2), [100, 0]);
        assert_eq!(pace.lately(&stranger, 9), [100, 100, 0]);
    }

    #[test]
    fn counters_that_begin_anew_are_no_rate_and_a_clock_that_stands_still_is_none() {
        let stranger = Counted::Verdict("unknown-source".to_owned());
        let mut pace = Pace::default();
        for (millis, packets) in [(0, 1000), (1000, 3), (1000, 50)] {
            pace.observe(Duration::from_millis(millis), Some(&scene::dropping(packets)));
            assert_eq!(pace.rate(&stranger), 0);
        }
    }
}
