//! What is known of each peer.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Border, DaemonStatus, GrantStatus, IpsecStatus, NameStatus, TargetStatus};
use crate::config::Proof;
use crate::kernel::KernelTables;
use crate::trust::opened;

/// A peer of the configuration, and what it has proven.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PeerStatus {
    /// The name in the configuration.
    pub name: String,
    /// The proofs that must all hold.
    pub requires: Vec<String>,
    /// The transports that the operator lets it have upon them.
    pub opens: Vec<String>,
    /// The networks that it may come from.
    pub sources: Vec<String>,
    /// What it has proven, and for how long.
    pub proofs: Vec<GrantStatus>,
    /// Where the upstream's requests to it go.
    pub targets: Vec<TargetStatus>,
    /// What IPsec proves of its networks.
    pub ipsec: Vec<IpsecStatus>,
    /// What the DNS says of its names.
    pub names: Vec<NameStatus>,
}

impl Border<KernelTables> {
    /// Every peer of the configuration, in its order, with what a snapshot says of it.
    pub fn peers_of(&self, daemon: &DaemonStatus) -> Vec<PeerStatus> {
        let mut proofs: HashMap<&str, Vec<GrantStatus>> = HashMap::new();
        let grants = self.grants_of_peers();
        for grant in &grants {
            if let Some(peer) = grant.holder.strip_prefix("peer ") {
                proofs.entry(peer).or_default().push(grant.clone());
            }
        }
        let pool = |position: usize| self.peer_pools.get(position).and_then(Option::as_deref);
        let config = self.config();
        let peers = config.peers.iter().enumerate().map(|(position, peer)| PeerStatus {
            name: peer.name.clone(),
            requires: peer.require.iter().map(|proof| proof_name(*proof).to_owned()).collect(),
            opens: opened(peer.opens()).map(str::to_owned).collect(),
            sources: peer.sources.iter().map(ToString::to_string).collect(),
            proofs: proofs.remove(peer.name.as_str()).unwrap_or_default(),
            targets: pool(position).map(TargetStatus::of_all).unwrap_or_default(),
            ipsec: daemon.ipsec.iter().filter(|it| it.peer == peer.name).cloned().collect(),
            names: daemon.names.iter().filter(|it| it.peer == peer.name).cloned().collect(),
        });
        peers.collect()
    }
}

const fn proof_name(proof: Proof) -> &'static str {
    match proof {
        Proof::Static => "static",
        Proof::Digest => "digest",
        Proof::Tls => "tls",
        Proof::Ipsec => "ipsec",
        Proof::Dns => "dns",
    }
}
