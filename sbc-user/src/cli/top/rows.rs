use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::model::Sort;
use super::pace::{Counted, Pace};
use crate::border::{ActivityStatus, GrantStatus, Status, TargetStatus};

/// One of the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Reasons,
    Peers,
    Sources,
    Targets,
}

/// From the top down.
pub(super) const PANES: [Pane; 4] = [Pane::Reasons, Pane::Peers, Pane::Sources, Pane::Targets];

/// Why packets or messages end as they do.
#[derive(Clone, Debug)]
pub(super) struct ReasonRow {
    pub(super) counted: Counted,
    /// `drop`, `pass`, or `sip` for what the daemon did with a message.
    pub(super) action: &'static str,
    pub(super) total: u64,
    pub(super) rate: u64,
}

/// A peer, or all users.
#[derive(Clone, Debug)]
pub(super) struct PeerRow {
    pub(super) activity: ActivityStatus,
    /// The lanes of its entries.
    pub(super) lanes: Vec<String>,
    pub(super) sources: usize,
    /// Seconds that its longest entry is good for; `None` if it lasts, or there is none.
    pub(super) left: Option<u64>,
    pub(super) accepted_rate: u64,
    pub(super) refused_rate: u64,
}

/// A place that has an entry.
#[derive(Clone, Debug)]
pub(super) struct SourceRow {
    pub(super) grant: GrantStatus,
    /// Requests in a second of whoever it belongs to.
    pub(super) rate: u64,
}

/// The lists as they are shown.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) reasons: Vec<ReasonRow>,
    pub(super) peers: Vec<PeerRow>,
    pub(super) sources: Vec<SourceRow>,
    /// Sources that were left out, because nobody scrolls so far.
    pub(super) more_sources: usize,
    pub(super) targets: Vec<TargetStatus>,
}

/// A row that the cursor is at.
#[derive(Clone, Debug)]
pub(super) enum Chosen {
    Reason(ReasonRow),
    Peer(PeerRow),
    Source(SourceRow),
    Target(TargetStatus),
}

const MOST_SOURCES: usize = 1000;

impl Rows {
    pub(super) fn of(status: Option<&Status>, pace: &Pace, sort: Sort, filter: &str) -> Self {
        let Some(status) = status else { return Self::default() };
        let filter = filter.to_lowercase();
        let matches = |text: &str| filter.is_empty() || text.to_lowercase().contains(&filter);
        let (sources, more_sources) = sources(status, pace, sort, &matches);
        Self {
            reasons: reasons(status, pace, sort, &matches),
            peers: peers(status, pace, sort, &matches),
            sources,
            more_sources,
            targets: targets(status, &matches),
        }
    }

    pub(super) fn count(&self, pane: Pane) -> usize {
        match pane {
            Pane::Reasons => self.reasons.len(),
            Pane::Peers => self.peers.len(),
            Pane::Sources => self.sources.len(),
            Pane::Targets => self.targets.len(),
        }
    }

    pub(super) fn chosen(&self, pane: Pane, position: usize) -> Option<Chosen> {
        match pane {
            Pane::Reasons => self.reasons.get(position).cloned().map(Chosen::Reason),
            Pane::Peers => self.peers.get(position).cloned().map(Chosen::Peer),
            Pane::Sources => self.sources.get(position).cloned().map(Chosen::Source),
            Pane::Targets => self.targets.get(position).cloned().map(Chosen::Target),
        }
    }
}

/// What never happened is left out.
fn reasons(
    status: &Status,
    pace: &Pace,
    sort: Sort,
    matches: &dyn Fn(&str) -> bool,
) -> Vec<ReasonRow> {
    let verdicts = status.kernel.verdicts.iter().map(|row| {
        let action = if row.action == "drop" { "drop" } else { "pass" };
        (Counted::Verdict(row.reason.clone()), action, row.packets)
    });
    let outcomes = status.daemon.iter().flat_map(|daemon| &daemon.outcomes);
    let outcomes = outcomes.map(|(name, count)| (Counted::Outcome(name.clone()), "sip", *count));
    let all = verdicts.chain(outcomes).map(|(counted, action, total)| {
        let rate = pace.rate(&counted);
        ReasonRow { counted, action, total, rate }
    });
    let mut rows: Vec<_> = all.filter(|row| row.total > 0 && matches(row.name())).collect();
    // What is dropped is asked for first.
    rows.sort_by_key(|row| row.action != "drop");
    match sort {
        Sort::Rate => {
            rows.sort_by_key(|row| (row.action != "drop", Reverse((row.rate, row.total))));
        }
        Sort::Total => rows.sort_by_key(|row| Reverse(row.total)),
        Sort::Name => rows.sort_by(|one, other| one.name().cmp(other.name())),
    }
    rows
}

