//! A sample of what a server does.

use serde::{Deserialize, Serialize};

/// One window of time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct WorkSample {
    /// The length of the window.
    pub seconds: f64,
    /// Units of work that were done, with the right answers.
    pub done: u64,
    /// Nanoseconds that all threads of the server ran.
    pub cpu_nanos: u64,
}

impl WorkSample {
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
