use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{Defence, feed};
use crate::{case::Case, frames::SIP, receiver::Receiver, sources};

/// Entries per command.
const CHUNK: usize = 10_000;

/// A set of trusted addresses, and a rule that drops what is not in it.
pub(super) struct Nftables {
    family: &'static str,
    dropped: u64,
}

impl Nftables {
    /// Where packets enter the network stack, the earliest that nftables can.
    pub(super) fn netdev(receiver: &Receiver, case: &Case) -> Result<Self> {
        let hook = format!("hook ingress device {} priority 0", receiver.device);
        Self::install(receiver, case, "netdev", &hook)
    }

    /// Where most people have it.
    pub(super) fn input(receiver: &Receiver, case: &Case) -> Result<Self> {
        Self::install(receiver, case, "inet", "hook input priority 0")
    }

    fn install(receiver: &Receiver, case: &Case, family: &'static str, hook: &str) -> Result<Self> {
        receiver.receive_offload()?;
        // The size lets it choose the fastest set it has.
        let size = case.trusted.next_power_of_two();
        let mut script = format!(
            "table {family} bench {{\n\
             counter dropped {{ }}\n\
             set trusted {{ type ipv4_addr; size {size}; }}\n\
             chain strangers {{ type filter {hook}\n\
             udp dport {SIP} ip saddr != @trusted counter name dropped drop\n}}\n}}\n"
        );
        for chunk in sources::trusted_ipv4(case.trusted).chunks(CHUNK) {
            let _ = write!(script, "add element {family} bench trusted {{ ");
            for address in chunk {
                let _ = write!(script, "{address}, ");
            }
            script.push_str("}\n");
        }
        feed(&receiver.host, "nft", &["-f", "-"], &script)?;
        Ok(Self { family, dropped: 0 })
    }
}

impl Defence for Nftables {
    /// Resets as it reads: `nft list` would first fetch all of the set.
    fn dropped(&mut self, receiver: &Receiver) -> Result<u64> {
        let text = receiver
            .host
            .run("nft", ["-j", "reset", "counter", self.family, "bench", "dropped"])?;
        let answer: serde_json::Value =
            serde_json::from_str(&text).context("reading nft's JSON")?;
        let objects = answer.get("nftables").and_then(serde_json::Value::as_array);
        let counted = objects
            .into_iter()
            .flatten()
            .find_map(|object| object.get("counter")?.get("packets")?.as_u64())
            .with_context(|| format!("no counter in {text}"))?;
        self.dropped += counted;
        Ok(self.dropped)
    }
}
