use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

use super::values::from_text;
use super::{Assertables, Permissions, Rate};
use crate::proof::digest::{Algorithm, Realm};

/// `[users.upstream]`: users whose passwords the upstream alone has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpstreamUsers {
    realm: UpstreamRealm,
    /// The algorithm of the first challenge, which is ours: that of the upstream's.
    #[serde(default = "default_algorithm")]
    pub algorithm: Algorithm,
    /// Whether From has to have the name that the user authenticates with, and To of a registration.
    #[serde(default = "default_own_name")]
    pub own_name: bool,
    /// What any of them may claim in From, and To of a registration; absent: everything.
    pub may_assert: Option<Assertables>,
    /// How many requests of all who are not proven reach the upstream.
    #[serde(default = "default_budget")]
    pub budget: Rate,
    /// How many of one address, or IPv6 /64.
    #[serde(default = "default_budget_per_source")]
    pub budget_per_source: Rate,
}

#[derive(Clone, Debug)]
struct UpstreamRealm(Realm);

impl UpstreamUsers {
    /// The realm of the upstream's challenges.
    #[must_use]
    pub const fn realm(&self) -> &Realm {
        &self.realm.0
    }

    /// What each of them may say.
    #[must_use]
    pub fn permissions(&self) -> Arc<Permissions> {
        Arc::new(Permissions { may_assert: self.may_assert.clone(), ..Permissions::default() })
    }
}

impl FromStr for UpstreamRealm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Realm::new(text).map(Self).map_err(|error| error.to_string())
    }
}

from_text!(UpstreamRealm);

/// What telephone systems ask for that know no other.
const fn default_algorithm() -> Algorithm {
    Algorithm::MD5
}

const fn default_own_name() -> bool {
    true
}

const fn default_budget() -> Rate {
    Rate::new(100, 1000)
}

const fn default_budget_per_source() -> Rate {
    Rate::new(10, 200)
}

#[cfg(test)]
mod tests {
    use crate::config::sample;

    fn read(users: &str, more: &str) -> Result<(), String> {
        let start = sample::BASE.split("[users]").next().unwrap_or_default();
        let text = format!("{start}[users]\n{users}\n{more}");
        sample::parse(&text).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn users_of_the_upstream_have_a_realm_and_no_file() {
        let upstream = "store = \"upstream\"\nupstream = { realm = \"asterisk\" }";
        assert_eq!(read(upstream, ""), Ok(()));
        for (users, more, problem) in [
            ("store = \"upstream\"", "", "[users.upstream]"),
            ("store = \"file:u\"\nupstream.realm = \"a\"", "", "store = \"upstream\""),
            ("store = \"upstream\"\nupstream.realm = \"a\\\"b\"", "", "quote"),
            (&format!("{upstream}\nalgorithms = [\"MD5\"]"), "", "algorithms"),
            (upstream, "[digest]\nbind-nonce = \"none\"", "bind-nonce"),
            (
                "store = \"upstream\"\nupstream = { realm = \"a\", budget = \"5/s\" }",
                "",
                "budget-per-source",
            ),
        ] {
            let error = read(users, more).unwrap_err();
            assert!(error.contains(problem), "{users}: {error}");
        }
    }
}
