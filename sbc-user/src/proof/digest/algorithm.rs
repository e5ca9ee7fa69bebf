use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::HashFunction;

/// A digest algorithm of the IANA registry (RFC 7616 §6.1) that the border can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub struct Algorithm {
    function: HashFunction,
    is_session: bool,
}

/// The name is none of those that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "unknown digest algorithm, expected SHA-512-256, SHA-256 or MD5, or one of them with -sess"
)]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// `SHA-512-256`
    pub const SHA_512_256: Self = Self { function: HashFunction::Sha512_256, is_session: false };
    /// `SHA-256`
    pub const SHA_256: Self = Self { function: HashFunction::Sha256, is_session: false };
    /// `MD5`
    pub const MD5: Self = Self { function: HashFunction::Md5, is_session: false };
    /// `SHA-512-256-sess`
    pub const SHA_512_256_SESS: Self = Self { is_session: true, ..Self::SHA_512_256 };
    /// `SHA-256-sess`
    pub const SHA_256_SESS: Self = Self { is_session: true, ..Self::SHA_256 };
    /// `MD5-sess`
    pub const MD5_SESS: Self = Self { is_session: true, ..Self::MD5 };

    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::SHA_512_256,
        Self::SHA_256,
        Self::MD5,
        Self::SHA_512_256_SESS,
        Self::SHA_256_SESS,
        Self::MD5_SESS,
    ];

    /// The registered name, as it is written in challenges and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.function, self.is_session) {
            (function, false) => function.name(),
            (HashFunction::Sha512_256, true) => "SHA-512-256-sess",
            (HashFunction::Sha256, true) => "SHA-256-sess",
            (HashFunction::Md5, true) => "MD5-sess",
        }
    }

    /// The algorithm with this registered name, in any case: names are tokens (RFC 3261 §7.3.1).
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// What it hashes with.
    #[must_use]
    pub const fn function(self) -> HashFunction {
        self.function
    }

    /// Whether the nonces of both sides are hashed into the secret (A1 of RFC 7616 §3.4.2).
    #[must_use]
    pub const fn is_session(self) -> bool {
        self.is_session
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name()
    }
}

impl TryFrom<String> for Algorithm {
    type Error = UnknownAlgorithm;

    fn try_from(name: String) -> Result<Self, UnknownAlgorithm> {
        Self::from_name(name.as_bytes()).ok_or(UnknownAlgorithm)
    }
}

/// The algorithms of our challenges in the order of their headers.
///
/// The order is policy: a client takes the first one it knows (RFC 8760 §2.4), and old clients read
/// only the first header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Algorithm>", try_from = "Vec<Algorithm>")]
pub struct OfferedAlgorithms(Vec<Algorithm>);

/// Why a list of algorithms cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidOffer {
    /// Without a challenge nobody could ever authenticate.
    #[error("no digest algorithm is offered")]
    Empty,
    /// RFC 8760 §2.3 wants one header per algorithm.
    #[error("digest algorithm {0} is offered twice")]
    Repeated(Algorithm),
}

/// SHA-256 alone: MD5 is broken, and SHA-512-256 takes a hash that few users files have.
impl Default for OfferedAlgorithms {
    fn default() -> Self {
        Self(vec![Algorithm::SHA_256])
    }
}

impl OfferedAlgorithms {
    /// Accepts at least one algorithm, each once.
    pub fn new(in_order: Vec<Algorithm>) -> Result<Self, InvalidOffer> {
        if in_order.is_empty() {
            return Err(InvalidOffer::Empty);
        }
        for algorithm in Algorithm::ALL {
            if in_order.iter().filter(|it| **it == algorithm).count() > 1 {
                return Err(InvalidOffer::Repeated(algorithm));
            }
        }
        Ok(Self(in_order))
    }

    /// The algorithms, first header first.
    pub fn iter(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.0.iter().copied()
    }

    /// Whether a response with this algorithm answers one of our challenges.
    #[must_use]
    pub fn contains(&self, algorithm: Algorithm) -> bool {
        self.0.contains(&algorithm)
    }
}

impl From<OfferedAlgorithms> for Vec<Algorithm> {
    fn from(offered: OfferedAlgorithms) -> Self {
        offered.0
    }
}

impl TryFrom<Vec<Algorithm>> for OfferedAlgorithms {
    type Error = InvalidOffer;

    fn try_from(in_order: Vec<Algorithm>) -> Result<Self, InvalidOffer> {
        Self::new(in_order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Configured {
        algorithms: OfferedAlgorithms,
    }

    #[test]
    fn reads_registered_names_in_any_case_and_nothing_else() {
        assert_eq!(Algorithm::from_name(b"SHA-256"), Some(Algorithm::SHA_256));
        assert_eq!(Algorithm::from_name(b"sha-256"), Some(Algorithm::SHA_256));
        assert_eq!(Algorithm::from_name(b"md5"), Some(Algorithm::MD5));
        assert_eq!(Algorithm::from_name(b"SHA256"), None);
        assert_eq!(Algorithm::from_name(b"sha-512-256"), Some(Algorithm::SHA_512_256));
        assert_eq!(Algorithm::from_name(b"md5-SESS"), Some(Algorithm::MD5_SESS));
        assert_eq!(Algorithm::from_name(b"SHA-512"), None);
        assert_eq!(Algorithm::from_name(b"-sess"), None);
        assert_eq!(Algorithm::from_name(b""), None);
    }

    #[test]
    fn an_offer_in_the_configuration_keeps_its_order() {
        let read: Configured = toml::from_str(r#"algorithms = ["MD5", "sha-256"]"#).unwrap();
        assert_eq!(
            read.algorithms.iter().collect::<Vec<_>>(),
            [Algorithm::MD5, Algorithm::SHA_256]
        );
    }

    #[test]
    fn an_offer_is_neither_empty_nor_repeated_nor_unknown() {
        for (text, message) in [
            ("algorithms = []", "no digest algorithm"),
            (r#"algorithms = ["MD5", "md5"]"#, "MD5 is offered twice"),
            (r#"algorithms = ["SHA-256-sess", "MD5", "sha-256-SESS"]"#, "-sess is offered twice"),
            (r#"algorithms = ["SHA-1"]"#, "unknown digest algorithm"),
        ] {
            let error = toml::from_str::<Configured>(text).err().unwrap().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
