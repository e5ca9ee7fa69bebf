use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;
use sbc_common::{Lane, Reason};
use serde_json::json;

use super::{ConfigFile, progress};
use crate::capture::{CaptureReader, CapturedFrame};
use crate::config::Config;
use crate::rehearsal::{Judgement, Rehearsal};

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The capture, pcap or pcapng, of an Ethernet interface.
    #[arg(value_name = "FILE")]
    capture: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON: one object for each packet, and one for the summary.
    #[arg(long)]
    json: bool,
}

pub(super) fn replay(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config.config)?;
    let mut rehearsal = Rehearsal::of(&config)?;
    let path = arguments.capture.display();
    let file = File::open(&arguments.capture).with_context(|| format!("cannot open {path}"))?;
    let progress = progress::through_bytes(file.metadata().map_or(0, |metadata| metadata.len()));
    let reading = BufReader::new(progress.wrap_read(file));
    let frames = CaptureReader::new(reading).with_context(|| path.to_string())?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut counts = BTreeMap::new();
    for (number, frame) in (1_u64..).zip(frames) {
        let frame = match frame.with_context(|| format!("{path}, packet {number}")) {
            Ok(frame) => frame,
            Err(error) => {
                // What was judged before is good.
                progress.finish_and_clear();
                out.flush()?;
                return Err(error);
            }
        };
        let judged = rehearsal.judge(&frame);
        *counts.entry(judged.verdict.reason).or_default() += 1;
        let written = if arguments.json {
            writeln!(out, "{}", as_json(number, &frame, &judged))
        } else {
            write_line(&mut out, &frame, &judged)
        };
        if is_enough(&written) {
            return Ok(());
        }
        written?;
    }
    progress.finish_and_clear();
    let written = if arguments.json {
        let reasons: BTreeMap<_, u64> =
            counts.iter().map(|(reason, count)| (reason.name(), *count)).collect();
        writeln!(out, "{}", json!({ "mode": config.mode().name(), "summary": reasons }))
    } else {
        write_summary(&mut out, &counts)
    };
    let written = written.and_then(|()| out.flush());
    if is_enough(&written) { Ok(()) } else { Ok(written?) }
}

/// Whoever reads has seen enough.
fn is_enough(written: &io::Result<()>) -> bool {
    matches!(written, Err(error) if error.kind() == io::ErrorKind::BrokenPipe)
}

fn time_of(frame: &CapturedFrame) -> String {
    humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(frame.at)).to_string()
}

fn as_json(number: u64, frame: &CapturedFrame, judged: &Judgement) -> serde_json::Value {
    let verdict = judged.verdict;
    let [source, destination] =
        judged.ends.map_or([None, None], |ends| ends.map(|end| Some(end.to_string())));
    json!({
        "packet": number,
        "time": time_of(frame),
        "source": source,
        "destination": destination,
        "length": frame.length,
        "is-cut": judged.is_cut,
        "reason": verdict.reason.name(),
        "verdict": verdict.action().name(),
        "action": judged.action.name(),
        "lane": verdict.lane.map(Lane::name),
        "family": verdict.family.name(),
        "carrier": verdict.carrier.name(),
    })
}

fn write_line(out: &mut impl Write, frame: &CapturedFrame, judged: &Judgement) -> io::Result<()> {
    let verdict = judged.verdict;
    let [source, destination] = judged
        .ends
        .map_or(["-".to_owned(), "-".to_owned()], |ends| ends.map(|end| end.to_string()));
    let lane = verdict.lane.map_or("-", Lane::name);
    write!(out, "{} {source} {destination} {} ", time_of(frame), verdict.reason.name())?;
    write!(out, "{} {lane}", verdict.action().name())?;
    if judged.action != verdict.action() {
        write!(out, " (passes: the mode is observe)")?;
    }
    writeln!(out, "{}", if judged.is_cut { " (cut off in the capture)" } else { "" })
}

fn write_summary(out: &mut impl Write, counts: &BTreeMap<Reason, u64>) -> io::Result<()> {
    writeln!(out, "\n{:<30} {:>4} {:>12}", "verdict", "", "packets")?;
    for (reason, count) in counts {
        writeln!(out, "{:<30} {:>4} {count:>12}", reason.name(), reason.action().name())?;
    }
    Ok(())
}
