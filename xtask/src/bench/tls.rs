//! `cargo xtask bench tls`: what it costs to shake hands, and how soon the kernel knows.

use std::collections::BTreeMap;

use anyhow::Result;
use sbc_tests::{Case, Samples, TlsSample};

use super::{
    machine::Machine,
    measurement::{Measurement, build_product, work_row},
    report::{Column, Report, Row, Target},
    statistics::Spread,
};
use crate::{
    setup::{self, Scope},
    signals,
};

/// Options of `cargo xtask bench tls`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    measurement: Measurement,
}

const COLUMNS: [Column; 10] = [
    Column { figure: "per_second", heading: "per s", decimals: 0 },
    Column { figure: "per_cpu_second", heading: "per CPU s", decimals: 0 },
    Column { figure: "per_cpu_second_best", heading: "best", decimals: 0 },
    Column { figure: "per_cpu_second_worst", heading: "worst", decimals: 0 },
    Column { figure: "micros", heading: "us each", decimals: 1 },
    Column { figure: "busy", heading: "busy", decimals: 2 },
    Column { figure: "of_bare", heading: "x bare", decimals: 2 },
    Column { figure: "of_kamailio", heading: "x Kam.", decimals: 2 },
    Column { figure: "opened_p50_micros", heading: "p50 us", decimals: 0 },
    Column { figure: "opened_p99_micros", heading: "p99 us", decimals: 0 },
];

/// A thousandth of a second.
const SOON: f64 = 1000.0;

pub(super) fn run(options: &Options) -> Result<bool> {
    // Before the signals are caught: `apt-get` knows how to end.
    setup::ensure(Scope::Everything)?;
    signals::catch()?;
    println!("bench: building");
    build_product()?;
    let samples = options.measurement.measure("tls", Vec::new())?;
    options.measurement.tell(&samples, &report(&samples), &COLUMNS)
}

fn report(samples: &Samples<TlsSample>) -> Report {
    let mut rows: Vec<Row> = samples.cases.iter().map(row).collect();
    let rates: BTreeMap<String, f64> = rows
        .iter()
        .filter(|row| row.error.is_none())
        .filter_map(|row| Some((row.name.clone(), row.figure("per_cpu_second")?)))
        .collect();
    for row in &mut rows {
        let Some(rate) = row.figure("per_cpu_second") else { continue };
        for (figure, theirs) in [("of_bare", "bare"), ("of_kamailio", "kamailio")] {
            row.figures.extend(rates.get(theirs).map(|theirs| (figure, rate / theirs)));
        }
    }
    let mut report = Report { bench: "tls", machine: Machine::this(), rows, targets: Vec::new() };
    report.targets = targets(&report);
    report
}

fn row(case: &Case<TlsSample>) -> Row {
    let mut row = work_row(case, |sample| sample.work);
    for (figure, of_sample) in [
        ("opened_p50_micros", (|it| it.opened_median) as fn(&TlsSample) -> Option<f64>),
        ("opened_p99_micros", |it| it.opened_99th),
    ] {
        let spread = Spread::of(case.samples.iter().filter_map(of_sample));
        row.figures.extend(spread.map(|spread| (figure, spread.median)));
    }
    row
}

/// Those whose rows were measured.
fn targets(report: &Report) -> Vec<Target> {
    let rates = [(0.85, "bare"), (4.0, "kamailio")].map(|(want, theirs)| {
        let rate = |name: &str| report.row(name)?.figure("per_cpu_second");
        let got = rate("sbc")? / rate(theirs)?;
        Some(Target::at_least(want, format!("sbc / {theirs}, handshakes per CPU second"), got))
    });
    let opened = report.row("sbc-filter").and_then(|row| row.figure("opened_p99_micros"));
    let opened = opened.map(|got| {
        Target::at_most(SOON, "sbc-filter, microseconds from handshake to kernel entry, p99", got)
    });
    rates.into_iter().flatten().chain(opened).collect()
}
