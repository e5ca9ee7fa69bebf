use serde::Deserialize;

use super::Rate;

/// `[limits]`: how much the kernel lets through of what costs something even when it is in vain.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Strangers' attempts to connect to TLS listeners, all of them together.
    pub tls_attempts: Rate,
    /// Those of one network: an IPv4 /24, an IPv6 /48.
    pub tls_attempts_per_network: Rate,
    /// Fragments of one trusted address that arrive before the first of their datagram.
    pub early_fragments: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tls_attempts: Rate::new(100_000, 100_000),
            tls_attempts_per_network: Rate::new(2000, 4000),
            early_fragments: Rate::new(100, 200),
        }
    }
}
