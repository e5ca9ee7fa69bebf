use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use ipnet::IpNet;
use sbc_common::Reason;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::ConfigFile;
use crate::capture::{CaptureWriter, CapturedFrame};
use crate::config::Config;
use crate::control::{
    self, CaptureLine, CaptureLines, CaptureRequest, ControlError, Judged, SampleLine,
};

#[derive(Debug, Args)]
pub(super) struct CaptureArguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Only samples with this reason (docs/reference/reasons.md); may be given again.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Vec<Reason>,
    /// Only samples from this address or network; may be given again.
    #[arg(long, value_name = "ADDRESS[/LENGTH]", value_parser = network)]
    source: Vec<IpNet>,
    /// End after so many packets.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, as in "10s" or "5m".
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Begin with the samples that the daemon still has: with `--for 0s`, end with them.
    #[arg(long)]
    recent: bool,
    /// The file to write, `-` for standard output.
    #[arg(short, long, value_name = "FILE")]
    write: PathBuf,
}

/// Why a capture ends.
#[derive(Debug)]
enum End {
    /// As was asked for.
    Asked,
    /// Nobody reads what is written.
    Unread,
    /// The daemon has ended, or has ended the capture.
    Daemon,
}

/// How many samples wait to be written here; more wait in the daemon, which counts those that do not fit.
const WAITING: usize = 64;
/// How long what waits may take to be written at the end.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn capture(arguments: &CaptureArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config.config)?;
    ensure!(
        arguments.write != Path::new("-") || !io::stdout().is_terminal(),
        "a capture is nothing for a terminal: name a file, or send it to a program"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let captured = runtime.block_on(run(arguments, &config));
    // Whoever reads standard output may never do so again.
    runtime.shutdown_background();
    captured
}

async fn run(arguments: &CaptureArguments, config: &Config) -> anyhow::Result<()> {
    let request = CaptureRequest {
        reasons: arguments.reason.iter().map(|reason| reason.name().to_owned()).collect(),
        sources: arguments.source.clone(),
        recent: arguments.recent,
    };
    let mut lines = control::capture(&config.control.socket, request).await?;
    // A refusal costs nobody the file that is there.
    let first = lines.next().await?;
    let mut stops = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ];
    let [interrupt, terminate, hangup] = &mut stops;
    let sink = sink(&arguments.write)?;
    let (sender, samples) = mpsc::channel(WAITING);
    let mut writing = tokio::task::spawn_blocking(move || write(sink, samples));
    let mut missed = 0;
    let copying = copy(first, &mut lines, sender, arguments, &mut missed);
    let (end, written) = tokio::select! {
        end = copying => (end, None),
        _ = interrupt.recv() => (Ok(End::Asked), None),
        _ = terminate.recv() => (Ok(End::Asked), None),
        _ = hangup.recv() => (Ok(End::Asked), None),
        written = &mut writing => (Ok(End::Unread), Some(written)),
    };
    if matches!(end, Ok(End::Asked)) {
        // What was missed at last is told at the end, unless the daemon is stuck itself.
        let at_last = timeout(PATIENCE, lines.end()).await;
        missed = at_last.ok().and_then(Result::ok).unwrap_or(0).max(missed);
    }
    let written = match written {
        Some(written) => written,
        None => match timeout(PATIENCE, &mut writing).await {
            Ok(written) => written,
            Err(_) => bail!("nobody takes what is written: the capture is cut off"),
        },
    };
    let written = written.context("writing failed")?;
    let path = arguments.write.display();
    let count = written.with_context(|| format!("cannot write {path}"))?;
    let mut told = io::stderr().lock();
    match end? {
        End::Asked => writeln!(told, "{count} packets")?,
        End::Unread => {}
        End::Daemon => writeln!(told, "{count} packets; the daemon has ended the capture")?,
    }
    if missed > 0 {
        writeln!(told, "{missed} more were missed: what is captured was not taken quickly enough")?;
    }
    Ok(())
}

