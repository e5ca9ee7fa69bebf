//! What a gateway says about itself.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One answer of `sbc status --json`.
#[derive(Clone, Debug)]
pub struct Status(Value);

/// Somebody who is trusted, as the daemon tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// An address, an address and port, or a network.
    pub source: String,
    /// The class of proof.
    pub proof: String,
    /// The transports that are open.
    pub opens: Vec<String>,
    /// `peer NAME`, `user NAME`, `operator` or `earlier`.
    pub holder: String,
    /// Whole seconds left; `None` if it lasts.
    pub expires_in: Option<u64>,
    /// The TLS connections that keep it alive.
    pub connections: u64,
    /// The lowest and the highest hop limit that is known of it.
    pub hop_limits: Option<[u64; 2]>,
}

/// One of the kernel's counters, as far as anybody asks for it.
struct Counter {
    reason: String,
    carrier: String,
    packets: u64,
}

impl Status {
    /// Reads what the command printed.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map(Self).context("reading sbc's status")
    }

    /// Whether the daemon answered, not just the filter.
    #[must_use]
    pub fn has_daemon(&self) -> bool {
        self.0.get("daemon").is_some_and(|daemon| !daemon.is_null())
    }

    /// `observe` or `enforce`.
    pub fn mode(&self) -> Result<&str> {
        self.at("/kernel/mode")?.as_str().context("the mode is no text")
    }

    /// Whether everything passes because the daemon is silent.
    pub fn has_ended_enforcement(&self) -> Result<bool> {
        let place = "/kernel/heartbeat/has-ended-enforcement";
        self.at(place)?.as_bool().with_context(|| format!("{place} is neither true nor false"))
    }

    /// Seconds since the daemon said that it lives.
    pub fn heartbeat_age(&self) -> Result<u64> {
        self.at("/kernel/heartbeat/age-seconds")?.as_u64().context("there was no heartbeat")
    }

    /// Seconds until the filter observes again, if it enforces on trial.
    pub fn trial_ends_in(&self) -> Result<Option<u64>> {
        let trial = self.at("/daemon/trial")?;
        Ok(trial.get("ends-in-seconds").and_then(Value::as_u64))
    }

    /// How many known-good sources there are.
    pub fn known_good(&self) -> Result<u64> {
        self.at("/daemon/known-good/sources")?.as_u64().context("the sources are no number")
    }

    /// What the filter drops of what is served to known-good sources, or would: source, holder, reason, carrier.
    pub fn hurt(&self) -> Result<Vec<[String; 4]>> {
        let losers = self.at("/daemon/known-good/losers")?.as_array().context("no list")?;
        let text = |value: &Value, key| value.get(key)?.as_str().map(str::to_owned);
        let mut hurt = Vec::new();
        for loser in losers {
            let losses = loser.get("losses").and_then(Value::as_array).context("no losses")?;
            for loss in losses {
                let served = loss.get("served").and_then(Value::as_u64).context("no served")?;
                let [source, holder] = ["source", "holder"].map(|key| text(loser, key));
                let [reason, carrier] = ["reason", "carrier"].map(|key| text(loss, key));
                let row = [source, holder, reason, carrier].map(Option::unwrap_or_default);
                hurt.extend((served > 0).then_some(row));
            }
        }
        Ok(hurt)
    }

    /// How many packets the kernel passed or dropped for this reason.
    pub fn verdict(&self, reason: &str) -> Result<u64> {
        count(&self.kernel()?, reason)
    }

    /// Whether the second program is in front of the daemon's sockets.
    pub fn guards_sockets(&self) -> Result<bool> {
        self.at("/kernel/guards-sockets")?.as_bool().context("whether it guards is no truth value")
    }

    /// How many packets it passed or dropped for this reason.
    pub fn verdict_at_sockets(&self, reason: &str) -> Result<u64> {
        count(&self.counted("/kernel/socket-verdicts")?, reason)
    }

    /// The same of what was carried in this way: `udp`, `tcp`, `tls`, `ipsec` or `other`.
    pub fn verdict_over(&self, reason: &str, carrier: &str) -> Result<u64> {
        self.verdict(reason)?;
        let rows = self.counters()?.into_iter();
        let wanted = rows.filter(|row| row.reason == reason && row.carrier == carrier);
        Ok(wanted.map(|row| row.packets).sum())
    }

    /// How many packets the kernel counted, by reason; without those of none.
    ///
    /// `not-ip` and `not-protected` are left out: hosts look for their neighbours when they please. So
    /// are segments to TLS listeners: how many make a connection is up to TCP.
    pub fn verdicts(&self) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for row in self.counters()? {
            let is_chance = matches!(row.reason.as_str(), "not-ip" | "not-protected");
            if row.packets > 0 && row.carrier != "tls" && !is_chance {
                *counts.entry(row.reason).or_default() += row.packets;
            }
        }
        Ok(counts)
    }

    /// How many messages had this outcome.
    pub fn outcome(&self, name: &str) -> Result<u64> {
        count(&self.counts("/daemon/outcomes")?, name)
    }

    /// How many messages had each outcome; without those of none.
    pub fn outcomes(&self) -> Result<BTreeMap<String, u64>> {
        self.positive("/daemon/outcomes")
    }

    /// How many messages the daemon received from outside over this transport.
    pub fn received(&self, transport: &str) -> Result<u64> {
        count(&self.counts("/daemon/received")?, transport)
    }

    /// By how much strangers' budget is divided.
    pub fn strangers_slowed_by(&self) -> Result<u64> {
        self.at("/daemon/load/strangers-slowed-by")?.as_u64().context("that is no number")
    }

    /// How many samples of judged packets the daemon has read.
    pub fn samples_read(&self) -> Result<u64> {
        self.at("/daemon/samples/read")?.as_u64().context("the samples are no number")
    }

    /// How many samples captures were too slow for.
    pub fn samples_missed(&self) -> Result<u64> {
        self.at("/daemon/samples/missed")?.as_u64().context("the samples are no number")
    }

    /// How many connections were refused, by reason; without those of none.
    pub fn refused_connections(&self) -> Result<BTreeMap<String, u64>> {
        self.positive("/daemon/refused-connections")
    }

    /// Who is trusted, in the order of the sources' text.
    pub fn grants(&self) -> Result<Vec<Grant>> {
        let grants = self.at("/daemon/trust")?.as_array().context("trust is no list")?;
        grants.iter().map(|grant| Grant::read(grant).context("a grant lacks something")).collect()
    }

    /// The networks among them.
    pub fn networks(&self) -> Result<Vec<Grant>> {
        Ok(self.grants()?.into_iter().filter(|grant| grant.source.contains('/')).collect())
    }

    /// The grant for exactly this source.
    pub fn grant(&self, source: &str) -> Result<Option<Grant>> {
        Ok(self.grants()?.into_iter().find(|grant| grant.source == source))
    }

    /// How many IPsec associations there are for what comes from exactly this network, and why it is not
    /// proven, if it is not.
    pub fn ipsec_of(&self, source: &str) -> Result<(u64, Option<String>)> {
        let networks = self.at("/daemon/ipsec")?.as_array().context("ipsec is no list")?;
        let is_it = |told: &&Value| told.get("source").is_some_and(|it| it == source);
        let found = networks.iter().find(is_it).and_then(|told| {
            let problem = told.get("problem")?.as_str().map(str::to_owned);
            Some((told.get("associations")?.as_u64()?, problem))
        });
        found.with_context(|| format!("{source} does not have to speak through IPsec"))
    }

    /// The targets of the upstream and of peers: their places, and whether each is `alive` or `dead`.
    pub fn targets(&self) -> Result<BTreeMap<String, String>> {
        let listed = |place| self.at(place)?.as_array().context("targets are no list");
        let targets = listed("/daemon/upstream")?.iter().chain(listed("/daemon/peers")?);
        let text = |target: &Value, key| target.get(key)?.as_str().map(str::to_owned);
        let told = targets.map(|target| Some((text(target, "address")?, text(target, "state")?)));
        told.collect::<Option<_>>().context("a target lacks its address or state")
    }

    /// Whether requests that are too large for UDP go to this target over TCP.
    pub fn has_large_over_tcp(&self, target: &SocketAddr) -> Result<bool> {
        let targets = self.at("/daemon/upstream")?.as_array().context("upstream is no list")?;
        let is_it = |told: &&Value| told.get("address").is_some_and(|it| *it == target.to_string());
        let found =
            targets.iter().find(is_it).and_then(|told| told.get("large-over-tcp")?.as_bool());
        found.with_context(|| format!("{target} is no target"))
    }

    fn kernel(&self) -> Result<BTreeMap<String, u64>> {
        self.counted("/kernel/verdicts")
    }

    fn counted(&self, place: &str) -> Result<BTreeMap<String, u64>> {
        let rows = self.at(place)?.as_array().context("verdicts is no list")?;
        let row = |row: &Value| {
            Some((row.get("reason")?.as_str()?.to_owned(), row.get("packets")?.as_u64()?))
        };
        rows.iter().map(|each| row(each).context("a verdict lacks something")).collect()
    }

    fn counters(&self) -> Result<Vec<Counter>> {
        let rows = self.at("/kernel/counters")?.as_array().context("counters is no list")?;
        let row = |row: &Value| {
            Some(Counter {
                reason: row.get("reason")?.as_str()?.to_owned(),
                carrier: row.get("carrier")?.as_str()?.to_owned(),
                packets: row.get("packets")?.as_u64()?,
            })
        };
        rows.iter().map(|each| row(each).context("a counter lacks something")).collect()
    }

    fn positive(&self, place: &str) -> Result<BTreeMap<String, u64>> {
        let mut counts = self.counts(place)?;
        counts.retain(|_, count| *count > 0);
        Ok(counts)
    }

    fn counts(&self, place: &str) -> Result<BTreeMap<String, u64>> {
        let counts = self.at(place)?.as_object().with_context(|| format!("{place}: no table"))?;
        let each = |(name, count): (&String, &Value)| {
            let count = count.as_u64().with_context(|| format!("{place}/{name} is no number"))?;
            Ok((name.clone(), count))
        };
        counts.iter().map(each).collect()
    }

    fn at(&self, place: &str) -> Result<&Value> {
        self.0.pointer(place).with_context(|| format!("sbc's status has no {place}"))
    }
}

