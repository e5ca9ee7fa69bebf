//! What a file says, key by key, to be compared with what another says.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use toml::{Table, Value};

use super::{Config, fixed_keys};

const SALT: usize = 32;
/// Bytes of a fingerprint.
const LENGTH: usize = 16;

/// The keys of a file with their values, in one spelling: `unknown.action`, `peer "carrier-a".sources`.
#[derive(Clone, Debug, Default)]
pub struct Outline(BTreeMap<String, String>);

/// What tells whether another file has the same keys with the same values, and tells nothing of these: some are secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fingerprints {
    /// Another one each time, so that nobody has them beforehand; in hexadecimal digits.
    salt: String,
    keys: BTreeMap<String, String>,
}

/// In which keys a configuration differs from the one in force. A table that is there once, such as a peer, is one key
/// where all of it is new or gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changes {
    /// Keys and tables that are new.
    pub added: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
    /// Keys that have another value.
    pub changed: Vec<String>,
    /// Those of all these whose change takes a restart.
    pub need_restart: Vec<String>,
}

impl Changes {
    /// Says whether there are none.
    #[must_use]
    pub const fn are_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Config {
    /// What tells whether another configuration says the same, key by key, and nothing else.
    #[must_use]
    pub fn fingerprints(&self) -> Fingerprints {
        self.outline.fingerprints()
    }

    /// What changes if this configuration takes the place of the one that these are of.
    #[must_use]
    pub fn changes_since(&self, before: &Fingerprints) -> Changes {
        self.outline.changes_since(before)
    }
}

impl Outline {
    /// That of a text that was read as a configuration; of any other, nothing.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut outline = Self::default();
        if let Ok(table) = text.parse::<Table>() {
            outline.add_table("", &table);
        }
        outline
    }

    fn add_table(&mut self, place: &str, table: &Table) {
        for (key, value) in table {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            self.add(place, value);
        }
    }

