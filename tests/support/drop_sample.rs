//! A sample of the benchmark of dropped packets.

use serde::{Deserialize, Serialize};

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
