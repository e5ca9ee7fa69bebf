//! What the API answers.

use std::time::Duration;

use sbc_common::{Lane, Reason};
use serde::Serialize;

use super::history::Point;
use super::observed::View;
use crate::border::{DaemonStatus, GrantStatus, KernelStatus, PeerStatus, TrustCount};
use crate::samples::Sample;
use crate::screening::Outcome;
use crate::transport::Refusal;

/// `GET /api/v1/status`: what `sbc status --json` says, without everyone who is trusted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct StatusAnswer<'v> {
    /// The version of the program.
    pub(super) version: &'static str,
    /// When the daemon began, in seconds since 1970.
    pub(super) started_at: u64,
    /// When this was looked at, in milliseconds since 1970.
    pub(super) at: u64,
    /// The counters that the history is made of.
    pub(super) counts: Point,
    /// The kernel's half.
    pub(super) kernel: &'v KernelStatus,
    /// The daemon's half.
    pub(super) daemon: WithoutTrust<'v>,
    /// How many sources are trusted, or denied, on each class of proof.
    pub(super) trusted: &'v [TrustCount],
    /// How many the kernel has room for.
    pub(super) trust_entries: u32,
}

/// The daemon's half without everyone who is trusted: they may be many.
#[derive(Debug)]
pub(super) struct WithoutTrust<'v>(pub(super) &'v DaemonStatus);

/// `GET /api/v1/peers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PeersAnswer<'v> {
    /// When this was looked at, in milliseconds since 1970.
    pub(super) at: u64,
    /// In the order of the configuration.
    pub(super) peers: &'v [PeerStatus],
}

/// `GET /api/v1/drops`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DropsAnswer {
    /// The latest first.
    pub(super) drops: Vec<Drop>,
}

/// A packet that the filter dropped, or would have, or let pass as suspect.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Drop {
    /// When it was judged, in milliseconds since 1970.
    pub at: u64,
    /// Where it says that it came from: address and port; absent if its headers cannot be read. A port that is not
    /// known is zero.
    pub source: Option<String>,
    /// Where it went.
    pub destination: Option<String>,
    /// The verdict's reason.
    pub reason: String,
    /// What the reason means.
    pub explanation: String,
    /// `pass` or `drop`.
    pub verdict: String,
    /// It went on although the verdict says drop: the filter observes.
    pub passed: bool,
    /// The proof of the source's entry.
    pub lane: Option<String>,
    /// `ipv4`, `ipv6` or `none`.
    pub family: String,
    /// `udp`, `tcp`, `tls`, `ipsec` or `other`.
    pub carrier: String,
    /// The peer or user whom the source belongs to now, as in `peer NAME`.
    pub holder: Option<String>,
    /// The length of the whole frame in bytes.
    pub length: u32,
    /// The first line that it carries, if that is text: what a stranger has sent.
    pub first_line: Option<String>,
}

/// `GET /api/v1/explain?address=`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The address, or the address and port.
    pub source: String,
    /// The grants and denials that speak for it.
    pub grants: Vec<GrantStatus>,
    /// How many more there are.
    pub grants_left_out: usize,
    /// Its last packets that were sampled, the latest first.
    pub seen: Vec<Drop>,
}

/// `GET /api/v1/history`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct HistoryAnswer {
    /// Seconds between two points.
    pub(super) interval_seconds: u64,
    /// The oldest first.
    pub(super) points: Vec<Point>,
}

/// `GET /api/v1/vocabulary`: what every name of a counter means.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct VocabularyAnswer {
    /// The reasons of the filter's verdicts.
    pub(super) reasons: Vec<Word>,
    /// What becomes of messages.
    pub(super) outcomes: Vec<Word>,
    /// Why connections are refused.
    pub(super) refusals: Vec<Word>,
}

/// A name, and what it means.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Word {
    /// As it stands in counters.
    name: &'static str,
    /// One or two sentences.
    explanation: &'static str,
}

/// What is answered instead, with a status of 400 or more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Problem {
    /// What is wrong.
    pub(super) error: String,
}

impl<'v> StatusAnswer<'v> {
    pub(super) fn of(view: &'v View, at: Duration, started_at: Duration) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at: started_at.as_secs(),
            at: millis(at),
            counts: Point::of(view, at),
            kernel: &view.kernel,
            daemon: WithoutTrust(&view.daemon),
            trusted: &view.trusted,
            trust_entries: view.trust_entries,
        }
    }
}

impl Serialize for WithoutTrust<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = serde_json::to_value(self.0).map_err(serde::ser::Error::custom)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("trust");
        }
        value.serialize(serializer)
    }
}

impl VocabularyAnswer {
    pub(super) fn whole() -> Self {
        let word = |name, explanation| Word { name, explanation };
        Self {
            reasons: Reason::ALL.iter().map(|it| word(it.name(), it.description())).collect(),
            outcomes: Outcome::ALL.iter().map(|it| word(it.name(), it.description())).collect(),
            refusals: Refusal::ALL.iter().map(|it| word(it.name(), it.description())).collect(),
        }
    }
}

impl Drop {
    /// Describes a sample.
    #[must_use]
    pub fn of(sample: &Sample, holder: Option<String>) -> Self {
        let verdict = sample.verdict;
        Self {
            at: sample.at / 1_000_000,
            source: sample.ends.map(|[source, _]| source.to_string()),
            destination: sample.ends.map(|[_, destination]| destination.to_string()),
            reason: verdict.reason.name().to_owned(),
            explanation: verdict.reason.description().to_owned(),
            verdict: verdict.action().name().to_owned(),
            passed: sample.passed,
            lane: verdict.lane.map(Lane::name).map(str::to_owned),
            family: verdict.family.name().to_owned(),
            carrier: verdict.carrier.name().to_owned(),
            holder,
            length: sample.length,
            first_line: sample.first_line(),
        }
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
