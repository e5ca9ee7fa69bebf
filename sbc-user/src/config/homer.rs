use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;

use super::values::{Rate, from_text};

/// `[homer]`: copies of what was challenged or rejected, to a collector of HEP3.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HomerExport {
    /// Where they are sent.
    pub collector: Collector,
    /// Which requests are.
    #[serde(default = "default_what")]
    pub what: Vec<Exported>,
    /// The number that tells us from other agents.
    #[serde(default = "default_agent_id")]
    pub agent_id: u32,
    /// What the collector knows us by. It is sent in clear.
    pub password: Option<HomerPassword>,
    /// How many requests are copied in a second, each with its answer.
    #[serde(default = "default_budget")]
    pub budget: Rate,
}

/// `udp:` with an address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collector(pub SocketAddr);

/// Requests that are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exported {
    /// Those that were answered 401 or 407.
    Challenged,
    /// Those that were answered otherwise by us, from 400 on.
    Rejected,
}

/// A password that no log shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct HomerPassword(String);

impl HomerPassword {
    /// The password.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for HomerPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HomerPassword")
    }
}

impl FromStr for Collector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.strip_prefix("udp:").and_then(|address| address.parse().ok());
        let address = address.filter(|address: &SocketAddr| address.port() != 0);
        address.map(Self).ok_or_else(|| {
            "not \"udp:\" with an address and a port, as in \"udp:10.0.0.9:9060\"".to_owned()
        })
    }
}

from_text!(Collector);

fn default_what() -> Vec<Exported> {
    vec![Exported::Challenged, Exported::Rejected]
}

const fn default_agent_id() -> u32 {
    2001
}

const fn default_budget() -> Rate {
    Rate::new(1000, 1000)
}

#[cfg(test)]
mod tests {
    use crate::config::sample;

    #[test]
    fn a_collector_is_an_address_and_its_password_is_not_shown() {
        let config = sample::config(
            "[homer]\ncollector = \"udp:[2001:db8::9]:9060\"\nwhat = [\"rejected\"]\npassword = \"hush\"\n",
        );
        let homer = config.homer.unwrap();
        assert_eq!(homer.collector.0, "[2001:db8::9]:9060".parse().unwrap());
        assert_eq!(homer.what, [super::Exported::Rejected]);
        assert_eq!(homer.password.as_ref().unwrap().as_bytes(), b"hush");
        assert!(!format!("{homer:?}").contains("hush"));
        for collector in ["10.0.0.9:9060", "tcp:10.0.0.9:9060", "udp:homer:9060", "udp:10.0.0.9:0"]
        {
            assert!(collector.parse::<super::Collector>().is_err(), "{collector}");
        }
    }
}
