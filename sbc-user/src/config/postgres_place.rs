use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

/// The port of `PostgreSQL` where none is named.
const PORT: u16 = 5432;

/// A database of `PostgreSQL`, and who we are there: `postgres://sbc@db.example:5432/sbc`, or through the socket in a
/// directory: `postgres://sbc@/run/postgresql/sbc`. A password has no place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresPlace {
    /// Our name there.
    pub user: String,
    /// Where it listens.
    pub host: PostgresHost,
    /// The port; in a directory it tells the socket's name.
    pub port: u16,
    /// The database.
    pub database: String,
}

/// Where a database listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresHost {
    /// The directory of a Unix socket.
    Directory(PathBuf),
    /// An address.
    Address(IpAddr),
    /// A name in the DNS.
    Name(String),
}

/// `[users.postgres]`: what it takes to get into a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PostgresAccess {
    /// Our password there: the one line of a file that nobody but its owner has access to.
    pub password_file: Option<PathBuf>,
    /// The authorities that the database's certificate must chain to, in PEM. With it the connection is TLS.
    pub ca: Option<PathBuf>,
}

impl PostgresPlace {
    /// Whether nobody else could listen to what is said: a socket, or an address of this machine alone.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        match &self.host {
            PostgresHost::Directory(_) => true,
            PostgresHost::Address(address) => address.is_loopback(),
            // A name is whatever the DNS says.
            PostgresHost::Name(_) => false,
        }
    }
}

impl PostgresAccess {
    /// Has relative paths start at a directory.
    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        for path in [&mut self.password_file, &mut self.ca].into_iter().flatten() {
            *path = directory.join(&path);
        }
    }
}

impl FromStr for PostgresPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or_else(|| {
            "a database is written \"postgres://USER@HOST:PORT/DATABASE\" or \
             \"postgres://USER@/DIRECTORY/DATABASE\", without a password"
                .to_owned()
        })
    }
}

fn read(text: &str) -> Option<PostgresPlace> {
    let (user, rest) = text.strip_prefix("postgres://")?.split_once('@')?;
    let (place, database) = rest.rsplit_once('/')?;
    let is_name = |text: &str| {
        let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        !text.is_empty() && text.len() <= 63 && text.bytes().all(is_in_name)
    };
    if !is_name(user) || !is_name(database) {
        return None;
    }
    let has_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (place, port) = match place.rsplit_once(':') {
        Some((place, port)) if has_port(port) => (place, port.parse().ok().filter(|it| *it > 0)?),
        Some(_) | None => (place, PORT),
    };
    let bracketed = place.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let host = match (bracketed, place.parse()) {
        (Some(address), _) => PostgresHost::Address(IpAddr::V6(address.parse().ok()?)),
        (None, Ok(address @ IpAddr::V4(_))) => PostgresHost::Address(address),
        (None, _) if place.starts_with('/') => PostgresHost::Directory(PathBuf::from(place)),
        (None, _) => {
            let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
            if place.is_empty() || place.len() > 253 || !place.bytes().all(is_domain) {
                return None;
            }
            PostgresHost::Name(place.to_owned())
        }
    };
    Some(PostgresPlace { user: user.to_owned(), host, port, database: database.to_owned() })
}

/// As it is written in the configuration.
impl fmt::Display for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.user)?;
        match &self.host {
            PostgresHost::Directory(path) => write!(f, "{}", path.display())?,
            PostgresHost::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            PostgresHost::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            PostgresHost::Name(name) => f.write_str(name)?,
        }
        if self.port != PORT {
            write!(f, ":{}", self.port)?;
        }
        write!(f, "/{}", self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::{BASE, parse};

    #[test]
    fn a_place_is_read_and_written_alike() {
        for (text, is_on_this_machine) in [
            ("postgres://sbc@db.example/sbc", false),
            ("postgres://sbc@db.example:6432/voice-users", false),
            ("postgres://sbc@localhost/sbc", false),
            ("postgres://sbc@192.0.2.1/sbc", false),
            ("postgres://sbc@127.0.0.1/sbc", true),
            ("postgres://sbc@[::1]:6432/sbc", true),
            ("postgres://sbc@[2001:db8::1]/sbc", false),
            ("postgres://sbc@/run/postgresql/sbc", true),
            ("postgres://sbc@/run/postgresql:6432/sbc", true),
        ] {
            let place: PostgresPlace = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
            assert_eq!(place.is_on_this_machine(), is_on_this_machine, "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused_and_a_password_is_not_repeated() {
        for text in [
            "postgres:",
            "postgres://db.example/sbc",
            "postgres://sbc:secret@db.example/sbc",
            "postgres://sbc@db.example",
            "postgres://sbc@db.example/",
            "postgres://sbc@db.example:0/sbc",
            "postgres://sbc@db.example:99999/sbc",
            "postgres://sbc@db.example/sbc?sslmode=disable",
            "postgres://sbc@db.example/sbc?password=secret",
            "postgres://sbc@a b/sbc",
            "postgres://sbc@::1/sbc",
            "postgres://sbc@[db]/sbc",
        ] {
            let problem = text.parse::<PostgresPlace>().unwrap_err();
            assert!(!problem.contains("secret"), "{text}");
        }
    }

    #[test]
    fn hashes_cross_no_network_without_an_authority_and_access_is_to_a_database() {
        let base = BASE.replace("[users]\n", "[users]\npostgres = {}\n");
        for (store, access, problem) in [
            ("postgres://sbc@db.example/sbc", "{ ca = \"ca.pem\" }", None),
            ("postgres://sbc@127.0.0.1/sbc", "{ ca = \"ca.pem\" }", None),
            ("postgres://sbc@127.0.0.1/sbc", "{}", None),
            ("postgres://sbc@/run/postgresql/sbc", "{ password-file = \"password\" }", None),
            (
                "postgres://sbc@db.example/sbc",
                "{ password-file = \"password\" }",
                Some("needs a ca"),
            ),
            ("postgres://sbc@localhost/sbc", "{}", Some("needs a ca")),
            ("postgres://sbc@/run/postgresql/sbc", "{ ca = \"ca.pem\" }", Some("is a socket")),
            ("sqlite:users.db", "{}", Some("store is another one")),
            ("file:users.toml", "{}", Some("store is another one")),
            ("postgres://sbc@db.example", "{}", Some("postgres://USER@HOST")),
        ] {
            let text =
                base.replace("file:users.toml", store).replace("= {}", &format!("= {access}"));
            match (parse(&text), problem) {
                (Ok(config), None) => {
                    let users = config.users.unwrap();
                    assert_eq!(users.store.to_string(), store);
                    for path in [users.postgres.clone().unwrap().ca].iter().flatten() {
                        assert_eq!(path, Path::new("/etc/sbc/ca.pem"));
                    }
                }
                (Err(error), Some(problem)) => {
                    let said = error.to_string();
                    assert!(said.contains(problem), "{said}");
                }
                (parsed, _) => panic!("{store} {access}: {parsed:?}"),
            }
        }
    }
}
