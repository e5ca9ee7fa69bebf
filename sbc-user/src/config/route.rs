use std::convert::Infallible;
use std::str::FromStr;

use serde::Deserialize;

use super::contradiction::{Found, unusable};
use super::values::from_text;
use super::{Assertables, Config, Peer, Proof, SipTarget};
use crate::identity::Attestation;
use crate::sip::{Message, Scheme, StartLine, Uri};
use crate::transport::Transport;

/// `[[route]]`: which of the upstream's requests go to a peer. The first that matches counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Route {
    /// The host of the Request-URI; absent: any, also none.
    pub host: Option<HostPattern>,
    /// The user of the Request-URI, or its number; absent: any, also none.
    pub user: Option<UserPattern>,
    /// Who the To names; absent: anybody.
    pub to: Option<Assertables>,
    /// The name of the peer.
    pub peer: String,
    /// Whether the Request-URI gets the host of the peer's target; a `tel` URI becomes a `sip` one.
    #[serde(default)]
    pub rewrite_host: bool,
    /// How well we know who calls on this route: as that its calls are signed; absent: they are not.
    pub attest: Option<Attestation>,
}

/// `carrier.example`, or `*.carrier.example` for every host below that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    is_suffix: bool,
}

/// `alice`, or `+44*` for whatever begins so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPattern {
    user: String,
    is_prefix: bool,
}

impl Route {
    /// Says whether a request takes this route.
    #[must_use]
    pub fn matches(&self, request: &Message<'_>) -> bool {
        let StartLine::Request { uri, .. } = request.start_line() else { return false };
        self.host.as_ref().is_none_or(|host| host.matches(&uri))
            && self.user.as_ref().is_none_or(|user| user.matches(&uri))
            && self.to.as_ref().is_none_or(|to| to.allow(&request.to().uri))
    }
}

impl HostPattern {
    pub(super) fn matches(&self, uri: &Uri<'_>) -> bool {
        let own = self.host.as_bytes();
        if !self.is_suffix {
            return uri.is_sip() && uri.host.eq_ignore_ascii_case(own);
        }
        let above = uri.host.len().checked_sub(own.len());
        above.is_some_and(|above| {
            above > 0 && uri.host.get(above..).is_some_and(|end| end.eq_ignore_ascii_case(own))
        })
    }
}

impl UserPattern {
    fn matches(&self, uri: &Uri<'_>) -> bool {
        if uri.user.is_none() {
            return false;
        }
        // RFC 3966 §5.1.1: separators are for the eye.
        let is_read = |byte: &u8| uri.scheme != Scheme::Tel || !b"-.()".contains(byte);
        let mut user = uri.user_octets().filter(is_read);
        let begins = self.user.bytes().all(|byte| user.next() == Some(byte));
        begins && (self.is_prefix || user.next().is_none())
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, is_suffix) = match text.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => (rest, true),
            Some(_) | None => (text, false),
        };
        let is_plain = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        if !is_plain {
            return Err(format!(
                "{text:?} is not a host such as \"carrier.example\" or \"*.carrier.example\""
            ));
        }
        Ok(Self { host: host.to_ascii_lowercase(), is_suffix })
    }
}

from_text!(HostPattern);

impl FromStr for UserPattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, is_prefix) = match text.strip_suffix('*') {
            Some(user) => (user, true),
            None => (text, false),
        };
        Ok(Self { user: user.to_owned(), is_prefix })
    }
}

from_text!(UserPattern);

/// Refuses routes to nobody, and targets of peers that contradict what is asked of the peer.
pub(super) fn refuse(config: &Config) -> Result<(), Found> {
    for route in &config.routes {
        let refuse = |problem: &str| {
            Err(("[[route]]".to_owned(), format!("peer {:?} {problem}", route.peer)))
        };
        match config.peers.iter().find(|peer| peer.name == route.peer) {
            None => return refuse("is none"),
            Some(peer) if peer.target.is_none() => {
                return refuse("has no target: nothing says where it is");
            }
            Some(_) => {}
        }
    }
    for peer in config.peers.iter() {
        if let Some(target) = &peer.target {
            refuse_target(config, peer, target)
                .map_err(|problem| (format!("[[peer]] {:?}", peer.name), problem))?;
        }
    }
    Ok(())
}

