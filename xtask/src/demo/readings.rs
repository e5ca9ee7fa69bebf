//! What the kernel, the daemon and both hosts' network stacks have counted.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use sbc_tests::UdpCounters;
use serde::Deserialize;

/// What `sbc status --json` says, as far as the story needs it.
#[derive(Clone, Deserialize)]
pub(super) struct Status {
    pub(super) kernel: Kernel,
    pub(super) daemon: Daemon,
}

#[derive(Clone, Deserialize)]
pub(super) struct Kernel {
    pub(super) verdicts: Vec<Verdict>,
    counters: Vec<Counter>,
}

/// How often a verdict was reached about what was carried in one way.
#[derive(Clone, Deserialize)]
struct Counter {
    reason: String,
    carrier: String,
    packets: u64,
}

#[derive(Clone, Deserialize)]
pub(super) struct Verdict {
    pub(super) reason: String,
    pub(super) action: String,
    pub(super) packets: u64,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Daemon {
    pub(super) received: BTreeMap<String, u64>,
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) refused_connections: BTreeMap<String, u64>,
    pub(super) trust: Vec<Grant>,
}

/// One row of the trust table.
#[derive(Clone, Deserialize)]
pub(super) struct Grant {
    pub(super) source: String,
    pub(super) proof: String,
}

/// Everything that is counted anywhere, at one moment.
#[derive(Clone)]
pub(super) struct Readings {
    pub(super) status: Status,
    pub(super) edge: UdpCounters,
    pub(super) inside: UdpCounters,
}

/// What was counted between two moments.
pub(super) struct Counted<'a> {
    pub(super) earlier: &'a Readings,
    pub(super) later: Readings,
}

impl Counted<'_> {
    /// Frames that the filter passed or dropped for this reason.
    pub(super) fn verdict(&self, reason: &str) -> Result<u64> {
        let packets = |readings: &Readings| {
            let mut verdicts = readings.status.kernel.verdicts.iter();
            verdicts.find(|verdict| verdict.reason == reason).map(|verdict| verdict.packets)
        };
        self.difference(reason, packets)
    }

    /// The same of what was carried in this way: `udp`, `tcp`, `tls`.
    pub(super) fn verdict_over(&self, reason: &str, carrier: &str) -> Result<u64> {
        self.verdict(reason)?;
        let packets = |readings: &Readings| {
            let counters = readings.status.kernel.counters.iter();
            let wanted = counters.filter(|row| row.reason == reason && row.carrier == carrier);
            Some(wanted.map(|row| row.packets).sum())
        };
        self.difference(reason, packets)
    }

    /// Messages that the daemon disposed of in this way.
    pub(super) fn outcome(&self, outcome: &str) -> Result<u64> {
        self.difference(outcome, |readings| readings.status.daemon.outcomes.get(outcome).copied())
    }

    /// Messages that the daemon read from outside over UDP.
    pub(super) fn received_over_udp(&self) -> Result<u64> {
        self.difference("udp", |readings| readings.status.daemon.received.get("udp").copied())
    }

    /// Connections that the daemon did not let in for this reason.
    pub(super) fn refused_connections(&self, reason: &str) -> Result<u64> {
        let refused =
            |readings: &Readings| readings.status.daemon.refused_connections.get(reason).copied();
        self.difference(reason, refused)
    }

    /// Datagrams that came as far as the sockets of the edge, whether one took them or not.
    pub(super) fn reached_edge(&self) -> u64 {
        reached(self.later.edge - self.earlier.edge)
    }

    /// Datagrams that came as far as the sockets of the telephone system.
    pub(super) fn reached_inside(&self) -> u64 {
        reached(self.later.inside - self.earlier.inside)
    }

    /// The grant of this proof, if there is one now.
    pub(super) fn grant(&self, proof: &str) -> Option<&Grant> {
        self.later.status.grant(proof)
    }

    /// How many grants of this proof there are now.
    pub(super) fn grants(&self, proof: &str) -> usize {
        self.later.status.grants(proof)
    }

    fn difference(&self, name: &str, read: impl Fn(&Readings) -> Option<u64>) -> Result<u64> {
        let read = |readings| read(readings).with_context(|| format!("nobody counts {name}"));
        Ok(read(&self.later)?.saturating_sub(read(self.earlier)?))
    }
}

impl Status {
    /// How many grants of this proof there are.
    pub(super) fn grants(&self, proof: &str) -> usize {
        self.daemon.trust.iter().filter(|grant| grant.proof == proof).count()
    }

    /// The grant of this proof, if there is one.
    pub(super) fn grant(&self, proof: &str) -> Option<&Grant> {
        self.daemon.trust.iter().find(|grant| grant.proof == proof)
    }
}

/// Datagrams of either family, read from a socket or for a port that nobody listens on.
pub(super) fn reached(counters: UdpCounters) -> u64 {
    counters.received_v4 + counters.no_port_v4 + counters.received_v6 + counters.no_port_v6
}
