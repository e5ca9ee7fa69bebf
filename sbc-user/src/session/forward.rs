use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rsip::Method as KnownMethod;

use super::claims::LeftOut;
use super::hiding::first_line;
use super::privacy::{check_critical, depends_on_trust, withhold};
use super::registration::{add_path, is_outbound, shorten};
use super::request_line::{forms_a_dialog, has_known_scheme, is_registration, write_host};
use super::vouched::restore_credentials;
use super::{
    Registered, Registrant, RelayRefusal, TokenSeal, TransactionFacts, Vouched,
    without_false_claims,
};
use crate::config::Mandate;
use crate::sip::{Header, HeaderKind, Message, Rewrite, StartLine};
use crate::transport::{Flow, Transport};
use crate::upstream::Pool;

/// RFC 3261 §18.1.1: a request of more bytes does not go over UDP, if there is another way.
const LARGEST_OVER_UDP: usize = 1300;

/// What RFC 3261 §16.6 step 3 gives a request without Max-Forwards.
const DEFAULT_MAX_FORWARDS: &str = "70";

/// Rewrites messages on their way through, in both directions.
pub struct Forwarder {
    seal: TokenSeal,
    /// Our listeners in the order of [`Flow::listener`]; from the position `inside` on they are those
    /// towards the upstream.
    pub(super) listeners: Vec<(Transport, SocketAddr)>,
    /// Their addresses as they are written.
    pub(super) written: Vec<String>,
    pub(super) inside: u8,
    upstream: Arc<Pool>,
    hides_inside: bool,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Where to.
    pub to: Flow,
    /// The whole message.
    pub message: Vec<u8>,
}

/// What a request from outside goes in with.
struct Entrance<'a> {
    proof: Proof<'a>,
    mandate: Option<&'a Mandate>,
    registrant: Option<Registrant<'a>>,
}

/// What is done with the credentials in it.
enum Proof<'a> {
    Consumed(Option<&'a Header<'a>>),
    ForUpstream(&'a Vouched<'a>),
}

/// Where a request of the upstream goes, as our token in it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// The flow.
    pub to: Flow,
    /// The registration by which it is known; `None` for the requests of a dialog.
    pub registered: Option<Registered>,
    /// Whether the upstream was promised to be told when the flow is gone (RFC 5626 §5.3.1).
    pub is_outbound: bool,
    /// Whether who is there is in our trust domain (RFC 3324 §2.3).
    pub is_trusted: bool,
}

impl Forwarder {
    /// Makes a forwarder for these listeners, which from the position `inside` on face `upstream`.
    #[must_use]
    pub fn new(
        seal: TokenSeal,
        listeners: Vec<(Transport, SocketAddr)>,
        inside: u8,
        upstream: Arc<Pool>,
    ) -> Self {
        let written = listeners.iter().map(|(_, address)| address.to_string()).collect();
        Self { seal, listeners, written, inside, upstream, hides_inside: false }
    }

    /// Says whether what is inside is hidden from the outside.
    #[must_use]
    pub fn hiding_inside(self, hides_inside: bool) -> Self {
        Self { hides_inside, ..self }
    }

    pub(super) const fn hides_inside(&self) -> bool {
        self.hides_inside
    }

    /// The seal of the tokens in our Via and Record-Route headers.
    #[must_use]
    pub const fn seal(&self) -> &TokenSeal {
        &self.seal
    }

    /// The targets of the upstream.
    #[must_use]
    pub fn upstream(&self) -> &Pool {
        &self.upstream
    }

    /// Says whether a flow is one of the listeners towards the upstream.
    #[must_use]
    pub const fn is_inside(&self, flow: &Flow) -> bool {
        flow.listener >= self.inside
    }

    /// Says whether a message on the inside is from the upstream: nobody else may speak there.
    #[must_use]
    pub fn is_upstream(&self, flow: &Flow) -> bool {
        self.is_inside(flow) && self.upstream.is_at(flow.remote.ip())
    }

