use std::net::SocketAddr;

use rsip::Method as KnownMethod;
use thiserror::Error;

use super::{TokenSeal, TransactionFacts, without_false_claims};
use crate::config::Assertables;
use crate::sip::{
    Header, HeaderKind, Message, Method, NameAddr, Rewrite, RewriteError, StartLine, Uri,
};
use crate::transport::{Flow, Transport};

/// What RFC 3261 §16.6 step 3 gives a request without Max-Forwards.
const DEFAULT_MAX_FORWARDS: &str = "70";

/// Rewrites messages on their way through, in both directions.
pub struct Forwarder {
    seal: TokenSeal,
    /// Our listeners in the order of [`Flow::listener`]; the last one is the inside socket.
    listeners: Vec<(Transport, SocketAddr)>,
    inside: u8,
    upstream: SocketAddr,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Where to.
    pub to: Flow,
    /// The whole message.
    pub message: Vec<u8>,
}

/// Why a message is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RelayRefusal {
    /// Max-Forwards has run out (RFC 3261 §16.3 item 3).
    #[error("Max-Forwards has run out")]
    TooManyHops,
    /// Proxy-Require asks for something that we do not do (RFC 3261 §16.3 item 5).
    #[error("Proxy-Require names an extension that is not supported")]
    BadExtension,
    /// No token says where it should go.
    #[error("no route of ours says where it goes")]
    NoRoute,
    /// A response to a request that we did not forward.
    #[error("the response answers no request of ours")]
    NotOurs,
    /// The message cannot be rewritten.
    #[error("{0}")]
    Unwritable(#[from] RewriteError),
}

impl Forwarder {
    /// Makes a forwarder for these listeners, of which the one at position `inside` faces `upstream`.
    #[must_use]
    pub const fn new(
        seal: TokenSeal,
        listeners: Vec<(Transport, SocketAddr)>,
        inside: u8,
        upstream: SocketAddr,
    ) -> Self {
        Self { seal, listeners, inside, upstream }
    }

    /// The seal of the tokens in our Via and Record-Route headers.
    #[must_use]
    pub const fn seal(&self) -> &TokenSeal {
        &self.seal
    }

    /// The position of the inside socket.
    #[must_use]
    pub const fn inside(&self) -> u8 {
        self.inside
    }

    /// Says whether a message on the inside socket is from the upstream: nobody else may use it.
    #[must_use]
    pub fn is_upstream(&self, flow: &Flow) -> bool {
        flow.listener == self.inside && flow.remote.ip() == self.upstream.ip()
    }

    /// Says whether a request is one of a dialog and carries, in its first Routes, the token by which
    /// we admitted its sender at `near` to that dialog.
    #[must_use]
    pub fn is_admitted(&self, request: &Message<'_>, near: &Flow) -> bool {
        let StartLine::Request { method, .. } = request.start_line() else { return false };
        // A binding is no part of any dialog (RFC 3261 §10.2).
        let is_in_dialog = request.to().tag.is_some() && !method.is(KnownMethod::Register);
        // We write two Routes; more tokens would only be work for us.
        is_in_dialog
            && self.own_routes(request).take(2).any(|route| {
                let token = route.uri.user.unwrap_or_default();
                self.seal.admits(request, token, near)
            })
    }

    /// Rewrites an accepted request from `origin` for the upstream. `consumed` is the header whose
    /// credentials were meant for us; claims that `may_assert` does not allow are removed.
    pub fn request_inwards(
        &self,
        request: &Message<'_>,
        origin: &Flow,
        consumed: Option<&Header<'_>>,
        may_assert: Option<&Assertables>,
    ) -> Result<Forwarded, RelayRefusal> {
        let mut rewrite = Rewrite::new(request);
        self.pass_on(&mut rewrite, request, origin, self.inside)?;
        if forms_a_dialog(request) {
            let delivery = self.seal.delivery(request.call_id(), origin);
            let admission = self.seal.admission(request, origin);
            let (Some(delivery), Some(admission)) = (delivery, admission) else {
                return Err(RelayRefusal::NoRoute);
            };
            // Two, because the two sides of us have different addresses (RFC 5658): each end reaches
            // the one nearer to it first.
            for (token, listener) in [(delivery, self.inside), (admission, origin.listener)] {
                let uri = self.record_route(&token, listener)?;
                rewrite.insert_before_first(HeaderKind::RecordRoute, "Record-Route", uri);
            }
        }
        if let Some(consumed) = consumed {
            rewrite.remove(consumed);
        }
        without_false_claims(&mut rewrite, request, may_assert);
        let to = Flow::udp(self.inside, self.upstream);
        write(rewrite, to)
    }

    /// Rewrites a request of the upstream for the flow that its Route token names.
    pub fn request_outwards(
        &self,
        request: &Message<'_>,
        origin: &Flow,
    ) -> Result<Forwarded, RelayRefusal> {
        let to = self
            .own_routes(request)
            .take(2)
            .find_map(|route| {
                let token = route.uri.user.unwrap_or_default();
                self.seal.delivered_to(request.call_id(), token)
            })
            .filter(|to| self.is_outside(to))
            .ok_or(RelayRefusal::NoRoute)?;
        let mut rewrite = Rewrite::new(request);
        self.pass_on(&mut rewrite, request, origin, to.listener)?;
        write(rewrite, to)
    }

