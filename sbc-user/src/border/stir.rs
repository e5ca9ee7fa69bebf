//! What is signed of calling numbers: verified as calls come in, and signed as they go out.

use rsip::Method as KnownMethod;

use super::Border;
use crate::config::{Peer, StirPolicy};
use crate::identity::{Attestation, Failure, Occasion, Signer, Verified, Verifier, stamped};
use crate::screening::{Evidence, Outcome, Rejection};
use crate::session::{Forwarded, RelayRefusal};
use crate::sip::{Message, RewriteError, StartLine};
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

impl Stir {
    /// The same, which remembers what `earlier` does.
    #[must_use]
    pub fn continuing(self, earlier: &Self) -> Self {
        let verifier = self.verifier.map(|verifier| match &earlier.verifier {
            Some(earlier) => verifier.continuing(earlier),
            None => verifier,
        });
        Self { verifier, ..self }
    }
}

/// A call whose number is to be found out about.
pub(super) struct Inquiry<'b> {
    verifier: &'b Verifier,
    peer: &'b Peer,
    /// What was found out last.
    verified: Option<Verified>,
}

impl Inquiry<'_> {
    /// Takes note that the call has gone on.
    pub(super) fn passed_on(&self) {
        if let Some(verified) = &self.verified {
            self.verifier.passed_on(verified);
        }
    }
}

impl<T: TrustTable> Border<T> {
    /// Begins to find out about the number that a call of a peer says to come from, if the peer's policy asks
    /// for it. A call that goes on shows that its sender was admitted to it.
    pub(super) fn inquiry(
        &self,
        flow: &Flow,
        evidence: &Evidence,
        request: &Message<'_>,
    ) -> Option<Inquiry<'_>> {
        let verifier = self.stir.verifier.as_ref().filter(|_| is_invite(request))?;
        let peer = self.standing(flow, evidence).peer(&self.config.peers)?;
        if peer.stir == StirPolicy::Off || self.forwarder.is_admitted(request, flow) {
            return None;
        }
        Some(Inquiry { verifier, peer, verified: None })
    }

    /// Finds out about the number that the upstream will see, and tells it; or refuses the call. What cannot
    /// be told is not passed on: nobody hides a finding behind a long message.
    pub(super) fn telling(
        &self,
        forwarded: Forwarded,
        inquiry: &mut Option<Inquiry<'_>>,
    ) -> Result<Forwarded, Rejection> {
        let Some(Inquiry { verifier, peer, verified }) = inquiry else { return Ok(forwarded) };
        let untold = |error| Rejection::of_relay(RelayRefusal::Unwritable(error));
        // We have written it: it can only have grown beyond what is read.
        let request = Message::scan(&forwarded.message);
        let request = request.map_err(|_| untold(RewriteError::TooLarge))?;
        let occasion = Occasion {
            peer: &peer.name,
            unix_seconds: self.clock.unix_seconds(),
            monotonic: self.now(),
        };
        let finding = verified.insert(verifier.verify(&request, &occasion)).finding;
        if let Some(failure) = finding.failure() {
            let (peer, failure_name) = (&peer.name, failure.name());
            tracing::debug!(peer, failure = failure_name, "a calling number is not validated");
        }
        if let Some(failure) = finding.failure().filter(|_| peer.stir == StirPolicy::Require) {
            let (status, outcome) = (failure.status(), refused_for(failure));
            return Err(Rejection { status, outcome });
        }
        let message = stamped(&request, finding).map_err(untold)?;
        Ok(Forwarded { message, ..forwarded })
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

/// What a call is counted as whose number was not validated.
const fn refused_for(failure: Failure) -> Outcome {
    match failure {
        Failure::Missing => Outcome::IdentityMissing,
        Failure::NotLookedAt => Outcome::IdentityNotLookedAt,
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
    }
}

fn is_invite(request: &Message<'_>) -> bool {
    matches!(request.start_line(),
        StartLine::Request { method, .. } if method.is(KnownMethod::Invite))
}

fn begins_a_call(request: &Message<'_>) -> bool {
    is_invite(request) && request.to().tag.is_none()
}
