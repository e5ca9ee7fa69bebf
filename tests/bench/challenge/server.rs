//! The servers, each on a gateway of its own and on one core.

use std::{
    env,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{
    Family, Gateway, Process, Protocol, Scratch, Setup, WorkSample, wait_for_listener,
};

use crate::{
    case::{Case, Kind, Work},
    client::Client,
    cores, kamailio,
    processes::cpu_time,
    proof::{PASSWORD, USER},
    responder::Responder,
};

/// How long the server is worked with before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(200);
/// How long a sample is.
const WINDOW: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that is ready, and who works with it.
pub(crate) struct Server {
    case: Case,
    gateway: Gateway,
    /// The server where it is not the gateway's own daemon.
    process: Option<Process>,
    _scratch: Scratch,
}

impl Server {
    /// Starts it. Everything is on the core that the calling thread is pinned to.
    pub(crate) fn start(case: Case) -> Result<Self> {
        let mut gateway = Setup::new()
            .challenging_strangers()
            .users("algorithms = [\"MD5\"]", &[[USER, PASSWORD]])
            .build()?;
        let scratch = Scratch::new()?;
        let listen = Family::V4.sip();
        let process = match case.server {
            Kind::Echo => {
                let mut command =
                    gateway.edge.command(env::current_exe().context("finding this program")?);
                command.arg("echo").arg("--listen").arg(listen.to_string());
                Some(gateway.edge.spawn("echo", command)?)
            }
            Kind::KamailioFast => Some(kamailio::start(&gateway, &scratch, case.work, "fm")?),
            Kind::KamailioDebugging => Some(kamailio::start(&gateway, &scratch, case.work, "qm")?),
            Kind::Sbc => {
                gateway.start()?;
                // The others have no filter in front of them either.
                let (status, said) = gateway.sbc(&["unload"])?;
                ensure!(status.success(), "sbc unload: {said}");
                None
            }
        };
        let mut server = Self { case, gateway, process, _scratch: scratch };
        wait_for_listener(&server.gateway.edge, Protocol::Udp, listen.port(), PATIENCE)
            .with_context(|| server.said())?;
        Ok(server)
    }

    /// Measures once, with the client on `core`.
    pub(crate) fn sample(&mut self, core: usize) -> Result<WorkSample> {
        let upstream = self.gateway.upstream();
        let is_over = AtomicBool::new(false);
        let server = self.process.as_ref().map(Process::id);
        let server = match server {
            Some(server) => server,
            None => self.gateway.daemon()?.id(),
        };
        let gateway = &self.gateway;
        let (work, listen) = (self.case.work, Family::V4.sip());
        thread::scope(|scope| {
            let responder = (work == Work::Relayed).then(|| {
                scope.spawn(|| {
                    cores::pin(0, core)?;
                    gateway.inside.move_in()?;
                    Responder::bind(upstream)?.run(&is_over)
                })
            });
            let client = scope.spawn(|| {
                cores::pin(0, core)?;
                gateway.internet.move_in()?;
                measure(work, listen, server)
            });
            let sample = client.join().map_err(|_| anyhow::anyhow!("the client panicked"))?;
            is_over.store(true, Ordering::Relaxed);
            if let Some(responder) = responder {
                responder.join().map_err(|_| anyhow::anyhow!("the responder panicked"))??;
            }
            sample
        })
        .with_context(|| self.said())
    }

    fn said(&mut self) -> String {
        let process = self.process.as_mut().map_or_else(|| self.gateway.daemon(), Ok);
        process.and_then(|process| process.output()).unwrap_or_default()
    }
}

fn measure(work: Work, server: SocketAddr, process: u32) -> Result<WorkSample> {
    let mut client = Client::new(work, server)?;
    client.work_for(WARM_UP)?;
    let (done, cpu, start) = (client.done, cpu_time(process)?, std::time::Instant::now());
    client.work_for(WINDOW)?;
    let sample = WorkSample {
        seconds: start.elapsed().as_secs_f64(),
        cpu_nanos: cpu_time(process)? - cpu,
        done: client.done - done,
    };
    client.end()?;
    Ok(sample)
}
