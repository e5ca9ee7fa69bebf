use std::io::{self, Write};
use std::path::Path;

use super::known_good::write_known_good;
use super::paint::{Paint, Tone};
use super::top::printable;
use crate::border::{
    ActivityStatus, CounterStatus, DaemonStatus, DirectoryStatus, GrantStatus, HeartbeatStatus,
    IpsecStatus, KernelStatus, NameAddressStatus, NameStatus, Status, TrialStatus, VerdictStatus,
};
use crate::config::Config;
use crate::control;
use crate::kernel::Pins;

pub(super) fn status(path: &Path, json: bool, verbose: bool) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let status = of(&config)?;
    let stdout = io::stdout();
    let paint = Paint::on(&stdout);
    let mut out = stdout.lock();
    let written = if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&status)?)
    } else {
        write(&status, verbose, paint, &mut out)
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// What the daemon says, or what can be read without it.
pub(super) fn of(config: &Config) -> anyhow::Result<Status> {
    match control::ask(&config.control.socket) {
        Ok(status) => Ok(status),
        Err(error) if error.is_absence() || error.is_silence() => without_daemon(config),
        Err(error) => Err(error.into()),
    }
}

/// The filter goes on without the daemon, and so does its half of the status.
fn without_daemon(config: &Config) -> anyhow::Result<Status> {
    let pins = Pins::below(&config.kernel.bpf_file_system);
    let tables = pins.open_tables(config.kernel.trust_entries)?;
    Ok(Status { kernel: KernelStatus::read(tables.readings(), &pins)?, daemon: None })
}

fn write(status: &Status, verbose: bool, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    write_mode(status, out)?;
    match &status.kernel.attached[..] {
        [] => writeln!(out, "{}", paint.tone(Tone::Bad, "attached to no interface"))?,
        interfaces => writeln!(out, "attached to {}", interfaces.join(", "))?,
    }
    write_heartbeat(status.kernel.heartbeat, paint, out)?;
    if status.kernel.guards_sockets {
        writeln!(out, "a second one is in front of the daemon's sockets")?;
    } else {
        writeln!(out, "nothing is in front of the daemon's sockets")?;
    }
    write_verdicts("verdict", &status.kernel.verdicts, out)?;
    if status.kernel.socket_verdicts.iter().any(|row| row.packets > 0) {
        write_verdicts("verdict at the sockets", &status.kernel.socket_verdicts, out)?;
    }
    if status.kernel.samples_lost > 0 {
        writeln!(out, "samples that were lost: {}", status.kernel.samples_lost)?;
    }
    if verbose {
        write_counters(&status.kernel.counters, out)?;
    }
    let Some(daemon) = &status.daemon else {
        write!(out, "\nno daemon answers")?;
        let goes_on = !status.kernel.heartbeat.has_ended_enforcement;
        return writeln!(
            out,
            "{}",
            if goes_on { "; the filter goes on with its last policy" } else { "" }
        );
    };
    let sections = [
        ("received over", &daemon.received),
        ("outcome", &daemon.outcomes),
        ("refused connection", &daemon.refused_connections),
    ];
    for (title, counts) in sections {
        if counts.values().any(|count| *count > 0) {
            writeln!(out, "\n{title:<30} {:>17}", "count")?;
        }
        for (name, count) in counts.iter().filter(|(_, count)| **count > 0) {
            writeln!(out, "{name:<30} {count:>17}")?;
        }
    }
    let load = &daemon.load;
    writeln!(out, "\nload: {}", load.level)?;
    if load.strangers_slowed_by > 1 {
        writeln!(out, "strangers' budget is divided by {}", load.strangers_slowed_by)?;
    }
    if let Some(users) = &daemon.users {
        match users.count {
            Some(count) => writeln!(out, "users: {count}")?,
            None => writeln!(out, "users: those of the upstream")?,
        }
        if let Some(age) = users.age_seconds {
            writeln!(out, "users are those of {}, as it was {age} s ago", users.store)?;
        }
        if let Some(problem) = &users.problem {
            writeln!(out, "users stay as they were: {problem}")?;
        }
    }
    if let Some(directory) = &daemon.directory {
        write_directory(directory, out)?;
    }
    let samples = &daemon.samples;
    writeln!(out, "samples read: {}", samples.read)?;
    if samples.unreadable > 0 {
        writeln!(out, "records that were no samples: {}", samples.unreadable)?;
    }
    if samples.missed > 0 {
        writeln!(out, "samples that captures were too slow for: {}", samples.missed)?;
    }
    if let Some(homer) = &daemon.homer {
        writeln!(
            out,
            "copies for homer: {} sent, {} failed; {} requests were not copied",
            homer.sent, homer.failed, homer.lost
        )?;
    }
    if daemon.banned > 0 {
        writeln!(out, "\nsources that were banned: {}", daemon.banned)?;
    }
    if daemon.would_be_banned > 0 {
        writeln!(out, "\nsources that would have been banned: {}", daemon.would_be_banned)?;
    }
    if daemon.trust_table_full > 0 {
        writeln!(out, "\nproofs that the kernel had no room for: {}", daemon.trust_table_full)?;
    }
    write_known_good(&daemon.known_good, out)?;
    write_activity(&daemon.activity, out)?;
    write_targets(daemon, paint, out)?;
    write_ipsec(&daemon.ipsec, out)?;
    write_names(&daemon.names, out)?;
    write_grants(&daemon.trust, out)
}

fn write_mode(status: &Status, out: &mut impl Write) -> io::Result<()> {
    let mode = &status.kernel.mode;
    match status.daemon.as_ref().and_then(|daemon| daemon.trial) {
        Some(TrialStatus { ends_in_seconds }) => writeln!(
            out,
            "filter: {mode}, on trial: it observes again in {ends_in_seconds} s unless `sbc enforce --confirm` comes \
             before"
        ),
        None => writeln!(out, "filter: {mode}"),
    }
}

fn write_directory(directory: &DirectoryStatus, out: &mut impl Write) -> io::Result<()> {
    let DirectoryStatus { server, age_seconds, people, let_in, barred, problem } = directory;
    match (server, age_seconds) {
        (Some(server), Some(age)) => writeln!(
            out,
            "directory: {let_in} users are let in and {barred} are not, by what {server} said {age} s ago of \
             {people} people"
        )?,
        _ => writeln!(out, "directory: no answer yet, and {barred} users are not let in")?,
    }
    match problem {
        Some(problem) => writeln!(out, "directory stays as it was: {problem}"),
        None => Ok(()),
    }
}

fn write_activity(rows: &[ActivityStatus], out: &mut impl Write) -> io::Result<()> {
    let is_active = |row: &&ActivityStatus| {
        let quiet = ActivityStatus { holder: row.holder.clone(), ..ActivityStatus::default() };
        **row != quiet
    };
    let mut active = rows.iter().filter(is_active).peekable();
    if active.peek().is_some() {
        writeln!(
            out,
            "\n{:<24} {:>10} {:>9} {:>9} {:>12} {:>12}",
            "requests of", "accepted", "refused", "registers", "calls from", "calls to"
        )?;
    }
    for row in active {
        let calls = |begun: u64, answered: u64| format!("{begun} ({answered})");
        writeln!(
            out,
            "{:<24} {:>10} {:>9} {:>9} {:>12} {:>12}",
            row.holder,
            row.accepted,
            row.refused,
            row.registrations,
            calls(row.calls_from, row.answered_from),
            calls(row.calls_to, row.answered_to)
        )?;
    }
    Ok(())
}

fn write_targets(daemon: &DaemonStatus, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    let targets = || daemon.upstream.iter().chain(&daemon.peers);
    if targets().next().is_some() {
        writeln!(
            out,
            "\n{:<40} {:<30} {:<4} {:>8} {:>6}  state",
            "target", "address", "", "priority", "weight"
        )?;
    }
    for target in targets() {
        let tone = if target.state == "dead" { Tone::Bad } else { Tone::Good };
        writeln!(
            out,
            "{:<40} {:<30} {:<4} {:>8} {:>6}  {}",
            target.target,
            target.address,
            target.transport,
            target.priority,
            target.weight,
            paint.tone(tone, &target.state)
        )?;
        if target.large_over_tcp {
            writeln!(out, "{:<40} large requests over tcp", "")?;
        }
    }
    Ok(())
}

fn write_ipsec(networks: &[IpsecStatus], out: &mut impl Write) -> io::Result<()> {
    if !networks.is_empty() {
        writeln!(out, "\n{:<30} {:<12} {:>12}  peer", "ipsec of", "proven", "associations")?;
    }
    for network in networks {
        let proven = if network.proven.is_empty() { "-" } else { &network.proven.join(",") };
        write!(
            out,
            "{:<30} {proven:<12} {:>12}  {}",
            network.source, network.associations, network.peer
        )?;
        match &network.problem {
            Some(problem) => writeln!(out, ": {problem}")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn write_names(names: &[NameStatus], out: &mut impl Write) -> io::Result<()> {
    if !names.is_empty() {
        writeln!(out, "\n{:<40} {:<40} {:>8}  peer", "name", "address", "seconds")?;
    }
    for name in names {
        match &name.problem {
            Some(problem) => writeln!(out, "{:<40} {problem}: {}", name.name, name.peer)?,
            None if name.addresses.is_empty() => {
                writeln!(out, "{:<40} no address yet: {}", name.name, name.peer)?;
            }
            None => {}
        }
        for NameAddressStatus { address, age_seconds, is_given } in &name.addresses {
            let given = if *is_given { "" } else { ", not given any more" };
            writeln!(
                out,
                "{:<40} {address:<40} {age_seconds:>8}  {}{given}",
                name.name, name.peer
            )?;
        }
        for (address, why) in &name.held_back {
            writeln!(out, "{:<40} {address:<40} held back: {why}", name.name)?;
        }
    }
    Ok(())
}

pub(super) fn write_grants(grants: &[GrantStatus], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{:<30} {:<8} {:<8} {:>8}  holder", "source", "proof", "opens", "seconds")?;
    for grant in grants {
        let seconds = grant.expires_in_seconds.map_or("-".to_owned(), |left| left.to_string());
        let opens = grant.opens.join(",");
        write!(
            out,
            "{:<30} {:<8} {opens:<8} {seconds:>8}  {}",
            grant.source,
            grant.proof,
            printable(&grant.holder)
        )?;
        if let Some(subnet) = &grant.subnet {
            write!(out, ", all of {subnet}")?;
        }
        if let Some([lowest, highest]) = grant.hop_limits {
            write!(out, ", hop limits {lowest} to {highest}")?;
        } else if grant.is_distance_unknown {
            write!(out, ", distance unknown")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_verdicts(title: &str, rows: &[CounterStatus], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{title:<30} {:>4} {:>12} {:>14}", "", "packets", "bytes")?;
    for row in rows.iter().filter(|row| row.packets > 0) {
        writeln!(
            out,
            "{:<30} {:>4} {:>12} {:>14}",
            row.reason, row.action, row.packets, row.bytes
        )?;
    }
    Ok(())
}

fn write_heartbeat(
    heartbeat: HeartbeatStatus,
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    if heartbeat.has_ended_enforcement {
        let told = "EVERYTHING PASSES, because the daemon is silent";
        writeln!(out, "{}", paint.tone(Tone::Bad, told))?;
    }
    match heartbeat.age_seconds {
        Some(age) => write!(out, "last heartbeat {age} s ago; ")?,
        None => write!(out, "no heartbeat yet; ")?,
    }
    match heartbeat.passes_after_seconds {
        Some(longest) => writeln!(out, "after {longest} s without one everything passes"),
        None => writeln!(out, "the filter goes on without one"),
    }
}

fn write_counters(counters: &[VerdictStatus], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<26} {:<7} {:<6} {:<7} {:>12} {:>14} {:>8}",
        "verdict", "lane", "family", "carrier", "packets", "bytes", "lost"
    )?;
    for row in counters {
        let lane = row.lane.as_deref().unwrap_or("-");
        writeln!(
            out,
            "{:<26} {lane:<7} {:<6} {:<7} {:>12} {:>14} {:>8}",
            row.reason, row.family, row.carrier, row.packets, row.bytes, row.samples_lost
        )?;
    }
    Ok(())
}
