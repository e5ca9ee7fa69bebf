use crate::config::{AssertablePattern, NumberPattern};

/// The longest value that is looked at, in bytes.
const LONGEST: usize = 255;

/// Who somebody may say to be, as one value in a directory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// One address of record.
    Address {
        /// The user part.
        user: Box<str>,
        /// The host in lower case.
        host: String,
    },
    /// A telephone number, in whichever URI it stands, and at the domains of the realm.
    Number(NumberPattern),
    /// A name in the domains of the realm.
    Name(Box<str>),
}

impl Claim {
    /// Reads a telephone number, an address (`sip:` before it or not), a `tel` URI, or a name alone. `None` for anything
    /// else, such as the `smtp:` of Active Directory's proxyAddresses.
    ///
    /// It never stands for more than one: who may write `*` into his own entry is not everybody.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        let text = str::from_utf8(value).ok()?.trim();
        let is_literal =
            |it: char| !it.is_control() && !it.is_whitespace() && !"*%\"<>?&=\\,".contains(it);
        if text.len() > LONGEST {
            return None;
        }
        if let Some((scheme, rest)) = text.split_once(':') {
            let is = |known: &str| scheme.eq_ignore_ascii_case(known);
            let rest = rest.split(';').next()?;
            return match () {
                () if is("tel") => number(rest).map(Self::Number),
                () if is("sip") || is("sips") => address(rest, is_literal),
                () => None,
            };
        }
        if let Some(number) = number(text) {
            return Some(Self::Number(number));
        }
        if text.contains('@') {
            return address(text, is_literal);
        }
        let is_name = !text.is_empty() && !text.contains(';') && text.chars().all(is_literal);
        is_name.then(|| Self::Name(text.into()))
    }

    /// The patterns that allow it, in a realm of these domains.
    #[must_use]
    pub fn patterns(&self, domains: &[String]) -> Vec<AssertablePattern> {
        let at_domains = |at: &dyn Fn(String) -> AssertablePattern| {
            domains.iter().cloned().map(at).collect::<Vec<_>>()
        };
        match self {
            Self::Address { user, host } => spellings(user)
                .map(|user| AssertablePattern::AddressOfRecord { user, host: host.clone() })
                .collect(),
            Self::Number(number) => {
                let mut patterns = at_domains(&|host| AssertablePattern::TelephoneAt {
                    number: number.clone(),
                    host,
                    is_marked: false,
                });
                patterns.push(AssertablePattern::Telephone(number.clone()));
                patterns
            }
            Self::Name(name) => spellings(name)
                .flat_map(|user| {
                    at_domains(&|host| AssertablePattern::AddressOfRecord {
                        user: user.clone(),
                        host,
                    })
                })
                .collect(),
        }
    }
}

/// Names have no case in a directory, but have one in SIP: as it is written, and in lower case.
fn spellings(name: &str) -> impl Iterator<Item = String> {
    let lower = Some(name.to_lowercase()).filter(|lower| lower != name);
    [name.to_owned()].into_iter().chain(lower)
}

/// People write spaces between digits, besides what RFC 3966 knows.
fn number(text: &str) -> Option<NumberPattern> {
    let digits: String = text.chars().filter(|it| !matches!(it, ' ' | '\u{a0}')).collect();
    // An asterisk at the end would stand for every number that begins so.
    if digits.contains('*') { None } else { digits.parse().ok() }
}

fn address(text: &str, is_literal: impl Fn(char) -> bool) -> Option<Claim> {
    let (user, _) = text.split_once('@')?;
    if !text.chars().all(is_literal) || user.contains([':', ';']) {
        return None;
    }
    match text.parse() {
        Ok(AssertablePattern::AddressOfRecord { user, host }) => {
            Some(Claim::Address { user: user.into(), host })
        }
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Assertables;
    use crate::sip::Uri;

    fn allows(value: &str, uri: &str) -> bool {
        let domains = ["example.com".to_owned(), "example.net".to_owned()];
        let claim = Claim::read(value.as_bytes()).unwrap_or_else(|| panic!("{value}"));
        Assertables::new(claim.patterns(&domains)).allow(&Uri::parse(uri.as_bytes()).unwrap())
    }

    #[test]
    fn a_number_is_one_in_every_uri_that_is_ours_however_it_is_punctuated() {
        for value in [
            "+1 (212) 555-1234",
            "+12125551234",
            "TEL:+1-212-555-1234;ext=4",
            "\t+1212\u{a0}5551234 ",
        ] {
            assert!(allows(value, "tel:+12125551234"), "{value}");
            assert!(allows(value, "sip:+1-212-5551234@example.net"), "{value}");
            assert!(allows(value, "sip:+12125551234@elsewhere.example;user=phone"), "{value}");
            assert!(!allows(value, "sip:+12125551234@elsewhere.example"), "{value}");
            assert!(!allows(value, "tel:+121255512345"), "{value}");
        }
        assert!(allows("200", "sip:200@example.com"));
    }

    #[test]
    fn an_address_or_a_name_is_one_address() {
        for value in ["alice@example.org", "sip:alice@Example.org", "SIPS:alice@example.org;x=y"] {
            assert!(allows(value, "sip:alice@example.org"), "{value}");
            assert!(!allows(value, "sip:alice@example.com"), "{value}");
        }
        assert!(
            allows("Alice", "sip:Alice@example.com") && allows("Alice", "sip:alice@example.com")
        );
        assert!(allows("A.B@example.org", "sip:a.b@example.org"));
        assert!(!allows("alice", "sip:Alice@example.com"));
        assert!(allows("alice", "sip:alice@example.com"));
        assert!(allows("alice", "sip:alice@example.net"));
        assert!(!allows("alice", "sip:alice@example.org"));
    }

    #[test]
    fn nothing_stands_for_more_than_one_and_what_is_something_else_is_nobody() {
        for value in [
            "",
            " ",
            "*",
            "*@example.com",
            "sip:*@example.com",
            "+1212*",
            "tel:+1212*",
            "tel:*",
            "sip:+1212*@example.com",
            "al*ice",
            "a%2a@example.com",
            "smtp:alice@example.com",
            "x500:/o=example",
            "https://alice@example.com",
            "a b@example.com",
            "alice:secret@example.com",
            "sip:a:b@example.com",
            "a@b@example.com",
            "alice@",
            "@example.com",
            "al\u{0}ice",
            "200;x=y",
            "sip:example.com",
        ] {
            assert_eq!(Claim::read(value.as_bytes()), None, "{value}");
        }
        assert_eq!(Claim::read(b"\xff"), None);
        assert_eq!(Claim::read("a".repeat(256).as_bytes()), None);
    }
}
