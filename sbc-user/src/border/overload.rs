//! What becomes of those who want something while there is more to do than can be done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rsip::Method as KnownMethod;
use sbc_common::Budget;
use tokio::time::MissedTickBehavior;

use super::{Border, InForce};
use crate::config::UnknownPolicy;
use crate::kernel::KernelTables;
use crate::screening::{Evidence, Outcome, Rejection, Standing};
use crate::sip::{Message, StartLine};
use crate::transport::{Flow, Load, Loads};
use crate::trust::TrustTable;

/// How often the load is looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// How many calm looks there are before strangers get more again.
const CALM: u32 = 10;

impl<T: TrustTable> Border<T> {
    /// Asks whoever is no stranger to come back, at a time that is not everybody's.
    pub(super) fn put_off(
        &self,
        flow: &Flow,
        evidence: &Evidence,
        request: &Message<'_>,
        answer: &mut Vec<u8>,
    ) {
        let is_proven = matches!(self.standing(flow, evidence), Standing::Proven(_));
        if !evidence.has_answered && !is_proven {
            return self.counters.count(Outcome::ShedStranger);
        }
        let rejection = Rejection { status: 503, outcome: Outcome::Overloaded };
        self.counters.count(rejection.outcome);
        self.note_refused(flow, evidence, rejection.outcome);
        let seal = self.forwarder.seal();
        if let Ok(reply) = rejection.answer(seal, request, flow, evidence) {
            *answer = reply;
        }
    }

    /// Says whether it repeats an INVITE that went in.
    pub(super) fn is_under_way(&self, request: &Message<'_>) -> bool {
        matches!(request.start_line(),
            StartLine::Request { method, .. } if method.is(KnownMethod::Invite))
            && self.forwarder.upstream().remembers(request, Instant::now())
    }

    /// The load as it was last looked at.
    pub(super) fn load(&self) -> Load {
        Load::of_quarters(self.load.load(Ordering::Relaxed).into())
    }
}

/// Slows strangers down in the kernel while the daemon is behind: their budget is halved at each look
/// that finds more than a burst in a queue or a burst that stays, and doubled after a second of calm.
pub async fn hold_back_strangers(in_force: Arc<InForce<KernelTables>>, mut loads: Loads) {
    let mut brake = Brake::new(in_force.border().config().unknown.budget.budget());
    let mut looks = tokio::time::interval(PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let border = in_force.border();
        // Whoever changes the policy writes it as slow as it was.
        brake.budget = border.config().unknown.budget.budget();
        let load = loads.take_highest();
        border.load.store(load as u8, Ordering::Relaxed);
        let is_asked = border.config().unknown.action == UnknownPolicy::Challenge;
        let Some(interval) = brake.step(load).filter(|_| is_asked) else { continue };
        border.strangers_slowed.store(brake.slowed(), Ordering::Relaxed);
        tracing::info!(load = load.name(), budget_divided_by = brake.slowed(), "strangers' budget");
        if let Err(error) = border.ledger().table_mut().set_unknown_interval(interval) {
            tracing::error!(%error, "strangers' budget could not be changed");
        }
    }
}

/// Halves and doubles a rate. The tolerance of the budget stays, and with it a burst that is halved and
/// doubled like the rate: one word says both.
#[derive(Debug)]
struct Brake {
    budget: Budget,
    halvings: u32,
    calm: u32,
}

impl Brake {
    const fn new(budget: Budget) -> Self {
        Self { budget, halvings: 0, calm: 0 }
    }

    /// The interval in nanoseconds that a stranger's packet is to cost from now on, if that changes.
    fn step(&mut self, load: Load) -> Option<u64> {
        if load > Load::Calm {
            self.calm = 0;
            let next = self.halvings + 1;
            // One packet has to fit into the tolerance, or none would ever pass.
            self.interval(next).filter(|interval| *interval <= self.budget.tolerance)?;
            self.halvings = next;
        } else if self.halvings > 0 {
            self.calm += 1;
            if self.calm < CALM {
                return None;
            }
            self.calm = 0;
            self.halvings -= 1;
        } else {
            return None;
        }
        self.interval(self.halvings)
    }

    /// By how much the configured budget is divided.
    fn slowed(&self) -> u32 {
        1_u32.checked_shl(self.halvings).unwrap_or(u32::MAX)
    }

    fn interval(&self, halvings: u32) -> Option<u64> {
        self.budget.interval.checked_mul(1_u64.checked_shl(halvings)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_daemon_halves_the_budget_down_to_one_packet_of_its_burst() {
        let budget = Budget::per_second(1000, 10);
        let mut brake = Brake::new(budget);
        let steps: Vec<_> = (0..5).map(|_| brake.step(Load::Busy)).collect();
        let halved = |by: u64| Some(budget.interval * by);
        assert_eq!(steps, [halved(2), halved(4), halved(8), None, None]);
        assert_eq!(brake.slowed(), 8);
    }

    #[test]
    fn a_second_of_calm_doubles_it_up_to_what_was_configured() {
        let budget = Budget::per_second(1000, 10);
        let mut brake = Brake::new(budget);
        brake.step(Load::Critical);
        brake.step(Load::Busy);
        let mut changes = Vec::new();
        for look in 1..=3 * CALM {
            changes.extend(brake.step(Load::Calm).map(|interval| (look, interval)));
        }
        assert_eq!(changes, [(CALM, budget.interval * 2), (2 * CALM, budget.interval)]);
        assert_eq!(brake.slowed(), 1);
    }

    #[test]
    fn calm_counts_only_without_interruption() {
        let mut brake = Brake::new(Budget::per_second(1000, 1000));
        brake.step(Load::Busy);
        for _ in 1..CALM {
            assert_eq!(brake.step(Load::Calm), None);
        }
        assert!(brake.step(Load::Busy).is_some());
        for _ in 1..CALM {
            assert_eq!(brake.step(Load::Calm), None);
        }
        assert_eq!(brake.slowed(), 4);
    }

    #[test]
    fn a_budget_of_nothing_stays_nothing() {
        let mut brake = Brake::new(Budget::per_second(0, 0));
        let mut tightened = (0..100).map(|_| brake.step(Load::Critical));
        assert!(tightened.all(|interval| interval.is_none_or(|interval| interval == 0)));
    }
}
