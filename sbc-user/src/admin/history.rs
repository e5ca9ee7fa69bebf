//! The last minutes, so that a page which is opened shows them.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::api::millis;
use super::observed::View;
use crate::screening::Outcome;

/// The time between two points.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// How many are kept: ten minutes of them.
const KEPT: usize = 120;

/// Counters at one time: everything since the filter was loaded, or the daemon began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Point {
    /// In milliseconds since 1970.
    pub(super) at: u64,
    /// Frames for protected services whose verdict was to pass.
    pub(super) passed: u64,
    /// Frames whose verdict was to drop.
    pub(super) dropped: u64,
    /// Messages from outside.
    pub(super) received: u64,
    /// Requests that were relayed, in either direction.
    pub(super) relayed: u64,
    /// Requests that got a challenge.
    pub(super) challenged: u64,
    /// Messages that ended here for another reason than that they were for us.
    pub(super) turned_away: u64,
    /// Calls of peers and users that began: one that goes from one of them to another is two.
    pub(super) calls: u64,
    /// Those of them that were answered.
    pub(super) answered: u64,
}

/// The points, the oldest of which makes room.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Point>);

impl History {
    /// Adds one.
    pub(super) fn add(&mut self, point: Point) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(point);
    }

    /// All of them, the oldest first.
    pub(super) fn points(&self) -> Vec<Point> {
        self.0.iter().copied().collect()
    }
}

/// What was decided about a message, seen from afar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Relayed,
    Challenged,
    TurnedAway,
    /// It was an answer, or a question to us.
    Other,
}

impl Point {
    pub(super) fn of(view: &View, at: Duration) -> Self {
        let verdicts = |action: &str| {
            let counted = view.kernel.verdicts.iter().filter(|it| it.action == action);
            // What is none of the filter's business is most of what a gateway sees.
            let ours = counted.filter(|it| !matches!(&*it.reason, "not-ip" | "not-protected"));
            ours.map(|it| it.packets).sum()
        };
        let outcomes = |course: Course| {
            let told = Outcome::ALL.iter().filter(|it| Course::of(**it) == course);
            told.filter_map(|it| view.daemon.outcomes.get(it.name())).sum()
        };
        Self {
            at: millis(at),
            passed: verdicts("pass"),
            dropped: verdicts("drop"),
            received: view.daemon.received.values().sum(),
            relayed: outcomes(Course::Relayed),
            challenged: outcomes(Course::Challenged),
            turned_away: outcomes(Course::TurnedAway),
            calls: view.daemon.activity.iter().map(|it| it.calls_from + it.calls_to).sum(),
            answered: view.daemon.activity.iter().map(|it| it.answered_from + it.answered_to).sum(),
        }
    }
}

impl Course {
    fn of(outcome: Outcome) -> Self {
        if matches!(outcome, Outcome::RequestRelayedInwards | Outcome::RequestRelayedOutwards) {
            Self::Relayed
        } else if matches!(outcome, Outcome::Challenged | Outcome::StaleCredentials) {
            Self::Challenged
        } else if matches!(
            outcome,
            Outcome::ResponseRelayedInwards
                | Outcome::ResponseRelayedOutwards
                | Outcome::UpstreamOptionsAnswered
                | Outcome::OptionsAnswered
                | Outcome::ProbeAnswered
                | Outcome::OwnAck
        ) {
            Self::Other
        } else {
            Self::TurnedAway
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_point_makes_room() {
        let mut history = History::default();
        for at in 0..KEPT as u64 + 3 {
            history.add(Point { at, ..Point::default() });
        }
        let points = history.points();
        assert_eq!((points.len(), points[0].at), (KEPT, 3));
        assert_eq!(points.last().unwrap().at, KEPT as u64 + 2);
    }

    #[test]
    fn what_ended_here_was_turned_away_unless_it_was_for_us() {
        for (outcome, course) in [
            (Outcome::RequestRelayedInwards, Course::Relayed),
            (Outcome::RequestRelayedOutwards, Course::Relayed),
            (Outcome::ResponseRelayedInwards, Course::Other),
            (Outcome::OptionsAnswered, Course::Other),
            (Outcome::OwnAck, Course::Other),
            (Outcome::Challenged, Course::Challenged),
            (Outcome::WrongCredentials, Course::TurnedAway),
            (Outcome::Malformed, Course::TurnedAway),
            (Outcome::SendFailed, Course::TurnedAway),
        ] {
            assert_eq!(Course::of(outcome), course, "{outcome:?}");
        }
    }
}
