//! Who requests are sent to, as an operator is told.

use serde::{Deserialize, Serialize};

use crate::upstream::{Pool, Target};

/// Somebody who requests are sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetStatus {
    /// The URI in the configuration.
    pub target: String,
    /// The address and port that it was found at.
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// The lowest comes first.
    pub priority: u16,
    /// The share among those of the same priority.
    pub weight: u32,
    /// Whether requests that are too large for UDP go to it over TCP.
    pub large_over_tcp: bool,
    /// `alive` or `dead`.
    pub state: String,
}

impl TargetStatus {
    pub(super) fn of_all(pool: &Pool) -> Vec<Self> {
        let targets = pool.targets();
        let chosen = targets.iter().filter(|target| target.weight() > 0);
        chosen.map(|target| Self::of(target, pool.is_used_for_large(&target.flow))).collect()
    }

    fn of(target: &Target, large_over_tcp: bool) -> Self {
        Self {
            target: target.name.to_string(),
            address: target.flow.remote.to_string(),
            transport: target.flow.transport.name().to_lowercase(),
            priority: target.priority(),
            weight: target.weight(),
            large_over_tcp,
            state: if target.health.is_alive() { "alive" } else { "dead" }.to_owned(),
        }
    }
}
