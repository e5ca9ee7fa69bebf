use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{Defence, feed};
use crate::{case::Case, frames::SIP, receiver::Receiver, sources};

const PROGRAM: &str = "iptables-legacy";

/// An ipset of trusted addresses, and a rule before connection tracking that drops what is not in it.
pub(super) struct Iptables;

impl Iptables {
    pub(super) fn install(receiver: &Receiver, case: &Case) -> Result<Self> {
        receiver.receive_offload()?;
        let size = case.trusted.next_power_of_two();
        let mut script =
            format!("create trusted hash:ip family inet hashsize {size} maxelem {size}\n");
        for address in sources::trusted_ipv4(case.trusted) {
            let _ = writeln!(script, "add trusted {address}");
        }
        feed(&receiver.host, "ipset", &["restore"], &script)?;
        let rule = format!(
            "-t raw -A PREROUTING -p udp --dport {SIP} -m set ! --match-set trusted src -j DROP"
        );
        receiver.host.run(PROGRAM, rule.split(' '))?;
        Ok(Self)
    }
}

impl Defence for Iptables {
    fn dropped(&mut self, receiver: &Receiver) -> Result<u64> {
        let text =
            receiver.host.run(PROGRAM, ["-t", "raw", "-L", "PREROUTING", "-v", "-x", "-n"])?;
        let rule = text.lines().find(|line| line.contains("match-set trusted"));
        rule.and_then(|rule| rule.split_whitespace().next())
            .and_then(|packets| packets.parse().ok())
            .with_context(|| format!("no count in {text}"))
    }
}
