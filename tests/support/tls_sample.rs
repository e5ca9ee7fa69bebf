//! A sample of the benchmark of TLS handshakes.

use serde::{Deserialize, Serialize};

use crate::WorkSample;

/// One window of time with as many handshakes as there can be, and some one after the other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct TlsSample {
    /// Handshakes, in the window.
    #[serde(flatten)]
    pub work: WorkSample,
    /// After half of the others the kernel had an entry within so many microseconds, where it has any.
    pub opened_median: Option<f64>,
    /// After all but a hundredth of them it had.
    pub opened_99th: Option<f64>,
}
