use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sbc_common::{Address, Lane, MonotonicNanos, Reason, SourceKey, TrustEntry};
use serde::Serialize;

use super::ConfigFile;
use super::paint::{Paint, Tone};
use super::top::told;
use crate::border::Clock;
use crate::config::{Config, IKE, Peer};
use crate::control::{self, Judged, Seen};
use crate::kernel::{AttachedProgram, KernelTables, Pins};
use crate::probe;
use crate::transport::Transport;
use crate::trust::{Place, learned, opened};

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// An address, or an address and port (`[2001:db8::1]:5060`).
    #[arg(value_name = "ADDRESS[:PORT]", value_parser = source)]
    source: SocketAddr,
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Everything that the filter knows of a source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Explanation {
    source: String,
    entries: Vec<EntryExplained>,
    /// How many IPsec associations there are with it, as far as the filter knows; absent if nobody tells it.
    associations: Option<usize>,
    /// What became of its last packets, the latest first; absent if no daemon tells.
    seen: Option<Vec<Seen>>,
    /// Why no daemon tells.
    unseen_because: Option<String>,
    /// What the attached program said to each question.
    now: Vec<QuestionAnswered>,
    /// How many packets it counted meanwhile that were questions.
    questions_counted: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct EntryExplained {
    /// The port, address or network that the entry is for.
    place: String,
    proof: &'static str,
    peer: Option<String>,
    opens: Vec<&'static str>,
    /// Absent for an entry that lasts; zero for one that is over.
    expires_in_seconds: Option<u64>,
    /// The lowest and the highest that its packets are known to arrive with.
    hop_limits: Option<[u8; 2]>,
    /// What it opens in clear is for what comes out of an IPsec association.
    only_in_ipsec: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct QuestionAnswered {
    question: &'static str,
    listener: String,
    action: &'static str,
    /// More than one where real packets hid which of them it was.
    reasons: Vec<&'static str>,
    lane: Option<&'static str>,
}

/// From which port a question is asked when none is named.
const ANY_PORT: u16 = 5060;

pub(super) fn explain(arguments: &ExplainArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config.config)?;
    let explanation = explanation(&config, arguments.source)?;
    let stdout = io::stdout();
    let paint = Paint::on(&stdout);
    let mut out = stdout.lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&explanation)?)?;
    } else {
        write(&explanation, paint, &mut out)?;
    }
    Ok(())
}

/// The same of any port of an address, as text.
pub(super) fn said(config: &Config, address: IpAddr) -> anyhow::Result<String> {
    let mut text = Vec::new();
    write(&explanation(config, SocketAddr::new(address, 0))?, Paint::PLAIN, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn explanation(config: &Config, source: SocketAddr) -> anyhow::Result<Explanation> {
    let pins = Pins::below(&config.kernel.bpf_file_system);
    let tables = pins.open_tables(config.kernel.trust_entries)?;
    let interface = &config.interface.outside.name;
    let program = pins.attached_program(interface).context("explain asks the attached filter")?;
    let port = Some(source.port()).filter(|port| *port != 0);
    let (seen, unseen_because) = match control::seen(&config.control.socket, source.ip(), port) {
        Ok(seen) => (Some(seen), None),
        Err(error) if error.is_absence() => (None, Some("the daemon does not run".to_owned())),
        Err(error) => (None, Some(error.to_string())),
    };
    let entries = entries(config, &tables, source)?;
    let associations = tables.associations_with(source.ip().into(), Clock::start().monotonic())?;
    // The questions are to look like its packets.
    let hop_limit = entries.iter().find_map(|entry| entry.hop_limits).map(|[lowest, _]| lowest);
    let (now, questions_counted) = answers(config, &tables, &program, source, hop_limit)?;
    Ok(Explanation {
        source: match source.port() {
            0 => source.ip().to_string(),
            _ => source.to_string(),
        },
        entries,
        associations,
        seen,
        unseen_because,
        now,
        questions_counted,
    })
}

/// Port zero stands for none.
fn source(text: &str) -> Result<SocketAddr, String> {
    text.parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0)))
        .map_err(|_| "neither an address nor an address and port".to_owned())
}

/// In the order in which the filter asks for them.
fn entries(
    config: &Config,
    tables: &KernelTables,
    source: SocketAddr,
) -> anyhow::Result<Vec<EntryExplained>> {
    let now = Clock::start().monotonic();
    let address = Address::from(source.ip());
    let mut keys = Vec::new();
    if source.port() != 0 {
        keys.push((source.to_string(), SourceKey::new(address, source.port())));
    }
    keys.push((source.ip().to_string(), SourceKey::every_port(address)));
    if source.is_ipv6() {
        let network = IpAddr::from(address.subnet());
        keys.push((format!("{network}/64"), SourceKey::subnet(address)));
    }
    let mut entries = Vec::new();
    for (place, key) in keys {
        if let Some(entry) = tables.trusted_source(&key)? {
            entries.push(explained(config, place, &entry, now));
        }
    }
    let prefixes = tables.prefixes().into_iter();
    let around = prefixes.filter(|(prefix, _)| prefix.contains(&address));
    if let Some((prefix, entry)) = around.max_by_key(|(prefix, _)| prefix.length) {
        let place = Place::Network(prefix).to_string();
        entries.push(explained(config, place, &entry, now));
    }
    Ok(entries)
}

