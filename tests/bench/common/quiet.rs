//! Waiting for a machine that nobody else uses.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// How long the machine is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How much of its time may go to others.
const TOLERATED: f64 = 0.15;
/// What a whole run waits at most, all in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// What one sample waits at most.
const PATIENCE_FOR_ONE: Duration = Duration::from_millis(1500);

/// What has been waited.
#[derive(Default)]
pub(crate) struct Quiet {
    pub(crate) waited: Duration,
    /// How often it was in vain.
    pub(crate) disturbed: usize,
}

impl Quiet {
    /// Waits until the machine is idle, within what patience is left.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut looks = 0;
        loop {
            let before = times()?;
            thread::sleep(LOOK);
            let after = times()?;
            let is_idle = busy_share(before, after) <= TOLERATED;
            looks += 1;
            if looks > 1 || !is_idle {
                self.waited += LOOK;
            }
            if is_idle {
                return Ok(());
            }
            if self.waited >= PATIENCE || start.elapsed() >= PATIENCE_FOR_ONE {
                self.disturbed += 1;
                return Ok(());
            }
        }
    }
}

/// Ticks of all CPUs: idle ones, and all.
fn times() -> Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // "user nice system idle iowait irq softirq steal …"; guests are in user already.
    let all = ticks.iter().take(8).sum();
    Ok((ticks.iter().skip(3).take(2).sum(), all))
}

#[expect(clippy::cast_precision_loss, reason = "a handful of ticks")]
fn busy_share(before: (u64, u64), after: (u64, u64)) -> f64 {
    let idle = after.0.saturating_sub(before.0) as f64;
    let all = after.1.saturating_sub(before.1) as f64;
    if all == 0.0 { 0.0 } else { 1.0 - idle / all }
}
