use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use arc_swap::ArcSwap;
use sbc_common::Mode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::background::Background;
use super::certificates::{Certificates, Earlier, hardly_meant};
use super::copies::copies;
use super::directory;
use super::filter::{attach_filter, filter_options};
use super::ipsec::IpsecGuard;
use super::known_good;
use super::log::{start_log, tell_of_lines_left_out};
use super::machine;
use super::names::NameWatch;
use super::parts::{NO_KEY, current_keys, digest_check, forwarder, stir};
use super::reload::Reloader;
use super::supervisor::{Supervisor, serving};
use super::upstream::{Reached, Sources, inside_listeners};
use super::users::{OpenStore, without_hashes};
use super::vouching::vouching;
use crate::admin::{AdminServer, Observed, Token};
use crate::border::{Border, BorderParts, Clock, InForce, Stir, hold_back_strangers, keep_beating};
use crate::config::{
    Config, Listen, LogFormat, OnShutdown, Peer, Proof, StirPolicy, UnknownPolicy,
};
use crate::control::ControlServer;
use crate::directory::Source;
use crate::kernel::{Filter, KernelTables, SampleRing};
use crate::known_good::KnownGoodFile;
use crate::proof::tls::ClientCertificate;
use crate::proof::users::Users;
use crate::session::{KeyFile, TokenSeal};
use crate::transport::{Limits, ListenSpec, Listeners, MOST_CONNECTIONS, Receiver, Transport};
use crate::upstream::Dns;

/// How often trust is renewed and expired entries are removed. The kernel judges expiry by itself.
const SWEEP: Duration = Duration::from_secs(1);
/// How often the file of the routing keys is looked at; a key is in it for longer before it is used.
const LOOK_AT_KEYS: Duration = Duration::from_mins(1);
/// How long connections have to end at shutdown.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long samples gather in the kernel.
const PAUSE: Duration = Duration::from_millis(20);
/// Files and sockets that are no connection.
const OTHER_FILES: usize = 512;
/// What may be open: connections from outside, and once more as many from inside.
pub(super) const MOST_FILES: usize = 2 * MOST_CONNECTIONS + OTHER_FILES;
/// Batches of samples between two pauses: about what the ring holds.
const BATCHES: usize = 4;

