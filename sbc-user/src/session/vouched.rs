//! What passes between a client and an upstream that tells by itself who its users are.

use super::claims::LeftOut;
use super::registration::shorten;
use super::{Forwarded, Forwarder, Passage, RelayRefusal, Ticket, TransactionFacts};
use crate::proof::digest::{AuthParams, UnixMillis};
use crate::sip::{Header, HeaderKind, Message, Rewrite};
use crate::transport::Flow;

/// The parameter of our Via that says what a request was passed on as.
const PASSAGE: &[u8] = b"passage";
/// Challenges in one response that can be answered through us; the others pass as they are.
const MOST_CHALLENGES: usize = 8;

/// A request whose sender is for the upstream to tell.
#[derive(Clone, Debug)]
pub struct Vouched<'m> {
    /// What it is passed on as.
    pub passage: Passage,
    /// The credentials in it.
    pub brought: Vec<Brought<'m>>,
}

/// Credentials in a request.
#[derive(Clone, Debug)]
pub struct Brought<'m> {
    /// Where they stand.
    pub header: Header<'m>,
    /// The challenge of the upstream's that they answer; with `None` they go no further.
    pub answered: Option<Ticket>,
}

impl Vouched<'_> {
    /// Whether it shows nothing of who sends it. A refusal may bring routes back, whose token would admit him.
    pub(super) const fn is_nobodys(&self) -> bool {
        !self.passage.is_known && !self.passage.is_proof
    }
}

impl Forwarder {
    /// What a request was passed on as whose response this is, if it was one of those.
    #[must_use]
    pub fn passage_of(&self, response: &Message<'_>, arrival: &Flow) -> Option<Passage> {
        let token = response.top_via().param(PASSAGE).filter(|_| self.is_inside(arrival))?;
        self.seal().passage_of(&TransactionFacts::of_response(response)?, token)
    }

    /// Rewrites the upstream's answer to a request that was passed on as `passage` and came from `to`. Challenges
    /// in it can be answered from there alone; registrations in it last no longer than `longest` seconds.
    pub fn vouched_outwards(
        &self,
        response: &Message<'_>,
        to: Flow,
        (passage, now): (&Passage, UnixMillis),
        longest: Option<u32>,
        is_trusted: impl FnOnce(&Flow) -> bool,
    ) -> Result<Forwarded, RelayRefusal> {
        let left_out = LeftOut::of(response, &to, is_trusted);
        self.passed_back(response, &to, to, None, left_out, |rewrite| {
            if let Some(longest) = longest {
                shorten(rewrite, response, longest);
            }
            // The next nonce would come back under the ticket of this one.
            rewrite.remove_all(HeaderKind::AuthenticationInfo);
            for challenge in challenges(response).take(MOST_CHALLENGES) {
                if let Some(text) = self.passed_challenge(&challenge, &to, passage, now) {
                    rewrite.replace_part(challenge.value, text);
                }
            }
        })
    }

    /// The parameter of our Via under which a request goes in.
    pub(super) fn passage_parameter(&self, request: &Message<'_>, vouched: &Vouched<'_>) -> String {
        let token = self.seal().passage(&TransactionFacts::of_request(request), &vouched.passage);
        [";passage=", &token].concat()
    }

    /// A challenge as it is passed on. It tells a client to answer once more whose credentials we have taken away:
    /// they were no wrong ones, and it would ask its user for others (RFC 7616 §3.3).
    fn passed_challenge(
        &self,
        challenge: &Header<'_>,
        to: &Flow,
        passage: &Passage,
        now: UnixMillis,
    ) -> Option<Vec<u8>> {
        let params = AuthParams::read(challenge.value).ok()?;
        let (realm, nonce) = (params.value(b"realm")?, params.value(b"nonce")?);
        let opaque = params.opaque().map(<[u8]>::to_vec);
        let ticket = Ticket { to: to.remote, passed: now, subject: passage.subject, opaque };
        let sealed = self.seal().ticket(&realm, &nonce, &ticket)?;
        Some(if passage.was_stale {
            params.with_opaque_and_stale(sealed.as_bytes())
        } else {
            params.with_opaque(Some(sealed.as_bytes()))
        })
    }
}

/// Takes away the credentials that answer no challenge which was passed on, and gives back to the others what the
/// upstream wrote into its challenge.
pub(super) fn restore_credentials(rewrite: &mut Rewrite<'_>, vouched: &Vouched<'_>) {
    for Brought { header, answered } in &vouched.brought {
        let params = AuthParams::read(header.value);
        match (answered, params) {
            (Some(ticket), Ok(params)) => {
                rewrite.replace_part(header.value, params.with_opaque(ticket.opaque.as_deref()));
            }
            _ => {
                rewrite.remove(header);
            }
        }
    }
}

/// Says whether any challenge in a response says that the answer was right but too late.
#[must_use]
pub fn is_stale(response: &Message<'_>) -> bool {
    let params = challenges(response).filter_map(|header| AuthParams::read(header.value).ok());
    params.into_iter().any(|params| params.is_stale())
}

fn challenges<'m>(response: &Message<'m>) -> impl Iterator<Item = Header<'m>> {
    let kinds = [HeaderKind::WwwAuthenticate, HeaderKind::ProxyAuthenticate];
    kinds.into_iter().flat_map(|kind| response.headers_of(kind))
}