fn refuse_target(config: &Config, peer: &Peer, target: &SipTarget) -> Result<(), String> {
    let refuse = |problem: &str| Err(format!("target {target} {problem}"));
    let Some(transport) = target.transport() else {
        return refuse(
            "says no transport: the peer's policy asks for one, so the DNS cannot choose",
        );
    };
    if peer.requires(Proof::Tls) != (transport == Transport::Tls) {
        return if peer.requires(Proof::Tls) {
            refuse("is in clear, but require has tls: write sips:, or transport=tls")
        } else {
            refuse("is over TLS, but require has no tls: nobody would check who is there")
        };
    }
    if let Some((_, place)) = target.place() {
        if let Some(problem) = unusable(place) {
            return refuse(problem);
        }
        if config.listen.iter().any(|listen| listen.address == place) {
            return refuse("is our own address: requests would go round");
        }
        if !peer.sources.is_empty() && !peer.comes_from(place.ip()) {
            return refuse("is not within sources: what it answers would not be taken from it");
        }
        if transport != Transport::Tls && !peer.opens_over(transport) {
            return refuse("is answered over a transport that opens does not have");
        }
    } else if transport != Transport::Tls && !peer.opens_over(transport) {
        return refuse("is answered over a transport that opens does not have");
    }
    let leads_there = |listen: &&super::Listen| {
        let is_ipv4 = target.place().map(|(_, place)| place.is_ipv4());
        listen.transport == transport
            && is_ipv4.is_none_or(|is_ipv4| is_ipv4 == listen.address.is_ipv4())
    };
    if config.listen.iter().find(leads_there).is_none() {
        return refuse(
            "has no listener of its transport and family, whose address would stand in requests",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::sample::{BASE, config, parse};
    use crate::sip::Message;

    const CARRIER: &str = "[[peer]]\nname = \"carrier\"\nrequire = [\"tls\"]\n\
        identities = [\"carrier.example\"]\nsources = [\"198.51.100.0/24\"]\nopens = [\"udp\"]\n\
        target = \"sips:carrier.example\"\n";
    const TRUNK: &str = "[[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\n\
        sources = [\"192.0.2.0/28\"]\nopens = [\"udp\"]\ntarget = \"sip:192.0.2.1\"\n";

    fn matches(route: &str, uri: &str) -> bool {
        let config = config(&format!("{TRUNK}[[route]]\npeer = \"trunk\"\n{route}"));
        let request = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\
             Content-Length: 0\r\n\r\n"
        );
        config.routes[0].matches(&Message::scan(request.as_bytes()).unwrap())
    }

    #[test]
    fn a_route_matches_by_all_that_it_says() {
        for (route, uri, expected) in [
            ("", "sip:anybody@anywhere.example", true),
            ("host = \"Carrier.example\"", "sip:+1@carrier.EXAMPLE:5080", true),
            ("host = \"carrier.example\"", "sip:+1@sub.carrier.example", false),
            ("host = \"*.carrier.example\"", "sip:+1@sub.carrier.example", true),
            ("host = \"*.carrier.example\"", "sip:+1@carrier.example", false),
            ("host = \"*.carrier.example\"", "sip:+1@evilcarrier.example", false),
            ("host = \"carrier.example\"", "tel:+1", false),
            ("user = \"+44*\"", "tel:+44-20-1", true),
            ("user = \"+44*\"", "sip:+4420@10.0.0.1", true),
            ("user = \"+44*\"", "sip:%2b4420@10.0.0.1", true),
            ("user = \"+44*\"", "sip:0044@10.0.0.1", false),
            ("user = \"+44*\"", "sip:10.0.0.1", false),
            ("user = \"112\"", "sip:112@10.0.0.1", true),
            ("user = \"112\"", "sip:1123@10.0.0.1", false),
            ("to = [\"*@example.com\"]", "sip:1@10.0.0.1", true),
            ("to = [\"*@example.net\"]", "sip:1@10.0.0.1", false),
            ("host = \"a.example\"\nuser = \"1*\"", "sip:1@a.example", true),
            ("host = \"a.example\"\nuser = \"1*\"", "sip:2@a.example", false),
        ] {
            assert_eq!(matches(route, uri), expected, "{route} {uri}");
        }
    }

    fn refused(text: &str, expected: &str) {
        let error = parse(&format!("{BASE}\n{text}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_target_that_contradicts_what_is_asked_of_its_peer_is_refused() {
        config(&format!("{CARRIER}{TRUNK}"));
        refused("[[route]]\npeer = \"nobody\"", "peer \"nobody\" is none");
        let homeless = TRUNK.replace("target = \"sip:192.0.2.1\"\n", "");
        refused(&format!("{homeless}[[route]]\npeer = \"trunk\""), "has no target");
        for (peer, part, other, expected) in [
            (CARRIER, "sips:carrier.example", "sip:carrier.example", "says no transport"),
            (
                CARRIER,
                "sips:carrier.example",
                "sip:198.51.100.7",
                "is in clear, but require has tls",
            ),
            (CARRIER, "sips:carrier.example", "sips:192.0.2.7", "is not within sources"),
            (TRUNK, "sip:192.0.2.1", "sips:192.0.2.1", "require has no tls"),
            (TRUNK, "sip:192.0.2.1", "sip:192.0.2.1;transport=tcp", "that opens does not have"),
            (TRUNK, "sip:192.0.2.1", "sip:t.example;transport=tcp", "that opens does not have"),
            (TRUNK, "sip:192.0.2.1", "sip:203.0.113.1", "is our own address"),
            (TRUNK, "sip:192.0.2.1", "sip:192.0.2.1:0", "port 0"),
        ] {
            refused(&peer.replace(part, other), expected);
        }
        let six =
            TRUNK.replace("192.0.2.0/28", "2001:db8::/64").replace("192.0.2.1", "[2001:db8::1]");
        refused(&six, "has no listener of its transport and family");
    }
}
