//! A configuration for tests, to which each of them adds what it is about.

use std::path::Path;

use super::{Config, ConfigError};

/// Everything that is needed, a listener of each transport, and users; no peers.
pub(crate) const BASE: &str = r#"
version = 1

[interface.outside]
name = "eth0"

[[listen]]
transport = "udp"
address = "203.0.113.1:5060"

[[listen]]
transport = "tcp"
address = "203.0.113.1:5060"

[[listen]]
transport = "tls"
address = "203.0.113.1:5061"

[tls]
certificate = "sbc.pem"
key = "sbc.key"
client-ca = "peers.pem"

[upstream]
targets = ["sip:10.0.0.5:5060"]
address = "10.0.0.1:5060"

[users]
store = "file:users.toml"
algorithms = ["SHA-256", "MD5"]
sources-per-user = 2
"#;

/// The base, and what follows it.
pub(crate) fn config(tail: &str) -> Config {
    parse(&format!("{BASE}\n{tail}")).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/sbc/sbc.toml"))
}
