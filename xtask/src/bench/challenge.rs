//! `cargo xtask bench challenge`: what it costs to challenge a stranger, and to take somebody's proof.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use sbc_tests::{ChallengeCase, ChallengeSample, ChallengeSamples};

use super::{
    machine::Machine,
    report::{Column, Report, Row, Target},
    statistics::Spread,
};
use crate::{
    setup::{self, Scope},
    signals,
    tool::Tool,
    workspace,
};

/// Options of `cargo xtask bench challenge`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write the figures and the targets as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often each case is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Measure only these cases, named as in the table
    #[arg(long, value_name = "CASE,…", value_delimiter = ',')]
    only: Vec<String>,
}

const COLUMNS: [Column; 8] = [
    Column { figure: "per_second", heading: "per s", decimals: 0 },
    Column { figure: "per_cpu_second", heading: "per CPU s", decimals: 0 },
    Column { figure: "per_cpu_second_best", heading: "best", decimals: 0 },
    Column { figure: "per_cpu_second_worst", heading: "worst", decimals: 0 },
    Column { figure: "micros", heading: "us each", decimals: 2 },
    Column { figure: "busy", heading: "busy", decimals: 2 },
    Column { figure: "of_echo", heading: "x echo", decimals: 2 },
    Column { figure: "of_kamailio", heading: "x Kam.", decimals: 2 },
];

const ECHO: &str = "echo";

pub(super) fn run(options: &Options) -> Result<bool> {
    // Before the signals are caught: `apt-get` knows how to end.
    setup::ensure(Scope::Everything)?;
    signals::catch()?;
    let samples = measure(options)?;
    let report = report(&samples);
    println!(
        "\n{} rounds in shuffled order, medians; waited {:.0} s for others to leave the machine, who \
         disturbed {} samples all the same",
        options.rounds, samples.waited_for_others, samples.disturbed
    );
    report.print(&COLUMNS);
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    Ok(report.is_complete())
}

fn measure(options: &Options) -> Result<ChallengeSamples> {
    println!("bench: building");
    Tool::cargo()
        .args(["build", "--package", "sbc-user", "--bin", "sbc", "--release", "--locked"])
        .quiet_unless_on_terminal()
        .advice("The compiler's message is above.")
        .run_until_interrupted()?;
    let bench = ["bench", "--package", "sbc-tests", "--bench", "bench-challenge", "--locked"];
    Tool::cargo()
        .args(bench)
        .args(["--no-run"])
        .quiet_unless_on_terminal()
        .advice("The compiler's message is above.")
        .run_until_interrupted()?;
    let path = workspace::target().join("bench-challenge.samples.json");
    let mut measure = Tool::cargo()
        .args(bench)
        .args(["--quiet", "--", "measure"])
        .args(["--rounds", &options.rounds.to_string()])
        .args(["--samples".as_ref(), path.as_os_str()]);
    if !options.only.is_empty() {
        measure = measure.args(["--only", &options.only.join(",")]);
    }
    measure.advice("What went wrong is told above.").run_until_interrupted()?;
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("understanding {}", path.display()))
}

fn report(samples: &ChallengeSamples) -> Report {
    let mut rows: Vec<Row> = samples.cases.iter().map(row).collect();
    let rates: BTreeMap<String, f64> = rows
        .iter()
        .filter(|row| row.error.is_none())
        .filter_map(|row| Some((row.name.clone(), row.figure("per_cpu_second")?)))
        .collect();
    for row in &mut rows {
        let Some(rate) = row.figure("per_cpu_second") else { continue };
        row.figures.extend(rates.get(ECHO).map(|echo| ("of_echo", rate / echo)));
        let work = row.name.rsplit('-').next().unwrap_or_default();
        let kamailio = rates.get(&format!("kamailio-{work}"));
        row.figures.extend(kamailio.map(|kamailio| ("of_kamailio", rate / kamailio)));
    }
    let mut report =
        Report { bench: "challenge", machine: Machine::this(), rows, targets: Vec::new() };
    report.targets = targets(&report);
    report
}

fn row(case: &ChallengeCase) -> Row {
    let spread = |figure: fn(&ChallengeSample) -> f64| Spread::of(case.samples.iter().map(figure));
    let mut figures = BTreeMap::new();
    if let Some(rate) = spread(ChallengeSample::per_cpu_second) {
        figures.extend([
            ("per_cpu_second", rate.median),
            ("per_cpu_second_best", rate.most),
            ("per_cpu_second_worst", rate.least),
            ("micros", 1e6 / rate.median),
        ]);
    }
    figures.extend(spread(ChallengeSample::per_second).map(|rate| ("per_second", rate.median)));
    figures.extend(spread(ChallengeSample::busy).map(|busy| ("busy", busy.median)));
    Row {
        name: case.name.clone(),
        what: case.what.clone(),
        figures,
        error: case.error.clone(),
        is_optional: false,
    }
}

/// Those whose two rows were measured: ratios of what a CPU second of the server does, within one run.
fn targets(report: &Report) -> Vec<Target> {
    [
        (0.85, "sbc-register", ECHO),
        (2.0, "sbc-register", "kamailio-register"),
        (2.0, "sbc-invite", "kamailio-invite"),
        (1.8, "sbc-relay", "kamailio-relay"),
    ]
    .into_iter()
    .filter_map(|(want, ours, theirs)| {
        let rate = |name: &str| report.row(name)?.figure("per_cpu_second");
        let got = rate(ours)? / rate(theirs)?;
        Some(Target::at_least(want, format!("{ours} / {theirs}, per CPU second"), got))
    })
    .collect()
}
