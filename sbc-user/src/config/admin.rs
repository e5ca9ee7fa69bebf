use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::Config;
use super::contradiction::Found;

/// `[admin]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Admin {
    /// Where it listens, in HTTP without TLS.
    pub listen: SocketAddr,
    /// The file with the token that has to be shown; absent: whoever can connect may look.
    pub token_file: Option<PathBuf>,
    /// The names that it may be asked for by, beside "localhost" and addresses.
    #[serde(default)]
    pub names: Vec<String>,
}

const MOST_NAMES: usize = 16;
/// RFC 1035 §2.3.4.
const LONGEST_NAME: usize = 253;

pub(super) fn refuse(config: &Config) -> Result<(), Found> {
    let Some(admin) = &config.admin else { return Ok(()) };
    let refuse = |problem: String| Err(("[admin]".to_owned(), problem));
    let listen = admin.listen;
    if listen.port() == 0 {
        return refuse("listen has no port".to_owned());
    }
    if !is_loopback(listen.ip()) && admin.token_file.is_none() {
        return refuse(format!(
            "{listen} can be reached by others and there is no token-file: anybody could see who is trusted"
        ));
    }
    let outside = config.listen.iter().filter(|listener| listener.transport.is_stream());
    let inside = config.upstream.listeners().filter(|(transport, _)| transport.is_stream());
    let mut taken = outside.map(|listener| listener.address).chain(inside.map(|(_, to)| to));
    if let Some(taken) = taken.find(|taken| meet(*taken, listen)) {
        return refuse(format!("listen {listen} is where SIP is spoken: {taken}"));
    }
    if admin.names.len() > MOST_NAMES {
        return refuse(format!("more than {MOST_NAMES} names"));
    }
    if let Some(name) = admin.names.iter().find(|name| !is_host_name(name)) {
        return refuse(format!("{name:?} is no host name (without a port)"));
    }
    Ok(())
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = |place: SocketAddr| place.ip().is_unspecified();
    one.port() == other.port() && (one.ip() == other.ip() || is_any(one) || is_any(other))
}

fn is_host_name(name: &str) -> bool {
    let may_be_in = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(may_be_in)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::sample::parse;

    const PLAIN: &str = r#"
        version = 1
        interface.outside.name = "eth0"
        listen = [
            { transport = "udp", address = "203.0.113.1:9160" },
            { transport = "tcp", address = "203.0.113.1:5060" },
        ]
        upstream = { targets = ["sip:10.0.0.5"], address = "10.0.0.1:5060" }
    "#;

    fn refusal(admin: &str) -> Option<String> {
        parse(&format!("{PLAIN}\n[admin]\n{admin}")).err().map(|error| error.to_string())
    }

    #[test]
    fn nobody_listens_unless_it_is_said_where() {
        assert!(parse(PLAIN).unwrap().admin.is_none());
        assert!(refusal("").unwrap().contains("listen"));
    }

    #[test]
    fn whoever_lets_others_reach_it_has_to_name_a_token() {
        for address in ["127.0.0.1:9160", "127.9.9.9:9160", "[::1]:9160", "[::ffff:127.0.0.1]:9160"]
        {
            assert_eq!(refusal(&format!("listen = {address:?}")), None);
        }
        for address in ["203.0.113.1:9160", "10.0.0.1:9160", "0.0.0.0:9160", "[::]:9160"] {
            let text = format!("listen = {address:?}");
            assert!(refusal(&text).unwrap().contains("token-file"), "{address}");
            assert_eq!(refusal(&format!("{text}\ntoken-file = \"token\"")), None);
        }
    }

    #[test]
    fn it_is_not_where_sip_is_spoken() {
        for address in ["203.0.113.1:5060", "0.0.0.0:5060"] {
            let text = format!("listen = {address:?}\ntoken-file = \"token\"");
            assert!(refusal(&text).unwrap().contains("203.0.113.1:5060"), "{address}");
        }
    }

    #[test]
    fn the_token_is_beside_the_file_and_names_are_names() {
        let text = format!(
            "{PLAIN}\n[admin]\nlisten = \"127.0.0.1:9160\"\ntoken-file = \"token\"\n\
             names = [\"edge-1.example.com\"]"
        );
        let admin = parse(&text).unwrap().admin.unwrap();
        assert_eq!(admin.token_file.as_deref(), Some(Path::new("/etc/sbc/token")));
        for name in ["", "*", "edge.example.com:9160", "http://edge", "a b"] {
            let told = refusal(&format!("listen = \"127.0.0.1:9160\"\nnames = [{name:?}]"));
            assert!(told.unwrap().contains("no host name"), "{name}");
        }
        assert!(refusal("listen = \"127.0.0.1:0\"").unwrap().contains("no port"));
    }
}
