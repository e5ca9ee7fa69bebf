use super::Attestation;

/// What was found out about the number that a call says to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Somebody whose certificate allows it has signed that this number calls.
    Passed(Attestation),
    /// What was signed is not so.
    Failed(Failure),
    /// Nobody has signed, or nobody could be asked.
    NotValidated(Failure),
}

/// Why a number was not validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no Identity header of the kind `shaken`.
    Missing,
    /// An Identity header cannot be read, or there are two of the kind.
    Malformed,
    /// The signature is of another algorithm.
    Unsupported,
    /// The certificate is not at hand.
    NoCertificate,
    /// The certificate leads to no authority that is believed, or is not valid now.
    Untrusted,
    /// The certificate is not for this number.
    NotAuthorized,
    /// The signature is not that of the certificate.
    BadSignature,
    /// It was signed too long ago, or in the future.
    Stale,
    /// Another number was signed than the one that the call says to come from.
    OtherCaller,
    /// Another number was signed than the one that is called.
    OtherCallee,
    /// The same was signed for another call.
    Replayed,
    /// So many signatures of the peer were bad of late that nobody looked at this one.
    NotLookedAt,
}

impl Failure {
    /// The status that a request is refused with for it (RFC 8224 §6.2.2).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Missing => 428,
            Self::NoCertificate => 436,
            Self::Unsupported | Self::Untrusted | Self::NotAuthorized => 437,
            // "Stale Date" (§6.2.2), and not that of a bad signature.
            Self::Stale => 403,
            // Nothing is held against it: the bad ones may be forged, and it may be good when it comes again.
            Self::NotLookedAt => 503,
            Self::Malformed
            | Self::BadSignature
            | Self::OtherCaller
            | Self::OtherCallee
            | Self::Replayed => 438,
        }
    }

    /// What it is called in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::NoCertificate => "no-certificate",
            Self::Untrusted => "untrusted-certificate",
            Self::NotAuthorized => "number-not-of-certificate",
            Self::BadSignature => "bad-signature",
            Self::Stale => "stale",
            Self::OtherCaller => "other-caller",
            Self::OtherCallee => "other-callee",
            Self::Replayed => "replayed",
            Self::NotLookedAt => "not-looked-at",
        }
    }
}

impl Finding {
    /// The value of `verstat` (3GPP TS 24.229 §7.2A.20).
    #[must_use]
    pub const fn verstat(self) -> &'static str {
        match self {
            Self::Passed(_) => "TN-Validation-Passed",
            Self::Failed(_) => "TN-Validation-Failed",
            Self::NotValidated(_) => "No-TN-Validation",
        }
    }

    /// Why it has not passed; `None` if it has.
    #[must_use]
    pub const fn failure(self) -> Option<Failure> {
        match self {
            Self::Passed(_) => None,
            Self::Failed(failure) | Self::NotValidated(failure) => Some(failure),
        }
    }
}

impl From<Failure> for Finding {
    /// Where nothing was signed, or nothing is at hand to verify it with, nothing was found out.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing | Failure::NoCertificate | Failure::NotLookedAt => {
                Self::NotValidated(failure)
            }
            Failure::Malformed
            | Failure::Unsupported
            | Failure::Untrusted
            | Failure::NotAuthorized
            | Failure::BadSignature
            | Failure::Stale
            | Failure::OtherCaller
            | Failure::OtherCallee
            | Failure::Replayed => Self::Failed(failure),
        }
    }
}