fn explained(
    config: &Config,
    place: String,
    entry: &TrustEntry,
    now: MonotonicNanos,
) -> EntryExplained {
    let position = entry.peer.checked_sub(1).and_then(|position| usize::try_from(position).ok());
    let peer = position.and_then(|position| config.peers.get(position));
    EntryExplained {
        place,
        proof: entry.lane().map_or("unknown", Lane::name),
        peer: peer.map(|peer| peer.name.clone()),
        opens: opened(entry.transports).collect(),
        expires_in_seconds: (entry.expires_at != TrustEntry::NEVER)
            .then(|| entry.expires_at.saturating_sub(now.0) / 1_000_000_000),
        hop_limits: learned(entry.hops),
        only_in_ipsec: entry.is_only_in_ipsec(),
    }
}

/// Asks the program about a packet to each listener of the source's family, and to IKE if it is guarded.
/// Returns how often it was asked as well.
fn answers(
    config: &Config,
    tables: &KernelTables,
    program: &AttachedProgram,
    source: SocketAddr,
    hop_limit: Option<u8>,
) -> anyhow::Result<(Vec<QuestionAnswered>, usize)> {
    let port = if source.port() == 0 { ANY_PORT } else { source.port() };
    let source = SocketAddr::new(source.ip(), port);
    let (mut answers, mut runs) = (Vec::new(), 0);
    for (question, listener, mut frame) in questions(config, source) {
        if let Some(hop_limit) = hop_limit {
            probe::set_hop_limit(&mut frame, hop_limit);
        }
        let answer = program.ask(tables, &frame)?;
        runs += answer.runs;
        let lane = match &answer.verdicts[..] {
            [verdict] => verdict.lane.map(Lane::name),
            _ => None,
        };
        answers.push(QuestionAnswered {
            question,
            listener: listener.to_string(),
            action: answer.action.name(),
            reasons: answer.verdicts.iter().map(|verdict| verdict.reason.name()).collect(),
            lane,
        });
    }
    Ok((answers, runs))
}

fn questions(
    config: &Config,
    source: SocketAddr,
) -> impl Iterator<Item = (&'static str, SocketAddr, Vec<u8>)> {
    let listeners = config.listen.iter().map(|listen| (listen.transport, listen.address));
    let to_listeners = listeners.map(move |(transport, to)| match transport {
        Transport::Udp => ("udp invite", to, probe::invite(source, to)),
        Transport::Tcp => ("tcp syn", to, probe::syn(source, to)),
        Transport::Tls => ("tls syn", to, probe::syn(source, to)),
    });
    let guards_ipsec = config.peers.iter().any(Peer::opens_ipsec);
    let addresses: BTreeSet<_> = config.listen.iter().map(|listen| listen.address.ip()).collect();
    let to_ike = addresses.into_iter().filter(move |_| guards_ipsec).map(move |address| {
        let to = SocketAddr::new(address, IKE);
        ("ike", to, probe::ike(source, to))
    });
    let questions = to_listeners.chain(to_ike);
    questions.filter_map(|(question, to, frame)| Some((question, to, frame?)))
}

fn write(explanation: &Explanation, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", explanation.source)?;
    if explanation.entries.is_empty() {
        writeln!(out, "no entry speaks for it")?;
    }
    for entry in &explanation.entries {
        let opens =
            if entry.opens.is_empty() { "nothing".to_owned() } else { entry.opens.join(", ") };
        write!(out, "entry {}: {}, opens {opens}", entry.place, entry.proof)?;
        if let Some(peer) = &entry.peer {
            write!(out, ", peer {peer}")?;
        }
        if let Some([lowest, highest]) = entry.hop_limits {
            write!(out, ", hop limits {lowest} to {highest}")?;
        }
        if entry.only_in_ipsec {
            write!(out, ", in clear only out of IPsec")?;
        }
        match entry.expires_in_seconds {
            None => writeln!(out, ", lasts")?,
            Some(0) => writeln!(out, ", expired")?,
            Some(seconds) => writeln!(out, ", {seconds} s left")?,
        }
    }
    if let Some(count) = explanation.associations {
        writeln!(out, "IPsec associations with it: {count}")?;
    }
    match (&explanation.seen, &explanation.unseen_because) {
        (Some(seen), _) if seen.is_empty() => {
            writeln!(out, "\nnone of its packets was sampled lately: only drops are")?;
        }
        (Some(seen), _) => write_seen(seen, out)?,
        (None, because) => {
            let because = because.as_deref().unwrap_or("no daemon tells");
            writeln!(out, "\nwhat became of its packets is not known: {because}")?;
        }
    }
    writeln!(out, "\nnow, as the attached program says:")?;
    for answer in &explanation.now {
        let reasons = answer.reasons.join(" or ");
        let tone = if answer.action == "pass" { Tone::Good } else { Tone::Bad };
        let action = paint.tone(tone, answer.action);
        writeln!(out, "{} to {}: {action} ({reasons})", answer.question, answer.listener)?;
    }
    let drops: BTreeSet<_> = explanation
        .now
        .iter()
        .filter(|it| it.action == "drop")
        .flat_map(|it| &it.reasons)
        .collect();
    for reason in drops.into_iter().filter_map(|name| Reason::named(name)) {
        write!(out, "\n{}: {}", reason.name(), told(reason))?;
    }
    let count = explanation.questions_counted;
    writeln!(out, "\n{count} questions were counted like packets, and spent budgets like them")
}

fn write_seen(seen: &[Seen], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nits last packets that were sampled:")?;
    for seen in seen {
        let ago = humantime::format_duration(Duration::from_millis(seen.milliseconds_ago));
        let Judged { reason, verdict, passed, lane, carrier } = &seen.judged;
        let lane = lane.as_deref().unwrap_or("none");
        let passed = if *passed { ", passed" } else { "" };
        writeln!(
            out,
            "{ago} ago: {reason} ({verdict}{passed}), lane {lane}, {carrier} from port {} to {}",
            seen.source_port, seen.destination
        )?;
    }
    Ok(())
}
