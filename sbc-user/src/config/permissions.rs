use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

use super::values::from_text;
use super::{Assertables, HostPattern, Network};
use crate::sip::Uri;

/// What somebody may say of himself and of others, and whom he may address. What is absent allows
/// everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The identities that he may claim in From, and To of a registration, P-Asserted-Identity,
    /// P-Preferred-Identity and Remote-Party-ID.
    pub may_assert: Option<Assertables>,
    /// Who may be said to have diverted a call, in Diversion and History-Info.
    pub may_divert: Option<Assertables>,
    /// The Request-URIs of what begins something.
    pub may_call: Option<Assertables>,
    /// The hosts that may stand in Contact.
    pub contact_hosts: Option<Vec<ContactHost>>,
    /// What becomes of claims beside From that are not allowed.
    pub false_claims: FalseClaims,
}

/// What becomes of P-Asserted-Identity and the like whose sender may not claim what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FalseClaims {
    /// It is removed (RFC 3325 §5).
    #[default]
    Remove,
    /// The request is refused.
    Refuse,
}

/// `carrier.example`, `*.carrier.example`, `198.51.100.7` or `198.51.100.0/24`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactHost {
    /// A name.
    Name(HostPattern),
    /// Addresses.
    Network(Network),
}

impl ContactHost {
    fn matches(&self, uri: &Uri<'_>) -> bool {
        match self {
            Self::Name(name) => name.matches(uri),
            Self::Network(network) => uri.host_ip().is_some_and(|ip| network.contains(ip)),
        }
    }
}

impl FromStr for ContactHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(network) => Ok(Self::Network(network)),
            Err(problem) if text.contains('/') => Err(problem),
            Err(_) => text.parse().map(Self::Name),
        }
    }
}

from_text!(ContactHost);

/// What the sender of one message may say: what his own permissions allow, and those of whom he is behind.
#[derive(Clone, Debug, Default)]
pub struct Mandate {
    is_mute: bool,
    lists: [Option<Arc<Permissions>>; 2],
}

impl Mandate {
    /// That of who may claim nothing at all.
    #[must_use]
    pub fn mute() -> Self {
        Self { is_mute: true, ..Self::default() }
    }

    /// The same of who is behind a peer, which allows no more than its `within` does.
    #[must_use]
    pub fn mute_within(within: Option<Arc<Permissions>>) -> Self {
        Self { is_mute: true, lists: [within, None] }
    }

    /// What all of `permissions` and, where there are others, all of `within` allow.
    #[must_use]
    pub fn of(permissions: Arc<Permissions>, within: Option<Arc<Permissions>>) -> Self {
        Self { is_mute: false, lists: [Some(permissions), within] }
    }

    /// Whether this identity may be claimed.
    #[must_use]
    pub fn may_assert(&self, uri: &Uri<'_>) -> bool {
        !self.is_mute && self.all(|list| allows(list.may_assert.as_ref(), uri))
    }

    /// Whether this one may be said to have diverted a call.
    #[must_use]
    pub fn may_divert(&self, uri: &Uri<'_>) -> bool {
        !self.is_mute && self.all(|list| allows(list.may_divert.as_ref(), uri))
    }

    /// Whether there may be said of nobody that he has diverted a call, or of some only.
    #[must_use]
    pub fn limits_diversion(&self) -> bool {
        self.is_mute || !self.all(|list| list.may_divert.is_none())
    }

    /// Whether this may be a Request-URI.
    #[must_use]
    pub fn may_call(&self, uri: &Uri<'_>) -> bool {
        self.all(|list| allows(list.may_call.as_ref(), uri))
    }

    /// Whether some may be called only.
    #[must_use]
    pub fn limits_calls(&self) -> bool {
        !self.all(|list| list.may_call.is_none())
    }

    /// Whether this may be a Contact.
    #[must_use]
    pub fn may_be_at(&self, uri: &Uri<'_>) -> bool {
        self.all(|list| {
            let hosts = list.contact_hosts.as_ref();
            hosts.is_none_or(|hosts| uri.is_sip() && hosts.iter().any(|host| host.matches(uri)))
        })
    }

    /// What becomes of claims beside From that are not allowed.
    #[must_use]
    pub fn false_claims(&self) -> FalseClaims {
        if self.all(|list| list.false_claims == FalseClaims::Remove) {
            FalseClaims::Remove
        } else {
            FalseClaims::Refuse
        }
    }

    fn all(&self, allows: impl Fn(&Permissions) -> bool) -> bool {
        self.lists.iter().flatten().all(|list| allows(list))
    }
}

fn allows(list: Option<&Assertables>, uri: &Uri<'_>) -> bool {
    list.is_none_or(|list| list.allow(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).unwrap()
    }

    fn asserting(pattern: &str) -> Arc<Permissions> {
        let list = Assertables::new(vec![pattern.parse().unwrap()]);
        Arc::new(Permissions { may_assert: Some(list), ..Permissions::default() })
    }

    #[test]
    fn what_two_lists_allow_together_is_what_each_allows() {
        let alice = uri("sip:alice@example.com");
        let both = Mandate::of(asserting("alice@example.com"), Some(asserting("*@example.com")));
        assert!(both.may_assert(&alice));
        assert!(!both.may_assert(&uri("sip:bob@example.com")));
        let neither = Mandate::of(asserting("alice@example.com"), Some(asserting("*@example.net")));
        assert!(!neither.may_assert(&alice));
        assert!(Mandate::of(asserting("alice@example.com"), None).may_assert(&alice));
        assert!(Mandate::default().may_assert(&alice) && !Mandate::mute().may_assert(&alice));
    }

    #[test]
    fn a_contact_is_at_a_listed_name_or_address() {
        let hosts = ["a.example", "*.b.example", "198.51.100.0/24", "2001:db8::/32"];
        let hosts = hosts.map(|host| host.parse().unwrap()).to_vec();
        let list = Permissions { contact_hosts: Some(hosts), ..Permissions::default() };
        let mandate = Mandate::of(Arc::new(list), None);
        for (text, expected) in [
            ("sip:x@A.example:5070;transport=tcp", true),
            ("sip:x@sub.b.example", true),
            ("sip:198.51.100.7", true),
            ("sip:x@[2001:db8::7]:5060", true),
            ("sip:x@198.51.101.7", false),
            ("sip:x@b.example", false),
            ("tel:+1", false),
        ] {
            assert_eq!(mandate.may_be_at(&uri(text)), expected, "{text}");
        }
        assert!("198.51.100.7/24".parse::<ContactHost>().is_err());
    }
}
