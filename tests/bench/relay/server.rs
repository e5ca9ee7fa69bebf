//! The servers, each on a gateway of its own and on one core.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{
    Family, Gateway, Process, Protocol, RelaySample, Scratch, Setup, WorkSample, wait_for_listener,
    wait_until,
};

use crate::{
    callee::Callee,
    caller::{Caller, Pace},
    case::{Admission, Case, Kind},
    cores, kamailio,
    memory::Memory,
    processes::cpu_time,
    proof::{PASSWORD, USER},
};

/// How long the server is worked with before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(200);
/// How long as many calls are made as there can be.
const WINDOW: Duration = Duration::from_secs(1);
/// Calls under way then. The most that their datagrams can need fits in anybody's receive buffer.
const UNDER_WAY: usize = 32;
/// How long calls are made at a leisurely pace, and how many of them in a second.
const LEISURE: Duration = Duration::from_millis(500);
const LEISURELY: u32 = 1000;
/// Calls that go on while memory is looked at.
const HELD: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that is ready.
pub(crate) struct Server {
    case: Case,
    gateway: Gateway,
    /// The server where it is not the gateway's own daemon.
    process: Option<Process>,
    _scratch: Scratch,
    memory: Option<Memory>,
}

impl Server {
    /// Starts it, and looks at its memory with many calls made from the core `ends`. Everything else is
    /// on the core that the calling thread is pinned to.
    pub(crate) fn start(case: Case, ends: usize) -> Result<Self> {
        let setup = match case.admission {
            Admission::Address => Setup::new().table(&format!(
                "[[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\nsources = {}\n\
                 opens = [\"udp\"]\nmay-assert = [\"*@example.com\"]",
                Family::SOURCES
            )),
            Admission::Digest => Setup::new()
                .challenging_strangers()
                .users("algorithms = [\"MD5\"]", &[[USER, PASSWORD]]),
        };
        let mut gateway = setup.build()?;
        let scratch = Scratch::new()?;
        let kamailio = |gateway: &Gateway, has_transactions| {
            kamailio::start(gateway, &scratch, has_transactions, case.admission).map(Some)
        };
        let process = match case.server {
            Kind::KamailioStateless => kamailio(&gateway, false)?,
            Kind::KamailioTransactions => kamailio(&gateway, true)?,
            Kind::Sbc => {
                gateway.start()?;
                // The others have no filter in front of them either.
                let (status, said) = gateway.sbc(&["unload"])?;
                ensure!(status.success(), "sbc unload: {said}");
                None
            }
        };
        let mut server = Self { case, gateway, process, _scratch: scratch, memory: None };
        let port = Family::V4.sip().port();
        wait_for_listener(&server.gateway.edge, Protocol::Udp, port, PATIENCE)
            .with_context(|| server.said())?;
        // Now, while nothing is left of other calls.
        let memory = server.with_ends(ends, |caller, process| {
            caller.hold(HELD, UNDER_WAY)?;
            let memory = Memory::of(process)?;
            caller.hang_up(UNDER_WAY)?;
            Ok(memory)
        })?;
        server.memory = Some(memory);
        Ok(server)
    }

    /// Measures once, with both ends of the calls on the core `ends`.
    pub(crate) fn sample(&mut self, ends: usize) -> Result<RelaySample> {
        let memory = self.memory.context("its memory was not looked at")?;
        self.with_ends(ends, |caller, process| {
            let work = saturate(caller, process)?;
            caller.set_up.clear();
            caller.call_for(LEISURE, Pace::PerSecond(LEISURELY))?;
            caller.end()?;
            let [set_up_median, set_up_99th] = quantiles(&mut caller.set_up)?;
            Ok(RelaySample {
                work,
                set_up_median,
                set_up_99th,
                resident: memory.resident,
                proportional: memory.proportional,
            })
        })
    }

    /// Has calls made, given the caller and the id of the server's process; fails if one was not
    /// acknowledged.
    fn with_ends<T: Send>(
        &mut self,
        core: usize,
        call: impl FnOnce(&mut Caller, u32) -> Result<T> + Send,
    ) -> Result<T> {
        let process = match &self.process {
            Some(process) => process.id(),
            None => self.gateway.daemon()?.id(),
        };
        let (gateway, admission) = (&self.gateway, self.case.admission);
        let is_over = AtomicBool::new(false);
        let answers = thread::scope(|scope| {
            let bound = scope.spawn(|| {
                gateway.inside.move_in()?;
                Callee::bind(gateway.upstream())
            });
            bound.join().map_err(|_| anyhow::anyhow!("the callee panicked"))?
        })?;
        let calls = || -> Result<T> {
            cores::pin(0, core)?;
            gateway.internet.move_in()?;
            let mut caller = Caller::new(admission, Family::V4.caller(), Family::V4.sip())?;
            let measured = call(&mut caller, process)?;
            wait_until("every ACK", PATIENCE, || Ok(answers.acknowledged() == caller.done))?;
            Ok(measured)
        };
        thread::scope(|scope| {
            let answering = scope.spawn(|| {
                cores::pin(0, core)?;
                answers.run(&is_over)
            });
            let calling = scope.spawn(calls);
            let measured = calling.join().map_err(|_| anyhow::anyhow!("the caller panicked"));
            is_over.store(true, Ordering::Relaxed);
            answering.join().map_err(|_| anyhow::anyhow!("the callee panicked"))??;
            measured?
        })
        .with_context(|| self.said())
    }

    fn said(&mut self) -> String {
        let process = self.process.as_mut().map_or_else(|| self.gateway.daemon(), Ok);
        process.and_then(|process| process.output()).unwrap_or_default()
    }
}

fn saturate(caller: &mut Caller, process: u32) -> Result<WorkSample> {
    let pace = Pace::UnderWay(UNDER_WAY);
    caller.call_for(WARM_UP, pace)?;
    let (done, cpu, start) = (caller.done, cpu_time(process)?, Instant::now());
    caller.call_for(WINDOW, pace)?;
    let sample = WorkSample {
        seconds: start.elapsed().as_secs_f64(),
        cpu_nanos: cpu_time(process)? - cpu,
        done: caller.done - done,
    };
    caller.end()?;
    Ok(sample)
}

/// The median and the 99th of a hundred, in microseconds.
fn quantiles(times: &mut [Duration]) -> Result<[f64; 2]> {
    times.sort_unstable();
    let at = |hundredth: usize| {
        let time = times.get(times.len() * hundredth / 100).context("no call was made");
        time.map(|time| time.as_secs_f64() * 1e6)
    };
    Ok([at(50)?, at(99)?])
}
