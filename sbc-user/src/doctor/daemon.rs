use std::time::Duration;

use super::{Check, DaemonFacts, Facts, Finding, Presence};
use crate::border::{DaemonStatus, TargetStatus, UsersStatus};

/// Of the trust table, in hundredths.
const NEARLY_FULL: usize = 80;
/// As long as a store may take to answer beyond its turn, in turns, and at least.
const STALE_AFTER: u32 = 3;
const STALE_AT_LEAST: Duration = Duration::from_mins(1);
/// A daemon gives a sign of life twice a second.
const SILENT_AFTER: u64 = 5;

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    let Some(daemon) = &facts.daemon else { return };
    told.push(presence(daemon));
    let Some(status) = &daemon.status else { return };
    let Some(said) = &status.daemon else { return };
    targets(said, told);
    peers(said, told);
    if let Some(users) = &said.users {
        told.push(self::users(daemon, users));
    }
    if let Some(problem) = said.directory.as_ref().and_then(|directory| directory.problem.as_ref())
    {
        told.push(Finding::warning(
            Check::Users,
            format!("who of the users is let in stays as it was: {problem}"),
            "see that the directory's servers answer; `sbc reload` has them asked at once",
        ));
    }
    told.push(trust_table(daemon, said));
    told.push(load(said));
}

fn presence(daemon: &DaemonFacts) -> Finding {
    let socket = daemon.socket.display();
    let heartbeat = daemon.status.as_ref().map(|status| status.kernel.heartbeat);
    if heartbeat.is_some_and(|heartbeat| heartbeat.has_ended_enforcement) {
        return Finding::failure(
            Check::Daemon,
            "EVERYTHING PASSES: the daemon has been silent for longer than on-silence = \"pass\" allows",
            "start it again: `systemctl restart sbc`; its log says what happened",
        );
    }
    match &daemon.presence {
        Presence::Here => {
            let age = heartbeat.and_then(|heartbeat| heartbeat.age_seconds).unwrap_or(0);
            if age >= SILENT_AFTER {
                return Finding::failure(
                    Check::Daemon,
                    format!(
                        "the daemon answers, and has given the filter no sign of life for {age} s: a thread hangs"
                    ),
                    "restart it, and keep its log: that is a bug",
                );
            }
            Finding::ok(Check::Daemon, format!("answers at {socket}"))
        }
        Presence::Silent => Finding::failure(
            Check::Daemon,
            format!("the daemon does not answer at {socket}"),
            "see whether it has CPU time (`top`), and restart it: `systemctl restart sbc`",
        ),
        Presence::Absent if daemon.status.is_some() => Finding::failure(
            Check::Daemon,
            "the filter is loaded and no daemon runs: nobody relays",
            "`systemctl start sbc`, or `sbc run`; its log says why it ended",
        ),
        Presence::Absent => Finding::warning(
            Check::Daemon,
            format!("no daemon runs: nobody answers at {socket}"),
            "`systemctl start sbc`, or `sbc run`",
        ),
        Presence::Unknown(problem) => Finding::unseen(
            Check::Daemon,
            problem.clone(),
            "ask as root, or as the user that the daemon runs as, with a program of the daemon's version",
        ),
    }
}

