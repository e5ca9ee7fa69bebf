//! A case that is flooded.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::DropSample;

use crate::{
    case::Case,
    defence::{self, Defence},
    flood,
    placement::Cores,
    receiver::{Link, Receiver},
    round::{Setting, Subject},
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

/// A host, and what defends it.
pub(crate) struct Flooded {
    case: Case,
    receiver: Receiver,
    defence: Box<dyn Defence>,
}

impl Flooded {
    pub(crate) fn prepare(case: &Case, number: usize, setting: &Setting<'_>) -> Result<Self> {
        let mut receiver = Receiver::new(setting.flood, number)?;
        let defence = defence::install(case, &receiver, setting.object)?;
        receiver.settle(&setting.cores)?;
        Ok(Self { case: *case, receiver, defence })
    }
}

impl Subject for Flooded {
    fn sample(&mut self, setting: &Setting<'_>) -> Result<DropSample> {
        let Self { case, receiver, defence } = self;
        let Setting { flood, object, cores } = setting;
        let dropped_before = defence.dropped(receiver)?;
        let arrived_before = receiver.link()?.received;

        let mut sender = flood::start(flood, object, receiver, cores, case.traffic)?;
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
