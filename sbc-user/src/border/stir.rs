//! What is signed of calling numbers: verified as calls come in, and signed as they go out.

use rsip::Method as KnownMethod;

use super::Border;
use crate::config::StirPolicy;
use crate::identity::{Attestation, Failure, Finding, Signer, Verifier, stamped};
use crate::screening::{Evidence, Outcome, Rejection};
use crate::session::Forwarded;
use crate::sip::{Message, StartLine};
use crate::transport::Flow;
use crate::trust::TrustTable;

/// What numbers are verified and signed with.
#[derive(Debug, Default)]
pub struct Stir {
    /// `None` if nothing is verified.
    pub verifier: Option<Verifier>,
    /// `None` if nothing is signed.
    pub signer: Option<Signer>,
}

impl<T: TrustTable> Border<T> {
    /// Finds out about the number that a call of a peer says to come from, if the peer's policy asks for it.
    pub(super) fn validated(
        &self,
        flow: &Flow,
        evidence: &Evidence,
        request: &Message<'_>,
    ) -> Result<Option<Finding>, Rejection> {
        let Some(verifier) = self.stir.verifier.as_ref().filter(|_| begins_a_call(request)) else {
            return Ok(None);
        };
        let standing = self.standing(flow, evidence);
        let policy = standing.peer(&self.config.peers).map(|peer| peer.stir).unwrap_or_default();
        if policy == StirPolicy::Off {
            return Ok(None);
        }
        let finding = verifier.verify(request, self.clock.unix_seconds());
        let Some(failure) = finding.failure() else { return Ok(Some(finding)) };
        tracing::debug!(%flow, failure = failure.name(), "a calling number is not validated");
        if policy == StirPolicy::Mark {
            return Ok(Some(finding));
        }
        let outcome = match failure {
            Failure::Missing => Outcome::IdentityMissing,
            Failure::Malformed
            | Failure::Unsupported
            | Failure::NoCertificate
            | Failure::Untrusted
            | Failure::NotAuthorized
            | Failure::BadSignature
            | Failure::Stale
            | Failure::OtherCaller
            | Failure::OtherCallee
            | Failure::Replayed => Outcome::IdentityInvalid,
        };
        Err(Rejection { status: failure.status(), outcome })
    }

    /// Signs a call that goes out, as far as it goes from a number to a number.
    pub(super) fn signed(&self, message: Vec<u8>, attestation: Option<Attestation>) -> Vec<u8> {
        let Some((signer, attestation)) = self.stir.signer.as_ref().zip(attestation) else {
            return message;
        };
        let now = self.clock.unix_seconds();
        let with_identity = Message::scan(&message)
            .ok()
            .filter(begins_a_call)
            .and_then(|request| signer.signed(&request, attestation, now));
        with_identity.unwrap_or(message)
    }
}

/// Tells the upstream what was found out about its caller.
pub(super) fn telling(forwarded: Forwarded, finding: Option<Finding>) -> Forwarded {
    let Some(finding) = finding else { return forwarded };
    let told = Message::scan(&forwarded.message).ok();
    let told = told.and_then(|request| stamped(&request, finding));
    match told {
        Some(message) => Forwarded { message, ..forwarded },
        None => forwarded,
    }
}

fn begins_a_call(request: &Message<'_>) -> bool {
    matches!(request.start_line(),
        StartLine::Request { method, .. } if method.is(KnownMethod::Invite))
        && request.to().tag.is_none()
}
