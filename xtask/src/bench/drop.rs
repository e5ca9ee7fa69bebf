//! `cargo xtask bench drop`: what it costs to drop a stranger's packet.

use anyhow::Result;
use sbc_tests::{Case, DropSample, Samples};

use super::{
    machine::Machine,
    measurement::{Measurement, spread},
    report::{Column, Report, Row, Target},
};
use crate::{
    build_ebpf,
    setup::{self, Scope},
    signals,
};

/// Options of `cargo xtask bench drop`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    measurement: Measurement,
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
    println!("bench: building");
    let object = build_ebpf::build("sbc-bench", Some("bench"))?;
    let mode = match options.mode {
        Mode::Split => "split",
        Mode::Same => "same",
    };
    let arguments = vec!["--mode".into(), mode.into(), "--object".into(), object.into()];
    let samples = options.measurement.measure("drop", arguments)?;
    options.measurement.tell(&samples, &report(&samples, options.mode), &COLUMNS)
}

fn report(samples: &Samples<DropSample>, mode: Mode) -> Report {
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

fn row(case: &Case<DropSample>) -> Row {
    let mut row = Row::of(case);
    if let Some(rate) = spread(case, DropSample::mpps) {
        row.figures.extend([
            ("mpps", rate.median),
            ("mpps_best", rate.most),
            ("mpps_worst", rate.least),
        ]);
    }
    if let Some(cost) = spread(case, DropSample::nanos_per_packet) {
        row.figures.extend([
            ("ns_per_packet", cost.median),
            ("ns_per_packet_best", cost.least),
            ("ns_per_packet_worst", cost.most),
        ]);
    }
    let offered = spread(case, DropSample::offered_mpps);
    row.figures.extend(offered.map(|offered| ("offered_mpps", offered.median)));
    row
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
