use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::border::Border;
use crate::config::{Config, Proof};
use crate::kernel::KernelTables;
use crate::proof::dns::{Heard, NamedPeers, Notice, Trouble};
use crate::upstream::{FreshDns, sources};

/// How often what is believed is said again. It lasts for the grace of `[dns]`, which is several times as long.
const REFRESH: Duration = Duration::from_secs(2);
/// How long all questions about one name may take together.
const WHOLE: Duration = Duration::from_secs(15);
/// How many names are looked up at a time.
const AT_ONCE: usize = 16;
/// How many addresses are named in one line of the log.
const TOLD: usize = 4;

/// Looks up the names of peers for as long as the daemon lives.
pub(super) struct NameWatch(Vec<Arc<FreshDns>>);

impl NameWatch {
    /// Makes a resolver for each server, if there is a peer that is known by its name.
    pub(super) fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        if !config.peers.iter().any(|peer| peer.requires(Proof::Dns)) {
            return Ok(None);
        }
        let resolvers = FreshDns::each(&config.dns.servers);
        let resolvers = resolvers.context("the resolver for the names of peers")?;
        Ok(Some(Self(resolvers.into_iter().map(Arc::new).collect())))
    }

    /// Begins with what an earlier run has left in the ledger. When the task ends, what it has said last is good
    /// for the grace of `[dns]`.
    pub(super) fn start(self, border: Arc<Border<KernelTables>>) -> AbortHandle {
        let earlier = border.ledger().named_sources();
        let named = NamedPeers::new(border.shared_config(), earlier);
        border.names_are(&named.sources(border.now()), named.account());
        tokio::spawn(self.keep_looking(named, border)).abort_handle()
    }

    async fn keep_looking(self, mut named: NamedPeers, border: Arc<Border<KernelTables>>) {
        let mut asked: Vec<(String, bool, usize)> =
            named.names().map(|name| (name.to_string(), false, 0)).collect();
        let mut looks = JoinSet::new();
        let mut ticks = tokio::time::interval(REFRESH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = border.now();
            for (position, (name, is_asked, turn)) in asked.iter_mut().enumerate() {
                let is_due = named.due(position).is_some_and(|due| due <= now);
                if *is_asked || !is_due || looks.len() >= AT_ONCE {
                    continue;
                }
                // Each server in turn: what is new has to be said by another one, if there is one.
                let servers = self.0.iter().cycle().skip(*turn % self.0.len().max(1));
                let Some(server) = servers.into_iter().next().cloned() else { return };
                *is_asked = true;
                *turn = turn.wrapping_add(1);
                let name = name.clone();
                // What answers make of a look is no reason to end all of them.
                let look = tokio::spawn(async move { look_up(&name, &server).await });
                looks.spawn(async move { (position, look.await.ok().flatten()) });
            }
            let heard = tokio::select! {
                _ = ticks.tick() => None,
                Some(done) = looks.join_next() => Some(done),
            };
            let now = border.now();
            match heard {
                Some(Ok((position, heard))) => {
                    if let Some((_, is_asked, _)) = asked.get_mut(position) {
                        *is_asked = false;
                    }
                    for notice in named.hear(position, heard.as_ref(), now) {
                        tell(&border, &named, position, &notice);
                    }
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "looking up the names of peers failed, and ends");
                    return;
                }
                None => {}
            }
            for (position, notice) in named.forget(now) {
                tell(&border, &named, position, &notice);
            }
            border.names_are(&named.sources(now), named.account());
        }
    }
}

async fn look_up(name: &str, server: &FreshDns) -> Option<Heard> {
    let answer = tokio::time::timeout(WHOLE, sources(name, server)).await.ok()?.ok()?;
    let lasts = answer.until.saturating_duration_since(Instant::now());
    Some(Heard { addresses: answer.records, is_whole: answer.is_whole, lasts })
}

fn tell(border: &Border<KernelTables>, named: &NamedPeers, position: usize, notice: &Notice) {
    let peer = named.peer_of(position).and_then(|peer| border.config().peers.get(peer));
    let peer = peer.map_or("?", |peer| &peer.name);
    let name = named.names().nth(position).map_or("?", |name| name.as_str());
    match notice {
        Notice::Believed(address) => {
            tracing::info!(peer, name, %address, "the DNS says that a peer is there");
        }
        Notice::Ended(address) => {
            tracing::info!(peer, name, %address, "a peer is there no longer");
        }
        Notice::HeldBack(held) => {
            let some: Vec<_> =
                held.iter().take(TOLD).map(|(address, why)| format!("{address}: {why}")).collect();
            tracing::warn!(peer, name, count = held.len(), ?some, "addresses are held back");
        }
        Notice::Trouble(Trouble::InPart) => {
            tracing::info!(peer, name, "the DNS answers in part: nothing is taken away");
        }
        Notice::Trouble(trouble) => {
            tracing::warn!(peer, name, %trouble, "what the DNS said before holds");
        }
    }
}
