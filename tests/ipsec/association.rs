use std::fs;

use anyhow::{Context as _, Result};
use sbc_tests::{Family, Host};

use crate::wire::{Wire, peer_address};

/// A key of AES-GCM for ESP (RFC 4106): 16 bytes, and 4 bytes of salt.
pub(crate) const KEY: &str = "0x000102030405060708090a0b0c0d0e0fa0a1a2a3";
pub(crate) const ANOTHER_KEY: &str = "0xff0102030405060708090a0b0c0d0e0fa0a1a2a3";

const SPI: &str = "0x5bc";

/// The association in transport mode from the peer to the edge, for one family.
#[derive(Clone, Copy)]
pub(crate) struct Association {
    family: Family,
}

impl Association {
    pub(crate) fn of(family: Family) -> Self {
        Self { family }
    }

    /// Sets it up: the peer sends by it, and the edge asks for it.
    pub(crate) fn establish(self, wire: &Wire) -> Result<()> {
        self.send_under(KEY, wire)?;
        self.expect_under(KEY, &wire.edge)
    }

    /// Makes the peer encrypt what it sends to the edge.
    pub(crate) fn send_under(self, key: &str, wire: &Wire) -> Result<()> {
        self.add_state(key, &wire.peer)?;
        self.add_policy("out", &wire.peer)
    }

    /// Makes the edge decrypt what comes from the peer, and refuse what is in clear.
    pub(crate) fn expect_under(self, key: &str, edge: &Host) -> Result<()> {
        self.add_state(key, edge)?;
        self.add_policy("in", edge)
    }

    /// How many packets the edge has got out of the association.
    pub(crate) fn received(self, edge: &Host) -> Result<u64> {
        let get = ["-s", "xfrm", "state", "get"].into_iter().map(str::to_owned);
        let told = edge.run("ip", get.chain(self.id()))?;
        let mut lines = told.lines().skip_while(|line| line.trim() != "lifetime current:").skip(1);
        // "  1404(bytes), 3(packets)"
        let packets = lines.next().and_then(|line| {
            line.split_once("(bytes), ")?.1.split_once("(packets)")?.0.parse().ok()
        });
        packets.with_context(|| format!("no count of packets in {told}"))
    }

    fn add_state(self, key: &str, host: &Host) -> Result<()> {
        let add = ["xfrm", "state", "add"].map(str::to_owned).into_iter();
        let cipher = ["mode", "transport", "aead", "rfc4106(gcm(aes))", key, "128"];
        host.run("ip", add.chain(self.id()).chain(cipher.map(str::to_owned)))?;
        Ok(())
    }

    fn add_policy(self, direction: &str, host: &Host) -> Result<()> {
        let [peer, edge] = self.ends();
        let add = ["xfrm", "policy", "add", "src", &peer, "dst", &edge, "dir", direction];
        let template = ["tmpl", "src", &peer, "dst", &edge, "proto", "esp", "mode", "transport"];
        host.run("ip", add.into_iter().chain(template))?;
        Ok(())
    }

    fn id(self) -> [String; 8] {
        let [peer, edge] = self.ends();
        ["src", &peer, "dst", &edge, "proto", "esp", "spi", SPI].map(str::to_owned)
    }

    fn ends(self) -> [String; 2] {
        [peer_address(self.family).to_string(), self.family.gateway().to_string()]
    }
}

/// A count of `/proc/net/xfrm_stat`: packets that the host's IPsec refused, by cause.
pub(crate) fn refused(host: &Host, cause: &str) -> Result<u64> {
    let path = format!("/proc/{}/net/xfrm_stat", host.pid());
    let counts = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let count = counts.lines().find_map(|line| {
        let (name, count) = line.split_once(char::is_whitespace)?;
        (name == cause).then(|| count.trim().parse())
    });
    Ok(count.with_context(|| format!("{path} does not tell {cause}"))??)
}
