use std::net::SocketAddr;

use thiserror::Error;

use super::api::{Drop, Explanation};
use crate::border::{Border, DaemonStatus, InForce, KernelStatus, PeerStatus, TrustCount};
use crate::kernel::KernelTables;

/// Everything that is told of the whole, at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The kernel's half.
    pub kernel: KernelStatus,
    /// The daemon's half, without those who are trusted.
    pub daemon: DaemonStatus,
    /// How many are trusted, by proof.
    pub trusted: Vec<TrustCount>,
    /// How many there is room for.
    pub trust_entries: u32,
    /// The peers.
    pub peers: Vec<PeerStatus>,
}

/// The kernel's tables could not be read; the log says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the filter's tables cannot be read")]
pub struct Unobservable;

/// What is looked at.
pub trait Observed: Send + Sync + 'static {
    /// Everything at this moment. Expensive: thousands of counters are read.
    fn look(&self) -> Result<View, Unobservable>;

    /// The last packets that were sampled, the latest first, at most `most`.
    fn drops(&self, most: usize) -> Vec<Drop>;

    /// What is known of a source; port zero stands for any.
    fn explain(&self, source: SocketAddr) -> Explanation;
}

impl Observed for InForce<KernelTables> {
    fn look(&self) -> Result<View, Unobservable> {
        self.border().look()
    }

    fn drops(&self, most: usize) -> Vec<Drop> {
        self.border().drops(most)
    }

    fn explain(&self, source: SocketAddr) -> Explanation {
        self.border().explain(source)
    }
}

/// How many of a source's samples are told.
const MOST_SEEN: usize = 10;
/// How many of its grants: a network may have many phones behind one address.
const MOST_GRANTS: usize = 100;

impl Observed for Border<KernelTables> {
    fn look(&self) -> Result<View, Unobservable> {
        let status = self.outline().map_err(|error| {
            tracing::error!(%error, "the status could not be read");
            Unobservable
        })?;
        let daemon = status.daemon.ok_or(Unobservable)?;
        Ok(View {
            kernel: status.kernel,
            trusted: self.trust_counts(),
            trust_entries: self.config().kernel.trust_entries,
            peers: self.peers_of(&daemon),
            daemon,
        })
    }

    fn drops(&self, most: usize) -> Vec<Drop> {
        let samples = self.samples().last(most);
        samples.iter().map(|sample| Drop::of(sample, self.holder(sample))).collect()
    }

    fn explain(&self, source: SocketAddr) -> Explanation {
        let port = Some(source.port()).filter(|port| *port != 0);
        let seen = self.samples().last_of(source.ip(), port, MOST_SEEN);
        let mut grants = self.grants_for(source);
        let count = grants.len();
        grants.truncate(MOST_GRANTS);
        Explanation {
            source: port.map_or_else(|| source.ip().to_string(), |_| source.to_string()),
            grants,
            grants_left_out: count.saturating_sub(MOST_GRANTS),
            seen: seen.iter().map(|sample| Drop::of(sample, self.holder(sample))).collect(),
        }
    }
}
