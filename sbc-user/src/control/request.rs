use std::net::IpAddr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use sbc_common::{Carrier, Lane, MonotonicNanos, Reason};
use serde::{Deserialize, Serialize};

use super::WantedMode;
use crate::samples::{Sample, SampleFilter};

/// The longest line in either direction, in bytes: 64 networks, or a sample.
pub const LONGEST_LINE: usize = 16 * 1024;

/// Characters of a holder's name in a [`SampleLine`].
const LONGEST_HOLDER: usize = 256;

/// What the daemon can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// For a [`Status`](crate::border::Status).
    Status,
    /// For the last samples from an address.
    Seen {
        /// The address.
        address: IpAddr,
        /// The port, if not any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
    },
    /// To end the bans that speak for an address, or all; for the places.
    Lift {
        /// The address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
    },
    /// To change the mode of the filter.
    #[serde(rename_all = "kebab-case")]
    Mode {
        /// What it shall be.
        mode: WantedMode,
        /// For how many seconds, unless it is confirmed: only of enforcing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_seconds: Option<u64>,
    },
    /// To make the mode stay that is on trial.
    Confirm,
    /// For samples as they come.
    Capture(CaptureRequest),
    /// To read the configuration anew; for what came of it, a [`Reloaded`].
    Reload,
    /// For the [`Fingerprints`](crate::config::Fingerprints) of the configuration in force.
    Configuration,
    /// For the [`Versions`] that are understood.
    Version,
}

impl Request {
    /// Says whether nothing is changed by it and nothing told of what strangers have sent: whoever may ask at all may
    /// ask it.
    #[must_use]
    pub const fn is_harmless(&self) -> bool {
        match self {
            Self::Status | Self::Version => true,
            Self::Seen { .. }
            | Self::Lift { .. }
            | Self::Capture(_)
            | Self::Mode { .. }
            | Self::Confirm
            | Self::Reload
            | Self::Configuration => false,
        }
    }
}

/// The version of the protocol that is spoken here.
pub const VERSION: u32 = 1;

/// Which versions of the protocol the daemon understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Versions {
    /// The oldest.
    pub oldest: u32,
    /// The newest.
    pub newest: u32,
    /// That of the program.
    pub program: String,
}

/// What came of it that the configuration was read anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reloaded {
    /// The file.
    pub file: PathBuf,
    /// How many peers there are.
    pub peers: usize,
    /// How many users.
    pub users: usize,
    /// The mode of the filter.
    pub mode: String,
    /// How many users lost what they had proved.
    pub disproved: usize,
    /// How many connections were cut.
    pub cut: usize,
    /// What is hardly meant.
    pub warnings: Vec<String>,
}

/// Who wants the configuration to be read anew is told what came of it.
pub type Ask = tokio::sync::oneshot::Sender<Result<Reloaded, String>>;

/// Reads a request, and says what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Request, String> {
    let unreadable = |error: serde_json::Error| format!("what was asked cannot be read: {error}");
    let mut asked: serde_json::Map<_, _> = serde_json::from_slice(line).map_err(unreadable)?;
    let version = asked.remove("version");
    if version.as_ref().is_some_and(|version| *version != VERSION) {
        let version = version.unwrap_or_default();
        return Err(format!("version {version} of the protocol is not spoken here, but {VERSION}"));
    }
    Request::deserialize(serde_json::Value::Object(asked)).map_err(unreadable)
}

/// Writes a request in a line.
pub(super) fn line(request: &Request) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Versioned<'r> {
        version: u32,
        #[serde(flatten)]
        request: &'r Request,
    }
    let mut line = serde_json::to_vec(&Versioned { version: VERSION, request })?;
    line.push(b'\n');
    Ok(line)
}

/// Which samples are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct CaptureRequest {
    /// Names of reasons; any, if there are none.
    pub reasons: Vec<String>,
    /// Networks that they come from; any, if there are none.
    pub sources: Vec<IpNet>,
    /// Those that are kept come first.
    pub recent: bool,
}

