use std::str::FromStr;
use std::sync::Arc;

use super::values::from_text;
use crate::sip::{TelephoneNumber, Uri};

/// One pattern of identities that somebody may claim: `*@carrier.example`, `alice@example.com`,
/// `tel:+1212*`, `sip:+1212*@carrier.example`, `sip:+1212*@carrier.example;user=phone`, or `*` for every
/// identity.
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
    /// A telephone number or its beginning, in whichever URI it stands.
    Telephone(NumberPattern),
    /// The same at one host.
    TelephoneAt {
        /// The number or its beginning.
        number: NumberPattern,
        /// The host in lower case.
        host: String,
        /// Whether the URI has to say that it holds a number (`user=phone`).
        is_marked: bool,
    },
}

/// `+12125551234`, `+1212*` for every number that begins so, or `+*` for every global one; compared by RFC 3966 §4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPattern {
    number: TelephoneNumber,
    is_prefix: bool,
}

impl NumberPattern {
    fn allows(&self, claimed: Option<TelephoneNumber>) -> bool {
        let Some(claimed) = claimed else { return false };
        if self.is_prefix {
            claimed.as_bytes().starts_with(self.number.as_bytes())
        } else {
            claimed == self.number
        }
    }
}

impl AssertablePattern {
    fn allows(&self, uri: &Uri<'_>) -> bool {
        let is_at = |host: &str| uri.is_sip() && uri.host.eq_ignore_ascii_case(host.as_bytes());
        match self {
            Self::Anything => true,
            Self::Domain(host) => is_at(host),
            Self::AddressOfRecord { user, host } => uri.user_is(user.as_bytes()) && is_at(host),
            Self::Telephone(number) => number.allows(TelephoneNumber::of(uri)),
            Self::TelephoneAt { number, host, is_marked: true } => {
                is_at(host) && number.allows(TelephoneNumber::of(uri))
            }
            Self::TelephoneAt { number, host, is_marked: false } => {
                is_at(host) && number.allows(TelephoneNumber::in_user_part(uri))
            }
        }
    }
}

impl FromStr for NumberPattern {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, is_prefix) = match text.strip_suffix('*') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        // In a pattern a letter is hardly one of a local number's digits.
        if number.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return Err(());
        }
        if is_prefix && number == "+" {
            return Ok(Self { number: TelephoneNumber::GLOBAL, is_prefix });
        }
        let number = TelephoneNumber::read(number.bytes()).ok_or(())?;
        Ok(Self { number, is_prefix })
    }
}

impl FromStr for AssertablePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "{text:?} is not an identity such as \"alice@example.com\", \"*@example.com\", \
                 \"tel:+1212*\", \"sip:+1212*@example.com;user=phone\" or \"*\""
            )
        };
        if text == "*" {
            return Ok(Self::Anything);
        }
        if let Some(number) = text.strip_prefix("tel:") {
            return number.parse().map(Self::Telephone).map_err(|()| wrong());
        }
        let address = text.strip_prefix("sip:").unwrap_or(text);
        let (user, host) = address.split_once('@').ok_or_else(wrong)?;
        let (host, is_marked) = match host.strip_suffix(";user=phone") {
            Some(host) => (host, true),
            None => (host, false),
        };
        let host_is_plain = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        if user.is_empty() || !host_is_plain {
            return Err(wrong());
        }
        let host = host.to_ascii_lowercase();
        Ok(match user {
            "*" if !is_marked => Self::Domain(host),
            _ if is_marked || user.ends_with('*') => {
                let number = user.parse().map_err(|()| wrong())?;
                Self::TelephoneAt { number, host, is_marked }
            }
            user if user.contains('*') => return Err(wrong()),
            user => Self::AddressOfRecord { user: user.to_owned(), host },
        })
    }
}

from_text!(AssertablePattern);

/// Identities, such as those that a peer or a user may claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertables {
    patterns: Vec<AssertablePattern>,
    /// Each of these has to allow them too.
    within: Vec<Arc<Self>>,
}

impl Assertables {
    /// The identities that any of these patterns allows.
    #[must_use]
    pub const fn new(patterns: Vec<AssertablePattern>) -> Self {
        Self { patterns, within: Vec::new() }
    }

    /// The same, as far as `bound` allows them too.
    #[must_use]
    pub fn within(mut self, bound: Arc<Self>) -> Self {
        self.within.push(bound);
        self
    }

    /// Says whether `uri` may be claimed.
    #[must_use]
    pub fn allow(&self, uri: &Uri<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.allows(uri))
            && self.within.iter().all(|bound| bound.allow(uri))
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
        assert!(allows("tel:+*", "tel:+49(30)1234567"));
        assert!(allows("+*@a.example", "sip:+4930@a.example"));
        for other in ["tel:030;phone-context=+49", "sip:+4930@a.example", "sip:alice@a.example"] {
            assert!(!allows("tel:+*", other), "{other}");
        }
    }

    #[test]
    fn a_telephone_prefix_at_a_host_allows_no_other_host() {
        let marked = "sip:+1-212*@Carrier.example;user=phone";
        assert!(allows(marked, "sip:+1(212)5551234@carrier.example;user=phone"));
        assert!(!allows(marked, "sip:+12125551234@carrier.example"));
        assert!(!allows(marked, "sip:+12125551234@evil.example;user=phone"));
        assert!(!allows(marked, "tel:+12125551234"));
        let unmarked = "+1212*@carrier.example";
        assert!(allows(unmarked, "sip:+12125551234@carrier.example"));
        assert!(allows(unmarked, "sip:%2b12125551234;x=y@carrier.example;user=phone"));
        assert!(!allows(unmarked, "sip:+1212evil@carrier.example"));
        assert!(!allows(unmarked, "sip:+13125551234@carrier.example"));
        assert!(allows("tel:+1-212-*", "tel:+12125551234"));
        assert!(allows("sip:100@a.example;user=phone", "sip:1.0.0@a.example;user=phone"));
    }

    #[test]
    fn what_is_allowed_within_bounds_is_what_all_of_them_allow() {
        let of = |pattern: &str| Assertables::new(vec![pattern.parse().unwrap()]);
        let bound = |pattern: &str| Arc::new(of(pattern));
        let bounded = of("*").within(bound("*@a.example")).within(bound("alice@a.example"));
        for (uri, expected) in [
            ("sip:alice@a.example", true),
            ("sip:bob@a.example", false),
            ("sip:x@b.example", false),
        ] {
            assert_eq!(bounded.allow(&Uri::parse(uri.as_bytes()).unwrap()), expected, "{uri}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for text in [
            "",
            "alice",
            "a*@example.com",
            "a*b@example.com",
            "@example.com",
            "alice@",
            "tel:",
            "tel:+",
            "tel:*",
            "tel:x",
            "*@a.example;user=phone",
        ] {
            assert!(text.parse::<AssertablePattern>().is_err(), "{text}");
        }
    }
}