/// Passes samples on until it is time to end.
async fn copy(
    first: Option<CaptureLine>,
    lines: &mut CaptureLines,
    samples: mpsc::Sender<SampleLine>,
    arguments: &CaptureArguments,
    missed: &mut u64,
) -> Result<End, ControlError> {
    let mut left = arguments.count;
    let mut deadline = None;
    let mut line = first;
    loop {
        match line {
            None => return Ok(End::Daemon),
            Some(CaptureLine::Sample(sample)) => {
                if samples.send(*sample).await.is_err() {
                    return Ok(End::Unread);
                }
                left = left.map(|left| left.saturating_sub(1));
            }
            Some(CaptureLine::Live) => {
                deadline = arguments.duration.and_then(|time| Instant::now().checked_add(time));
            }
            Some(CaptureLine::Missed(count)) => *missed = count,
            Some(CaptureLine::Refused(why)) => return Err(ControlError::Refused(why)),
        }
        line = match deadline {
            _ if left == Some(0) => return Ok(End::Asked),
            None => lines.next().await?,
            // Of what is there already the timeout alone would take notice for ever.
            Some(deadline) if Instant::now() >= deadline => return Ok(End::Asked),
            Some(deadline) => match timeout_at(deadline, lines.next()).await {
                Ok(line) => line?,
                Err(_) => return Ok(End::Asked),
            },
        };
    }
}

/// Writes samples until there are no more, or nobody reads. Returns their number.
fn write(
    sink: Box<dyn Write + Send>,
    mut samples: mpsc::Receiver<SampleLine>,
) -> anyhow::Result<u64> {
    let mut count = 0;
    let written = (|| {
        let mut writer = CaptureWriter::new(BufWriter::new(sink))?;
        writer.flush()?;
        while let Some(sample) = samples.blocking_recv() {
            let kept = sample.bytes().map_err(io::Error::other)?;
            let frame = CapturedFrame { at: sample.at, length: sample.length, kept };
            writer.write(sample.interface, &sample.interface_name, &frame, &comment(&sample))?;
            count += 1;
            if samples.is_empty() {
                writer.flush()?;
            }
        }
        writer.finish().map(drop)
    })();
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(count),
        written => Ok(written.map(|()| count)?),
    }
}

/// The verdict, in words that `tshark -e frame.comment` shows.
fn comment(sample: &SampleLine) -> String {
    let Judged { reason, verdict, carrier, passed, lane } = &sample.judged;
    let lane = lane.as_deref().unwrap_or("none");
    let passed = if *passed { " passed" } else { "" };
    let holder = sample.holder.as_ref().map(|holder| format!(" of {holder}")).unwrap_or_default();
    format!("{reason} {verdict}{passed} lane={lane} carrier={carrier}{holder}")
}

/// What is captured is for its owner alone: strangers' packets are, but customers' may be among them.
fn sink(path: &Path) -> anyhow::Result<Box<dyn Write + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    Ok(Box::new(file.with_context(|| format!("cannot write {}", path.display()))?))
}

fn reason(name: &str) -> Result<Reason, String> {
    match Reason::named(name) {
        Some(reason) if reason.is_sampled() => Ok(reason),
        Some(_) => {
            Err("such packets are not sampled: only drops are, and suspect-source".to_owned())
        }
        None => {
            Err("there is no such reason: docs/reference/reasons.md has all of them".to_owned())
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "neither an address nor a network".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(lane: Option<&str>, passed: bool, holder: Option<&str>) -> SampleLine {
        SampleLine {
            at: 0,
            judged: Judged {
                reason: "unknown-source".to_owned(),
                verdict: "drop".to_owned(),
                passed,
                lane: lane.map(str::to_owned),
                carrier: "udp".to_owned(),
            },
            holder: holder.map(str::to_owned),
            interface: 7,
            interface_name: "wan".to_owned(),
            length: 60,
            frame: String::new(),
        }
    }

    #[test]
    fn a_comment_tells_the_verdict() {
        for (sample, expected) in [
            (sample(None, false, None), "unknown-source drop lane=none carrier=udp"),
            (
                sample(Some("tls"), true, Some("peer carrier-a")),
                "unknown-source drop passed lane=tls carrier=udp of peer carrier-a",
            ),
        ] {
            assert_eq!(comment(&sample), expected);
        }
    }

    #[test]
    fn a_frame_that_is_no_base64_is_an_error_and_not_a_packet() {
        let (sender, receiver) = mpsc::channel(1);
        let broken = SampleLine { frame: "?".to_owned(), ..sample(None, false, None) };
        sender.blocking_send(broken).unwrap();
        drop(sender);
        assert!(write(Box::new(io::sink()), receiver).is_err());
    }
}