/// One line of a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureLine {
    /// A sample.
    Sample(Box<SampleLine>),
    /// Those that were kept have been sent; what follows comes as it happens.
    Live,
    /// So many samples were not sent up to now: too many others waited for their asker.
    Missed(u64),
    /// There will be no capture.
    Refused(String),
}

/// How a packet was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// The verdict's reason.
    pub reason: String,
    /// `pass` or `drop`.
    pub verdict: String,
    /// It went on although the verdict says drop.
    pub passed: bool,
    /// The proof of the source's entry.
    pub lane: Option<String>,
    /// What was carried.
    pub carrier: String,
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampleLine {
    /// Nanoseconds since 1970.
    pub at: u64,
    /// How it was judged.
    #[serde(flatten)]
    pub judged: Judged,
    /// The peer or user whom the source belongs to, as the line is written: "peer NAME", of which a long
    /// one is cut.
    pub holder: Option<String>,
    /// The index of the interface that it arrived on.
    pub interface: u32,
    /// Its name, as the line is written.
    pub interface_name: String,
    /// The length of the frame in bytes.
    pub length: u32,
    /// Its beginning, base64 (RFC 4648 §4).
    pub frame: String,
}

/// Somebody's packet, as far as the daemon remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seen {
    /// How long ago it was judged.
    pub milliseconds_ago: u64,
    /// How it was judged.
    #[serde(flatten)]
    pub judged: Judged,
    /// The source port; zero if it is not known.
    pub source_port: u16,
    /// Where it went; a port that is not known is zero.
    pub destination: String,
}

impl CaptureRequest {
    /// The same in our words, or what is wrong with it.
    pub fn filter(&self) -> Result<SampleFilter, String> {
        if self.sources.len() > SampleFilter::MOST_SOURCES {
            return Err(format!("more than {} sources", SampleFilter::MOST_SOURCES));
        }
        let named = |name: &String| {
            let reason =
                Reason::named(name).ok_or_else(|| format!("there is no reason {name:?}"))?;
            if !reason.is_sampled() {
                return Err(format!("{name} is not sampled: only drops are, and suspect-source"));
            }
            Ok(reason)
        };
        let mut reasons = self.reasons.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        reasons.sort_unstable();
        reasons.dedup();
        Ok(SampleFilter { reasons, sources: self.sources.clone() })
    }
}

impl Judged {
    fn of(sample: &Sample) -> Self {
        let verdict = sample.verdict;
        Self {
            reason: verdict.reason.name().to_owned(),
            verdict: verdict.action().name().to_owned(),
            passed: sample.passed,
            lane: verdict.lane.map(Lane::name).map(str::to_owned),
            carrier: Carrier::name(verdict.carrier).to_owned(),
        }
    }
}

impl SampleLine {
    /// Describes a sample.
    #[must_use]
    pub fn of(sample: &Sample, holder: Option<String>, interface_name: String) -> Self {
        Self {
            at: sample.at,
            judged: Judged::of(sample),
            holder: holder.map(|holder| holder.chars().take(LONGEST_HOLDER).collect()),
            interface: sample.interface,
            interface_name,
            length: sample.length,
            frame: STANDARD.encode(&sample.kept),
        }
    }

    /// The beginning of the frame.
    pub fn bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(&self.frame)
    }
}

