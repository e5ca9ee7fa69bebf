//! How the configuration is read anew while the daemon runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use arc_swap::ArcSwap;
use rustls::pki_types::UnixTime;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::background::Background;
use super::certificates::Earlier;
use super::ipsec::IpsecGuard;
use super::known_good;
use super::parts::{NO_KEY, current_keys, digest_check, forwarder};
use super::run::Prepared;
use super::supervisor::{Supervisor, serving};
use super::upstream::Reached;
use super::vouching::vouching;
use crate::border::{Border, Clock, InForce, NextPolicy, Succeeded};
use crate::config::{Config, OnShutdown, needing_restart};
use crate::control::{self, Ask, Reloaded};
use crate::kernel::KernelTables;
use crate::known_good::KnownGoodFile;
use crate::proof::ipsec::IpsecAccount;
use crate::proof::users::store::StoreError;
use crate::session::{KeyFile, KeyRing};

/// How long names of targets may be looked up that nothing is known of yet.
const LOOK_UP: Duration = Duration::from_secs(5);

/// `sbc reload`.
pub(super) fn reload(path: &Path, json: bool) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let reloaded = control::reload(&config.control.socket)?;
    if json {
        println!("{}", serde_json::to_string(&reloaded)?);
        return Ok(());
    }
    for warning in &reloaded.warnings {
        println!("warning: {warning}");
    }
    println!(
        "{}: in force ({} peers, {} users, {}); {} users lost what they had proved, {} connections were cut",
        reloaded.file.display(),
        reloaded.peers,
        reloaded.users,
        reloaded.mode,
        reloaded.disproved,
        reloaded.cut
    );
    Ok(())
}

/// Puts in force what stands in the configuration file, whenever it is told to.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) in_force: Arc<InForce<KernelTables>>,
    pub(super) clock: Clock,
    /// Whether somebody else has loaded the filter.
    pub(super) is_adopted: bool,
    /// Whether somebody looks at IPsec.
    pub(super) watches_ipsec: bool,
    pub(super) certificates: Earlier,
    pub(super) reached: Reached,
    pub(super) background: Background,
    /// Where known-good sources are kept.
    pub(super) remembered: Arc<ArcSwap<KnownGoodFile>>,
    /// Who is told when it begins and ends.
    pub(super) supervisor: Arc<Supervisor>,
}

/// What was read, as far as nobody else has to be asked.
struct Read {
    config: Arc<Config>,
    prepared: Prepared,
    ring: KeyRing,
    ipsec: Option<(IpsecGuard, IpsecAccount)>,
}

impl Reloader {
    /// Reads the configuration anew at SIGHUP and at `sbc reload`, one after the other, for ever.
    pub(super) async fn reload_at(mut self, mut hang_up: Signal, mut asked: mpsc::Receiver<Ask>) {
        loop {
            let ask = tokio::select! {
                Some(()) = hang_up.recv() => None,
                Some(ask) = asked.recv() => Some(ask),
                else => return,
            };
            self.supervisor.reloading(self.clock);
            let reloaded = self.reload().await;
            self.supervisor.ready(&serving(self.in_force.border().config()));
            match &reloaded {
                Ok(Reloaded { peers, users, mode, disproved, cut, .. }) => {
                    tracing::info!(
                        peers,
                        users,
                        mode,
                        disproved,
                        cut,
                        "the configuration was read anew"
                    );
                }
                Err(error) => {
                    if error.downcast_ref::<StoreError>().is_some() {
                        self.in_force.border().keep_users(format!("{error:#}"));
                    }
                    tracing::error!("the configuration stays as it was: {error:#}");
                }
            }
            if let Some(ask) = ask {
                let _ = ask.send(reloaded.map_err(|error| format!("{error:#}")));
            }
        }
    }

