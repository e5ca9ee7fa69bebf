use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sbc_common::{Lane, MonotonicNanos, Reason, Setting, Transports, TrustEntry};
use serde::{Deserialize, Serialize};

use super::copies::HomerStatus;
use super::names::NameStatus;
use super::own_certificates::CertificateStatus;
use super::parts::locked;
use super::target_status::TargetStatus;
use super::{ActivityStatus, Border, Clock, DirectoryStatus, KnownGoodStatus, TrialStatus};
use crate::config::ScrutinyPolicy;
use crate::kernel::{CounterRow, KernelError, KernelTables, Pins, Readings};
use crate::samples::Sample;
use crate::trust::{Grant, Holder, Place, TrustTable, learned, opened};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What `sbc status` shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// The kernel's half.
    pub kernel: KernelStatus,
    /// The daemon's half; absent when it does not run or does not answer.
    pub daemon: Option<DaemonStatus>,
}

/// The kernel's half.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KernelStatus {
    /// `observe` or `enforce`.
    pub mode: String,
    /// The interfaces that the program is attached to.
    pub attached: Vec<String>,
    /// What the filter hears of the daemon.
    pub heartbeat: HeartbeatStatus,
    /// The verdicts by reason.
    pub verdicts: Vec<CounterStatus>,
    /// The verdicts with everything that they are counted under; those that were never reached are
    /// left out.
    pub counters: Vec<VerdictStatus>,
    /// Samples that found the ring full, of all verdicts.
    pub samples_lost: u64,
    /// Whether the second program guards sockets.
    pub guards_sockets: bool,
    /// The verdicts at the daemon's sockets by reason; their bytes are those of IP.
    pub socket_verdicts: Vec<CounterStatus>,
}

/// What the filter hears of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeartbeatStatus {
    /// Seconds since the daemon, or `sbc load`, last said that it lives; absent if none ever did.
    pub age_seconds: Option<u64>,
    /// Seconds of silence after which everything passes; absent if nothing does.
    pub passes_after_seconds: Option<u64>,
    /// Everything passes, because the daemon has been silent for longer than that.
    pub has_ended_enforcement: bool,
}

/// The daemon's half.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DaemonStatus {
    /// Seconds since the daemon began.
    #[serde(default)]
    pub uptime_seconds: u64,
    /// Enforcement that is on trial, and not confirmed yet; absent if the mode is there to stay.
    #[serde(default)]
    pub trial: Option<TrialStatus>,
    /// Messages from outside by transport.
    pub received: BTreeMap<String, u64>,
    /// What became of messages.
    pub outcomes: BTreeMap<String, u64>,
    /// Connections that were not let in, by reason.
    pub refused_connections: BTreeMap<String, u64>,
    /// Sources that were banned since the daemon began.
    #[serde(default)]
    pub banned: u64,
    /// Those that would have been, if bans were enforced.
    #[serde(default)]
    pub would_be_banned: u64,
    /// Proofs that the kernel had no room for.
    pub trust_table_full: u64,
    /// How far the daemon is behind.
    pub load: LoadStatus,
    /// Samples of judged frames.
    pub samples: SampleStatus,
    /// The upstream's targets.
    #[serde(default)]
    pub upstream: Vec<TargetStatus>,
    /// The targets of peers.
    #[serde(default)]
    pub peers: Vec<TargetStatus>,
    /// The networks of peers that have to speak through IPsec.
    #[serde(default)]
    pub ipsec: Vec<IpsecStatus>,
    /// The names of peers that are known by the DNS.
    #[serde(default)]
    pub names: Vec<NameStatus>,
    /// Who may answer challenges; absent if nobody may.
    #[serde(default)]
    pub users: Option<UsersStatus>,
    /// What says who of them is let in; absent if all are.
    #[serde(default)]
    pub directory: Option<DirectoryStatus>,
    /// What users and peers did: users first, then peers in the order of the configuration.
    #[serde(default)]
    pub activity: Vec<ActivityStatus>,
    /// Who was served, and would lose packets, or does.
    #[serde(default)]
    pub known_good: KnownGoodStatus,
    /// What became of copies for Homer; absent if there are none.
    #[serde(default)]
    pub homer: Option<HomerStatus>,
    /// Our own certificates.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
    /// Everyone who is trusted.
    pub trust: Vec<GrantStatus>,
}

