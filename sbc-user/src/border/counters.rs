use std::sync::atomic::{AtomicU64, Ordering};

use crate::screening::Outcome;
use crate::sip::Malformed;
use crate::transport::{Refusal, Transport};

/// What the daemon has counted since it began.
#[derive(Debug)]
pub struct Counters {
    outcomes: [AtomicU64; Outcome::COUNT],
    refusals: [AtomicU64; Refusal::COUNT],
    received: [AtomicU64; 3],
    trust_table_full: AtomicU64,
    /// Those that would be, and those that are.
    bans: [AtomicU64; 2],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            outcomes: [const { AtomicU64::new(0) }; Outcome::COUNT],
            refusals: [const { AtomicU64::new(0) }; Refusal::COUNT],
            received: [const { AtomicU64::new(0) }; 3],
            trust_table_full: AtomicU64::new(0),
            bans: [const { AtomicU64::new(0) }; 2],
        }
    }
}

impl Counters {
    /// Counts what became of a message.
    pub fn count(&self, outcome: Outcome) {
        add(self.outcomes.get(outcome as usize));
    }

    /// Counts a message that arrived over a transport from outside.
    pub fn count_received(&self, transport: Transport) {
        add(self.received.get(transport as usize));
    }

    /// Counts a connection that was not let in.
    pub fn count_refusal(&self, refusal: Refusal) {
        add(self.refusals.get(refusal as usize));
    }

    /// Counts a message that cannot be read, and what became of it.
    pub fn count_malformed(&self, malformed: Malformed, outcome: Outcome) {
        tracing::debug!(reason = malformed.name(), "malformed message");
        self.count(outcome);
    }

    /// Counts a proof that the kernel had no room for.
    pub fn count_full_table(&self) {
        add(Some(&self.trust_table_full));
    }

    /// Counts a source that is banned, or would be.
    pub fn count_ban(&self, is_enforced: bool) {
        add(self.bans.get(usize::from(is_enforced)));
    }

    /// How many sources would have been banned, and how many were.
    pub fn bans(&self) -> [u64; 2] {
        self.bans.each_ref().map(read)
    }

    /// The outcomes, in their order.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::ALL
            .iter()
            .zip(&self.outcomes)
            .map(|(outcome, count)| (outcome.name(), read(count)))
    }

    /// The refused connections by reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refusal::ALL
            .iter()
            .zip(&self.refusals)
            .map(|(refusal, count)| (refusal.name(), read(count)))
    }

    /// The messages from outside by transport.
    pub fn received(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ["udp", "tcp", "tls"].into_iter().zip(self.received.iter().map(read))
    }

    /// How often the kernel had no room for a proof.
    #[must_use]
    pub fn full_table(&self) -> u64 {
        read(&self.trust_table_full)
    }
}

fn add(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
