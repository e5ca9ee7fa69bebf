//! `cargo xtask bench challenge`: what it costs to challenge a stranger, and to take somebody's proof.

use std::collections::BTreeMap;

use anyhow::Result;
use sbc_tests::{Samples, WorkSample};

use super::{
    machine::Machine,
    measurement::{Measurement, build_product, work_row},
    report::{Column, Report, Row, Target},
};
use crate::{
    setup::{self, Scope},
    signals,
};

/// Options of `cargo xtask bench challenge`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    measurement: Measurement,
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
    println!("bench: building");
    build_product()?;
    let samples = options.measurement.measure("challenge", Vec::new())?;
    options.measurement.tell(&samples, &report(&samples), &COLUMNS)
}

fn report(samples: &Samples<WorkSample>) -> Report {
    let mut rows: Vec<Row> =
        samples.cases.iter().map(|case| work_row(case, |sample| *sample)).collect();
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