/// Who may answer challenges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsersStatus {
    /// How many of them are in force; `None` if the upstream alone knows them.
    pub count: Option<usize>,
    /// Where they are kept, as the configuration has it.
    #[serde(default)]
    pub store: String,
    /// Seconds since they were last known to be those of the store.
    #[serde(default)]
    pub age_seconds: Option<u64>,
    /// Why these are not those of the store, if it could not be read when it was last asked.
    pub problem: Option<String>,
}

/// What IPsec proves of one network of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IpsecStatus {
    /// The peer's name.
    pub peer: String,
    /// The network.
    pub source: String,
    /// The transports over which what comes from there has come out of an association.
    pub proven: Vec<String>,
    /// How many associations there are that it may have come out of.
    pub associations: usize,
    /// Why nothing is proven, or not all that the peer opens.
    pub problem: Option<String>,
}

/// How far the daemon is behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoadStatus {
    /// That of the fullest queue, a tenth of a second ago at most: `calm`, `busy`, `heavy`, `critical`.
    pub level: String,
    /// By how much strangers' budget in the kernel is divided until it is calm again.
    pub strangers_slowed_by: u32,
}

/// What became of the kernel's samples in the daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SampleStatus {
    /// Those that were read.
    pub read: u64,
    /// Records of the kernel's ring that were none.
    pub unreadable: u64,
    /// Those that captures were too slow for, all of them together.
    pub missed: u64,
}

/// How often a verdict was reached for one reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CounterStatus {
    /// The reason's name.
    pub reason: String,
    /// `pass` or `drop`.
    pub action: String,
    /// Frames.
    pub packets: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
}

/// How often exactly this verdict was reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VerdictStatus {
    /// The reason's name.
    pub reason: String,
    /// The proof of the source's entry; absent for strangers and where nobody asked.
    pub lane: Option<String>,
    /// `ipv4`, `ipv6` or `none`.
    pub family: String,
    /// `udp`, `tcp`, `tls`, `ipsec` or `other`.
    pub carrier: String,
    /// Frames.
    pub packets: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
    /// Samples of such frames that found the ring full.
    pub samples_lost: u64,
}

/// One grant of trust.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GrantStatus {
    /// The address, address and port, or network.
    pub source: String,
    /// The IPv6 /64 that is open because of it; absent where it is open alone.
    pub subnet: Option<String>,
    /// The class of proof.
    pub proof: String,
    /// The transports that are open.
    pub opens: Vec<String>,
    /// `peer NAME`, `user NAME`, `operator`, or `earlier` for who proved himself to a previous run.
    pub holder: String,
    /// Seconds left; absent for a grant that lasts.
    pub expires_in_seconds: Option<u64>,
    /// The TLS connections that keep it alive.
    pub connections: u32,
    /// The lowest and the highest hop limit that its packets are known to arrive with; absent if nothing
    /// is known.
    pub hop_limits: Option<[u8; 2]>,
    /// Nothing is known of the distance of a peer's one host, though it ought to be: nobody who forges its
    /// address is found by his hop limit.
    pub is_distance_unknown: bool,
}

impl KernelStatus {
    /// Reads what the kernel counts and was told, and the pins beside it.
    pub fn read(readings: &Readings, pins: &Pins) -> Result<Self, KernelError> {
        let rows = readings.counters()?;
        Ok(Self {
            mode: readings.mode()?.name().to_owned(),
            attached: pins.interfaces(),
            heartbeat: HeartbeatStatus::read(readings)?,
            verdicts: by_reason(&rows),
            counters: rows.iter().map(VerdictStatus::of).collect(),
            samples_lost: rows.iter().map(|row| row.counter.lost).sum(),
            guards_sockets: pins.guards_sockets(readings)?,
            socket_verdicts: by_reason(&readings.socket_counters()?),
        })
    }
}