    /// Rewrites a response that arrived on `arrival` for the flow that its request came from, without
    /// the claims in it that `may_assert` does not allow.
    pub fn response(
        &self,
        response: &Message<'_>,
        arrival: &Flow,
        may_assert: Option<&Assertables>,
    ) -> Result<Forwarded, RelayRefusal> {
        let via = response.top_via();
        let (_, own) = self.listener(arrival.listener).ok_or(RelayRefusal::NotOurs)?;
        if via.host_ip() != Some(own.ip()) || via.port.unwrap_or(5060) != own.port() {
            return Err(RelayRefusal::NotOurs);
        }
        let to = TransactionFacts::of_response(response)
            .zip(via.branch)
            .and_then(|(facts, branch)| self.seal.origin(&facts, branch))
            .filter(|to| {
                let is_inside = arrival.listener == self.inside;
                if is_inside { self.is_outside(to) } else { self.is_upstream(to) }
            })
            .ok_or(RelayRefusal::NotOurs)?;
        let mut rewrite = Rewrite::new(response);
        rewrite.remove_first_values(HeaderKind::Via, 1);
        without_false_claims(&mut rewrite, response, may_assert);
        write(rewrite, to)
    }

    /// What every forwarded request undergoes (RFC 3261 §16.3 to §16.6).
    fn pass_on(
        &self,
        rewrite: &mut Rewrite<'_>,
        request: &Message<'_>,
        origin: &Flow,
        leaving_by: u8,
    ) -> Result<(), RelayRefusal> {
        match (request.max_forwards(), request.header(HeaderKind::MaxForwards)) {
            (Some(0), _) => return Err(RelayRefusal::TooManyHops),
            (Some(hops), Some(header)) => {
                rewrite.replace_part(header.value, (hops - 1).to_string());
            }
            (_, _) => {
                rewrite.append("Max-Forwards", DEFAULT_MAX_FORWARDS);
            }
        }
        if request.header(HeaderKind::ProxyRequire).is_some() {
            return Err(RelayRefusal::BadExtension);
        }
        rewrite.remove_first_values(HeaderKind::Route, self.own_routes(request).count());
        rewrite.stamp_top_via(origin.remote);
        let (transport, address) = self.listener(leaving_by).ok_or(RelayRefusal::NoRoute)?;
        let facts = TransactionFacts::of_request(request);
        let branch = self.seal.branch(&facts, origin).ok_or(RelayRefusal::NoRoute)?;
        let via = format!("SIP/2.0/{transport} {address};branch={branch};rport");
        rewrite.insert_before_first(HeaderKind::Via, "Via", via);
        Ok(())
    }

    /// The Routes at the beginning that name us (RFC 3261 §16.4).
    fn own_routes<'m>(&self, request: &Message<'m>) -> impl Iterator<Item = NameAddr<'m>> {
        request.routes().take_while(|route| self.is_own(&route.uri))
    }

    fn is_own(&self, uri: &Uri<'_>) -> bool {
        let Some(address) = uri.host_ip() else { return false };
        let is_tls = uri.param(b"transport").is_some_and(|t| t.eq_ignore_ascii_case(b"tls"));
        let port = uri.port.unwrap_or(if is_tls { 5061 } else { 5060 });
        let own = SocketAddr::new(address, port);
        self.listeners.iter().any(|(_, listener)| *listener == own)
    }

    /// Says whether a flow is one of our outside listeners'. Tokens outlive a restart, and with it the
    /// configuration that they were made under.
    fn is_outside(&self, flow: &Flow) -> bool {
        flow.listener != self.inside
            && self
                .listener(flow.listener)
                .is_some_and(|(transport, _)| transport == flow.transport)
    }

    fn record_route(&self, token: &str, listener: u8) -> Result<String, RelayRefusal> {
        let (transport, address) = self.listener(listener).ok_or(RelayRefusal::NoRoute)?;
        let transport = match transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        Ok(format!("<sip:{token}@{address}{transport};lr>"))
    }

    fn listener(&self, position: u8) -> Option<(Transport, SocketAddr)> {
        self.listeners.get(usize::from(position)).copied()
    }
}

/// Requests whose responses make a dialog (RFC 3261 §12.1, RFC 6665, RFC 3515).
fn forms_a_dialog(request: &Message<'_>) -> bool {
    let StartLine::Request { method, .. } = request.start_line() else { return false };
    request.to().tag.is_none()
        && matches!(
            method,
            Method::Known(KnownMethod::Invite | KnownMethod::Subscribe | KnownMethod::Refer)
        )
}

fn write(mut rewrite: Rewrite<'_>, to: Flow) -> Result<Forwarded, RelayRefusal> {
    if to.transport.is_stream() {
        rewrite.ensure_content_length();
    }
    let mut message = Vec::new();
    rewrite.write(&mut message)?;
    Ok(Forwarded { to, message })
}

#[cfg(test)]
mod tests;
