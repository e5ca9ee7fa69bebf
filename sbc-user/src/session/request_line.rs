//! What the first line of a message says about where it may go.

use std::net::SocketAddr;

use rsip::Method as KnownMethod;

use crate::sip::{Message, Method, Rewrite, Scheme, StartLine, Uri};

/// Requests whose responses make a dialog (RFC 3261 §12.1, RFC 6665, RFC 3515).
pub(super) fn forms_a_dialog(request: &Message<'_>) -> bool {
    let StartLine::Request { method, .. } = request.start_line() else { return false };
    request.to().tag.is_none()
        && matches!(
            method,
            Method::Known(KnownMethod::Invite | KnownMethod::Subscribe | KnownMethod::Refer)
        )
}

/// RFC 3261 §12.1: no other response makes a dialog. Some copy the routes into refusals too, and the token in them would
/// admit who was refused.
pub(super) fn may_make_a_dialog(response: &Message<'_>) -> bool {
    matches!(response.start_line(), StartLine::Response { status, .. } if (101..300).contains(&status))
}

/// Emergency services, presence and instant messages have schemes of their own (RFC 5031, RFC 3859,
/// RFC 3860), and where they go is the upstream's to know.
pub(super) fn has_known_scheme(request: &Message<'_>) -> bool {
    const KNOWN: [&[u8]; 3] = [b"urn", b"pres", b"im"];
    let StartLine::Request { uri, .. } = request.start_line() else { return true };
    match uri.scheme {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => true,
        Scheme::Other(name) => KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known)),
    }
}

/// Puts a host, perhaps with a port, into the Request-URI; a `tel` URI becomes a `sip` one (RFC 3261 §19.1.6).
pub(super) fn write_host(rewrite: &mut Rewrite<'_>, request: &Message<'_>, host: &str) {
    let StartLine::Request { uri, .. } = request.start_line() else { return };
    match uri.scheme {
        Scheme::Tel => {
            let number = uri.raw.get(b"tel:".len()..).unwrap_or_default();
            let number = String::from_utf8_lossy(number);
            rewrite.replace_part(uri.raw, format!("sip:{number}@{host};user=phone"));
        }
        Scheme::Sip | Scheme::Sips => {
            let Some(range) = request.range_of(uri.host) else { return };
            let port = uri.port_text().len();
            rewrite.replace(range.start..range.end.saturating_add(port), host);
        }
        Scheme::Other(_) => {}
    }
}

/// A REGISTER.
pub(super) fn is_registration(request: &Message<'_>) -> bool {
    matches!(request.start_line(),
        StartLine::Request { method, .. } if method.is(KnownMethod::Register))
}

/// The address that a URI names, with the port that it means.
pub(super) fn address_of(uri: &Uri<'_>) -> Option<SocketAddr> {
    let is_tls = uri.param(b"transport").is_some_and(|t| t.eq_ignore_ascii_case(b"tls"));
    let port = uri.port.unwrap_or(if is_tls { 5061 } else { 5060 });
    Some(SocketAddr::new(uri.host_ip()?, port))
}
