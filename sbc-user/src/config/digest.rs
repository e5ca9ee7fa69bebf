use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::values::from_text;
use crate::proof::digest::{Allowance, NonceBinding, OfferedQops};

const MOST_FAILURES: u32 = 10_000;
const LONGEST: Duration = Duration::from_hours(24);

/// `[digest]`: how users are challenged, and how often they may fail.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Digest {
    /// What responses may protect, preferred first.
    pub qop: OfferedQops,
    /// Whether clients may send a hash instead of the user's name.
    pub userhash: bool,
    /// From where a client may use a nonce.
    #[serde(deserialize_with = "nonce_binding")]
    pub bind_nonce: NonceBinding,
    failed_proofs_per_source: FailedProofs,
    failed_proofs_per_user: FailedProofs,
}

/// How many proofs may fail in which time: `20 in 5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailedProofs(pub(super) Allowance);

impl Digest {
    /// How many proofs may fail from one source.
    #[must_use]
    pub const fn failures_per_source(&self) -> Allowance {
        self.failed_proofs_per_source.0
    }

    /// How many proofs may fail for one user.
    #[must_use]
    pub const fn failures_per_user(&self) -> Allowance {
        self.failed_proofs_per_user.0
    }
}

impl Default for Digest {
    fn default() -> Self {
        let failures = |failures| Allowance { failures, within: Duration::from_mins(5) };
        Self {
            qop: OfferedQops::default(),
            userhash: false,
            bind_nonce: NonceBinding::default(),
            failed_proofs_per_source: FailedProofs(failures(20)),
            failed_proofs_per_user: FailedProofs(failures(50)),
        }
    }
}

impl FromStr for FailedProofs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not a number in a time such as \"20 in 5m\"");
        let (failures, within) = text.split_once(" in ").ok_or_else(wrong)?;
        let failures = failures.trim().parse().map_err(|_| wrong())?;
        let within = humantime::parse_duration(within.trim()).map_err(|_| wrong())?;
        if !(1..=MOST_FAILURES).contains(&failures) {
            return Err(format!("{text:?} is not a number from 1 to {MOST_FAILURES}"));
        }
        if !(Duration::from_secs(1)..=LONGEST).contains(&within) {
            return Err(format!("{text:?} is not a time from 1s to 1day"));
        }
        Ok(Self(Allowance { failures, within }))
    }
}

from_text!(FailedProofs);

fn nonce_binding<'de, D: Deserializer<'de>>(value: D) -> Result<NonceBinding, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Written {
        AddressAndPort,
        Address,
        None,
    }
    Ok(match Written::deserialize(value)? {
        Written::AddressAndPort => NonceBinding::AddressAndPort,
        Written::Address => NonceBinding::Address,
        Written::None => NonceBinding::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_a_number_in_a_time() {
        let read: FailedProofs = "20 in 5m".parse().unwrap();
        assert_eq!(read.0, Allowance { failures: 20, within: Duration::from_mins(5) });
        for text in ["20", "20/5m", "0 in 5m", "-1 in 5m", "20 in 0s", "20 in 2days", "a in b"] {
            assert!(text.parse::<FailedProofs>().is_err(), "{text}");
        }
    }
}
