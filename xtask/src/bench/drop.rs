//! `cargo xtask bench drop`: what it costs to drop a stranger's packet.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use sbc_tests::{DropCase, DropSample, DropSamples};

use super::{
    machine::Machine,
    report::{Column, Report, Row, Target},
    statistics::Spread,
};
use crate::{
    build_ebpf,
    setup::{self, Scope},
    signals,
    tool::Tool,
    workspace,
};

/// Options of `cargo xtask bench drop`.
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
    /// Where the flood and the receiver run
    #[arg(long, value_enum, default_value = "split")]
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// On a core each: what one core of the receiver can drop
    Split,
    /// On one core: the cost of the whole path, with the smallest spread
    Same,
}

const COLUMNS: [Column; 9] = [
    Column { figure: "mpps", heading: "Mpps", decimals: 2 },
    Column { figure: "mpps_best", heading: "best", decimals: 2 },
    Column { figure: "mpps_worst", heading: "worst", decimals: 2 },
    Column { figure: "offered_mpps", heading: "offered", decimals: 2 },
    Column { figure: "ns_per_packet", heading: "ns/pkt", decimals: 0 },
    Column { figure: "ns_per_packet_best", heading: "best", decimals: 0 },
    Column { figure: "ns_per_packet_worst", heading: "worst", decimals: 0 },
    Column { figure: "of_bare", heading: "x bare", decimals: 2 },
    Column { figure: "of_nft_netdev_1m", heading: "x nft", decimals: 2 },
];

/// The floor, and the peer that every row is compared with.
const BARE: &str = "bare";
const NFTABLES: &str = "nft-netdev-1m";
/// The rows that are no floods, and their floor.
const REPEATED: &str = "run-";
const REPEATED_BARE: &str = "run-bare";

/// Returns whether all that was to be measured was.
pub(super) fn run(options: &Options) -> Result<bool> {
    // Before the signals are caught: `apt-get` knows how to end.
    setup::ensure(Scope::Bench)?;
    signals::catch()?;
    let samples = measure(options)?;
    let report = report(&samples, options.mode);
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

fn measure(options: &Options) -> Result<DropSamples> {
    println!("bench: building");
    let object = build_ebpf::build("sbc-bench", Some("bench"))?;
    let bench = ["bench", "--package", "sbc-tests", "--bench", "bench-drop", "--locked"];
    Tool::cargo()
        .args(bench)
        .args(["--no-run"])
        .quiet_unless_on_terminal()
        .advice("The compiler's message is above.")
        .run_until_interrupted()?;
    let path = workspace::target().join("bench-drop.samples.json");
    let mode = match options.mode {
        Mode::Split => "split",
        Mode::Same => "same",
    };
    let mut measure = Tool::cargo()
        .args(bench)
        .args(["--quiet", "--", "measure", "--mode", mode])
        .args(["--rounds", &options.rounds.to_string()])
        .args(["--object".as_ref(), object.as_os_str()])
        .args(["--samples".as_ref(), path.as_os_str()]);
    if !options.only.is_empty() {
        measure = measure.args(["--only", &options.only.join(",")]);
    }
    measure.advice("What went wrong is told above.").run_until_interrupted()?;
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("understanding {}", path.display()))
}

fn report(samples: &DropSamples, mode: Mode) -> Report {
    let mut rows: Vec<Row> = samples.cases.iter().map(row).collect();
    let rate = |name: &str| rows.iter().find(|row| row.name == name)?.figure("mpps");
    let (bare, nftables, repeated) = (rate(BARE), rate(NFTABLES), rate(REPEATED_BARE));
    for row in &mut rows {
        let Some(mpps) = row.figure("mpps") else { continue };
        if row.name.starts_with(REPEATED) {
            row.figures.extend(repeated.map(|bare| ("of_bare", mpps / bare)));
            continue;
        }
        row.figures.extend(bare.map(|bare| ("of_bare", mpps / bare)));
        row.figures.extend(nftables.map(|nftables| ("of_nft_netdev_1m", mpps / nftables)));
    }
    let machine = Machine::this();
    let mut report = Report { bench: "drop", machine, rows, targets: Vec::new() };
    // The flood's own cost is in every figure of one core, so that they say nothing of these.
    if mode == Mode::Split {
        report.targets = targets(&report);
    }
    report
}

fn row(case: &DropCase) -> Row {
    let spread = |figure: fn(&DropSample) -> f64| Spread::of(case.samples.iter().map(figure));
    let mut figures = BTreeMap::new();
    if let Some(rate) = spread(DropSample::mpps) {
        figures.extend([
            ("mpps", rate.median),
            ("mpps_best", rate.most),
            ("mpps_worst", rate.least),
        ]);
    }
    if let Some(cost) = spread(DropSample::nanos_per_packet) {
        figures.extend([
            ("ns_per_packet", cost.median),
            ("ns_per_packet_best", cost.least),
            ("ns_per_packet_worst", cost.most),
        ]);
    }
    figures
        .extend(spread(DropSample::offered_mpps).map(|offered| ("offered_mpps", offered.median)));
    Row {
        name: case.name.clone(),
        what: case.what.clone(),
        figures,
        error: case.error.clone(),
        is_optional: case.is_optional,
    }
}

/// Those whose two rows were measured. All are ratios of rates within one run: the rates themselves
/// differ from machine to machine, and from hour to hour.
fn targets(report: &Report) -> Vec<Target> {
    [
        (0.95, "sbc-10k", BARE),
        (0.75, "sbc-1m", BARE),
        (4.5, "sbc-1m", NFTABLES),
        (8.0, "sbc-1m", "ipset-1m"),
        (0.85, "sbc-ipv6-10k", "sbc-10k"),
        (0.85, "sbc-ipv6-1m", "sbc-1m"),
    ]
    .into_iter()
    .filter_map(|(want, ours, theirs)| {
        let rate = |name: &str| report.row(name)?.figure("mpps");
        let got = rate(ours)? / rate(theirs)?;
        Some(Target::at_least(want, format!("Mpps of {ours} / {theirs}"), got))
    })
    .collect()
}
