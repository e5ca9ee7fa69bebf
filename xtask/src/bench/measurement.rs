//! What the benchmarks have in common: how they are asked for, measured and told.

use std::{ffi::OsString, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use sbc_tests::{Case, Samples, WorkSample};
use serde::de::DeserializeOwned;

use super::{
    report::{Column, Report, Row},
    statistics::Spread,
};
use crate::{tool::Tool, workspace};

/// Options of every benchmark.
#[derive(clap::Args)]
pub(super) struct Measurement {
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

impl Measurement {
    /// Builds the measuring half of the benchmark `name` and runs it, with these `arguments`.
    pub(super) fn measure<S: DeserializeOwned>(
        &self,
        name: &str,
        arguments: Vec<OsString>,
    ) -> Result<Samples<S>> {
        let program = format!("bench-{name}");
        let bench = ["bench", "--package", "sbc-tests", "--bench", &program, "--locked"];
        Tool::cargo()
            .args(bench)
            .args(["--no-run"])
            .quiet_unless_on_terminal()
            .advice("The compiler's message is above.")
            .run_until_interrupted()?;
        let path = workspace::target().join(format!("{program}.samples.json"));
        let mut measure = Tool::cargo()
            .args(bench)
            .args(["--quiet", "--", "measure"])
            .args(arguments)
            .args(["--rounds", &self.rounds.to_string()])
            .args(["--samples".as_ref(), path.as_os_str()]);
        if !self.only.is_empty() {
            measure = measure.args(["--only", &self.only.join(",")]);
        }
        measure.advice("What went wrong is told above.").run_until_interrupted()?;
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("understanding {}", path.display()))
    }

    /// Tells what was found; returns whether all that was to be measured was.
    pub(super) fn tell<S>(
        &self,
        samples: &Samples<S>,
        report: &Report,
        columns: &[Column],
    ) -> Result<bool> {
        println!(
            "\n{} rounds in shuffled order, medians; waited {:.0} s for others to leave the machine, \
             who disturbed {} samples all the same",
            self.rounds, samples.waited_for_others, samples.disturbed
        );
        report.print(columns);
        if let Some(path) = &self.json {
            report.write(path)?;
        }
        Ok(report.is_complete())
    }
}

/// Builds the program that most benchmarks measure.
pub(super) fn build_product() -> Result<()> {
    Tool::cargo()
        .args(["build", "--package", "sbc-user", "--bin", "sbc", "--release", "--locked"])
        .quiet_unless_on_terminal()
        .advice("The compiler's message is above.")
        .run_until_interrupted()
}

impl Row {
    /// The row of a case, without figures.
    pub(super) fn of<S>(case: &Case<S>) -> Self {
        Self {
            name: case.name.clone(),
            what: case.what.clone(),
            error: case.error.clone(),
            is_optional: case.is_optional,
            ..Self::default()
        }
    }
}

/// How a figure of the samples of a case is spread; `None` if there are no samples.
pub(super) fn spread<S>(case: &Case<S>, figure: fn(&S) -> f64) -> Option<Spread> {
    Spread::of(case.samples.iter().map(figure))
}

/// The row of a case whose samples tell, among other things, what work was done.
pub(super) fn work_row<S>(case: &Case<S>, work: impl Fn(&S) -> WorkSample) -> Row {
    let mut row = Row::of(case);
    let spread = |figure: fn(&WorkSample) -> f64| {
        Spread::of(case.samples.iter().map(|sample| figure(&work(sample))))
    };
    if let Some(rate) = spread(WorkSample::per_cpu_second) {
        row.figures.extend([
            ("per_cpu_second", rate.median),
            ("per_cpu_second_best", rate.most),
            ("per_cpu_second_worst", rate.least),
            ("micros", 1e6 / rate.median),
        ]);
    }
    row.figures.extend(spread(WorkSample::per_second).map(|rate| ("per_second", rate.median)));
    row.figures.extend(spread(WorkSample::busy).map(|busy| ("busy", busy.median)));
    row
}
