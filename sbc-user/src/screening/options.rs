use rsip::Method as KnownMethod;

use crate::proof::digest::DigestCheck;
use crate::session::Forwarder;
use crate::sip::{Message, Reply, StartLine};

/// What passes through us, in both directions.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, SUBSCRIBE, NOTIFY, \
                     REFER, MESSAGE, PUBLISH";

/// Says whether a request asks what we can do ourselves (RFC 3261 §11): it is for one of our addresses or
/// for the realm, and for nobody there, or it may go no further (§16.3 item 3).
#[must_use]
pub fn asks_us(request: &Message<'_>, forwarder: &Forwarder, digest: Option<&DigestCheck>) -> bool {
    let StartLine::Request { method, uri } = request.start_line() else { return false };
    if !method.is(KnownMethod::Options) || request.to().tag.is_some() {
        return false;
    }
    let is_realm = || uri.is_sip() && digest.is_some_and(|digest| digest.serves(uri.host));
    let is_ours = uri.user.is_none() && (forwarder.names_us(&uri) || is_realm());
    is_ours || request.max_forwards() == Some(0)
}

/// Adds what a 200 to OPTIONS says (RFC 3261 §11.2).
pub(super) fn with_capabilities(reply: Reply) -> Reply {
    reply.header("Allow", ALLOW).header("Accept", "application/sdp").header("Supported", "path")
}
