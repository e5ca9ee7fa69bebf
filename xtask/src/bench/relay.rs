//! `cargo xtask bench relay`: what it costs to relay a call.

use std::collections::BTreeMap;

use anyhow::Result;
use sbc_tests::{Case, RelaySample, Samples};

use super::{
    machine::Machine,
    measurement::{Measurement, build_product, spread, work_row},
    report::{Column, Report, Row, Target},
};
use crate::{
    setup::{self, Scope},
    signals,
};

/// Options of `cargo xtask bench relay`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    measurement: Measurement,
}

const COLUMNS: [Column; 12] = [
    Column { figure: "per_second", heading: "calls/s", decimals: 0 },
    Column { figure: "per_cpu_second", heading: "per CPU s", decimals: 0 },
    Column { figure: "per_cpu_second_best", heading: "best", decimals: 0 },
    Column { figure: "per_cpu_second_worst", heading: "worst", decimals: 0 },
    Column { figure: "micros", heading: "us each", decimals: 1 },
    Column { figure: "busy", heading: "busy", decimals: 2 },
    Column { figure: "set_up_p50_micros", heading: "p50 us", decimals: 0 },
    Column { figure: "set_up_p99_micros", heading: "p99 us", decimals: 0 },
    Column { figure: "rss_mib", heading: "RSS", decimals: 1 },
    Column { figure: "pss_mib", heading: "PSS", decimals: 1 },
    Column { figure: "of_stateless", heading: "x sl.", decimals: 2 },
    Column { figure: "of_transactions", heading: "x tm", decimals: 2 },
];

const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn run(options: &Options) -> Result<bool> {
    // Before the signals are caught: `apt-get` knows how to end.
    setup::ensure(Scope::Everything)?;
    signals::catch()?;
    println!("bench: building");
    build_product()?;
    let samples = options.measurement.measure("relay", Vec::new())?;
    options.measurement.tell(&samples, &report(&samples), &COLUMNS)
}

fn report(samples: &Samples<RelaySample>) -> Report {
    let mut rows: Vec<Row> = samples.cases.iter().map(row).collect();
    let rates: BTreeMap<String, f64> = rows
        .iter()
        .filter(|row| row.error.is_none())
        .filter_map(|row| Some((row.name.clone(), row.figure("per_cpu_second")?)))
        .collect();
    for row in &mut rows {
        let Some(rate) = row.figure("per_cpu_second") else { continue };
        let admission = if row.name.ends_with("-digest") { "-digest" } else { "" };
        for (figure, theirs) in [("of_stateless", "stateless"), ("of_transactions", "tm")] {
            let theirs = rates.get(&format!("kamailio-{theirs}{admission}"));
            row.figures.extend(theirs.map(|theirs| (figure, rate / theirs)));
        }
    }
    let mut report = Report { bench: "relay", machine: Machine::this(), rows, targets: Vec::new() };
    report.targets = targets(&report);
    report
}

fn row(case: &Case<RelaySample>) -> Row {
    let mut row = work_row(case, |sample| sample.work);
    for (figure, of_sample, unit) in [
        ("set_up_p50_micros", (|it| it.set_up_median) as fn(&RelaySample) -> f64, 1.0),
        ("set_up_p99_micros", |it| it.set_up_99th, 1.0),
        ("rss_mib", |it| it.resident, MIB),
        ("pss_mib", |it| it.proportional, MIB),
    ] {
        row.figures.extend(spread(case, of_sample).map(|spread| (figure, spread.median / unit)));
    }
    row
}

/// Those whose two rows were measured: ratios of what a CPU second of the server does, and of memory.
fn targets(report: &Report) -> Vec<Target> {
    let ratio = |figure: &str, one: &str, other: &str| {
        let of = |name: &str| report.row(name)?.figure(figure);
        Some(of(one)? / of(other)?)
    };
    let rates =
        [("sbc", "kamailio-tm"), ("sbc-digest", "kamailio-tm-digest")].map(|(ours, theirs)| {
            let got = ratio("per_cpu_second", ours, theirs)?;
            Some(Target::at_least(2.5, format!("{ours} / {theirs}, calls per CPU second"), got))
        });
    let memory = ["kamailio-tm", "kamailio-stateless"].map(|theirs| {
        let got = ratio("pss_mib", theirs, "sbc")?;
        let name = format!("{theirs} / sbc, memory (PSS) with 10,000 calls");
        Some(Target::at_least(2.0, name, got))
    });
    rates.into_iter().chain(memory).flatten().collect()
}