    fn add(&mut self, place: String, value: &Value) {
        let name: fn(usize, &Table) -> Option<String> = match place.as_str() {
            "peer" => |_, peer| Some(format!("{:?}", peer.get("name")?.as_str()?)),
            "listen" => |_, listen| {
                let part = |key: &str| listen.get(key)?.as_str();
                Some(format!("\"{} {}\"", part("transport")?, part("address")?))
            },
            "route" => |position, _| Some((position + 1).to_string()),
            _ => |_, _| None,
        };
        match value {
            Value::Table(table) => self.add_table(&place, table),
            Value::Array(values) => {
                let mut rest = Vec::new();
                for (position, value) in values.iter().enumerate() {
                    let table = value.as_table();
                    match table.and_then(|table| Some((name(position, table)?, table))) {
                        Some((name, table)) => self.add_table(&format!("{place} {name}"), table),
                        None => rest.push(value.clone()),
                    }
                }
                if !rest.is_empty() || values.is_empty() {
                    self.0.insert(place, Value::Array(rest).to_string());
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => {
                self.0.insert(place, value.to_string());
            }
        }
    }

    /// Its fingerprints. Without randomness there is nothing to compare with.
    #[must_use]
    pub fn fingerprints(&self) -> Fingerprints {
        let mut salt = [0; SALT];
        let keys = match getrandom::fill(&mut salt) {
            Ok(()) => self.salted(hexadecimal(&salt).as_bytes()),
            Err(_) => BTreeMap::new(),
        };
        Fingerprints { salt: hexadecimal(&salt), keys }
    }

    fn salted(&self, salt: &[u8]) -> BTreeMap<String, String> {
        let fingerprint = |value: &str| {
            let mut hash = Hmac::<Sha256>::new_from_slice(salt).ok()?;
            hash.update(value.as_bytes());
            let hash = hash.finalize().into_bytes();
            Some(hexadecimal(hash.get(..LENGTH)?))
        };
        let salted = |(key, value): (&String, &String)| Some((key.clone(), fingerprint(value)?));
        self.0.iter().filter_map(salted).collect()
    }

    /// What changes if this takes the place of what `before` are the fingerprints of.
    #[must_use]
    pub fn changes_since(&self, before: &Fingerprints) -> Changes {
        let now = self.salted(before.salt.as_bytes());
        Changes::between(&before.keys, &now)
    }
}

impl Changes {
    fn between(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Self {
        let missing = |from: &BTreeMap<String, String>, to: &BTreeMap<String, String>| {
            let tables: BTreeSet<&str> = to.keys().filter_map(|key| table_of(key)).collect();
            let missing = from.keys().filter(|key| !to.contains_key(*key));
            let missing = missing.map(|key| match table_of(key) {
                Some(table) if !tables.contains(table) => table.to_owned(),
                Some(_) | None => key.clone(),
            });
            missing.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let (added, removed) = (missing(now, before), missing(before, now));
        let is_other = |(key, value): &(&String, &String)| {
            before.get(*key).is_some_and(|before| before != *value)
        };
        let changed: Vec<_> = now.iter().filter(is_other).map(|(key, _)| key.clone()).collect();
        let all = added.iter().chain(&removed).chain(&changed);
        let has = |keys: &BTreeMap<String, String>, table: &str| {
            keys.keys().any(|key| key.starts_with(table))
        };
        let comes_or_goes = |table: &str| has(before, table) != has(now, table);
        let is_fixed = |key: &&String| match key.as_str() {
            "users.remembered-nonces" => !comes_or_goes("users."),
            key if key.starts_with("upstream.tls.") => comes_or_goes("upstream.tls."),
            key => table_of(key).map_or_else(
                || fixed_keys().any(|fixed| fixed == key),
                |table| table == key && table.starts_with("listen "),
            ),
        };
        let need_restart = all.filter(is_fixed).cloned().collect();
        Self { added, removed, changed, need_restart }
    }
}

/// The table of a list that a key is in: `peer "carrier-a"` of `peer "carrier-a".sources`.
fn table_of(key: &str) -> Option<&str> {
    let (list, rest) = key.split_once(' ')?;
    let name = match rest.strip_prefix('"') {
        // What stands in quotes has them escaped.
        Some(quoted) => {
            let mut escaped = false;
            let end = quoted.char_indices().find(|(_, it)| {
                let is_end = *it == '"' && !escaped;
                escaped = *it == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |(end, _)| end + 2)
        }
        None => rest.find('.').unwrap_or(rest.len()),
    };
    key.get(..list.len() + 1 + name)
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::needing_restart;
    use crate::config::sample::{BASE, parse};

    const PEERS: &str = "[[peer]]\nname = \"a\"\nrequire = [\"static\"]\nsources = [\"192.0.2.1\"]\n\
        opens = [\"udp\"]\n[[peer]]\nname = \"b.\\\"c\"\nrequire = [\"static\"]\n\
        sources = [\"192.0.2.2\"]\nopens = [\"udp\"]\n";

    fn changes(from: &str, to: &str) -> Changes {
        let before = Outline::of(from).fingerprints();
        let text = serde_json::to_string(&before).unwrap();
        assert!(!text.contains("192.0.2"), "{text}");
        Outline::of(to).changes_since(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn what_another_file_changes_is_told_by_key_and_by_table() {
        let base = format!("{BASE}\n{PEERS}");
        for (old, new, added, removed, changed, need_restart) in [
            ("", "", &[][..], &[][..], &[][..], &[][..]),
            ("version = 1", "version = 1 # the same", &[], &[], &[], &[]),
            ("\"192.0.2.1\"", "\"192.0.2.3\"", &[], &[], &["peer \"a\".sources"], &[]),
            ("name = \"a\"", "name = \"d\"", &["peer \"d\""], &["peer \"a\""], &[], &[]),
            (
                "name = \"b.\\\"c\"",
                "name = \"b.\\\"d\"",
                &["peer \"b.\\\"d\""],
                &["peer \"b.\\\"c\""],
                &[],
                &[],
            ),
            ("version = 1", "version = 1\nmode = \"enforce\"", &["mode"], &[], &[], &[]),
            (
                "name = \"eth0\"",
                "name = \"eth1\"",
                &[],
                &[],
                &["interface.outside.name"],
                &["interface.outside.name"],
            ),
            (
                "\"tcp\"\naddress = \"203.0.113.1:5060\"",
                "\"tcp\"\naddress = \"203.0.113.1:5062\"",
                &["listen \"tcp 203.0.113.1:5062\""],
                &["listen \"tcp 203.0.113.1:5060\""],
                &[],
                &["listen \"tcp 203.0.113.1:5062\"", "listen \"tcp 203.0.113.1:5060\""],
            ),
            (
                "address = \"203.0.113.1:5061\"",
                "address = \"203.0.113.1:5061\"\nclient-certificate = \"request\"",
                &["listen \"tls 203.0.113.1:5061\".client-certificate"],
                &[],
                &[],
                &[],
            ),
            (
                "sources-per-user = 2",
                "sources-per-user = 2\nremembered-nonces = 9",
                &["users.remembered-nonces"],
                &[],
                &[],
                &["users.remembered-nonces"],
            ),
        ] {
            let next = base.replacen(old, new, usize::from(!old.is_empty()));
            let told = changes(&base, &next);
            assert_eq!(told.added, added, "{new}");
            assert_eq!(told.removed, removed, "{new}");
            assert_eq!(told.changed, changed, "{new}");
            assert_eq!(told.need_restart, need_restart, "{new}");
            // Whoever reloads finds the same.
            let (before, next) = (parse(&base).unwrap(), parse(&next).unwrap());
            assert_eq!(
                needing_restart(&before, &next).is_empty(),
                need_restart.is_empty(),
                "{new}"
            );
        }
    }

    #[test]
    fn users_and_certificates_of_the_upstream_that_come_or_go() {
        let tls = "\n[upstream.tls]\ncertificate = \"a\"\nkey = \"b\"\nca = \"c\"\n";
        let with = format!("{BASE}{tls}");
        assert_eq!(changes(BASE, &with).need_restart.len(), 3);
        assert_eq!(changes(&with, &with.replace("\"c\"", "\"d\"")).need_restart, [""; 0]);
        let nobody = BASE.split("[users]").next().unwrap_or_default();
        let told = changes(nobody, &format!("{BASE}remembered-nonces = 9\n"));
        assert!(told.added.len() > 3 && told.need_restart.is_empty(), "{told:?}");
    }
}
