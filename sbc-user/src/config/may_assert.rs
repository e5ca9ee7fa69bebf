use std::str::FromStr;

use super::values::from_text;
use crate::sip::{Scheme, Uri};

/// One pattern of identities that somebody may claim: `*@carrier.example`, `alice@example.com`,
/// `tel:+1212*`, or `*` for every identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssertablePattern {
    /// `*`: whatever it says.
    Anything,
    /// `*@host`: every user of a host (lower case).
    Domain(String),
    /// `user@host`: one address of record; the host in lower case.
    AddressOfRecord {
        /// The user part, compared byte for byte (RFC 3261 §19.1.4).
        user: String,
        /// The host in lower case.
        host: String,
    },
    /// `tel:number` or `tel:digits*`.
    Telephone {
        /// The number or its beginning.
        number: String,
        /// Whether anything may follow.
        is_prefix: bool,
    },
}

impl AssertablePattern {
    fn allows(&self, uri: &Uri<'_>) -> bool {
        match self {
            Self::Anything => true,
            Self::Domain(host) => uri.is_sip() && uri.host.eq_ignore_ascii_case(host.as_bytes()),
            Self::AddressOfRecord { user, host } => {
                uri.is_sip()
                    && uri.user_is(user.as_bytes())
                    && uri.host.eq_ignore_ascii_case(host.as_bytes())
            }
            Self::Telephone { number, is_prefix } => {
                let Some(claimed) = telephone_number(uri) else { return false };
                if *is_prefix {
                    claimed.starts_with(number.as_bytes())
                } else {
                    claimed == number.as_bytes()
                }
            }
        }
    }
}

/// The number of a `tel` URI, or of a SIP URI that says to hold one (RFC 3261 §19.1.6), without its
/// parameters and visual separators (RFC 3966 §5.1.1).
fn telephone_number(uri: &Uri<'_>) -> Option<Vec<u8>> {
    let is_telephone = match uri.scheme {
        Scheme::Tel => true,
        Scheme::Sip | Scheme::Sips => uri.param(b"user") == Some(b"phone"),
        Scheme::Other(_) => false,
    };
    let number = uri.user.filter(|_| is_telephone)?.split(|byte| *byte == b';').next()?;
    Some(number.iter().copied().filter(|byte| !b"-.()".contains(byte)).collect())
}

impl FromStr for AssertablePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "{text:?} is not an identity such as \"alice@example.com\", \"*@example.com\", \
                 \"tel:+1212*\" or \"*\""
            )
        };
        if text == "*" {
            return Ok(Self::Anything);
        }
        if let Some(number) = text.strip_prefix("tel:") {
            let (number, is_prefix) = match number.strip_suffix('*') {
                Some(digits) => (digits, true),
                None => (number, false),
            };
            let digits = number.strip_prefix('+').unwrap_or(number);
            if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(wrong());
            }
            return Ok(Self::Telephone { number: number.to_owned(), is_prefix });
        }
        let address = text.strip_prefix("sip:").unwrap_or(text);
        let (user, host) = address.split_once('@').ok_or_else(wrong)?;
        let host_is_plain = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        if user.is_empty() || !host_is_plain {
            return Err(wrong());
        }
        let host = host.to_ascii_lowercase();
        Ok(match user {
            "*" => Self::Domain(host),
            user if user.contains('*') => return Err(wrong()),
            user => Self::AddressOfRecord { user: user.to_owned(), host },
        })
    }
}

from_text!(AssertablePattern);

/// The identities that a peer or a user may claim in From and in asserted-identity headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertables {
    patterns: Vec<AssertablePattern>,
    within: Option<Box<Self>>,
}

impl Assertables {
    /// The identities that any of these patterns allows.
    #[must_use]
    pub const fn new(patterns: Vec<AssertablePattern>) -> Self {
        Self { patterns, within: None }
    }

    /// Only those of these identities that `other` allows too; `None` allows every one.
    #[must_use]
    pub fn within(self, other: Option<Self>) -> Self {
        Self { within: other.map(Box::new), ..self }
    }

    /// Says whether `uri` may be claimed.
    #[must_use]
    pub fn allow(&self, uri: &Uri<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.allows(uri))
            && self.within.as_ref().is_none_or(|within| within.allow(uri))
    }
}

impl<'de> serde::Deserialize<'de> for Assertables {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &str, uri: &str) -> bool {
        let pattern = pattern.parse().unwrap();
        Assertables::new(vec![pattern]).allow(&Uri::parse(uri.as_bytes()).unwrap())
    }

    #[test]
    fn a_domain_allows_its_users_and_no_others() {
        assert!(allows("*@carrier.example", "sip:anyone@Carrier.Example"));
        assert!(!allows("*@carrier.example", "sip:anyone@evil.carrier.example"));
        assert!(!allows("*@carrier.example", "sip:carrier.example;a=b@evil.example"));
    }

    #[test]
    fn an_address_of_record_is_compared_with_its_escapes_resolved() {
        assert!(allows("alice@example.com", "sip:alice@EXAMPLE.com;transport=tcp"));
        assert!(allows("alice@example.com", "sip:%61lice@example.com"));
        assert!(!allows("alice@example.com", "sip:Alice@example.com"));
        assert!(!allows("alice@example.com", "tel:+1212"));
    }

    #[test]
    fn a_telephone_prefix_allows_what_begins_with_it_however_it_is_punctuated() {
        assert!(allows("tel:+1212*", "tel:+1-212-555-1234"));
        assert!(allows("tel:+1212*", "sip:+12125551234@carrier.example;user=phone"));
        assert!(!allows("tel:+1212*", "sip:+12125551234@carrier.example"));
        assert!(!allows("tel:+1212*", "tel:+1213"));
        assert!(!allows("tel:+1212", "tel:+12123"));
    }

    #[test]
    fn what_two_lists_allow_together_is_what_each_allows() {
        let list = |pattern: &str| Assertables::new(vec![pattern.parse().unwrap()]);
        let uri = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
        let both = list("alice@example.com").within(Some(list("*@example.com")));

        assert!(both.allow(&uri("sip:alice@example.com")));
        assert!(!both.allow(&uri("sip:bob@example.com")));
        let neither = list("alice@example.com").within(Some(list("*@example.net")));
        assert!(!neither.allow(&uri("sip:alice@example.com")));
        assert!(list("alice@example.com").within(None).allow(&uri("sip:alice@example.com")));
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for text in
            ["", "alice", "a*@example.com", "@example.com", "alice@", "tel:", "tel:+*", "tel:x"]
        {
            assert!(text.parse::<AssertablePattern>().is_err(), "{text}");
        }
    }
}
