use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::contradiction::Found;
use super::upstream::one_or_more;
use super::values::from_text;
use super::{Assertables, Config, Lifetime, UserSource};
use crate::ldap::{Filter, LdapUrl, is_attribute};
use crate::proof::digest::Realm;

const MOST_SERVERS: usize = 8;
const MOST_ATTRIBUTES: usize = 16;

/// `[directory]`: who of the users may use what he proves, and who he may say to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directory {
    /// The servers, in the order in which they are asked.
    #[serde(deserialize_with = "one_or_more")]
    pub url: Vec<LdapUrl>,
    /// Whether TLS begins on a connection in clear, before anything is asked.
    #[serde(default)]
    pub start_tls: bool,
    /// The authorities that the servers' certificates must come from, PEM.
    pub ca: Option<PathBuf>,
    /// The account that asks; absent: nobody in particular.
    pub bind_dn: Option<String>,
    /// Where its password is.
    pub bind_password_file: Option<PathBuf>,
    /// What all entries stand below.
    pub base: String,
    /// Which of them are users that may be one.
    pub filter: Filter,
    /// Where the name stands that a user answers challenges with.
    pub user_attribute: String,
    /// Where stands who he may say to be; none: that stays as it is in the users' store.
    #[serde(default)]
    pub identity_attributes: Vec<String>,
    /// What he may say to be at most, whatever the directory says.
    pub may_assert: Option<Assertables>,
    /// The realm whose users are looked for in the directory; absent: the default one.
    pub realm: Option<String>,
    #[serde(default = "default_refresh")]
    refresh: Lifetime,
}

const fn default_refresh() -> Lifetime {
    Lifetime(Duration::from_mins(5))
}

impl Directory {
    /// How long after an answer it is asked again.
    #[must_use]
    pub const fn refresh(&self) -> Duration {
        self.refresh.0
    }

    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        let paths = self.ca.iter_mut().chain(&mut self.bind_password_file);
        paths.for_each(|path| *path = directory.join(&path));
    }
}

from_text!(LdapUrl);
from_text!(Filter);

