//! `sbc doctor`.

mod certificates;
mod files;
mod gather;
mod names;
mod ports;

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::ConfigFile;
use super::ending::Ending;
use super::paint::{Paint, Tone};
use crate::doctor::{Finding, Level, examine};

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn doctor(arguments: &DoctorArguments) -> anyhow::Result<Ending> {
    let findings = examine(&gather::facts(&arguments.config.config));
    let stdout = io::stdout();
    let paint = Paint::on(&stdout);
    let mut out = stdout.lock();
    let written = if arguments.json {
        writeln!(out, "{:#}", as_json(&findings))
    } else {
        write(&findings, paint, &mut out)
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(ending(&findings))
}

/// What could not be seen is no complaint.
fn ending(findings: &[Finding]) -> Ending {
    match findings.iter().map(|finding| finding.level).max() {
        Some(Level::Failure) => Ending::Failed,
        Some(Level::Warning) => Ending::Negative,
        Some(Level::Ok | Level::Unseen) | None => Ending::Done,
    }
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

fn as_json(findings: &[Finding]) -> serde_json::Value {
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check.name(),
                "level": finding.level.name(),
                "said": finding.said,
                "next": finding.next,
            })
        })
        .collect();
    json!({
        "findings": rows,
        "ok": count(findings, Level::Ok),
        "unseen": count(findings, Level::Unseen),
        "warnings": count(findings, Level::Warning),
        "failures": count(findings, Level::Failure),
    })
}

fn write(findings: &[Finding], paint: Paint, out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        let tone = match finding.level {
            Level::Ok => Tone::Good,
            Level::Unseen => Tone::Aside,
            Level::Warning => Tone::Doubtful,
            Level::Failure => Tone::Bad,
        };
        let level = paint.tone(tone, format_args!("{:<8}", finding.level.name()));
        writeln!(out, "{level} {:<17} {}", finding.check.name(), for_a_terminal(&finding.said))?;
        if let Some(next) = &finding.next {
            let next = for_a_terminal(next);
            writeln!(out, "{:26} {} {next}", "", paint.tone(Tone::Aside, "next:"))?;
        }
    }
    let (ok, unseen) = (count(findings, Level::Ok), count(findings, Level::Unseen));
    let (warnings, failures) = (count(findings, Level::Warning), count(findings, Level::Failure));
    writeln!(out, "\n{failures} failures, {warnings} warnings, {unseen} unseen, {ok} ok")
}

/// What others have named, as processes and certificates, must not write to a terminal what they like. Further lines
/// are set in.
fn for_a_terminal(text: &str) -> String {
    let lines = text.trim_end().lines();
    let plain = lines.map(|line| line.replace(char::is_control, "\u{fffd}"));
    plain.collect::<Vec<_>>().join(&format!("\n{:27}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Check;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok(Check::Kernel, "Linux 6.1.0"),
            Finding::unseen(Check::Filter, "nobody knows", "sudo sbc doctor"),
            Finding::warning(Check::Mtu, "large", "ip link set eth0 mtu 1500"),
            Finding::failure(Check::Daemon, "dead", "start it"),
        ]
    }

    #[test]
    fn each_finding_is_a_line_with_what_to_do_below_it() {
        let mut out = Vec::new();
        write(&findings(), Paint::PLAIN, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "ok       kernel            Linux 6.1.0\n\
             unseen   filter            nobody knows\n\
             \x20                          next: sudo sbc doctor\n\
             warning  mtu               large\n\
             \x20                          next: ip link set eth0 mtu 1500\n\
             failure  daemon            dead\n\
             \x20                          next: start it\n\
             \n1 failures, 1 warnings, 1 unseen, 1 ok\n"
        );
        let json = as_json(&findings());
        assert_eq!(json["findings"][2]["next"], "ip link set eth0 mtu 1500");
        assert_eq!((&json["failures"], &json["unseen"]), (&json!(1), &json!(1)));
    }

    #[test]
    fn nobody_writes_to_a_terminal_what_he_likes() {
        assert_eq!(for_a_terminal("held by \x1b[2Jx\n"), "held by \u{fffd}[2Jx");
        assert_eq!(for_a_terminal("a\nb"), format!("a\n{:27}b", ""));
    }

    #[test]
    fn the_worst_finding_is_how_it_ends() {
        for (until, how) in
            [(0, Ending::Done), (2, Ending::Done), (3, Ending::Negative), (4, Ending::Failed)]
        {
            assert_eq!(ending(&findings()[..until]), how);
        }
    }
}
