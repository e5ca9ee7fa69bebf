use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::border::InForce;
use crate::config::{Config, Proof};
use crate::kernel::KernelTables;
use crate::kernel::xfrm::{XfrmError, XfrmWatch};
use crate::proof::ipsec::{IpsecAccount, weigh};

/// How often a look is taken if nothing is heard of a change. What was seen is good for three times as long.
const REFRESH: Duration = Duration::from_secs(3);
/// How long it takes until another attempt is made to see anything.
const RETRY: Duration = Duration::from_secs(1);
/// Of its time the watch spends a fifth on looks, however many changes there are.
const REST: u32 = 4;

/// Sees to it that the ledger knows what IPsec does.
pub(super) struct IpsecGuard(XfrmWatch);

impl IpsecGuard {
    /// Begins to watch, if there is a peer that has to speak through IPsec.
    pub(super) fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        let Some(peer) = config.peers.iter().find(|peer| peer.requires(Proof::Ipsec)) else {
            return Ok(None);
        };
        let watch = XfrmWatch::open().with_context(|| {
            format!("peer {:?} requires ipsec, and nobody can see whether it is there", peer.name)
        })?;
        Ok(Some(Self(watch)))
    }

    /// What is there, by the policy of a configuration that is not in force yet.
    pub(super) fn weigh(&self, config: &Config) -> Result<IpsecAccount, XfrmError> {
        Ok(weigh(config, &self.0.look()?))
    }

    /// Looks once, and then from a thread of its own for as long as the process lives. When that ends,
    /// what it has seen last is good for a few seconds.
    pub(super) fn start(self, in_force: Arc<InForce<KernelTables>>) -> anyhow::Result<()> {
        look(&self.0, &in_force)
            .context("peers require ipsec, and nobody can see whether it is there")?;
        thread::Builder::new()
            .name("sbc-ipsec".to_owned())
            .spawn(move || keep_looking(self.0, &in_force))
            .context("starting the thread that watches IPsec")?;
        Ok(())
    }
}

fn keep_looking(mut watch: XfrmWatch, in_force: &InForce<KernelTables>) {
    loop {
        let Err(error) = follow(&watch, in_force) else { continue };
        in_force.border().ipsec_is_unknown();
        tracing::error!(%error, "nobody sees what IPsec does: it proves nothing");
        watch = loop {
            thread::sleep(RETRY);
            match XfrmWatch::open() {
                Ok(watch) => break watch,
                Err(error) => tracing::error!(%error, "nobody sees what IPsec does"),
            }
        };
    }
}

/// Waits for a change and takes a look.
fn follow(watch: &XfrmWatch, in_force: &InForce<KernelTables>) -> Result<(), XfrmError> {
    watch.wait(REFRESH)?;
    let begun = Instant::now();
    look(watch, in_force)?;
    thread::sleep(begun.elapsed().saturating_mul(REST).min(RETRY));
    Ok(())
}

fn look(watch: &XfrmWatch, in_force: &InForce<KernelTables>) -> Result<(), XfrmError> {
    let state = watch.look()?;
    let border = in_force.border();
    border.ipsec_is(weigh(border.config(), &state));
    Ok(())
}
