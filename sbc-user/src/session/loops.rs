use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Forwarder, TokenSeal};
use crate::sip::{HeaderKind, Message, StartLine, Via};
use crate::transport::Flow;

/// Bytes of a mark, and what they are as text.
const MARK_BYTES: usize = 6;
pub(super) const MARK_LENGTH: usize = MARK_BYTES * 4 / 3;

/// How many Vias are looked at: a loop through more elements is ended by Max-Forwards.
const LOOKED_AT: usize = 16;

/// The part of our branches by which a request is known when it comes again (RFC 3261 §16.6 item 8): a
/// keyed hash of all that decides where it goes. It does not depend on the Vias, which grow
/// (RFC 5393 §4.2), nor on what CANCEL and ACK lack that belong to the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoopMark([u8; MARK_LENGTH]);

impl Default for LoopMark {
    /// That of no request.
    fn default() -> Self {
        Self([b'-'; MARK_LENGTH])
    }
}

impl LoopMark {
    pub(super) fn as_str(&self) -> &str {
        // It is base64.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Forwarder {
    /// The mark of a request as it came in from `origin`. Which side that is decides where it goes: a proxy
    /// inside may send out unchanged what came from outside.
    pub(super) fn loop_mark(&self, request: &Message<'_>, origin: &Flow) -> LoopMark {
        let StartLine::Request { uri, .. } = request.start_line() else {
            return LoopMark::default();
        };
        // A Route that names us and no token only led here; some leave it out of a CANCEL.
        let routes = request.routes().map(|route| route.uri);
        let routes = routes.filter(|uri| !self.names_us(uri));
        let destinations = std::iter::once(uri).chain(routes).map(|uri| uri.raw);
        self.seal().loop_mark(request, self.is_inside(origin), destinations)
    }

    /// Says whether we have forwarded the same request before, for the same way (RFC 3261 §16.3 item 4).
    /// One that comes back for another is a spiral, and passes.
    pub(super) fn is_loop(&self, request: &Message<'_>, mark: LoopMark) -> bool {
        let vias = request.values(HeaderKind::Via).take(LOOKED_AT);
        let marked = vias.filter(|value| memchr::memmem::find(value.bytes, &mark.0).is_some());
        marked.filter_map(|value| Via::parse(value.bytes).ok()).any(|via| {
            let own = via.branch.filter(|branch| branch.ends_with(&mark.0));
            let sent_by = via.host_ip().map(|ip| SocketAddr::new(ip, via.port.unwrap_or(5060)));
            own.is_some() && sent_by.is_some_and(|address| self.is_own_address(address))
        })
    }
}

impl TokenSeal {
    fn loop_mark<'a>(
        &self,
        request: &Message<'a>,
        is_from_inside: bool,
        destinations: impl Iterator<Item = &'a [u8]>,
    ) -> LoopMark {
        let mut mac = self.loops();
        let from_tag = request.from().tag.unwrap_or_default();
        mac.update(&[u8::from(is_from_inside)]);
        mac.update(&request.cseq().number.to_be_bytes());
        // None of these holds a zero byte: what is no text was refused by the scanner.
        for part in [request.call_id(), from_tag].into_iter().chain(destinations) {
            mac.update(part);
            mac.update(b"\0");
        }
        let mut mark = LoopMark([0; MARK_LENGTH]);
        let mac = mac.finish();
        // It is as long as what is written.
        let _ =
            URL_SAFE_NO_PAD.encode_slice(mac.get(..MARK_BYTES).unwrap_or_default(), &mut mark.0);
        mark
    }
}
