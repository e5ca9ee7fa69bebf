use rsip::Method as KnownMethod;

use super::Outcome;
use crate::config::{FalseClaims, Mandate};
use crate::session::{Forwarder, makes_false_claims};
use crate::sip::{Message, Method, StartLine, Uri};

/// What a request says beyond its sender's mandate, if it is refused for that. Who was admitted to a dialog
/// is called in it what whoever admitted him called him, and begins nothing; but where he wants to be
/// reached may change with each request.
pub(super) fn excess(
    mandate: &Mandate,
    request: &Message<'_>,
    forwarder: &Forwarder,
    is_admitted: bool,
) -> Option<Outcome> {
    let StartLine::Request { method, uri } = request.start_line() else { return None };
    if !is_admitted && claims_too_much(mandate, request, &method) {
        return Some(Outcome::IdentityNotAllowed);
    }
    if !request.contacts().all(|contact| mandate.may_be_at(&contact.uri)) {
        return Some(Outcome::ContactNotAllowed);
    }
    if !is_admitted && begins(request, &method) && !may_reach(mandate, request, &uri, forwarder) {
        return Some(Outcome::DestinationNotAllowed);
    }
    None
}

fn claims_too_much(mandate: &Mandate, request: &Message<'_>, method: &Method<'_>) -> bool {
    // Whoever registers claims the address in To as well: a binding decides where its calls go.
    let may_be = mandate.may_assert(&request.from().uri)
        && (!method.is(KnownMethod::Register) || mandate.may_assert(&request.to().uri));
    let refuses_claims = || mandate.false_claims() == FalseClaims::Refuse;
    !may_be || refuses_claims() && makes_false_claims(request, mandate)
}

/// Says whether a request that shows no admission to a dialog may begin something: a tag in To is no proof
/// of a dialog. A registration is for its own domain, and what ends a call begins none.
fn begins(request: &Message<'_>, method: &Method<'_>) -> bool {
    let ends = method.is(KnownMethod::Ack)
        || method.is(KnownMethod::Cancel)
        || method.is(KnownMethod::Bye) && request.to().tag.is_some();
    !ends && !method.is(KnownMethod::Register)
}

/// Says whether a request goes where its sender may call. An address that we have sealed was given out by
/// the upstream. Where there is a list, nothing may lead elsewhere than the Request-URI says: the upstream
/// would follow a Route or `maddr` (RFC 3261 §16.5, §16.6).
fn may_reach(
    mandate: &Mandate,
    request: &Message<'_>,
    uri: &Uri<'_>,
    forwarder: &Forwarder,
) -> bool {
    if !mandate.limits_calls() {
        return true;
    }
    let goes_elsewhere = uri.param(b"maddr").is_some()
        || request.routes().any(|route| !forwarder.is_own(&route.uri));
    !goes_elsewhere && (mandate.may_call(uri) || forwarder.has_sealed(uri))
}