fn by_reason(rows: &[CounterRow]) -> Vec<CounterStatus> {
    let of = |reason: &Reason| {
        let counters = || rows.iter().filter(|row| row.verdict.reason == *reason);
        CounterStatus {
            reason: reason.name().to_owned(),
            action: reason.action().name().to_owned(),
            packets: counters().map(|row| row.counter.packets).sum(),
            bytes: counters().map(|row| row.counter.bytes).sum(),
        }
    };
    Reason::ALL.iter().map(of).collect()
}

impl HeartbeatStatus {
    fn read(readings: &Readings) -> Result<Self, KernelError> {
        let beat = readings.setting(Setting::Heartbeat)?;
        let longest = readings.setting(Setting::SilenceEndsEnforcement)?;
        Ok(Self::of(beat, longest, Clock::start().monotonic()))
    }

    fn of(beat: u64, longest: u64, now: MonotonicNanos) -> Self {
        let age = now.0.saturating_sub(beat);
        Self {
            age_seconds: (beat != 0).then_some(age / NANOS_PER_SECOND),
            passes_after_seconds: (longest != 0).then_some(longest / NANOS_PER_SECOND),
            has_ended_enforcement: longest != 0 && age > longest,
        }
    }
}

impl VerdictStatus {
    fn of(row: &CounterRow) -> Self {
        let (verdict, counter) = (row.verdict, row.counter);
        Self {
            reason: verdict.reason.name().to_owned(),
            lane: verdict.lane.map(|lane| lane.name().to_owned()),
            family: verdict.family.name().to_owned(),
            carrier: verdict.carrier.name().to_owned(),
            packets: counter.packets,
            bytes: counter.bytes,
            samples_lost: counter.lost,
        }
    }
}

impl Border<KernelTables> {
    /// Takes a snapshot of everything that an operator may ask about.
    pub fn status(&self) -> Result<Status, KernelError> {
        let mut status = self.outline()?;
        if let Some(daemon) = &mut status.daemon {
            daemon.trust = self.grants_status(|_, _| true);
        }
        Ok(status)
    }

