use std::collections::BTreeMap;
use std::time::Duration;

use super::Metric;
use super::text::Samples;
use crate::admin::observed::View;
use crate::admin::process::ProcessUse;
use crate::border::{CounterStatus, PeerStatus, TargetStatus};
use crate::transport::Load;

/// Everything, in the text format.
pub(in crate::admin) fn render(view: &View, used: &ProcessUse, started_at: Duration) -> String {
    let mut text = String::with_capacity(64 * 1024);
    for metric in Metric::ALL {
        tell(*metric, view, used, started_at, &mut Samples::of(*metric, &mut text));
    }
    text
}

#[expect(clippy::too_many_lines, reason = "a line or two for each metric")]
fn tell(
    metric: Metric,
    View { kernel, daemon, trusted, trust_entries, peers }: &View,
    used: &ProcessUse,
    started_at: Duration,
    samples: &mut Samples<'_>,
) {
    let heartbeat = &kernel.heartbeat;
    let (users, directory) = (daemon.users.as_ref(), daemon.directory.as_ref());
    match metric {
        Metric::BuildInfo => samples.add(&[env!("CARGO_PKG_VERSION")], 1),
        Metric::FilterMode => {
            for mode in ["observe", "enforce"] {
                samples.add(&[mode], u8::from(kernel.mode == mode));
            }
        }
        Metric::FilterInterfaces => samples.add(&[], kernel.attached.len()),
        Metric::FilterGuardsSockets => samples.add(&[], u8::from(kernel.guards_sockets)),
        Metric::FilterHeartbeatAge => one(samples, heartbeat.age_seconds),
        Metric::FilterEnforcementEnded => {
            samples.add(&[], u8::from(heartbeat.has_ended_enforcement));
        }
        Metric::FilterFrames => counters(samples, &kernel.verdicts, |it| it.packets),
        Metric::FilterFrameBytes => counters(samples, &kernel.verdicts, |it| it.bytes),
        Metric::FilterVerdicts => {
            for row in &kernel.counters {
                let lane = row.lane.as_deref().unwrap_or("none");
                samples.add(&[&row.reason, lane, &row.family, &row.carrier], row.packets);
            }
        }
        Metric::SocketPackets => counters(samples, &kernel.socket_verdicts, |it| it.packets),
        Metric::SocketPacketBytes => counters(samples, &kernel.socket_verdicts, |it| it.bytes),
        Metric::FilterSamplesLost => samples.add(&[], kernel.samples_lost),
        Metric::MessagesReceived => named(samples, &daemon.received),
        Metric::Messages => named(samples, &daemon.outcomes),
        Metric::Requests => {
            for it in &daemon.activity {
                samples.add(&[&it.holder, "accepted"], it.accepted);
                samples.add(&[&it.holder, "refused"], it.refused);
            }
        }
        Metric::Registrations => {
            for it in &daemon.activity {
                samples.add(&[&it.holder], it.registrations);
            }
        }
        Metric::Calls => {
            for it in &daemon.activity {
                samples.add(&[&it.holder, "from"], it.calls_from);
                samples.add(&[&it.holder, "to"], it.calls_to);
            }
        }
        Metric::CallsAnswered => {
            for it in &daemon.activity {
                samples.add(&[&it.holder, "from"], it.answered_from);
                samples.add(&[&it.holder, "to"], it.answered_to);
            }
        }
        Metric::ConnectionsRefused => named(samples, &daemon.refused_connections),
        Metric::Bans => {
            samples.add(&["true"], daemon.banned);
            samples.add(&["false"], daemon.would_be_banned);
        }
        Metric::LoadLevel => {
            let level = Load::ALL.iter().position(|load| load.name() == daemon.load.level);
            one(samples, level);
        }
        Metric::StrangersSlowdown => samples.add(&[], daemon.load.strangers_slowed_by),
        Metric::SamplesRead => samples.add(&[], daemon.samples.read),
        Metric::SamplesUnreadable => samples.add(&[], daemon.samples.unreadable),
        Metric::SamplesMissed => samples.add(&[], daemon.samples.missed),
        Metric::TrustedSources => {
            for count in trusted {
                samples.add(&[&count.proof], count.sources);
            }
        }
        Metric::TrustTableCapacity => samples.add(&[], trust_entries),
        Metric::TrustTableFull => samples.add(&[], daemon.trust_table_full),
        Metric::UpstreamPlaces => {
            for ((target, state), count) in places(&daemon.upstream) {
                samples.add(&[target, state], count);
            }
        }
        Metric::PeerPlaces => {
            for peer in peers {
                for ((target, state), count) in places(&peer.targets) {
                    samples.add(&[&peer.name, target, state], count);
                }
            }
        }
        Metric::PeerSources => {
            for peer in peers {
                for (proof, count) in proofs(peer) {
                    samples.add(&[&peer.name, proof], count);
                }
            }
        }
        Metric::PeerConnections => of_peers(samples, peers, |peer| {
            peer.proofs.iter().map(|proof| u64::from(proof.connections)).sum()
        }),
        Metric::PeerAssociations => of_peers(samples, peers, |peer| {
            peer.ipsec.iter().map(|network| network.associations as u64).sum()
        }),
        Metric::PeerUnproven => of_peers(samples, peers, |peer| {
            peer.ipsec.iter().filter(|network| network.problem.is_some()).count() as u64
        }),
        Metric::PeerNamesFailing => of_peers(samples, peers, |peer| {
            peer.names.iter().filter(|name| name.problem.is_some()).count() as u64
        }),
        Metric::Users => one(samples, users.and_then(|users| users.count)),
        Metric::UsersAge => one(samples, users.and_then(|users| users.age_seconds)),
        Metric::UsersFailing => {
            one(samples, users.map(|users| u8::from(users.problem.is_some())));
        }
        Metric::DirectoryUsers => {
            if let Some(directory) = directory {
                samples.add(&["let-in"], directory.let_in);
                samples.add(&["barred"], directory.barred);
            }
        }
        Metric::DirectoryAge => one(samples, directory.and_then(|it| it.age_seconds)),
        Metric::DirectoryFailing => {
            one(samples, directory.map(|it| u8::from(it.problem.is_some())));
        }
        Metric::CertificateExpiry => {
            for certificate in &daemon.certificates {
                samples.add(&[&certificate.place], certificate.expires_at);
            }
        }
        Metric::ProcessCpu => one(samples, used.cpu.map(|cpu| cpu.as_secs_f64())),
        Metric::ProcessResident => one(samples, used.resident_bytes),
        Metric::ProcessVirtual => one(samples, used.virtual_bytes),
        Metric::ProcessOpenFiles => one(samples, used.open_files),
        Metric::ProcessMostFiles => one(samples, used.most_files),
        Metric::ProcessThreads => one(samples, used.threads),
        Metric::ProcessStart => samples.add(&[], started_at.as_secs_f64()),
    }
}

