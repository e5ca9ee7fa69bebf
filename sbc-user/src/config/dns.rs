use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::values::{Lifetime, from_text};
use super::{SipTarget, TargetHost};

/// `[dns]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dns {
    /// The servers; none for those of `/etc/resolv.conf`.
    #[serde(default)]
    pub servers: Vec<SocketAddr>,
    grace: Option<Lifetime>,
    confirm: Option<Lifetime>,
    longest_silence: Option<Lifetime>,
    addresses_per_name: Option<NonZeroUsize>,
}

const GRACE: Duration = Duration::from_mins(10);
const CONFIRM: Duration = Duration::from_mins(1);
const LONGEST_SILENCE: Duration = Duration::from_hours(24);
const ADDRESSES_PER_NAME: usize = 16;
/// More do not fit into an answer that anybody would write by hand.
const MOST_ADDRESSES_PER_NAME: usize = 64;
/// The pause between two looks at what has ended, several times.
const SHORTEST_GRACE: Duration = Duration::from_secs(10);

impl Dns {
    /// How long an address of a peer is still believed in that the DNS does not give any more.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace.map_or(GRACE, |it| it.0)
    }

    /// How long the DNS has to give a new address of a peer before that is believed.
    #[must_use]
    pub fn confirm(&self) -> Duration {
        self.confirm.map_or(CONFIRM, |it| it.0)
    }

    /// How long the last answer about a peer holds while there is no other.
    #[must_use]
    pub fn longest_silence(&self) -> Duration {
        self.longest_silence.map_or(LONGEST_SILENCE, |it| it.0)
    }

    /// How many addresses a name of a peer may have.
    #[must_use]
    pub fn addresses_per_name(&self) -> usize {
        self.addresses_per_name.map_or(ADDRESSES_PER_NAME, NonZeroUsize::get)
    }

    pub(super) fn problem(&self) -> Option<String> {
        if self.grace() < SHORTEST_GRACE {
            Some("grace is less than 10s: it would end between two looks".to_owned())
        } else if self.confirm() >= self.grace() {
            Some(
                "confirm is not less than grace: who moves would be out before he is in".to_owned(),
            )
        } else if self.longest_silence() < self.grace() {
            Some("longest-silence is less than grace".to_owned())
        } else if self.addresses_per_name() > MOST_ADDRESSES_PER_NAME {
            Some(format!("addresses-per-name is more than {MOST_ADDRESSES_PER_NAME}"))
        } else {
            None
        }
    }
}

/// A name whose addresses in the DNS are a peer's, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerName(Box<str>);

impl PeerName {
    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PeerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not a host name such as sip.carrier.example");
        let target: SipTarget = format!("sip:{text}").parse().map_err(|_| wrong())?;
        let name = match target.host {
            TargetHost::Name(ref name) => name.trim_end_matches('.'),
            TargetHost::Address(_) => return Err(wrong()),
        };
        let is_whole = target.port.is_none() && text.len() <= 253 && name.contains('.');
        let is_bare = text.trim_end_matches('.').eq_ignore_ascii_case(name);
        if is_whole && is_bare { Ok(Self(name.into())) } else { Err(wrong()) }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

from_text!(PeerName);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::parse;

    #[test]
    fn a_name_is_a_whole_host_name_and_nothing_else() {
        for (text, name) in [
            ("sip.carrier.example", Some("sip.carrier.example")),
            ("SIP.Carrier.example.", Some("sip.carrier.example")),
            ("carrier", None),
            ("192.0.2.1", None),
            ("[2001:db8::1]", None),
            ("2001:db8::1", None),
            ("sip.carrier.example:5060", None),
            ("sip:sip.carrier.example", None),
            ("a@sip.carrier.example", None),
            ("sip.carrier.example;transport=udp", None),
            ("*.carrier.example", None),
            ("", None),
            (".", None),
        ] {
            let parsed: Result<PeerName, _> = text.parse();
            assert_eq!(parsed.ok().as_ref().map(PeerName::as_str), name, "{text}");
        }
    }

    #[test]
    fn times_that_do_not_go_together_are_refused() {
        for (table, problem) in [
            ("grace = \"10s\"\nconfirm = \"1s\"\nlongest-silence = \"10s\"", None),
            ("grace = \"9s\"\nconfirm = \"1s\"", Some("grace is less than 10s")),
            ("grace = \"1m\"\nconfirm = \"1m\"", Some("confirm is not less than grace")),
            ("longest-silence = \"9m\"", Some("longest-silence is less than grace")),
            ("addresses-per-name = 64", None),
            ("addresses-per-name = 65", Some("addresses-per-name is more than 64")),
        ] {
            let text = format!("{}\n[dns]\n{table}", crate::config::sample::BASE);
            let told = parse(&text).err().map(|error| error.to_string());
            match problem {
                None => assert_eq!(told, None, "{table}"),
                Some(problem) => assert!(told.unwrap().contains(problem), "{table}"),
            }
        }
    }
}
