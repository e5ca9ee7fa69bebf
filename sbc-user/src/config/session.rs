use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::values::from_text;
use crate::session::Rotation;

const SHORTEST_PERIOD: Duration = Duration::from_hours(1);
const LONGEST: Duration = Duration::from_hours(400 * 24);
/// More would make each start read, and each damaged file hide, more than anybody needs.
const MOST_KEYS: usize = 16;

/// `[session]`: what is relayed, and the tokens by which it finds its way.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Session {
    /// Whether addresses of the upstream leave sealed.
    pub hide_topology: bool,
    change_key_after: KeyTime,
    accept_old_key_for: KeyTime,
}

/// A time in the life of a routing key, up to 400 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyTime(Duration);

impl Session {
    /// When the routing key changes.
    #[must_use]
    pub const fn rotation(&self) -> Rotation {
        Rotation { period: self.change_key_after.0, overlap: self.accept_old_key_for.0 }
    }

    /// What is wrong with it, where a phone may stay registered for `longest_registration`.
    pub(super) fn problem(&self, longest_registration: Duration) -> Option<String> {
        let rotation = self.rotation();
        if rotation.period < SHORTEST_PERIOD {
            return Some("change-key-after is less than 1h".to_owned());
        }
        if rotation.overlap < longest_registration {
            return Some(
                "accept-old-key-for is less than [users] longest-registration: phones would be \
                 registered and not be reached"
                    .to_owned(),
            );
        }
        (rotation.keys_needed() > MOST_KEYS).then(|| {
            "accept-old-key-for is more than 14 times change-key-after: too many keys".to_owned()
        })
    }
}

impl Default for Session {
    fn default() -> Self {
        let week = KeyTime(Duration::from_hours(7 * 24));
        Self { hide_topology: true, change_key_after: week, accept_old_key_for: week }
    }
}

impl FromStr for KeyTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match humantime::parse_duration(text) {
            Err(error) => Err(format!("{text:?} is not a length of time such as \"7d\": {error}")),
            Ok(time) if time > LONGEST => Err(format!("{text:?} is more than 400 days")),
            Ok(time) => Ok(Self(time)),
        }
    }
}

from_text!(KeyTime);
