//! What is told of a row when Enter is pressed at it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use sbc_common::Reason;

use super::pace::Counted;
use super::rows::{Chosen, PeerRow, ReasonRow, SourceRow, row_of};
use crate::border::{GrantStatus, Status, TargetStatus};
use crate::screening::Outcome;

pub(super) const KEYS: &str = "\
up, down, page up, page down: move
tab      the next list
Enter    what the chosen row means, and what to do. Of a source the filter is
         asked too: its questions are counted like packets
s        sort by rate, total, name; sources by end, holder, place
/        show only what contains the text that follows: Enter keeps it, Esc
         ends it
p        pause, and go on
Esc      back, or show everything again
q        quit

drop and pass are verdicts of the filter in the kernel; sip is what the daemon
did with a message. Rates are per second. Calls are those that began, and in
brackets those of them that were answered.";

/// A title, what is to be said, and the source to ask the filter about.
pub(super) fn of(status: &Status, chosen: &Chosen) -> (String, String, Option<IpAddr>) {
    match chosen {
        Chosen::Reason(row) => (row.name().to_owned(), of_reason(status, row), None),
        Chosen::Peer(row) => (row.activity.holder.clone(), of_peer(status, row), None),
        Chosen::Source(row) => of_source(row),
        Chosen::Target(target) => (target.target.clone(), of_target(target), None),
    }
}

fn of_reason(status: &Status, row: &ReasonRow) -> String {
    let name = row.name();
    let mut text = match (&row.counted, Reason::named(name)) {
        (Counted::Verdict(_), Some(reason)) => told(reason),
        _ => Outcome::ALL
            .iter()
            .find(|outcome| outcome.name() == name)
            .map_or_else(String::new, |outcome| format!("{}\n", outcome.description())),
    };
    let _ = writeln!(text, "\n{} in all, {} a second now", row.total, row.rate);
    if matches!(row.counted, Counted::Verdict(_)) {
        for counter in status.kernel.counters.iter().filter(|counter| counter.reason == name) {
            let lane = counter.lane.as_deref().unwrap_or("no");
            let _ = writeln!(
                text,
                "{lane} lane, {}, {}: {} packets, {} bytes",
                counter.family, counter.carrier, counter.packets, counter.bytes
            );
        }
    }
    text
}

/// What a verdict means and what to do, as the reference page of reasons has it.
pub(in crate::cli) fn told(reason: Reason) -> String {
    format!("{}\n{}\n", reason.description(), reason.remedy())
}

fn of_peer(status: &Status, row: &PeerRow) -> String {
    let it = &row.activity;
    let mut text = format!(
        "requests relayed: {}, {} a second now\nrequests refused: {}, {} a second now\nregistrations: {}\n\
         calls that it began: {}, of which {} were answered\ncalls to it: {}, of which {} were answered\n",
        it.accepted,
        row.accepted_rate,
        it.refused,
        row.refused_rate,
        it.registrations,
        it.calls_from,
        it.answered_from,
        it.calls_to,
        it.answered_to
    );
    let Some(daemon) = &status.daemon else { return text };
    let grants = daemon.trust.iter().filter(|grant| row_of(grant) == it.holder);
    let mut grants = grants.take(MOST_LINES).peekable();
    if grants.peek().is_none() {
        text.push_str(
            "\nno entry of the trust table is its: what it sends in clear is a stranger's\n",
        );
    } else {
        text.push('\n');
    }
    grants.for_each(|grant| text.push_str(&of_grant(grant)));
    let peer = it.holder.strip_prefix("peer ");
    for network in daemon.ipsec.iter().filter(|network| Some(&*network.peer) == peer) {
        let problem = network.problem.as_deref().unwrap_or("guarded");
        let _ = writeln!(text, "ipsec of {}: {problem}", network.source);
    }
    for name in daemon.names.iter().filter(|name| Some(&*name.peer) == peer) {
        let problem = name.problem.as_deref().unwrap_or("resolved");
        let _ = writeln!(text, "name {}: {problem}", name.name);
    }
    text
}

const MOST_LINES: usize = 100;

fn of_source(row: &SourceRow) -> (String, String, Option<IpAddr>) {
    let grant = &row.grant;
    let source = address(&grant.source);
    let mut text = of_grant(grant);
    if source.is_some() {
        text.push_str("\nwhat the filter says of it:\n");
    }
    (grant.source.clone(), text, source)
}

fn of_grant(grant: &GrantStatus) -> String {
    let opens = if grant.opens.is_empty() { "nothing".to_owned() } else { grant.opens.join(", ") };
    let mut text = format!("{}: {}, opens {opens}, of {}", grant.source, grant.proof, grant.holder);
    match grant.expires_in_seconds {
        Some(seconds) => {
            let _ = write!(text, ", {seconds} s left");
        }
        None => text.push_str(", lasts"),
    }
    if let Some(subnet) = &grant.subnet {
        let _ = write!(text, ", all of {subnet}");
    }
    if let Some([lowest, highest]) = grant.hop_limits {
        let _ = write!(text, ", hop limits {lowest} to {highest}");
    } else if grant.is_distance_unknown {
        text.push_str(", distance unknown");
    }
    text.push('\n');
    text
}

fn of_target(target: &TargetStatus) -> String {
    let mut text = format!(
        "found at {} over {}\npriority {}, weight {}\n{}\n",
        target.address, target.transport, target.priority, target.weight, target.state
    );
    if target.large_over_tcp {
        text.push_str("large requests go over tcp\n");
    }
    text
}

/// The address of a place: of a network, the first.
fn address(place: &str) -> Option<IpAddr> {
    let socket = || place.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let network = || place.split_once('/').and_then(|(address, _)| address.parse().ok());
    place.parse().ok().or_else(socket).or_else(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_an_address_to_ask_about() {
        for (place, expected) in [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.7:5060", "198.51.100.7"),
            ("[2001:db8::1]:5060", "2001:db8::1"),
            ("198.51.100.0/24", "198.51.100.0"),
        ] {
            assert_eq!(address(place), expected.parse().ok(), "{place}");
        }
        assert_eq!(address("elsewhere"), None);
    }
}
