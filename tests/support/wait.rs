//! Waiting for a condition, with a deadline.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};

const POLL: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes every wait fail from now on, also those under way: what somebody calls who caught a signal
/// and wants the whole stack unwound, so that everything it holds is removed.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Whether [`interrupt`] was called.
#[must_use]
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Polls `condition` until it is `Ok(true)`.
///
/// `Ok(false)` and errors both mean "not yet"; the last error, as the last known state, is part of
/// the one returned when `deadline` has passed.
pub fn wait_until(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    wait_for(what, deadline, || condition().map(|holds| holds.then_some(())))
}

/// Polls `attempt` until it returns a value, as [`wait_until`] does.
pub fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if is_interrupted() {
            bail!("interrupted while waiting for {what}");
        }
        // Asked first and told after, so that the last look is taken after the deadline.
        let late = start.elapsed() >= deadline;
        let state = match attempt() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => None,
            Err(state) => Some(state),
        };
        if late {
            let waited = format!("waited {deadline:?} in vain for {what}");
            return Err(match state {
                Some(state) => state.context(waited),
                None => anyhow!(waited),
            });
        }
        thread::sleep(POLL);
    }
}
