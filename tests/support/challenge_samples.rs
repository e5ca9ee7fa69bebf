//! What the benchmark of challenges hands to whoever makes a table of it.

use serde::{Deserialize, Serialize};

/// Everything that one run measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChallengeSamples {
    /// The cases in the order in which they are to be shown.
    pub cases: Vec<ChallengeCase>,
    /// Seconds for which the machine was waited for, because others used it.
    pub waited_for_others: f64,
    /// Samples that were taken although others used the machine.
    pub disturbed: usize,
}

/// One server doing one kind of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChallengeCase {
    /// As in `--only`.
    pub name: String,
    /// What it is, for people.
    pub what: String,
    /// A sample for each round that was measured.
    pub samples: Vec<ChallengeSample>,
    /// Why the case was given up.
    pub error: Option<String>,
}

/// One window of time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ChallengeSample {
    /// The length of the window.
    pub seconds: f64,
    /// Units of work that were done, with the right answers.
    pub done: u64,
    /// Nanoseconds that all threads of the server ran.
    pub cpu_nanos: u64,
}

impl ChallengeSample {
    /// Units of work per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn per_second(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// Units of work per second that the server ran.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn per_cpu_second(&self) -> f64 {
        self.done as f64 / self.cpu_nanos as f64 * 1e9
    }

    /// The part of the window in which the server ran.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn busy(&self) -> f64 {
        self.cpu_nanos as f64 / 1e9 / self.seconds
    }
}