    /// Where a request from outside goes: if it is one of a dialog, to the target that has the dialog,
    /// living or not, and otherwise to one that lives.
    fn way_in(&self, request: &Message<'_>) -> Result<Flow, RelayRefusal> {
        let of_dialog = self
            .own_routes(request)
            .take(2)
            .find_map(|route| self.seal.bound_for(request, route.uri.user.unwrap_or_default()));
        of_dialog
            .filter(|target| self.upstream.leads_to(target))
            .or_else(|| self.upstream.choose(request, Instant::now()))
            .ok_or(RelayRefusal::NoTarget)
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
    /// credentials were meant for us; claims that `mandate` does not allow are removed. Where it is a
    /// registration, requests for the phone of `registrant` will find it by the Path that is added.
    pub fn request_inwards(
        &self,
        request: &Message<'_>,
        origin: &Flow,
        consumed: Option<&Header<'_>>,
        mandate: Option<&Mandate>,
        registrant: Option<Registrant<'_>>,
    ) -> Result<Forwarded, RelayRefusal> {
        let proof = Proof::Consumed(consumed);
        self.enter(request, origin, &Entrance { proof, mandate, registrant })
    }

    /// The same of a request whose sender is for the upstream to tell.
    pub fn vouched_inwards(
        &self,
        request: &Message<'_>,
        origin: &Flow,
        vouched: &Vouched<'_>,
        mandate: &Mandate,
        registrant: Option<Registrant<'_>>,
    ) -> Result<Forwarded, RelayRefusal> {
        let (proof, mandate) = (Proof::ForUpstream(vouched), Some(mandate));
        self.enter(request, origin, &Entrance { proof, mandate, registrant })
    }

    fn enter(
        &self,
        request: &Message<'_>,
        origin: &Flow,
        entrance: &Entrance<'_>,
    ) -> Result<Forwarded, RelayRefusal> {
        let target = self.way_in(request)?;
        let inwards = |to| self.request_to(request, origin, entrance, (to, target));
        let forwarded = inwards(target)?;
        if forwarded.message.len() > LARGEST_OVER_UDP
            && let Some(over_tcp) = self.upstream.instead_of_udp(&target, request, Instant::now())
        {
            return inwards(over_tcp);
        }
        Ok(forwarded)
    }

    /// The same by a way to a target, which need not be the way of the rest of the dialog.
    fn request_to(
        &self,
        request: &Message<'_>,
        origin: &Flow,
        entrance: &Entrance<'_>,
        (to, target): (Flow, Flow),
    ) -> Result<Forwarded, RelayRefusal> {
        let mut rewrite = Rewrite::new(request);
        let mark = match &entrance.proof {
            Proof::ForUpstream(vouched) => self.passage_parameter(request, vouched),
            Proof::Consumed(_) => String::new(),
        };
        self.pass_on(&mut rewrite, request, origin, to.listener, (None, &mark))?;
        self.reveal_in_request(&mut rewrite, request);
        if let Some(registrant) = entrance.registrant.filter(|_| is_registration(request)) {
            let token = self.seal.registration(registrant, origin);
            let outbound = if is_outbound(request, origin) { ";ob" } else { "" };
            let uri = self.own_uri(&token, to.listener, outbound)?;
            add_path(&mut rewrite, request, &uri);
        }
        let is_nobodys = matches!(&entrance.proof, Proof::ForUpstream(it) if it.is_nobodys());
        if forms_a_dialog(request) && !is_nobodys {
            let delivery = self.seal.delivery(request.call_id(), origin);
            let admission = self.seal.admission(request, origin, &target);
            let tokens = [(delivery, to.listener), (admission, origin.listener)];
            self.record_routes(&mut rewrite, tokens)?;
        }
        match &entrance.proof {
            Proof::Consumed(Some(consumed)) => {
                rewrite.remove(consumed);
            }
            Proof::Consumed(None) => {}
            Proof::ForUpstream(vouched) => restore_credentials(&mut rewrite, vouched),
        }
        without_false_claims(&mut rewrite, request, entrance.mandate);
        write(rewrite, to)
    }

    /// Reads where a request of the upstream goes: by a token of its dialog, or by that of a registration,
    /// which has to be the first: those behind it may be of the phone's own making. Whether the phone is
    /// still there is not known yet.
    pub fn way_out(&self, request: &Message<'_>) -> Result<WayOut, RelayRefusal> {
        let routes = || self.own_routes(request).take(2);
        let of_dialog = routes().find_map(|route| {
            let token = route.uri.user.unwrap_or_default();
            let to = self.seal.delivered_to(request.call_id(), token)?;
            Some(WayOut { to, registered: None, is_outbound: false, is_trusted: false })
        });
        let of_registration = || {
            let route = routes().find(|route| route.uri.user.is_some())?;
            let registered = self.seal.registered(route.uri.user.unwrap_or_default())?;
            let is_outbound = route.uri.param(b"ob").is_some();
            let to = registered.flow;
            Some(WayOut { to, registered: Some(registered), is_outbound, is_trusted: false })
        };
        let found = of_dialog.or_else(of_registration).filter(|way| self.is_outside(&way.to));
        let mut tokens = routes().filter_map(|route| route.uri.user).peekable();
        found.ok_or_else(|| {
            if tokens.peek().is_none() {
                RelayRefusal::NoRoute
            } else if tokens.any(|token| self.seal.is_stale(request.call_id(), token)) {
                RelayRefusal::StaleRoute
            } else {
                RelayRefusal::ForgedRoute
            }
        })
    }

    /// Rewrites a request of the upstream, which came on `origin`, for the way that it goes.
    pub fn request_outwards(
        &self,
        request: &Message<'_>,
        origin: &Flow,
        way: &WayOut,
    ) -> Result<Forwarded, RelayRefusal> {
        self.request_outwards_to(request, origin, way, None)
    }

    /// The same, with `host` and perhaps port in the Request-URI.
    pub fn request_outwards_to(
        &self,
        request: &Message<'_>,
        origin: &Flow,
        way: &WayOut,
        host: Option<&str>,
    ) -> Result<Forwarded, RelayRefusal> {
        let to = way.to;
        let mut rewrite = Rewrite::new(request);
        if !way.is_trusted && depends_on_trust(request) {
            check_critical(request, self.hides_inside)?;
            withhold(&mut rewrite, request, self.hides_inside);
        }
        let hidden = self.hidden_vias(request, origin)?;
        self.pass_on(&mut rewrite, request, origin, to.listener, (hidden.as_deref(), ""))?;
        if let Some(host) = host {
            write_host(&mut rewrite, request, host);
        }
        let admission = || {
            let upstream = self.upstream.behind(origin).ok_or(RelayRefusal::NotOurs)?;
            Ok::<_, RelayRefusal>(self.seal.admission_of_callee(request, &to, &upstream))
        };
        if self.hides_inside {
            let admission = forms_a_dialog(request).then(admission).transpose()?;
            self.hide_in_request(&mut rewrite, request, to.listener, admission.as_deref())?;
        } else if forms_a_dialog(request) {
            let admission = admission()?;
            let delivery = self.seal.delivery(request.call_id(), &to);
            let tokens = [(admission, to.listener), (delivery, origin.listener)];
            self.record_routes(&mut rewrite, tokens)?;
        }
        write(rewrite, to)
    }

    /// Rewrites a response that arrived on `arrival` for the flow that its request came from, without
    /// the claims in it that `mandate` does not allow.
    pub fn response(
        &self,
        response: &Message<'_>,
        arrival: &Flow,
        mandate: Option<&Mandate>,
    ) -> Result<Forwarded, RelayRefusal> {
        let (to, vias) = self.opened(response, arrival)?;
        let left_out = mandate.map_or(LeftOut::Nothing, LeftOut::FalseClaims);
        self.passed_back(response, arrival, to, vias.as_deref(), left_out, |_| {})
    }

    /// The same of the upstream's, which asks whether the flow that it goes to is one of our trust domain.
    pub fn response_outwards(
        &self,
        response: &Message<'_>,
        arrival: &Flow,
        is_trusted: impl FnOnce(&Flow) -> bool,
    ) -> Result<Forwarded, RelayRefusal> {
        let (to, vias) = self.opened(response, arrival)?;
        let left_out = LeftOut::of(response, &to, is_trusted);
        self.passed_back(response, arrival, to, vias.as_deref(), left_out, |_| {})
    }

    /// Rewrites the registrar's answer to a registration that came from `to`, as
    /// [`way_back`](Self::way_back) says, granting no more than `longest` seconds.
    pub fn registration_answer(
        &self,
        response: &Message<'_>,
        to: Flow,
        longest: Option<u32>,
    ) -> Result<Forwarded, RelayRefusal> {
        self.passed_back(response, &to, to, None, LeftOut::Nothing, |rewrite| {
            if let Some(longest) = longest {
                shorten(rewrite, response, longest);
            }
        })
    }

    /// The flow that the request came from to which this response arrived on `arrival`.
    pub fn way_back(&self, response: &Message<'_>, arrival: &Flow) -> Result<Flow, RelayRefusal> {
        Ok(self.opened(response, arrival)?.0)
    }

    /// The way back, and the Vias that were hidden in ours, a line for each.
    fn opened(
        &self,
        response: &Message<'_>,
        arrival: &Flow,
    ) -> Result<(Flow, Option<Vec<u8>>), RelayRefusal> {
        let via = response.top_via();
        let (_, own) = self.listener(arrival.listener).ok_or(RelayRefusal::NotOurs)?;
        if via.host_ip() != Some(own.ip()) || via.port.unwrap_or(5060) != own.port() {
            return Err(RelayRefusal::NotOurs);
        }
        let hidden = self.revealed_vias(response);
        let facts = match hidden.as_deref().map(first_line) {
            Some(via) => TransactionFacts::of_response_to(response, via),
            None => TransactionFacts::of_response(response),
        };
        let to = facts
            .zip(via.branch)
            .and_then(|(facts, branch)| self.seal.origin(&facts, branch))
            .filter(|to| {
                if self.is_inside(arrival) { self.is_outside(to) } else { self.is_upstream(to) }
            })
            .ok_or(RelayRefusal::NotOurs)?;
        Ok((to, hidden))
    }

    pub(super) fn passed_back(
        &self,
        response: &Message<'_>,
        arrival: &Flow,
        to: Flow,
        vias: Option<&[u8]>,
        left_out: LeftOut<'_>,
        more: impl FnOnce(&mut Rewrite<'_>),
    ) -> Result<Forwarded, RelayRefusal> {
        let mut rewrite = Rewrite::new(response);
        rewrite.remove_first_values(HeaderKind::Via, 1);
        for via in vias.into_iter().flat_map(|vias| vias.split(|byte| *byte == b'\n')) {
            rewrite.insert_before_first(HeaderKind::Via, "Via", via);
        }
        match left_out {
            LeftOut::Nothing => {}
            LeftOut::FalseClaims(mandate) => {
                without_false_claims(&mut rewrite, response, Some(mandate));
            }
            LeftOut::PrivateMatters => withhold(&mut rewrite, response, self.hides_inside),
        }
        more(&mut rewrite);
        if self.is_outside(&to) {
            self.hide_in_response(&mut rewrite, response, &to)?;
        } else {
            self.reveal_in_response(&mut rewrite, response, arrival, to.listener)?;
        }
        write(rewrite, to)
    }

    /// Stays in the way of a dialog, by a token at each of these listeners, the one that the request leaves
    /// by first. Two, because the two sides of us have different addresses (RFC 5658): each end reaches the
    /// one nearer to it first.
    fn record_routes(
        &self,
        rewrite: &mut Rewrite<'_>,
        tokens: [(String, u8); 2],
    ) -> Result<(), RelayRefusal> {
        for (token, listener) in tokens {
            let uri = self.own_uri(&token, listener, "")?;
            rewrite.insert_before_first(HeaderKind::RecordRoute, "Record-Route", uri);
        }
        Ok(())
    }

    /// What every forwarded request undergoes (RFC 3261 §16.3 to §16.6).
    fn pass_on(
        &self,
        rewrite: &mut Rewrite<'_>,
        request: &Message<'_>,
        origin: &Flow,
        leaving_by: u8,
        (hidden_vias, more): (Option<&str>, &str),
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
        if !has_known_scheme(request) {
            return Err(RelayRefusal::UnknownScheme);
        }
        let mark = self.loop_mark(request, origin);
        if self.is_loop(request, mark) {
            return Err(RelayRefusal::Loop);
        }
        rewrite.remove_first_values(HeaderKind::Route, self.own_routes(request).count());
        match hidden_vias {
            Some(_) => rewrite.remove_all(HeaderKind::Via),
            None => rewrite.stamp_top_via(origin.remote),
        };
        let (transport, address) = self.written(leaving_by).ok_or(RelayRefusal::NoRoute)?;
        let facts = TransactionFacts::of_request(request);
        let branch = self.seal.branch(&facts, origin, mark);
        let (transport, hidden) = (transport.name(), hidden_vias.unwrap_or_default());
        let via =
            ["SIP/2.0/", transport, " ", address, ";branch=", &branch, ";rport", hidden, more];
        let via = via.concat();
        rewrite.insert_before_first(HeaderKind::Via, "Via", via);
        Ok(())
    }

    pub(super) fn own_uri(
        &self,
        token: &str,
        listener: u8,
        more: &str,
    ) -> Result<String, RelayRefusal> {
        let (transport, address) = self.written(listener).ok_or(RelayRefusal::NoRoute)?;
        let transport = match transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        Ok(["<sip:", token, "@", address, transport, ";lr", more, ">"].concat())
    }
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
