use serde::{Deserialize, Serialize};

use super::{Failure, IdentityHeader};

/// The kind of PASSporT that is read and made (RFC 8588).
pub(super) const SHAKEN: &str = "shaken";
pub(super) const ES256: &str = "ES256";
pub(super) const PASSPORT: &str = "passport";
/// More numbers than that are not called at once.
const MOST_CALLEES: usize = 32;

/// How well whoever signed knows who calls (RFC 8588 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attestation {
    /// The customer, and that the number is his.
    A,
    /// The customer, but not whether the number is his.
    B,
    /// Only where the call entered the network.
    C,
}

impl Attestation {
    /// Its letter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// What a PASSporT of the kind `shaken` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passport {
    /// Where the certificate is.
    pub certificate_url: String,
    /// The number that calls, as it is written there.
    pub orig: String,
    /// The numbers that are called.
    pub dest: Vec<String>,
    /// When it was signed, in seconds since 1970.
    pub issued_at: u64,
    /// How well the caller is known.
    pub attestation: Attestation,
    /// Names where the call came from.
    pub origid: String,
}

// The members stand in the order in which they are signed (RFC 8225 §9): by the alphabet.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) ppt: String,
    pub(super) typ: String,
    pub(super) x5u: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) attest: Attestation,
    pub(super) dest: Dest,
    pub(super) iat: u64,
    pub(super) orig: Orig,
    pub(super) origid: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Dest {
    pub(super) tn: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Orig {
    pub(super) tn: String,
}

/// RFC 7515 §4.1.11: what has to be understood.
#[derive(Deserialize)]
struct Demands {
    crit: Option<serde_json::Value>,
}

impl Passport {
    /// Reads what an Identity header signs. What stands beside the signed part has to say the same.
    pub fn read(identity: &IdentityHeader<'_>) -> Result<Self, Failure> {
        let demands: Demands =
            serde_json::from_slice(&identity.header).map_err(|_| Failure::Malformed)?;
        if demands.crit.is_some() {
            return Err(Failure::Unsupported);
        }
        let header: Header =
            serde_json::from_slice(&identity.header).map_err(|_| Failure::Malformed)?;
        if header.alg != ES256 || identity.algorithm.is_some_and(|it| it != ES256.as_bytes()) {
            return Err(Failure::Unsupported);
        }
        if header.ppt != SHAKEN
            || !header.typ.eq_ignore_ascii_case(PASSPORT)
            || header.x5u.as_bytes() != identity.info
        {
            return Err(Failure::Malformed);
        }
        let claims: Claims =
            serde_json::from_slice(&identity.claims).map_err(|_| Failure::Malformed)?;
        if claims.dest.tn.is_empty() || claims.dest.tn.len() > MOST_CALLEES {
            return Err(Failure::Malformed);
        }
        Ok(Self {
            certificate_url: header.x5u,
            orig: claims.orig.tn,
            dest: claims.dest.tn,
            issued_at: claims.iat,
            attestation: claims.attest,
            origid: claims.origid,
        })
    }
}
