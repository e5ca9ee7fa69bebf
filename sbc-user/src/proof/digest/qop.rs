use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a digest response protects (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Qop {
    /// `auth`: method and Digest URI.
    Auth,
    /// `auth-int`: the body too.
    AuthInt,
}

/// The name is neither `auth` nor `auth-int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unknown qop, expected auth or auth-int")]
pub struct UnknownQop;

impl Qop {
    /// The name as it is written and hashed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// The one with this name, in any case: names are tokens (RFC 3261 §7.3.1).
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let is = |it: &Self| it.name().as_bytes().eq_ignore_ascii_case(name);
        [Self::Auth, Self::AuthInt].into_iter().find(is)
    }
}

impl From<Qop> for &'static str {
    fn from(qop: Qop) -> Self {
        qop.name()
    }
}

impl TryFrom<String> for Qop {
    type Error = UnknownQop;

    fn try_from(name: String) -> Result<Self, UnknownQop> {
        Self::from_name(name.as_bytes()).ok_or(UnknownQop)
    }
}

/// What our challenges let the client choose from, preferred first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Qop>")]
pub enum OfferedQops {
    /// `auth` alone.
    #[default]
    Auth,
    /// `auth-int` alone.
    AuthInt,
    /// `auth,auth-int`.
    AuthFirst,
    /// `auth-int,auth`.
    AuthIntFirst,
}

/// Why a list cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidQops {
    /// A challenge without one is that of RFC 2069, which protects from no replay.
    #[error("no qop is offered")]
    Empty,
    /// Once is enough.
    #[error("a qop is offered twice")]
    Repeated,
}

impl OfferedQops {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auth, Self::AuthInt, Self::AuthFirst, Self::AuthIntFirst];

    /// Whether a response with this one answers a challenge of ours.
    #[must_use]
    pub const fn contains(self, qop: Qop) -> bool {
        match qop {
            Qop::Auth => !matches!(self, Self::AuthInt),
            Qop::AuthInt => !matches!(self, Self::Auth),
        }
    }

    /// The parameter of a challenge, with the comma in front of it.
    #[must_use]
    pub(super) const fn parameter(self) -> &'static [u8] {
        match self {
            Self::Auth => b",qop=\"auth\"",
            Self::AuthInt => b",qop=\"auth-int\"",
            Self::AuthFirst => b",qop=\"auth,auth-int\"",
            Self::AuthIntFirst => b",qop=\"auth-int,auth\"",
        }
    }
}

impl TryFrom<Vec<Qop>> for OfferedQops {
    type Error = InvalidQops;

    fn try_from(in_order: Vec<Qop>) -> Result<Self, InvalidQops> {
        match in_order[..] {
            [] => Err(InvalidQops::Empty),
            [Qop::Auth] => Ok(Self::Auth),
            [Qop::AuthInt] => Ok(Self::AuthInt),
            [Qop::Auth, Qop::AuthInt] => Ok(Self::AuthFirst),
            [Qop::AuthInt, Qop::Auth] => Ok(Self::AuthIntFirst),
            [..] => Err(InvalidQops::Repeated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Configured {
        qop: OfferedQops,
    }

    #[test]
    fn a_list_keeps_its_order_and_offers_what_is_in_it() {
        for (text, offered, has_auth, has_auth_int) in [
            (r#"["auth"]"#, OfferedQops::Auth, true, false),
            (r#"["AUTH-INT"]"#, OfferedQops::AuthInt, false, true),
            (r#"["auth", "auth-int"]"#, OfferedQops::AuthFirst, true, true),
            (r#"["auth-int", "auth"]"#, OfferedQops::AuthIntFirst, true, true),
        ] {
            let read: Configured = toml::from_str(&format!("qop = {text}")).unwrap();
            assert_eq!(read.qop, offered);
            let contains = [Qop::Auth, Qop::AuthInt].map(|qop| offered.contains(qop));
            assert_eq!(contains, [has_auth, has_auth_int]);
        }
    }

    #[test]
    fn a_list_is_neither_empty_nor_repeated_nor_unknown() {
        for (text, message) in [
            ("[]", "no qop is offered"),
            (r#"["auth", "auth"]"#, "offered twice"),
            (r#"["auth", "auth-int", "auth"]"#, "offered twice"),
            (r#"["auth-conf"]"#, "unknown qop"),
        ] {
            let error = toml::from_str::<Configured>(&format!("qop = {text}")).err().unwrap();
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