impl Seen {
    /// Describes a sample, `now` later.
    #[must_use]
    pub fn of(sample: &Sample, now: MonotonicNanos) -> Self {
        Self {
            milliseconds_ago: now.0.saturating_sub(sample.monotonic.0) / 1_000_000,
            judged: Judged::of(sample),
            source_port: sample.ends.map_or(0, |[source, _]| source.port()),
            destination: sample.ends.map_or_else(String::new, |[_, to]| to.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sbc_common::{Event, Verdict};

    use super::*;

    #[test]
    fn requests_read_as_they_are_documented() {
        let seen = Request::Seen { address: "198.51.100.7".parse().unwrap(), port: Some(5070) };
        let capture = CaptureRequest {
            reasons: vec!["unknown-source".to_owned()],
            sources: vec!["198.51.100.0/24".parse().unwrap()],
            recent: true,
        };
        let lasting = Request::Mode { mode: WantedMode::Observe, for_seconds: None };
        let trial = Request::Mode { mode: WantedMode::Enforce, for_seconds: Some(600) };
        for (text, request) in [
            (r#"{"ask":"status"}"#, Request::Status),
            (r#"{"ask":"lift"}"#, Request::Lift { address: None }),
            (r#"{"ask":"confirm"}"#, Request::Confirm),
            (r#"{"ask":"mode","mode":"observe"}"#, lasting),
            (r#"{"ask":"mode","mode":"enforce","for-seconds":600}"#, trial),
            (r#"{"ask":"seen","address":"198.51.100.7","port":5070}"#, seen),
            (
                r#"{"ask":"capture","reasons":["unknown-source"],"sources":["198.51.100.0/24"],"recent":true}"#,
                Request::Capture(capture),
            ),
        ] {
            assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
        }
        let least: Request = serde_json::from_str(r#"{"ask":"capture"}"#).unwrap();
        assert_eq!(least, Request::Capture(CaptureRequest::default()));
        let mistyped = r#"{"ask":"capture","source":["198.51.100.0/24"]}"#;
        for text in ["", "{}", r#"{"ask":"everything"}"#, r#"{"ask":"seen"}"#, mistyped] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_request_of_another_version_is_refused_by_name() {
        for (text, expected) in [
            (r#"{"ask":"status"}"#, Ok(Request::Status)),
            (r#"{"version":1,"ask":"status"}"#, Ok(Request::Status)),
            (r#"{"version":2,"ask":"status"}"#, Err("version 2 of the protocol is not spoken")),
            (r#"{"version":"1","ask":"status"}"#, Err("version \"1\"")),
            (r#"{"version":2,"ask":"what comes later"}"#, Err("version 2")),
            (r#"{"version":1,"ask":"lift","more":1}"#, Err("cannot be read")),
            ("[]", Err("cannot be read")),
        ] {
            match (read(text.as_bytes()), expected) {
                (Ok(request), Ok(expected)) => assert_eq!(request, expected),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
        for request in [Request::Version, Request::Reload, Request::Configuration] {
            assert_eq!(read(&line(&request).unwrap()), Ok(request));
        }
    }

    #[test]
    fn what_is_not_sampled_cannot_be_captured() {
        let refusal = |reasons: &[&str], sources: usize| {
            let reasons = reasons.iter().map(|&reason| reason.to_owned()).collect();
            let sources = vec!["::/0".parse().unwrap(); sources];
            CaptureRequest { reasons, sources, recent: false }.filter().err()
        };
        assert_eq!(refusal(&["unknown-source", "suspect-source"], 64), None);
        assert!(refusal(&["not-ip"], 0).unwrap().contains("not-ip is not sampled"));
        assert!(refusal(&["nonsense"], 0).unwrap().contains("no reason \"nonsense\""));
        assert!(refusal(&[], 65).unwrap().contains("more than 64"));
    }

    #[test]
    fn a_capture_can_be_asked_for_in_a_line() {
        let most = CaptureRequest {
            reasons: Reason::ALL.iter().map(|reason| reason.name().to_owned()).collect(),
            sources: vec!["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128".parse().unwrap(); 64],
            recent: true,
        };
        let longest = serde_json::to_vec(&Request::Capture(most)).unwrap();
        assert!(longest.len() < LONGEST_LINE / 2, "{}", longest.len());
    }

    #[test]
    fn a_sample_fits_into_a_line_whoever_holds_its_source() {
        let sample = Sample {
            at: u64::MAX,
            monotonic: MonotonicNanos(u64::MAX),
            verdict: Verdict::unread(Reason::TooManyExtensionHeaders),
            passed: true,
            interface: u32::MAX,
            length: u32::MAX,
            kept: [0xff; Event::SNAPPED].into(),
            ends: None,
        };
        // The longest escape of JSON, in a name that is too long.
        let holder = "\u{1}".repeat(2 * LONGEST_LINE);
        let line = SampleLine::of(&sample, Some(holder), "i".repeat(16));
        let longest = serde_json::to_vec(&CaptureLine::Sample(Box::new(line))).unwrap();
        assert!(longest.len() < LONGEST_LINE / 2, "{}", longest.len());
    }
}
