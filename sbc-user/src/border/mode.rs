//! The mode of the filter while it runs.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sbc_common::{Mode, MonotonicNanos};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Border;
use super::parts::locked;
use crate::kernel::{KernelError, KernelTables};

/// The longest silence of the daemon after which everything passes while enforcement is on trial: nobody else ends
/// the trial, and this is how the filter ends it by itself. Ten signs of life are missing by then.
const TRIAL_SILENCE: Duration = Duration::from_secs(5);
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Verdicts are carried out for a time, and then no more unless somebody confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    until: MonotonicNanos,
}

/// Enforcement that is on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrialStatus {
    /// Seconds until the filter observes again.
    pub ends_in_seconds: u64,
}

/// Why the mode is what it was.
#[derive(Debug, Error)]
pub enum ModeError {
    /// There is nothing to try.
    #[error("the filter enforces already, and not on trial")]
    EnforcesAlready,
    /// There is nothing to confirm.
    #[error("no enforcement is on trial: it was confirmed or is over, or none began")]
    NoTrial,
    /// The kernel does not take it.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

impl Trial {
    fn lasting(time: Duration, now: MonotonicNanos) -> Self {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self { until: MonotonicNanos(now.0.saturating_add(nanos)) }
    }

    const fn is_over(self, now: MonotonicNanos) -> bool {
        now.0 >= self.until.0
    }

    const fn status(self, now: MonotonicNanos) -> TrialStatus {
        let left = self.until.0.saturating_sub(now.0);
        TrialStatus { ends_in_seconds: left.div_ceil(NANOS_PER_SECOND) }
    }
}

impl<T> Border<T> {
    /// How often somebody wanted to change the mode, or did.
    #[must_use]
    pub fn mode_changes(&self) -> u64 {
        self.mode_changes.load(Ordering::Relaxed)
    }
}

impl Border<KernelTables> {
    /// Changes the mode of the filter from the next packet on, until it is changed again. Ends a trial.
    pub fn set_mode(&self, mode: Mode) -> Result<(), KernelError> {
        let mut trial = self.trial_to_change();
        {
            let mut ledger = self.ledger();
            ledger.table_mut().set_mode(mode)?;
            // Once it enforces for good, silence does again what the operator wants of it.
            ledger.table_mut().end_enforcement_after(self.silence_in_force())?;
        }
        *trial = None;
        tracing::info!(mode = mode.name(), "the mode was changed");
        Ok(())
    }

    /// Enforces for a time, and observes again unless that is [confirmed](Self::confirm_trial). If this process ends
    /// or hangs, the filter lets everything pass by itself, soon. A trial that runs begins anew.
    pub fn try_enforcing(&self, time: Duration) -> Result<(), ModeError> {
        let mut trial = self.trial_to_change();
        let mut ledger = self.ledger();
        if trial.is_none() && ledger.table().readings().mode()? == Mode::Enforce {
            return Err(ModeError::EnforcesAlready);
        }
        let silence = self.silence_in_force();
        let silence = silence.map_or(TRIAL_SILENCE, |silence| silence.min(TRIAL_SILENCE));
        let now = self.now();
        // Before it enforces, and with a sign of life: no packet meets an enforcement that nobody would end.
        ledger.table_mut().beat(now)?;
        ledger.table_mut().end_enforcement_after(Some(silence))?;
        ledger.table_mut().set_mode(Mode::Enforce)?;
        *trial = Some(Trial::lasting(time, now));
        tracing::info!(?time, "the filter enforces on trial");
        Ok(())
    }

    /// What was tried stays.
    pub fn confirm_trial(&self) -> Result<(), ModeError> {
        let mut trial = self.trial_to_change();
        if trial.is_none() {
            return Err(ModeError::NoTrial);
        }
        let mut ledger = self.ledger();
        ledger.table_mut().end_enforcement_after(self.silence_in_force())?;
        drop(ledger);
        *trial = None;
        tracing::info!("the trial was confirmed: the filter enforces");
        Ok(())
    }

    /// Has the filter observe again if its trial is over; to be called again and again.
    pub fn end_trial_in_time(&self) {
        let is_over = locked(&self.trial).is_some_and(|trial| trial.is_over(self.now()));
        if is_over {
            self.end_trial();
        }
    }

    /// Has the filter observe again if it enforces on trial. What fails is tried again by the next call.
    pub fn end_trial(&self) {
        let mut trial = self.trial_to_change();
        if trial.is_none() {
            return;
        }
        let mut ledger = self.ledger();
        let silence = self.silence_in_force();
        let observed = ledger.table_mut().set_mode(Mode::Observe);
        match observed.and_then(|()| ledger.table_mut().end_enforcement_after(silence)) {
            Ok(()) => {
                *trial = None;
                tracing::warn!("the trial is over and was not confirmed: the filter observes");
            }
            Err(error) => tracing::error!(%error, "the filter was not told to observe again"),
        }
    }

    /// Its guard has to be taken before that of the ledger, as who puts another policy in force does.
    fn trial_to_change(&self) -> MutexGuard<'_, Option<Trial>> {
        let trial = locked(&self.trial);
        self.mode_changes.fetch_add(1, Ordering::Relaxed);
        trial
    }

    /// By the policy in force, which another may have become while the guards of the trial and of the ledger, which
    /// have to be held, were waited for.
    fn silence_in_force(&self) -> Option<Duration> {
        self.latest().unwrap_or(self).config().kernel.longest_silence()
    }

    /// The trial that runs.
    #[must_use]
    pub fn trial_status(&self) -> Option<TrialStatus> {
        locked(&self.trial).map(|trial| trial.status(self.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_over_when_its_time_is_and_tells_what_is_left_of_it() {
        let at = |milliseconds: u64| MonotonicNanos(milliseconds * 1_000_000);
        let trial = Trial::lasting(Duration::from_mins(10), at(1000));
        for (now, left, is_over) in [
            (0, 601, false),
            (1000, 600, false),
            (600_500, 1, false),
            (601_000, 0, true),
            (9_000_000, 0, true),
        ] {
            assert_eq!(trial.status(at(now)), TrialStatus { ends_in_seconds: left });
            assert_eq!(trial.is_over(at(now)), is_over, "{now}");
        }
        let endless = Trial::lasting(Duration::MAX, at(1000));
        assert!(!endless.is_over(MonotonicNanos(u64::MAX - 1)));
    }
}