    /// All of it is in force when this returns, or if anything is wrong nothing has changed.
    async fn reload(&mut self) -> anyhow::Result<Reloaded> {
        let old = self.in_force.border();
        let mode_changes = old.mode_changes();
        let Read { config, mut prepared, ring, ipsec } = self.read(&old).await?;
        let warnings = prepared.warnings(&config);
        let is_other_directory =
            format!("{:?}", config.directory) != format!("{:?}", old.config().directory);
        let people = match &prepared.directory {
            Some(source) if is_other_directory => {
                let (people, url) = source.read().await.context(
                    "the directory is another one, and does not answer: nobody would be let in",
                )?;
                Some((people, url.to_string()))
            }
            Some(_) | None => None,
        };
        let reached = self.reached.after(old.config(), &config);
        let known = self.background.targets.known();
        let targets = reached.directory(&config, prepared.sources, (old.outbox().clone(), &known));
        if let Some(dns) = &prepared.dns
            && timeout(LOOK_UP, targets.look_up_unknown(dns)).await.is_err()
        {
            tracing::warn!("the DNS does not say in time where all targets are");
        }
        let (guard, account) = ipsec.unzip();
        let seal = old.seal().copied();
        let next = NextPolicy {
            forwarder: forwarder(&config, Arc::clone(&reached.upstream), seal)?,
            digest: digest_check(&config, prepared.users.as_ref(), &ring, self.clock)?,
            vouching: vouching(&config, &ring, self.clock)?,
            nonce_keys: ring.nonce_keys(self.clock.unix_seconds()).context(NO_KEY)?,
            peer_pools: reached.peers.clone(),
            stir: prepared.stir,
            people,
            ipsec: account.clone().unwrap_or_default(),
            mode_changes,
            config: Arc::clone(&config),
        };
        let (in_force, certificates) = (Arc::clone(&self.in_force), prepared.certificates);
        // All that was proven is judged again, which may be very much.
        let done = tokio::task::spawn_blocking(move || {
            let now = UnixTime::now();
            let is_good = |proof: &_| certificates.is_good(proof, now);
            let succeeded = in_force.succeed(next, is_good, || {
                certificates.put_in_force();
                targets.publish();
            });
            succeeded.map(|succeeded| (succeeded, certificates.in_use(), targets))
        });
        let (succeeded, certificates, targets) = done.await??;
        let Succeeded { cut, disproved } = succeeded;
        (self.certificates, self.reached) = (certificates, reached);
        self.remembered.store(known_good::file(&config, &self.path).into());
        let border = self.in_force.border();
        if let Err(error) = border.note_own_certificates(&config) {
            tracing::error!(%error, "nobody is told how long our certificates are good");
        }
        if let (Some(guard), Some(account)) = (guard, account) {
            border.ipsec_is(account);
            if !self.watches_ipsec {
                self.watches_ipsec = true;
                if let Err(error) = guard.start(Arc::clone(&self.in_force)) {
                    tracing::error!("nobody sees what IPsec does: it proves nothing: {error:#}");
                }
            }
        }
        let (names, users) = (prepared.names.take(), prepared.user_store.take());
        let targets = (targets, prepared.dns.take());
        let directory = (prepared.directory.take(), true);
        match Background::start(&border, (names, users), directory, targets).await {
            Ok(background) => self.background = background,
            Err(error) => {
                tracing::error!("nobody keeps up to date what the configuration names: {error:#}");
            }
        }
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        Ok(Reloaded {
            file: self.path.clone(),
            peers: config.peers.len(),
            users: prepared.users.as_ref().map_or(0, |users| users.len()),
            mode: config.mode().name().to_owned(),
            disproved,
            cut,
            warnings,
        })
    }

    /// Reads the file and all that it names. Changes nothing.
    async fn read(&self, old: &Border<KernelTables>) -> anyhow::Result<Read> {
        let (path, earlier) = (self.path.clone(), self.certificates.clone());
        let before = Arc::clone(old.shared_config());
        let (is_adopted, clock) = (self.is_adopted, self.clock);
        let reading = tokio::task::spawn_blocking(move || {
            let config = Arc::new(Config::load(&path)?);
            let fixed = needing_restart(&before, &config);
            if !fixed.is_empty() {
                bail!("{}: {} needs a restart", path.display(), fixed.join(", "));
            }
            ensure!(
                !is_adopted || config.kernel.on_shutdown == OnShutdown::Keep,
                "[kernel] on-shutdown is detach, which takes the privilege that `sbc load` had: write keep"
            );
            let prepared = Prepared::read(&config, earlier)?;
            let keys = KeyFile::new(&config.state_directory, config.session.rotation());
            let (_, ring) = current_keys(&keys, clock)?;
            let guard = IpsecGuard::of(&config)?;
            let account = guard.as_ref().map(|guard| guard.weigh(&config)).transpose();
            let account =
                account.context("peers require ipsec, and nobody can see whether it is there")?;
            Ok(Read { config, prepared, ring, ipsec: guard.zip(account) })
        });
        reading.await?
    }
}