impl ReasonRow {
    pub(super) fn name(&self) -> &str {
        match &self.counted {
            Counted::Verdict(name)
            | Counted::Outcome(name)
            | Counted::Accepted(name)
            | Counted::Refused(name) => name,
        }
    }
}

fn peers(status: &Status, pace: &Pace, sort: Sort, matches: &dyn Fn(&str) -> bool) -> Vec<PeerRow> {
    let Some(daemon) = &status.daemon else { return Vec::new() };
    let mut entries: BTreeMap<&str, Vec<&GrantStatus>> = BTreeMap::new();
    for grant in &daemon.trust {
        entries.entry(row_of(grant)).or_default().push(grant);
    }
    let described = daemon.activity.iter().filter(|row| matches(&row.holder)).map(|activity| {
        let entries = entries.get(activity.holder.as_str()).map_or(&[][..], |found| found);
        let mut lanes: Vec<_> = entries.iter().map(|grant| grant.proof.clone()).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let left = entries.iter().map(|grant| grant.expires_in_seconds.unwrap_or(u64::MAX)).max();
        PeerRow {
            lanes,
            sources: entries.len(),
            left: left.filter(|left| *left != u64::MAX),
            accepted_rate: pace.rate(&Counted::Accepted(activity.holder.clone())),
            refused_rate: pace.rate(&Counted::Refused(activity.holder.clone())),
            activity: activity.clone(),
        }
    });
    let mut rows: Vec<_> = described.collect();
    match sort {
        Sort::Rate => rows.sort_by_key(|row| Reverse(row.accepted_rate + row.refused_rate)),
        Sort::Total => rows.sort_by_key(|row| Reverse(row.activity.accepted)),
        Sort::Name => rows.sort_by(|one, other| one.activity.holder.cmp(&other.activity.holder)),
    }
    rows
}

/// The row of the peers that a grant belongs to.
pub(super) fn row_of(grant: &GrantStatus) -> &str {
    if grant.holder.starts_with("user ") { "users" } else { &grant.holder }
}

fn sources(
    status: &Status,
    pace: &Pace,
    sort: Sort,
    matches: &dyn Fn(&str) -> bool,
) -> (Vec<SourceRow>, usize) {
    let Some(daemon) = &status.daemon else { return (Vec::new(), 0) };
    let is_shown = |grant: &&GrantStatus| {
        [&grant.source, &grant.holder, &grant.proof].into_iter().any(|it| matches(it))
    };
    let mut found: Vec<_> = daemon.trust.iter().filter(is_shown).collect();
    match sort {
        Sort::Rate => found.sort_by_key(|grant| grant.expires_in_seconds.unwrap_or(u64::MAX)),
        Sort::Total => found.sort_by(|one, other| one.holder.cmp(&other.holder)),
        Sort::Name => found.sort_by(|one, other| one.source.cmp(&other.source)),
    }
    let more = found.len().saturating_sub(MOST_SOURCES);
    let rows = found.into_iter().take(MOST_SOURCES).map(|grant| SourceRow {
        rate: pace.rate(&Counted::Accepted(row_of(grant).to_owned())),
        grant: grant.clone(),
    });
    (rows.collect(), more)
}

fn targets(status: &Status, matches: &dyn Fn(&str) -> bool) -> Vec<TargetStatus> {
    let all = status.daemon.iter().flat_map(|daemon| daemon.upstream.iter().chain(&daemon.peers));
    all.filter(|target| matches(&target.target) || matches(&target.address)).cloned().collect()
}
