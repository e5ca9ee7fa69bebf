//! What the benchmark of dropped packets hands to whoever makes a table of it.

use serde::{Deserialize, Serialize};

/// Everything that one run measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DropSamples {
    /// The cases in the order in which they are to be shown.
    pub cases: Vec<DropCase>,
    /// Seconds for which the machine was waited for, because others used it.
    pub waited_for_others: f64,
    /// Samples that were taken although others used the machine.
    pub disturbed: usize,
}

/// One way of dropping one kind of flood.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DropCase {
    /// As in `--only`.
    pub name: String,
    /// What it is, for people.
    pub what: String,
    /// A sample for each round that was measured.
    pub samples: Vec<DropSample>,
    /// Why the case was given up.
    pub error: Option<String>,
    /// It may be missing on this machine: then its error is a note, and no failure of the benchmark.
    pub is_optional: bool,
}

/// One window of time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DropSample {
    /// The length of the window.
    pub seconds: f64,
    /// Packets that the receiver took from its queue.
    pub packets: u64,
    /// Packets that the flood brought, those included that found the queue full.
    pub offered: u64,
    /// Nanoseconds of CPU time that the receiving thread ran, or with everything on one core the
    /// whole path.
    pub cpu_nanos: u64,
}

impl DropSample {
    /// Millions of dropped packets per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn mpps(&self) -> f64 {
        self.packets as f64 / self.seconds / 1e6
    }

    /// Millions of offered packets per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn offered_mpps(&self) -> f64 {
        self.offered as f64 / self.seconds / 1e6
    }

    /// CPU time per dropped packet.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn nanos_per_packet(&self) -> f64 {
        self.cpu_nanos as f64 / self.packets as f64
    }
}
