use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sbc_common::{Budget, Pace, Prefix, Scrutiny, UnknownAction};

/// Reads a value through its [`FromStr`], so that a mistake is reported at its line and column.
macro_rules! from_text {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use from_text;

/// A rate with a burst: `200/s`, or `200/s burst 1000`. Without a burst it is one second's worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// Packets each second, and how many at once.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst }
    }

    /// How many in a second, over time.
    #[must_use]
    pub const fn per_second(self) -> u32 {
        self.per_second
    }

    /// The budget that the kernel keeps.
    #[must_use]
    pub const fn budget(self) -> Budget {
        Budget::per_second(self.per_second, self.burst)
    }

    /// The same budget for a source, counted in `slot` of the kernel's meters.
    #[must_use]
    pub fn pace(self, slot: u32) -> Pace {
        let interval = 1_000_000_000_u32.checked_div(self.per_second).unwrap_or(u32::MAX);
        Pace { interval, burst: self.burst, slot }
    }

    /// Says whether nobody who keeps to this rate can spend the `other`.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.per_second <= other.per_second && self.burst <= other.burst
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not a rate such as \"200/s\" or \"200/s burst 1000\"");
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let per_second = rate.strip_suffix("/s").ok_or_else(wrong)?;
        let per_second: u32 = per_second.trim().parse().map_err(|_| wrong())?;
        let burst = match burst {
            Some(burst) => burst.trim().parse().map_err(|_| wrong())?,
            None => per_second,
        };
        if per_second == 0 || burst == 0 {
            return Err(format!("{text:?} lets nothing through"));
        }
        if per_second > 1_000_000 {
            return Err(format!("{text:?} is more than 1000000/s"));
        }
        Ok(Self { per_second, burst })
    }
}

/// A length of time: `60s`, `10m`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(pub Duration);

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DAY: Duration = Duration::from_hours(24);
        match humantime::parse_duration(text) {
            Err(error) => Err(format!("{text:?} is not a length of time such as \"60s\": {error}")),
            Ok(time) if time < Duration::from_secs(1) => Err(format!("{text:?} is less than 1s")),
            Ok(time) if time > DAY => Err(format!("{text:?} is more than 1 day")),
            Ok(time) => Ok(Self(time)),
        }
    }
}

/// An address or a network: `198.51.100.7`, `198.51.100.0/24`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    network: ipnet::IpNet,
    prefix: Prefix,
}

impl Network {
    /// The form that the kernel keeps.
    #[must_use]
    pub const fn prefix(self) -> Prefix {
        self.prefix
    }

    /// Says whether `address` lies in the network.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.network.contains(&address)
    }

    /// Whether it is one of IPv4.
    #[must_use]
    pub(super) const fn is_ipv4(self) -> bool {
        matches!(self.network, ipnet::IpNet::V4(_))
    }

    /// Its first and its last address, as numbers.
    #[must_use]
    pub(super) fn range(self) -> (u128, u128) {
        match self.network {
            ipnet::IpNet::V4(network) => {
                (u32::from(network.network()).into(), u32::from(network.broadcast()).into())
            }
            ipnet::IpNet::V6(network) => (network.network().into(), network.broadcast().into()),
        }
    }

    /// Says whether the two networks share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.network.contains(&other.network.network())
            || other.network.contains(&self.network.network())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.network.fmt(formatter)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not an address or a network such as 198.51.100.0/24");
        let network = match text.parse::<IpAddr>() {
            Ok(address) => ipnet::IpNet::from(address),
            Err(_) => text.parse::<ipnet::IpNet>().map_err(|_| wrong())?,
        };
        // The kernel keeps both forms of an address as one; the daemon compares what is on the wire.
        if network.addr().to_canonical() != network.addr() {
            return Err(format!("{text:?} is IPv4; write {}", network.addr().to_canonical()));
        }
        if network.network() != network.addr() {
            return Err(format!("{text:?} has bits after its length; meant {}?", network.trunc()));
        }
        let prefix = Prefix::new(network.network(), network.prefix_len()).ok_or_else(|| {
            format!("{text:?} would take in all of IPv4; all assigned IPv6 is 2000::/3")
        })?;
        Ok(Self { network, prefix })
    }
}

/// What happens to clear-text SIP from strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownPolicy {
    /// The kernel drops it.
    #[default]
    Drop,
    /// The kernel lets a bounded trickle of requests up to the daemon, which challenges them.
    Challenge,
}

impl From<UnknownPolicy> for UnknownAction {
    fn from(policy: UnknownPolicy) -> Self {
        match policy {
            UnknownPolicy::Drop => Self::Drop,
            UnknownPolicy::Challenge => Self::Challenge,
        }
    }
}

/// What becomes of a trusted source's packet that does not look like the source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScrutinyPolicy {
    /// Nobody looks.
    Off,
    /// It passes, and is counted.
    Observe,
    /// It is dropped.
    Enforce,
}

impl From<ScrutinyPolicy> for Scrutiny {
    fn from(policy: ScrutinyPolicy) -> Self {
        match policy {
            ScrutinyPolicy::Off => Self::Off,
            ScrutinyPolicy::Observe => Self::Observe,
            ScrutinyPolicy::Enforce => Self::Enforce,
        }
    }
}

/// What becomes of tunnels to a protected address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TunnelPolicy {
    /// They are dropped: what they carry would meet no filter.
    #[default]
    Drop,
    /// They pass.
    Pass,
}

from_text!(Rate);
from_text!(Lifetime);
from_text!(Network);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_without_a_burst_allows_one_seconds_worth_at_once() {
        assert_eq!("200/s".parse(), Ok(Rate::new(200, 200)));
        assert_eq!("200/s burst 1000".parse(), Ok(Rate::new(200, 1000)));
    }

    #[test]
    fn a_rate_that_cannot_be_is_refused_with_an_example() {
        for text in ["200", "200/m", "-1/s", "0/s", "5/s burst 0", "9999999/s", "1/s burst"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_with_host_bits_is_refused_and_the_network_suggested() {
        let error = "198.51.100.7/24".parse::<Network>().unwrap_err();
        assert!(error.contains("198.51.100.0/24"), "{error}");
    }

    #[test]
    fn a_network_that_would_take_in_all_of_ipv4_is_refused() {
        assert!("::/0".parse::<Network>().unwrap_err().contains("2000::/3"));
        assert!("2000::/3".parse::<Network>().is_ok());
        assert!("0.0.0.0/0".parse::<Network>().is_ok());
    }

    #[test]
    fn a_network_of_ipv4_is_written_as_one() {
        for text in ["::ffff:198.51.100.7", "::ffff:198.51.100.0/120"] {
            assert!(text.parse::<Network>().unwrap_err().contains("198.51.100."), "{text}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_one() {
        let network: Network = "198.51.100.7".parse().unwrap();
        assert!(network.contains("198.51.100.7".parse().unwrap()));
        assert!(!network.contains("198.51.100.8".parse().unwrap()));
        assert_eq!(network.prefix().length, 128);
    }

    #[test]
    fn a_lifetime_has_sane_bounds() {
        assert_eq!("90s".parse(), Ok(Lifetime(Duration::from_secs(90))));
        assert!("0s".parse::<Lifetime>().is_err());
        assert!("2days".parse::<Lifetime>().is_err());
    }
}
