//! The servers, each on a gateway of its own and on one core.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use sbc_common::{Address, SourceKey};
use sbc_tests::{
    Certificate, Family, Gateway, Issued, Process, Protocol, Scratch, Setup, TlsSample, Usage,
    Validity, WorkSample, wait_for_listener,
};
use sbc_user::kernel::{KernelTables, Pins};

use crate::{
    case::{Case, Kind},
    client::{Client, pass},
    cores,
    files::Files,
    kamailio,
    processes::cpu_time,
};

/// How long the server is worked with before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(200);
/// How long as many handshakes are made as there can be.
const WINDOW: Duration = Duration::from_secs(1);
/// Handshakes one after the other, after each of which the kernel's entry is waited for.
const LOOKED_AT: usize = 300;
const PATIENCE: Duration = Duration::from_secs(10);

const CARRIER: &str = "[[peer]]\nname = \"carrier\"\nrequire = [\"tls\"]\n\
                       identities = [\"carrier.example\"]\nopens = [\"udp\"]\n\
                       on-disconnect = \"remove\"\nmay-assert = [\"*@carrier.example\"]";

/// A server that is ready, and who works with it.
pub(crate) struct Server {
    case: Case,
    gateway: Gateway,
    /// The server where it is not the gateway's own daemon.
    process: Option<Process>,
    carrier: Files,
    _scratch: Scratch,
}

impl Server {
    /// Starts it. Everything is on the core that the calling thread is pinned to.
    pub(crate) fn start(case: Case) -> Result<Self> {
        let mut gateway = Setup::new().tls("require").table(CARRIER).build()?;
        let scratch = Scratch::new()?;
        let authority = gateway.authority()?;
        let carrier = authority.issue(&Certificate {
            name: "carrier",
            uri_sans: &["sip:carrier.example"],
            dns_sans: &[],
            usage: Usage::Client,
            validity: Validity::Valid,
        })?;
        let carrier = Files::new(&carrier, authority.certificate());
        let folder = gateway.scratch().path().join("tls");
        let own = Issued { chain: folder.join("gateway.pem"), key: folder.join("gateway.key") };
        let own = Files::new(&own, authority.certificate());
        let listen = Family::V4.sips();
        let process = match case.server {
            Kind::Bare => {
                let mut command =
                    gateway.edge.command(env::current_exe().context("finding this program")?);
                command.arg("accept").arg("--listen").arg(listen.to_string());
                command.args(own.arguments());
                Some(gateway.edge.spawn("accept", command)?)
            }
            Kind::Kamailio => Some(kamailio::start(&gateway, &scratch, &own)?),
            Kind::Sbc => {
                gateway.start()?;
                // The others have no filter in front of them either.
                let (status, said) = gateway.sbc(&["unload"])?;
                ensure!(status.success(), "sbc unload: {said}");
                None
            }
            Kind::SbcBehindFilter => {
                gateway.start()?;
                None
            }
        };
        let mut server = Self { case, gateway, process, carrier, _scratch: scratch };
        wait_for_listener(&server.gateway.edge, Protocol::Tcp, listen.port(), PATIENCE)
            .with_context(|| server.said())?;
        Ok(server)
    }

    /// Measures once, with the client on `core`.
    pub(crate) fn sample(&mut self, core: usize) -> Result<TlsSample> {
        let process = match &self.process {
            Some(process) => process.id(),
            None => self.gateway.daemon()?.id(),
        };
        let tables = match self.case.server {
            Kind::SbcBehindFilter => {
                let pins = Pins::below(&self.gateway.edge.path("/run/sbc/bpf"));
                Some(pins.open_tables(sbc_common::maps::TRUST.capacity)?)
            }
            Kind::Bare | Kind::Kamailio | Kind::Sbc => None,
        };
        let (gateway, carrier) = (&self.gateway, &self.carrier);
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                cores::pin(0, core)?;
                gateway.internet.move_in()?;
                let client = Client::new(carrier, Family::V4.sips())?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let work = runtime.block_on(saturate(&client, process))?;
                let opened = match &tables {
                    Some(tables) => Some(runtime.block_on(opened(&client, tables))?),
                    None => None,
                };
                let [opened_median, opened_99th] = opened.map_or([None; 2], |it| it.map(Some));
                anyhow::Ok(TlsSample { work, opened_median, opened_99th })
            });
            client.join().map_err(|_| anyhow::anyhow!("the client panicked"))?
        })
        .with_context(|| self.said())
    }

    fn said(&mut self) -> String {
        let process = self.process.as_mut().map_or_else(|| self.gateway.daemon(), Ok);
        process.and_then(|process| process.output()).unwrap_or_default()
    }
}

async fn saturate(client: &Client, process: u32) -> Result<WorkSample> {
    client
        .work(async {
            pass(WARM_UP).await;
            let (done, cpu, start) = (client.done(), cpu_time(process)?, Instant::now());
            pass(WINDOW).await;
            Ok(WorkSample {
                seconds: start.elapsed().as_secs_f64(),
                cpu_nanos: cpu_time(process)? - cpu,
                done: client.done() - done,
            })
        })
        .await
}

/// The median and the 99th of a hundred, in microseconds, of the time from the end of the client's half of a
/// handshake to the kernel's entry for its address.
async fn opened(client: &Client, tables: &KernelTables) -> Result<[f64; 2]> {
    let key = SourceKey::every_port(Address::from(Family::V4.caller()));
    let wait_for = |wanted: bool| {
        let start = Instant::now();
        loop {
            if tables.trusted_source(&key)?.is_some() == wanted {
                return Ok(Instant::now());
            }
            if start.elapsed() > PATIENCE {
                bail!("the kernel's entry is not {}", if wanted { "there" } else { "gone" });
            }
        }
    };
    let mut times = Vec::with_capacity(LOOKED_AT);
    for _ in 0..LOOKED_AT {
        wait_for(false)?;
        let connected = client.connect().await?;
        times.push(wait_for(true)?.saturating_duration_since(connected.at));
        connected.end().await?;
    }
    times.sort_unstable();
    let at = |hundredth: usize| {
        let time = times.get(times.len() * hundredth / 100).context("nobody connected")?;
        anyhow::Ok(time.as_secs_f64() * 1e6)
    };
    Ok([at(50)?, at(99)?])
}