pub(super) fn run(path: &Path, format: Option<LogFormat>) -> anyhow::Result<()> {
    let config = Arc::new(Config::load(path)?);
    let prepared = Prepared::read(&config, Earlier::default())?;
    let remembered = known_good::file(&config, path);
    start_log(config.log, format);
    let too_few = machine::allow_connections(MOST_FILES as u64);
    let warnings = prepared.warnings(&config).into_iter().chain(machine::warnings(&config));
    for warning in warnings.chain(too_few) {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(path, config, prepared, remembered));
    // Nobody waits for a name of the directory's that the system is looking up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// What the configuration names, read.
pub(super) struct Prepared {
    pub(super) listeners: Vec<ListenSpec>,
    pub(super) users: Option<Arc<Users>>,
    pub(super) user_store: Option<OpenStore>,
    /// What says who of them is let in.
    pub(super) directory: Option<Source>,
    pub(super) sources: Sources,
    /// `None` if nobody is known by name.
    pub(super) dns: Option<Dns>,
    pub(super) names: Option<NameWatch>,
    pub(super) certificates: Certificates,
    /// What is hardly meant in the files.
    warnings: Vec<String>,
    pub(super) stir: Stir,
}

impl Prepared {
    /// Reads the files that the configuration names, whose certificates are to take the place of those of `earlier`.
    /// Changes nothing.
    pub(super) fn read(config: &Config, earlier: Earlier) -> anyhow::Result<Self> {
        let mut certificates = Certificates::after(earlier);
        let mut listeners = Vec::new();
        for listen in &config.listen {
            let tls = match listen.transport {
                Transport::Tls => certificates.listener(config, listen)?,
                Transport::Udp | Transport::Tcp => None,
            };
            listeners.push(ListenSpec {
                transport: listen.transport,
                address: listen.address,
                interface: None,
                feeds_connections: false,
                tls,
            });
        }
        listeners.extend(inside_listeners(config, &mut certificates)?);
        let sources = Sources::read(config, &mut certificates)?;
        let warnings = hardly_meant(config)?;
        let dns = sources.have_names().then(|| Dns::new(&config.dns.servers));
        let dns = dns.transpose().context("the resolver for the targets that are names")?;
        let (users, user_store) = OpenStore::read(config)?.unzip();
        let directory = config.directory.as_ref().map(Source::new).transpose()?;
        let names = NameWatch::of(config)?;
        let stir = stir(config)?;
        let token = config.admin.as_ref().and_then(|admin| admin.token_file.as_deref());
        token.map(Token::load).transpose()?;
        Ok(Self {
            listeners,
            users,
            user_store,
            directory,
            sources,
            dns,
            names,
            certificates,
            warnings,
            stir,
        })
    }

    /// What is allowed and hardly meant.
    pub(super) fn warnings(&self, config: &Config) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        if let Some(users) = &self.users {
            warnings.extend(without_hashes(config, users));
            warnings.extend(directory::warnings(config, users));
        }
        if config.users.is_some() && !users_have_a_way_in(config) {
            warnings.push(
                "no user can be challenged: unknown.action is drop, no peer requires digest, and no TLS \
                 listener has client-certificate = \"request\""
                    .to_owned(),
            );
        }
        let has_tls = config.listen.iter().any(|listen| listen.transport == Transport::Tls);
        if config.tls.is_some() && !has_tls {
            warnings.push("[tls] is not used: there is no TLS listener".to_owned());
        }
        if config.mode() == Mode::Observe && config.interface.inside.is_none() {
            warnings.push(
                "mode is observe and [interface.inside] is not named: whoever forges the upstream's \
                 address from outside is taken for it"
                    .to_owned(),
            );
        }
        let may_be_anybody =
            |peer: &&Peer| peer.permissions().may_assert.is_none() && !peer.requires(Proof::Digest);
        for peer in config.peers.iter().filter(may_be_anybody) {
            warnings.push(format!(
                "peer {:?} has no may-assert: it may claim to be anybody",
                peer.name
            ));
        }
        for peer in config.peers.iter().filter(|peer| is_verified_without_bound(peer)) {
            warnings.push(format!(
                "peer {:?} has stir and no budget: whoever forges its address over UDP has up to 50 \
                 signatures a second verified in its name, and honest ones then not",
                peer.name
            ));
        }
        warnings
    }
}

/// Says whether signatures are verified in the name of an address that may be forged, as fast as one likes.
fn is_verified_without_bound(peer: &Peer) -> bool {
    peer.stir != StirPolicy::Off
        && peer.budget.is_none()
        && peer.opens_over(Transport::Udp)
        && !peer.requires(Proof::Digest)
        && !peer.requires(Proof::Ipsec)
}

fn users_have_a_way_in(config: &Config) -> bool {
    let by_tls = |listen: &Listen| {
        listen.transport == Transport::Tls
            && listen.client_certificate == Some(ClientCertificate::Request)
    };
    config.unknown.action == UnknownPolicy::Challenge
        || config.peers.iter().any(|peer| peer.requires(Proof::Digest))
        || config.listen.iter().any(by_tls)
}