/// What a failing test shows: all that was counted.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "verdicts {:?}", self.verdicts().unwrap_or_default())?;
        if !self.has_daemon() {
            return write!(f, ", no daemon");
        }
        let received = self.positive("/daemon/received").unwrap_or_default();
        let outcomes = self.outcomes().unwrap_or_default();
        let refused = self.refused_connections().unwrap_or_default();
        let grants = self.grants().unwrap_or_default();
        write!(f, ", received {received:?}, outcomes {outcomes:?}, ")?;
        write!(f, "refused connections {refused:?}, grants {grants:?}")
    }
}

impl Grant {
    fn read(grant: &Value) -> Option<Self> {
        let text = |name| Some(grant.get(name)?.as_str()?.to_owned());
        let opens = grant.get("opens")?.as_array()?;
        Some(Self {
            source: text("source")?,
            proof: text("proof")?,
            opens: opens.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            holder: text("holder")?,
            expires_in: grant.get("expires-in-seconds")?.as_u64(),
            connections: grant.get("connections")?.as_u64()?,
            hop_limits: match grant.get("hop-limits")?.as_array().map(Vec::as_slice) {
                Some([lowest, highest]) => Some([lowest.as_u64()?, highest.as_u64()?]),
                Some(_) => return None,
                None => None,
            },
        })
    }
}

/// A misspelt name must not count as zero.
fn count(counts: &BTreeMap<String, u64>, name: &str) -> Result<u64> {
    counts.get(name).copied().with_context(|| format!("sbc's status has no {name}"))
}
