use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::homer::Homer;

/// What became of the copies for Homer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HomerStatus {
    /// Messages that were sent.
    pub sent: u64,
    /// Requests that were not copied: too many waited, or the budget was spent.
    pub lost: u64,
    /// Messages that could not be sent.
    pub failed: u64,
}

impl HomerStatus {
    pub(super) fn of(homer: &Homer) -> Self {
        let counts = homer.counts();
        let [sent, lost, failed] =
            [&counts.sent, &counts.lost, &counts.failed].map(|count| count.load(Ordering::Relaxed));
        Self { sent, lost, failed }
    }
}
