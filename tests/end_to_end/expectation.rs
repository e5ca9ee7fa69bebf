//! What counters are expected to say.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use sbc_tests::{Calls, Gateway, Grant, Status, UdpCounters, wait_until};

/// Enough for what takes a moment on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Lines of a log that are shown where it is not as expected.
const SHOWN_LINES: usize = 400;

/// Reasons or outcomes, and how often each.
pub(crate) type Counts<'a> = &'a [(&'a str, u64)];

pub(crate) trait Expect {
    /// Waits until every packet to a protected service has had exactly these verdicts. Segments to TLS
    /// listeners do not count: how many make a connection is up to TCP.
    fn expect_verdicts(&self, counts: Counts<'_>) -> Result<Status>;
    /// Waits until every message has had exactly these outcomes.
    fn expect_outcomes(&self, counts: Counts<'_>) -> Result<Status>;
    /// Waits until connections have been refused for exactly these reasons.
    fn expect_refused_connections(&self, counts: Counts<'_>) -> Result<Status>;
    /// Waits until exactly these sources are trusted: source, proof, holder.
    fn expect_grants(&self, grants: &[[&str; 3]]) -> Result<Status>;
    /// Waits until exactly these sources are trusted, not counting who may come back where a user was proven.
    fn expect_proven(&self, grants: &[[&str; 3]]) -> Result<Status>;
    /// Waits until exactly these networks are trusted, whatever single addresses are.
    fn expect_networks(&self, grants: &[[&str; 3]]) -> Result<Status>;
    /// Waits until the edge has counted these datagrams.
    fn expect_edge_udp(&self, counters: UdpCounters) -> Result<()>;
}

impl Expect for Gateway {
    fn expect_verdicts(&self, counts: Counts<'_>) -> Result<Status> {
        expect(self, "verdicts", &table(counts), |status| {
            let mut verdicts = status.verdicts()?;
            // What is under way when a connection to a TLS listener ends, if a test is about it.
            for (reason, _) in counts.iter().filter(|(reason, _)| *reason == "no-connection") {
                verdicts.insert((*reason).to_owned(), status.verdict(reason)?);
            }
            Ok(verdicts)
        })
    }

    fn expect_outcomes(&self, counts: Counts<'_>) -> Result<Status> {
        expect(self, "outcomes", &table(counts), Status::outcomes)
    }

    fn expect_refused_connections(&self, counts: Counts<'_>) -> Result<Status> {
        expect(self, "refused connections", &table(counts), Status::refused_connections)
    }

    fn expect_grants(&self, grants: &[[&str; 3]]) -> Result<Status> {
        expect(self, "grants", &wanted(grants), |status| Ok(told(status.grants()?)))
    }

    fn expect_proven(&self, grants: &[[&str; 3]]) -> Result<Status> {
        expect(self, "proven sources", &wanted(grants), |status| {
            let mut grants = status.grants()?;
            grants.retain(|grant| grant.proof != "probation");
            Ok(told(grants))
        })
    }

    fn expect_networks(&self, grants: &[[&str; 3]]) -> Result<Status> {
        expect(self, "networks", &wanted(grants), |status| Ok(told(status.networks()?)))
    }

    fn expect_edge_udp(&self, counters: UdpCounters) -> Result<()> {
        wait_until(&format!("{counters:?} on the edge"), SOON, || {
            let found = self.edge_udp()?;
            ensure!(found == counters, "it is {found:?}");
            Ok(true)
        })
    }
}

fn wanted(grants: &[[&str; 3]]) -> Vec<[String; 3]> {
    grants.iter().map(|grant| grant.map(str::to_owned)).collect()
}

fn told(grants: Vec<Grant>) -> Vec<[String; 3]> {
    grants.into_iter().map(|grant| [grant.source, grant.proof, grant.holder]).collect()
}

fn expect<T: std::fmt::Debug + PartialEq>(
    gateway: &Gateway,
    what: &str,
    wanted: &T,
    read: impl Fn(&Status) -> Result<T>,
) -> Result<Status> {
    gateway.wait_for_status(&format!("{what} {wanted:?}"), |status| Ok(read(status)? == *wanted))
}

fn table(counts: Counts<'_>) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// All of `count` calls went through their scenario, and no others were made.
pub(crate) fn expect_calls(calls: &Calls, count: u64) {
    let told = (calls.successful, calls.failed);
    assert_eq!(told, (count, 0), "{}\n{}", beginning(&calls.errors), beginning(&calls.messages));
}

/// What can be read of a log: that of thousands of calls is hundreds of thousands of lines.
fn beginning(log: &str) -> String {
    let mut lines = log.lines();
    let kept = lines.by_ref().take(SHOWN_LINES).collect::<Vec<_>>().join("\n");
    match lines.count() {
        0 => kept,
        more => format!("{kept}\n({more} lines more)"),
    }
}