pub(super) fn refuse(config: &Config) -> Result<(), Found> {
    let Some(directory) = &config.directory else { return Ok(()) };
    let refuse = |problem: String| Err(("[directory]".to_owned(), problem));
    let Some(users) = &config.users else {
        return refuse("there is no table [users]: nobody could prove to be in it".to_owned());
    };
    if users.store == UserSource::Upstream {
        let problem = "[users] store is \"upstream\": the directory is not asked about its users";
        return refuse(problem.to_owned());
    }
    if directory.url.is_empty() || directory.url.len() > MOST_SERVERS {
        return refuse(format!("url names no server, or more than {MOST_SERVERS}"));
    }
    for url in &directory.url {
        let is_host_in_clear = url.leaves_the_machine() && !url.is_secure();
        if directory.start_tls && url.is_secure() {
            return refuse(format!("start-tls is for ldap://, and {url} speaks TLS anyway"));
        }
        if is_host_in_clear && !directory.start_tls {
            return refuse(format!(
                "{url} is asked in clear: write ldaps://, or start-tls = true; ldap:// without it is \
                 for loopback addresses"
            ));
        }
    }
    let speaks_tls = directory.start_tls || directory.url.iter().any(LdapUrl::is_secure);
    if speaks_tls != directory.ca.is_some() {
        return refuse(
            if speaks_tls {
                "ca is missing: the authorities that the servers' certificates come from"
            } else {
                "ca is not used: no server is asked over TLS"
            }
            .to_owned(),
        );
    }
    if directory.bind_dn.is_some() != directory.bind_password_file.is_some() {
        return refuse("bind-dn and bind-password-file go together".to_owned());
    }
    if directory.bind_dn.as_ref().is_some_and(String::is_empty) {
        return refuse("bind-dn is empty".to_owned());
    }
    let attributes = &directory.identity_attributes;
    if attributes.len() > MOST_ATTRIBUTES {
        return refuse(format!("more than {MOST_ATTRIBUTES} identity-attributes"));
    }
    if attributes.is_empty() && directory.may_assert.is_some() {
        return refuse(
            "may-assert bounds what identity-attributes say, and there are none".to_owned(),
        );
    }
    for name in attributes.iter().chain([&directory.user_attribute]) {
        if !is_attribute(name.as_bytes()) {
            return refuse(format!("{name:?} is no attribute"));
        }
    }
    if let Some(realm) = &directory.realm
        && let Err(problem) = Realm::new(realm)
    {
        return refuse(problem.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::{BASE, config, parse};

    const DIRECTORY: &str = "[directory]\nurl = \"ldaps://dc1.example\"\nca = \"ca.pem\"\n\
        base = \"DC=example\"\nfilter = \"(objectClass=person)\"\nuser-attribute = \"uid\"\n";

    #[test]
    fn a_directory_is_asked_every_five_minutes_with_files_beside_the_configuration() {
        let more = "bind-dn = \"cn=sbc\"\nbind-password-file = \"password\"\n\
            identity-attributes = [\"mail\"]\nmay-assert = [\"*@example.com\"]\n";
        let directory = config(&format!("{DIRECTORY}{more}")).directory.unwrap();
        assert_eq!(directory.refresh(), Duration::from_mins(5));
        assert_eq!(directory.ca.as_deref(), Some(Path::new("/etc/sbc/ca.pem")));
        assert_eq!(directory.bind_password_file.as_deref(), Some(Path::new("/etc/sbc/password")));
        let two = DIRECTORY.replace("\"ldaps://dc1.example\"", "[\"ldaps://a\", \"ldaps://b\"]");
        assert_eq!(config(&two).directory.unwrap().url.len(), 2);
    }

    #[test]
    fn what_would_be_said_in_clear_or_cannot_be_meant_is_refused() {
        let with = |old: &str, new: &str| {
            assert!(DIRECTORY.contains(old));
            DIRECTORY.replace(old, new)
        };
        let in_clear = with("ldaps://dc1", "ldap://dc1");
        for (tail, expected) in [
            (in_clear.clone(), "is asked in clear"),
            (with("ldaps://dc1.example", "ldap://localhost"), "is asked in clear"),
            (format!("{DIRECTORY}start-tls = true\n"), "speaks TLS anyway"),
            (with("ca = \"ca.pem\"\n", ""), "ca is missing"),
            (with("ldaps://dc1.example", "ldap://127.0.0.1"), "ca is not used"),
            (with("\"ldaps://dc1.example\"", "[]"), "names no server"),
            (with("dc1.example", "dc1.example/DC=example"), "is not a directory's URL"),
            (with("(objectClass=person)", "(objectClass=person"), "no closing parenthesis"),
            (with("\"uid\"", "\"u id\""), "\"u id\" is no attribute"),
            (format!("{DIRECTORY}identity-attributes = [\"\"]\n"), "\"\" is no attribute"),
            (format!("{DIRECTORY}bind-dn = \"cn=sbc\"\n"), "go together"),
            (format!("{DIRECTORY}may-assert = [\"*\"]\n"), "there are none"),
            (format!("{DIRECTORY}realm = \"\"\n"), "realm"),
        ] {
            let error = parse(&format!("{BASE}{tail}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let tls = format!("{in_clear}start-tls = true\n");
        config(&tls);
        let (nobody, _) = BASE.split_once("[users]").unwrap();
        let error = parse(&format!("{nobody}{DIRECTORY}")).unwrap_err().to_string();
        assert!(error.contains("no table [users]"), "{error}");
    }

    #[test]
    fn users_whom_the_upstream_knows_are_not_looked_for_in_a_directory() {
        let stored = "store = \"file:users.toml\"\nalgorithms = [\"SHA-256\", \"MD5\"]\n";
        assert!(BASE.contains(stored));
        let upstream =
            BASE.replace(stored, "store = \"upstream\"\nupstream = { realm = \"asterisk\" }\n");
        parse(&upstream).unwrap();
        let error = parse(&format!("{upstream}{DIRECTORY}")).unwrap_err().to_string();
        assert!(error.contains("the directory is not asked about its users"), "{error}");
    }
}
