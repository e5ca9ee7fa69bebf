//! A sample of the benchmark of relayed calls.

use serde::{Deserialize, Serialize};

use crate::WorkSample;

/// One window of time with as many calls as there can be, and one with calls at a leisurely pace.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RelaySample {
    /// Complete calls, in the first window.
    #[serde(flatten)]
    pub work: WorkSample,
    /// Half of the calls of the second window were answered within so many microseconds.
    pub set_up_median: f64,
    /// All but a hundredth of them were.
    pub set_up_99th: f64,
    /// Bytes of memory with many calls, once for each process that has them.
    pub resident: f64,
    /// The same, shared ones divided among those who share them.
    pub proportional: f64,
}
