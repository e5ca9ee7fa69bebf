use rsip::Method as KnownMethod;

use super::Outcome;
use crate::config::{FalseClaims, Mandate};
use crate::session::{Forwarder, makes_false_claims};
use crate::sip::{Message, StartLine};

/// What a request says beyond its sender's mandate, if it is refused for that.
pub(super) fn excess(
    mandate: &Mandate,
    request: &Message<'_>,
    forwarder: &Forwarder,
) -> Option<Outcome> {
    let StartLine::Request { method, uri } = request.start_line() else { return None };
    let registers = method.is(KnownMethod::Register);
    // Whoever registers claims the address in To as well: a binding decides where its calls go.
    let may_be = mandate.may_assert(&request.from().uri)
        && (!registers || mandate.may_assert(&request.to().uri));
    let refuses_claims = || mandate.false_claims() == FalseClaims::Refuse;
    if !may_be || refuses_claims() && makes_false_claims(request, mandate) {
        return Some(Outcome::IdentityNotAllowed);
    }
    if !request.contacts().all(|contact| mandate.may_be_at(&contact.uri)) {
        return Some(Outcome::ContactNotAllowed);
    }
    // A registration is for its own domain, what ends a call is for whom the call was, and an address that we
    // have sealed was given out by the upstream.
    let begins = request.to().tag.is_none()
        && !registers
        && !method.is(KnownMethod::Ack)
        && !method.is(KnownMethod::Cancel);
    if begins && !mandate.may_call(&uri) && !forwarder.has_sealed(&uri) {
        return Some(Outcome::DestinationNotAllowed);
    }
    None
}
