//! The run: every case set up once, then rounds in which each is flooded once, in another order each
//! time.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{DropCase, DropSample, DropSamples, Host};

use crate::{
    Measure,
    case::{self, Case, Kind},
    cores::{self, Cores},
    defence::{self, Defence},
    flood,
    quiet::Quiet,
    receiver::{Link, Receiver},
    sources::Random,
};

/// How long a flood runs before it is measured: caches and queues are then as they stay.
const WARM_UP: Duration = Duration::from_millis(150);
const WINDOW: Duration = Duration::from_millis(700);
/// What a moment may last, as a share of the window: half a percent.
const AT_ONCE: Duration = Duration::from_millis(3);
const MOST_ATTEMPTS: u32 = 10;
/// Frames that may be missing from a case's own count: what the hosts say to each other of their own
/// accord, and what waits in a socket nobody reads.
const UNACCOUNTED: u64 = 2_000;

/// A case under measurement.
struct Stand {
    case: Case,
    ready: Result<(Receiver, Box<dyn Defence>)>,
    samples: Vec<DropSample>,
}

pub(crate) fn measure(options: &Measure) -> Result<()> {
    let cases = case::select(&options.only)?;
    cores::get_ahead()?;
    let cores = Cores::choose(options.mode)?;
    let flood = Host::new("flood")?;
    let mut stands = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let start = Instant::now();
        let ready = prepare(&flood, number, &case, options, &cores);
        let seconds = start.elapsed().as_secs_f64();
        match &ready {
            Ok(_) => println!("drop: {} is ready ({seconds:.1} s)", case.name),
            Err(error) => println!("drop: {}: {error:#}", case.name),
        }
        stands.push(Stand { case, ready, samples: Vec::new() });
    }
    let mut quiet = Quiet::default();
    let mut random = Random::new(0);
    for round in 1..=options.rounds {
        let mut order: Vec<&mut Stand> = stands.iter_mut().collect();
        while !order.is_empty() {
            let stand = order.swap_remove(random.below(order.len()));
            quiet.wait()?;
            if let Some(sample) = stand.measure(&flood, options, &cores) {
                println!(
                    "drop: round {round} of {}: {:18} {:6.2} Mpps {:7.1} ns",
                    options.rounds,
                    stand.case.name,
                    sample.mpps(),
                    sample.nanos_per_packet()
                );
            } else if let Err(error) = &stand.ready {
                println!(
                    "drop: round {round} of {}: {}: {error:#}",
                    options.rounds, stand.case.name
                );
            }
        }
    }
    let samples = DropSamples {
        cases: stands.into_iter().map(Stand::end).collect(),
        waited_for_others: quiet.waited.as_secs_f64(),
        disturbed: quiet.disturbed,
    };
    fs::write(&options.samples, serde_json::to_vec(&samples)?)
        .with_context(|| format!("writing {}", options.samples.display()))
}

fn prepare(
    flood: &Host,
    number: usize,
    case: &Case,
    options: &Measure,
    cores: &Cores,
) -> Result<(Receiver, Box<dyn Defence>)> {
    let mut receiver = Receiver::new(flood, number)?;
    let defence = defence::install(case, &receiver, &options.object)?;
    receiver.settle(cores)?;
    Ok((receiver, defence))
}

impl Stand {
    /// Takes one sample; a case that fails is out for good.
    fn measure(&mut self, flood: &Host, options: &Measure, cores: &Cores) -> Option<DropSample> {
        let (receiver, defence) = self.ready.as_mut().ok()?;
        match sample(&self.case, receiver, defence.as_mut(), flood, options, cores) {
            Ok(sample) => {
                self.samples.push(sample);
                Some(sample)
            }
            Err(error) => {
                self.ready = Err(error);
                None
            }
        }
    }

    fn end(self) -> DropCase {
        DropCase {
            name: self.case.name.to_owned(),
            what: self.case.what.to_owned(),
            samples: self.samples,
            error: self.ready.err().map(|error| format!("{error:#}")),
            is_optional: self.case.defence == Kind::XdpFilter,
        }
    }
}

fn sample(
    case: &Case,
    receiver: &Receiver,
    defence: &mut dyn Defence,
    flood: &Host,
    options: &Measure,
    cores: &Cores,
) -> Result<DropSample> {
    let dropped_before = defence.dropped(receiver)?;
    let arrived_before = receiver.link()?.received;

    let mut sender =
        flood::start(flood, &options.object, receiver.way_here, cores.flood, case.traffic)?;
    receiver.wait_for_flood().with_context(|| sender.output().unwrap_or_default())?;
    thread::sleep(WARM_UP);
    let before = Reading::take(receiver, sender.id(), cores)?;
    thread::sleep(WINDOW);
    let after = Reading::take(receiver, sender.id(), cores)?;
    ensure!(sender.is_running()?, "the flood ended: {}", sender.output()?);
    sender.kill();
    receiver.wait_for_silence()?;

    let arrived = receiver.link()?.received - arrived_before;
    let dropped = defence.dropped(receiver)? - dropped_before;
    ensure!(
        arrived.abs_diff(dropped) <= UNACCOUNTED,
        "{arrived} frames arrived and {dropped} of them dropped by what is measured"
    );
    let packets = after.link.received - before.link.received;
    ensure!(packets > 0, "nothing arrived within the window");
    Ok(DropSample {
        seconds: after.at.duration_since(before.at).as_secs_f64(),
        packets,
        offered: packets + (after.link.lost - before.link.lost),
        cpu_nanos: after.run_time - before.run_time,
    })
}

/// What was counted at one moment.
struct Reading {
    at: Instant,
    link: Link,
    run_time: u64,
}

impl Reading {
    /// Reads all of it at once: should something else have run in between, again.
    fn take(receiver: &Receiver, flood: u32, cores: &Cores) -> Result<Self> {
        let mut attempts = 0;
        loop {
            let at = Instant::now();
            let link = receiver.link()?;
            let run_time = receiver.run_time(flood, cores)?;
            attempts += 1;
            if at.elapsed() < AT_ONCE || attempts == MOST_ATTEMPTS {
                return Ok(Self { at, link, run_time });
            }
        }
    }
}