async fn serve(
    path: &Path,
    config: Arc<Config>,
    prepared: Prepared,
    remembered: KnownGoodFile,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // From the start on: its default would end us.
    let hang_up = signal(SignalKind::hangup())?;

    let options = filter_options(&config);
    Filter::check(&options)?;
    let ipsec = IpsecGuard::of(&config)?;
    // Sockets before the filter, so that a busy port leaves nothing behind; nobody reads them yet.
    let control = ControlServer::bind(&config.control.socket, config.control.group.as_deref())?;
    let admin = config.admin.as_ref().map(AdminServer::bind).transpose()?;
    let listeners = Listeners::bind(&prepared.listeners, Limits::default())?;
    let clock = Clock::start();
    let reached = Reached::new(&config);
    let keys = KeyFile::new(&config.state_directory, config.session.rotation());
    let (now, ring) = current_keys(&keys, clock)?;
    let seal = TokenSeal::of(&ring, now).context(NO_KEY)?;
    let forwarder = forwarder(&config, Arc::clone(&reached.upstream), seal)?;
    let digest = digest_check(&config, prepared.users.as_ref(), &ring, clock)?;
    let vouching = vouching(&config, &ring, clock)?;
    let (mut filter, tables) = Filter::load_or_adopt(&options)?;
    ensure!(
        !filter.is_adopted() || config.kernel.on_shutdown == OnShutdown::Keep,
        "[kernel] on-shutdown is detach, which takes the privilege that `sbc load` had: write keep, and \
         let `sbc unload` detach"
    );
    let ledger = attach_filter(&mut filter, tables, &config, clock)?;
    #[cfg(feature = "kernel-log")]
    follow_kernel_log(&mut filter)?;
    let outbox = listeners.outbox();
    let targets = reached.directory(&config, prepared.sources, (outbox.clone(), &HashMap::new()));
    targets.publish();
    let parts =
        BorderParts { config: Arc::clone(&config), forwarder, digest, ledger, outbox, clock };
    let border = Border::new(parts).reaching(reached.peers.clone()).verifying(prepared.stir);
    let border = border.authorised_by(config.directory.as_ref()).copying_to(copies(&config)?);
    let border = Arc::new(border.asking_upstream(vouching));
    border.note_own_certificates(&config)?;
    let in_force = Arc::new(InForce::new(Arc::clone(&border)));
    let subject = Arc::clone(&in_force) as Arc<dyn Observed>;
    let _answering = admin.map(|admin| admin.start(subject)).transpose()?;
    let watches_ipsec = ipsec.is_some();
    if let Some(ipsec) = ipsec {
        ipsec.start(Arc::clone(&in_force))?;
    }
    tokio::spawn(read_samples(filter.samples()?, Arc::clone(&in_force)));
    tokio::spawn(tell_of_lines_left_out());
    let remembered = Arc::new(ArcSwap::from_pointee(remembered));
    known_good::follow(Arc::clone(&remembered), &in_force);
    tokio::spawn(change_keys(Arc::clone(&in_force), clock));
    let background = Background::start(
        &border,
        (prepared.names, prepared.user_store),
        (prepared.directory, false),
        (targets, prepared.dns),
    );
    let supervisor = Arc::new(Supervisor::of_environment());
    let reloader = Reloader {
        path: path.to_owned(),
        in_force: Arc::clone(&in_force),
        clock,
        is_adopted: filter.is_adopted(),
        watches_ipsec,
        certificates: prepared.certificates.in_use(),
        reached,
        background: background.await?,
        remembered: Arc::clone(&remembered),
        supervisor: Arc::clone(&supervisor),
    };
    drop(border);
    let (ask, asked) = mpsc::channel(1);
    tokio::spawn(reloader.reload_at(hang_up, asked));
    let mut running = listeners.start(Arc::clone(&in_force) as Arc<dyn Receiver>)?;
    tracing::info!(mode = config.mode().name(), "ready");
    supervisor.ready(&serving(&config));

    let (beating, watched) = (Arc::clone(&in_force), Arc::clone(&supervisor));
    let mut pulse = running.take_pulse();
    let beating = tokio::spawn(keep_beating(move || {
        if pulse.is_felt() {
            beating.border().beat();
            watched.alive();
        }
    }));
    tokio::spawn(hold_back_strangers(Arc::clone(&in_force), running.take_loads()));
    let served = tokio::select! {
        () = control.serve(Arc::clone(&in_force), ask) => "control socket",
        () = sweep(&in_force) => "sweep",
        _ = beating => "heartbeat",
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(cause = served, "shutting down");
    supervisor.stopping();
    drop(control);
    if let Err(incomplete) = running.shutdown(FAREWELL).await {
        tracing::warn!(%incomplete, "connections cut");
    }
    // Nobody is there to end it, and what begins next reads the mode in the file.
    let border = in_force.border();
    border.end_trial();
    known_good::write(&remembered.load(), &border);
    leave(filter, border.config())
}

/// Ends what is over, for ever.
async fn sweep(in_force: &InForce<KernelTables>) {
    let mut sweeps = tokio::time::interval(SWEEP);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        sweeps.tick().await;
        let border = in_force.border();
        border.sweep();
        border.end_trial_in_time();
    }
}

/// Does with the filter what the operator wants of it when nobody is there.
fn leave(filter: Filter, config: &Config) -> anyhow::Result<()> {
    match config.kernel.on_shutdown {
        OnShutdown::Keep if filter.is_attached() => match config.kernel.longest_silence() {
            None => tracing::info!("the filter stays attached"),
            Some(silence) => {
                tracing::info!(enforces_for = ?silence, "the filter stays attached, and then passes all");
            }
        },
        OnShutdown::Keep => tracing::info!("the filter was unloaded before"),
        OnShutdown::Detach => {
            filter.detach()?;
            tracing::info!("the filter is detached");
        }
    }
    Ok(())
}

