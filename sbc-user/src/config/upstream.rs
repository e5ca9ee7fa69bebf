use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU16};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor, value};

use super::contradiction::{Found, unusable};
use super::{Config, Lifetime, PeerIdentity, SipTarget};
use crate::proof::tls::ExpiredLists;
use crate::transport::Transport;

/// More would be a directory, and names are there for that.
const MOST_TARGETS: usize = 16;

/// `[upstream]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Upstream {
    /// The hosts of the protected SIP system.
    pub targets: Vec<UpstreamTarget>,
    /// Our own addresses towards them, at most one of each family.
    #[serde(deserialize_with = "one_or_more")]
    pub address: Vec<SocketAddr>,
    /// The port of our addresses that is for TLS.
    #[serde(default = "default_tls_port")]
    pub tls_port: u16,
    /// What connections over TLS need, to targets and from them.
    pub tls: Option<UpstreamTls>,
    /// How it is found out which targets live.
    #[serde(default)]
    pub probe: Probe,
}

/// `[upstream.tls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpstreamTls {
    /// Our certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities that the targets' certificates must come from, PEM.
    pub ca: PathBuf,
    /// What they have revoked, PEM or DER.
    #[serde(default)]
    pub crls: Vec<PathBuf>,
    /// What becomes of certificates whose authority's list is past its next update.
    #[serde(default)]
    pub expired_crls: ExpiredLists,
}

/// One of the upstream's targets: a URI alone, or a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTarget {
    /// Who.
    pub uri: SipTarget,
    /// The targets with the lowest number are asked for as long as one of them lives.
    pub priority: u16,
    /// The share of this target among those of its priority.
    pub weight: NonZeroU16,
    /// The SIP domain that its certificate has to be for, if that is not the host of the URI.
    pub identity: Option<PeerIdentity>,
}

/// `[upstream.probe]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Probe {
    /// Whether targets are asked at all.
    pub enabled: bool,
    interval: Lifetime,
    timeout: Lifetime,
    /// After so many questions without an answer, one after the other, a target is dead.
    pub failures: NonZeroU8,
    /// After so many answers, one after the other, a dead target lives.
    pub successes: NonZeroU8,
}

impl Probe {
    /// The time from one question to the next.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval.0
    }

    /// How long an answer may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout.0
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Lifetime(Duration::from_secs(10)),
            timeout: Lifetime(Duration::from_secs(3)),
            failures: NonZeroU8::MIN.saturating_add(1),
            successes: NonZeroU8::MIN,
        }
    }
}

impl Upstream {
    /// The sockets towards the inside.
    pub fn listeners(&self) -> impl Iterator<Item = (Transport, SocketAddr)> {
        self.address.iter().flat_map(|address| {
            let tls = SocketAddr::new(address.ip(), self.tls_port);
            let tls = self.tls.as_ref().map(|_| (Transport::Tls, tls));
            [(Transport::Udp, *address), (Transport::Tcp, *address)].into_iter().chain(tls)
        })
    }
}

/// Refuses what cannot be meant.
pub(super) fn refuse(config: &Config) -> Result<(), Found> {
    let upstream = &config.upstream;
    let refuse = |problem: String| Err(("[upstream]".to_owned(), problem));
    let is_listener = |wanted| config.listen.iter().any(|listen| listen.address == wanted);
    for (index, address) in upstream.address.iter().enumerate() {
        if let Some(problem) = unusable(*address) {
            return refuse(format!("address: {problem}"));
        }
        if is_listener(*address) {
            return refuse(
                "address is that of a listener: outside and inside need one each".to_owned(),
            );
        }
        if upstream.address.iter().take(index).any(|it| it.is_ipv4() == address.is_ipv4()) {
            return refuse("address has two of one family".to_owned());
        }
    }
    if upstream.tls.is_some() {
        if upstream.tls_port == 0
            || upstream.address.iter().any(|it| it.port() == upstream.tls_port)
        {
            return refuse("tls-port is the port of address, or none".to_owned());
        }
        if upstream.listeners().any(|(_, address)| is_listener(address)) {
            return refuse("tls-port is that of a listener at the same address".to_owned());
        }
    }
    if upstream.address.is_empty() {
        return refuse("address is empty".to_owned());
    }
    if upstream.targets.is_empty() {
        return refuse("targets is empty: nothing would be protected".to_owned());
    }
    if upstream.targets.len() > MOST_TARGETS {
        return refuse(format!("more than {MOST_TARGETS} targets"));
    }
    if upstream.probe.timeout > upstream.probe.interval {
        return refuse("probe: timeout is more than interval".to_owned());
    }
    for (index, target) in upstream.targets.iter().enumerate() {
        let uri = &target.uri;
        if upstream.targets.iter().take(index).any(|other| other.uri == *uri) {
            return refuse(format!("target {uri} is there twice"));
        }
        let transport = uri.transport();
        if transport == Some(Transport::Tls) && upstream.tls.is_none() {
            return refuse(format!("target {uri} needs the table [upstream.tls]"));
        }
        let is_in_clear = matches!(transport, Some(Transport::Udp | Transport::Tcp));
        if is_in_clear && target.identity.is_some() {
            return refuse(format!("target {uri}: identity without TLS: nobody would check it"));
        }
        let Some((_, place)) = uri.place() else { continue };
        if let Some(problem) = unusable(place) {
            return refuse(format!("target {uri}: {problem}"));
        }
        if is_listener(place) || upstream.listeners().any(|(_, own)| own == place) {
            return refuse(format!("target {uri} is our own address: requests would go round"));
        }
        if upstream.address.iter().all(|own| own.is_ipv4() != place.is_ipv4()) {
            return refuse(format!("target {uri} and address are of different families"));
        }
    }
    Ok(())
}