    /// The same without anybody who is trusted: it costs the same however many they are.
    pub fn outline(&self) -> Result<Status, KernelError> {
        let now = self.now();
        let pins = Pins::below(&self.config().kernel.bpf_file_system);
        let readings = Arc::clone(self.ledger().table().readings());
        let kernel = KernelStatus::read(&readings, &pins)?;
        let named = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
            counts.map(|(name, count)| (name.to_owned(), count)).collect()
        };
        let counters = self.counters();
        let [would_be_banned, banned] = counters.bans();
        let daemon = DaemonStatus {
            uptime_seconds: now.0.saturating_sub(self.began.0) / NANOS_PER_SECOND,
            trial: self.trial_status(),
            received: named(&mut counters.received()),
            outcomes: named(&mut counters.outcomes()),
            refused_connections: named(&mut counters.refusals()),
            banned,
            would_be_banned,
            trust_table_full: counters.full_table(),
            load: LoadStatus {
                level: self.load().name().to_owned(),
                strangers_slowed_by: self.strangers_slowed.load(Ordering::Relaxed),
            },
            samples: SampleStatus {
                read: self.samples().read(),
                unreadable: self.samples().unreadable(),
                missed: self.samples().missed(),
            },
            upstream: TargetStatus::of_all(self.forwarder.upstream()),
            peers: self.pools().skip(1).flat_map(TargetStatus::of_all).collect(),
            ipsec: self.ipsec_status(),
            names: self.names_status(),
            users: self.users_status(),
            directory: self.directory_status(),
            activity: self.activity.status(),
            known_good: self.known_good_status(),
            homer: self.homer.as_ref().map(|homer| HomerStatus::of(homer)),
            certificates: self.certificates_status(),
            trust: Vec::new(),
        };
        Ok(Status { kernel, daemon: Some(daemon) })
    }

    fn users_status(&self) -> Option<UsersStatus> {
        let count = match &self.vouching {
            Some(_) => None,
            None => Some(self.digest.as_ref()?.realms().users().len()),
        };
        let store = self.config.users.as_ref()?.store.to_string();
        let now = self.now().0;
        let account = locked(&self.users_account);
        let age = |since: MonotonicNanos| now.saturating_sub(since.0) / NANOS_PER_SECOND;
        let age_seconds = account.current_at.map(age);
        Some(UsersStatus { count, store, age_seconds, problem: account.problem.clone() })
    }

    fn ipsec_status(&self) -> Vec<IpsecStatus> {
        let account = locked(&self.ipsec);
        let described = account.proofs.iter().map(|proof| IpsecStatus {
            peer: self.config().peers.get(proof.peer).map_or("?", |peer| &peer.name).to_owned(),
            source: Place::Network(proof.network).to_string(),
            proven: opened(proof.transports).map(str::to_owned).collect(),
            associations: proof.associations,
            problem: proof.problem.as_ref().map(ToString::to_string),
        });
        described.collect()
    }

    /// The peer or the user whom the source of a sample belongs to now, as in "peer NAME".
    pub fn holder(&self, sample: &Sample) -> Option<String> {
        let verdict = sample.verdict;
        // These say that there is an entry, but not of which lane.
        let has_entry = verdict.lane.is_some()
            || matches!(verdict.reason, Reason::TransportNotOpened | Reason::ExpiredSource);
        let source = sample.source().filter(|_| has_entry)?;
        let ledger = self.ledger();
        let grant = ledger.grant_for(source, verdict.lane)?;
        match &grant.holder {
            Holder::Peer(_) | Holder::User(_) => Some(self.holder_name(&grant.holder)),
            Holder::Returning(_) | Holder::Earlier | Holder::Operator | Holder::Offender => None,
        }
    }

    pub(super) fn grant_status(
        &self,
        place: &Place,
        grant: &Grant,
        now: MonotonicNanos,
    ) -> GrantStatus {
        let expires_in_seconds = (grant.expires_at.0 != TrustEntry::NEVER)
            .then(|| grant.expires_at.0.saturating_sub(now.0) / NANOS_PER_SECOND);
        let is_to_be_known = self.config().kernel.hop_limits != ScrutinyPolicy::Off
            && matches!(place, Place::Address(_))
            && grant.lane == Lane::Tls
            && grant.transports.intersection(Transports::UDP.union(Transports::TCP))
                != Transports::NONE;
        let hop_limits = learned(grant.hops);
        GrantStatus {
            source: place.to_string(),
            subnet: None,
            proof: grant.lane.name().to_owned(),
            opens: opened(grant.transports).map(str::to_owned).collect(),
            holder: self.holder_name(&grant.holder),
            expires_in_seconds,
            connections: grant.connections,
            hop_limits,
            is_distance_unknown: is_to_be_known && hop_limits.is_none(),
        }
    }
}

impl<T: TrustTable> Border<T> {
    pub(super) fn holder_name(&self, holder: &Holder) -> String {
        match holder {
            Holder::Peer(position) => {
                let name = self.config().peers.get(*position).map_or("?", |peer| &peer.name);
                format!("peer {name}")
            }
            Holder::User(user) => format!("user {user}"),
            Holder::Returning(user) => format!("returning like {user}"),
            Holder::Earlier => "earlier".to_owned(),
            Holder::Operator => "operator".to_owned(),
            Holder::Offender => "offender".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_as_the_filter_takes_it() {
        let of = |beat: u64, longest: u64| {
            let now = MonotonicNanos(100 * NANOS_PER_SECOND);
            let status =
                HeartbeatStatus::of(beat * NANOS_PER_SECOND, longest * NANOS_PER_SECOND, now);
            (status.age_seconds, status.passes_after_seconds, status.has_ended_enforcement)
        };
        assert_eq!(of(99, 30), (Some(1), Some(30), false));
        assert_eq!(of(70, 30), (Some(30), Some(30), false));
        assert_eq!(of(69, 30), (Some(31), Some(30), true));
        assert_eq!(of(1, 0), (Some(99), None, false));
        assert_eq!(of(0, 30), (None, Some(30), true));
        assert_eq!(of(0, 0), (None, None, false));
        assert_eq!(of(101, 30), (Some(0), Some(30), false));
    }
}
