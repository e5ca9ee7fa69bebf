use ipnet::IpNet;
use sbc_common::Reason;

use super::Sample;

/// Which samples somebody wants.
#[derive(Clone, Debug, Default)]
pub struct SampleFilter {
    /// With one of these reasons; with any, if there are none.
    pub reasons: Vec<Reason>,
    /// From one of these networks; from anywhere, if there are none.
    pub sources: Vec<IpNet>,
}

impl SampleFilter {
    /// The most networks: each sample is compared with all of them.
    pub const MOST_SOURCES: usize = 64;

    /// Says whether a sample is wanted.
    #[must_use]
    pub fn wants(&self, sample: &Sample) -> bool {
        let from =
            |network: &IpNet| sample.source().is_some_and(|source| network.contains(&source.ip()));
        (self.reasons.is_empty() || self.reasons.contains(&sample.verdict.reason))
            && (self.sources.is_empty() || self.sources.iter().any(from))
    }
}