impl FromStr for UpstreamTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self {
            uri: text.parse()?,
            priority: default_priority(),
            weight: NonZeroU16::MIN,
            identity: None,
        })
    }
}

const fn default_tls_port() -> u16 {
    5061
}

const fn default_priority() -> u16 {
    1
}

impl<'de> Deserialize<'de> for UpstreamTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The long form.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct Table {
            uri: SipTarget,
            #[serde(default = "default_priority")]
            priority: u16,
            weight: Option<NonZeroU16>,
            identity: Option<PeerIdentity>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = UpstreamTarget;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a SIP URI, or a table with uri, priority, weight, identity")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let table = Table::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(UpstreamTarget {
                    uri: table.uri,
                    priority: table.priority,
                    weight: table.weight.unwrap_or(NonZeroU16::MIN),
                    identity: table.identity,
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads one value or a list of them.
pub(super) fn one_or_more<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display> + Deserialize<'de>,
{
    struct OneOrMore<T>(PhantomData<T>);
    impl<'de, T: FromStr<Err: fmt::Display> + Deserialize<'de>> Visitor<'de> for OneOrMore<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("one, or a list of them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            text.parse().map(|one| vec![one]).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(value::SeqAccessDeserializer::new(seq))
        }
    }
    deserializer.deserialize_any(OneOrMore(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::{BASE, parse};

    fn changed(targets: &str, address: &str, tail: &str) -> String {
        let text = BASE.replace("targets = [\"sip:10.0.0.5:5060\"]", targets);
        text.replace("address = \"10.0.0.1:5060\"", address) + tail
    }

    const TLS: &str = "[upstream.tls]\ncertificate = \"a\"\nkey = \"b\"\nca = \"c\"\n";
    const V4: &str = "address = \"10.0.0.1:5060\"";

    #[test]
    fn a_target_is_a_uri_or_a_table_and_an_address_one_or_two() {
        let targets = "targets = [\"sip:10.0.0.5\", { uri = \"sips:pbx.example\", priority = 2, \
            weight = 7, identity = \"sip.example\" }]";
        let both = "address = [\"10.0.0.1:5060\", \"[2001:db8::1]:5060\"]";
        let config = parse(&changed(targets, both, TLS)).unwrap();
        let [one, other] = &config.upstream.targets[..] else { panic!() };
        assert_eq!((one.priority, one.weight.get()), (1, 1));
        assert_eq!((other.priority, other.weight.get()), (2, 7));
        assert_eq!(other.identity.as_ref().unwrap().0.as_str(), "sip.example");
        let listeners: Vec<_> = config.upstream.listeners().collect();
        let tls = (Transport::Tls, "[2001:db8::1]:5061".parse().unwrap());
        assert_eq!((listeners.len(), listeners[5]), (6, tls));
        assert_eq!(config.upstream.tls.unwrap().ca, std::path::Path::new("/etc/sbc/c"));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let one = "targets = [\"sip:10.0.0.5\"]";
        for (targets, address, tail, expected) in [
            ("targets = []", V4, "", "targets is empty"),
            ("targets = [\"sip:10.0.0.5\", \"sip:10.0.0.5\"]", V4, "", "is there twice"),
            ("targets = [\"sips:10.0.0.5\"]", V4, "", "needs the table [upstream.tls]"),
            ("targets = [\"sips:pbx.example\"]", V4, "", "needs the table [upstream.tls]"),
            (
                "targets = [{ uri = \"sip:10.0.0.5\", identity = \"a.example\" }]",
                V4,
                "",
                "identity without TLS",
            ),
            ("targets = [\"sips:10.0.0.1\"]", V4, TLS, "is our own address"),
            (one, "address = []", "", "address is empty"),
            (one, "address = [\"10.0.0.1:5060\", \"10.0.0.2:5060\"]", "", "two of one family"),
            (one, "address = \"10.0.0.1:5061\"", TLS, "tls-port is the port of address"),
            (one, "address = \"203.0.113.1:5080\"", TLS, "tls-port is that of a listener"),
            (
                one,
                "address = \"10.0.0.1:5060\"\nprobe = { interval = \"2s\" }",
                "",
                "timeout is more",
            ),
            ("targets = [\"sip:10.0.0.5\"]\ntarget = \"sip:10.0.0.5\"", V4, "", "unknown field"),
            ("targets = [{ uri = \"sip:10.0.0.5\", prio = 1 }]", V4, "", "unknown field `prio`"),
            ("targets = [{ uri = \"sip:10.0.0.5\", weight = 0 }]", V4, "", "nonzero"),
        ] {
            let error = parse(&changed(targets, address, tail)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