fn targets(said: &DaemonStatus, told: &mut Vec<Finding>) {
    let dead: Vec<_> = said.upstream.iter().filter(|target| is_dead(target)).collect();
    let named = |targets: &[&TargetStatus]| {
        targets
            .iter()
            .map(|it| format!("{} ({})", it.target, it.address))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let next = "see that it runs, answers OPTIONS from our inside address, and that no firewall is between: \
                `sipsak -s sip:ADDRESS`, `tcpdump -ni INSIDE port 5060`";
    told.push(if said.upstream.is_empty() {
        Finding::failure(
            Check::Upstream,
            "no target of the upstream has an address: calls are answered 503",
            "see the line names; sbc status",
        )
    } else if dead.is_empty() {
        Finding::ok(Check::Upstream, format!("{} targets live", said.upstream.len()))
    } else if dead.len() == said.upstream.len() {
        Finding::failure(
            Check::Upstream,
            format!("no target lives: {}; calls are answered 503", named(&dead)),
            next,
        )
    } else {
        Finding::warning(Check::Upstream, format!("does not answer: {}", named(&dead)), next)
    });
}

fn is_dead(target: &TargetStatus) -> bool {
    target.state == "dead"
}

fn peers(said: &DaemonStatus, told: &mut Vec<Finding>) {
    let before = told.len();
    for target in said.peers.iter().filter(|target| is_dead(target)) {
        told.push(Finding::warning(
            Check::Peers,
            format!("{} ({}) cannot be reached", target.target, target.address),
            "see the daemon's log: it says why each connection ends",
        ));
    }
    for network in &said.ipsec {
        if let Some(problem) = &network.problem {
            told.push(Finding::warning(
                Check::Peers,
                format!("ipsec of peer {} ({}): {problem}", network.peer, network.source),
                "swanctl --list-sas; ip xfrm policy",
            ));
        }
    }
    for name in &said.names {
        if let Some(problem) = &name.problem {
            told.push(Finding::warning(
                Check::Peers,
                format!("name {} of peer {}: {problem}", name.name, name.peer),
                format!("dig {}; what the DNS said last holds for a while", name.name),
            ));
        }
    }
    if told.len() == before {
        told.push(Finding::ok(Check::Peers, "nothing is wrong with those that are looked at"));
    }
}

fn users(daemon: &DaemonFacts, users: &UsersStatus) -> Finding {
    if let Some(problem) = &users.problem {
        return Finding::warning(
            Check::Users,
            format!("users stay as they were: {problem}"),
            format!(
                "mend {}; the daemon reads it by itself, and at once upon `sbc reload`",
                users.store
            ),
        );
    }
    let stale = daemon.users_refresh.map(|refresh| (refresh * STALE_AFTER).max(STALE_AT_LEAST));
    match (users.age_seconds, stale) {
        (Some(age), Some(stale)) if age > stale.as_secs() => Finding::warning(
            Check::Users,
            format!("users are those of {}, as it was {age} s ago", users.store),
            "see that the store answers, and the daemon's log",
        ),
        _ => match users.count {
            Some(0) => Finding::warning(
                Check::Users,
                format!("there are no users in {}", users.store),
                "sbc user add NAME",
            ),
            Some(count) => Finding::ok(Check::Users, format!("{count} are known")),
            None => Finding::ok(Check::Users, "those of the upstream"),
        },
    }
}

fn trust_table(daemon: &DaemonFacts, said: &DaemonStatus) -> Finding {
    let (used, most) = (said.trust.len(), daemon.trust_entries as usize);
    let next = format!(
        "raise [kernel] trust-entries (it is {most}), and look who has so many: sbc trust list"
    );
    let full = said.trust_table_full;
    if full > 0 {
        Finding::failure(
            Check::TrustTable,
            format!("there was no room for {full} proofs: whoever gave them is a stranger still"),
            next,
        )
    } else if used.saturating_mul(100) >= most.saturating_mul(NEARLY_FULL) {
        Finding::warning(Check::TrustTable, format!("{used} of {most} entries are taken"), next)
    } else {
        Finding::ok(Check::TrustTable, format!("{used} of {most} entries are taken"))
    }
}

fn load(said: &DaemonStatus) -> Finding {
    let level = said.load.level.as_str();
    match level {
        "heavy" | "critical" => Finding::warning(
            Check::Load,
            format!("load is {level}: who registers or calls is asked to come back"),
            "sbc status --verbose tells by lane what arrives; see `Too much to do` in docs/operations.md",
        ),
        _ => Finding::ok(Check::Load, level.to_owned()),
    }
}