/// Reads the kernel's samples for ever: about one round of the ring in each [`PAUSE`] at most, however
/// many strangers there are.
async fn read_samples(mut ring: SampleRing, in_force: Arc<InForce<KernelTables>>) {
    let clock = Clock::start();
    loop {
        let border = in_force.border();
        for _ in 0..BATCHES {
            let mut now = None;
            let mut keep = |record: &[u8]| {
                let now = *now.get_or_insert_with(|| clock.moment());
                if let Some(sample) = border.samples().record(record, now) {
                    border.note_sample(&sample);
                }
            };
            match ring.read(&mut keep).await {
                Ok(true) => break,
                Ok(false) => tokio::task::yield_now().await,
                Err(error) => {
                    tracing::error!(%error, "no more samples are read, and captures end");
                    border.samples().dismiss_watchers();
                    return;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes note of routing keys that this or another node has made, and of their time.
async fn change_keys(in_force: Arc<InForce<KernelTables>>, clock: Clock) {
    let mut looks = tokio::time::interval(LOOK_AT_KEYS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = clock.unix_seconds();
        let border = in_force.border();
        let keys =
            KeyFile::new(&border.config().state_directory, border.config().session.rotation());
        drop(border);
        match tokio::task::spawn_blocking(move || keys.turn(now)).await {
            Ok(Ok(ring)) => in_force.border().take_keys(&ring, now),
            Ok(Err(error)) => tracing::error!(%error, "the routing keys stay as they were"),
            Err(error) => tracing::error!(%error, "looking at the routing keys failed"),
        }
    }
}

#[cfg(feature = "kernel-log")]
fn follow_kernel_log(filter: &mut Filter) -> anyhow::Result<()> {
    let mut read = filter.log_reader()?;
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            read();
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::parse;

    const PLAIN: &str = r#"
        version = 1
        interface.outside.name = "eth0"
        listen = [{ transport = "udp", address = "203.0.113.1:5060" }]
        upstream = { targets = ["sip:10.0.0.5"], address = "10.0.0.1:5060" }
        dns.servers = ["10.0.0.53:53"]
        peer = []
    "#;

    #[test]
    fn a_resolver_is_made_before_anything_starts_and_only_if_somebody_is_known_by_name() {
        let peer = |target: &str| {
            let peer = format!(
                "peer = [{{ name = \"a\", require = [\"static\"], sources = [\"192.0.2.1\"], \
                 opens = [\"udp\"], target = {target:?} }}]"
            );
            PLAIN.replace("peer = []", &peer)
        };
        for (text, is_made) in [
            (PLAIN.to_owned(), false),
            (PLAIN.replace("sip:10.0.0.5", "sip:pbx.example"), true),
            (peer("sip:192.0.2.1"), false),
            (peer("sip:carrier.example;transport=udp"), true),
        ] {
            let config = parse(&text).unwrap_or_else(|error| panic!("{error}"));
            let prepared = Prepared::read(&config, Earlier::default()).unwrap();
            assert_eq!(prepared.dns.is_some(), is_made, "{text}");
        }
    }

    #[test]
    fn who_is_verified_without_a_budget_where_its_address_may_be_forged_is_told() {
        for (more, is_told) in [
            ("stir = \"mark\"", true),
            ("stir = \"require\"", true),
            ("stir = \"off\"", false),
            ("stir = \"require\", budget = \"50/s burst 100\"", false),
        ] {
            for (transport, may_be_forged) in [("udp", true), ("tcp", false)] {
                let peer = format!(
                    "stir.authorities = \"root.pem\"\npeer = [{{ name = \"a\", require = [\"static\"], \
                     sources = [\"192.0.2.1\"], opens = [\"{transport}\"], {more} }}]"
                );
                let config = parse(&PLAIN.replace("peer = []", &peer)).unwrap();
                let told = config.peers.iter().any(is_verified_without_bound);
                assert_eq!(told, is_told && may_be_forged, "{more} {transport}");
            }
        }
    }
}