fn one(samples: &mut Samples<'_>, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        samples.add(&[], value);
    }
}

fn counters(samples: &mut Samples<'_>, rows: &[CounterStatus], of: impl Fn(&CounterStatus) -> u64) {
    for row in rows {
        samples.add(&[&row.reason, &row.action], of(row));
    }
}

fn named(samples: &mut Samples<'_>, counts: &BTreeMap<String, u64>) {
    for (name, count) in counts {
        samples.add(&[name], count);
    }
}

fn of_peers(samples: &mut Samples<'_>, peers: &[PeerStatus], of: impl Fn(&PeerStatus) -> u64) {
    for peer in peers {
        samples.add(&[&peer.name], of(peer));
    }
}

/// How many places of each target live and how many do not: both are told, so that a query need not guess.
fn places(targets: &[TargetStatus]) -> BTreeMap<(&str, &'static str), u64> {
    let mut counts = BTreeMap::new();
    for target in targets {
        for state in ["alive", "dead"] {
            let count: &mut u64 = counts.entry((target.target.as_str(), state)).or_default();
            *count += u64::from(target.state == state);
        }
    }
    counts
}

fn proofs(peer: &PeerStatus) -> BTreeMap<&str, u64> {
    // What it is asked for is told even where nothing is proven.
    let required = peer.requires.iter().map(|proof| (proof.as_str(), 0));
    let mut counts: BTreeMap<_, _> = required.collect();
    for grant in &peer.proofs {
        *counts.entry(grant.proof.as_str()).or_default() += 1;
    }
    counts
}
