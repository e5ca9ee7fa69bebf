//! What is inside is not read outside: addresses of the upstream leave sealed, and come back as they were.

use std::net::IpAddr;

use rsip::Method as KnownMethod;

use super::request_line::may_make_a_dialog;
use super::{Forwarder, RelayRefusal};
use crate::sip::{HeaderKind, Message, NameAddr, Rewrite, Scheme, StartLine, Uri, Value};
use crate::transport::Flow;

/// The most bytes that are sealed at one place, all Vias of a request for one: what is longer is refused.
pub(super) const MOST_CONCEALED: usize = 1024;

/// The parameters of our URIs and of our Via that carry what is hidden.
const ROUTES: &[u8] = b"r";
const VIAS: &[u8] = b"v";

/// What a sealed text is, and what it is bound to. A Contact is bound to nothing: it may be called outside
/// of its dialog, as a transferred call does (RFC 5589).
const CONTACT: &[&[u8]] = &[b"contact"];
const SERVICE_ROUTE: &[&[u8]] = &[b"service-route"];

/// They tell the software, or in their text whatever it likes to tell, as Kamailio's 392.
const TELLTALES: [HeaderKind; 3] = [HeaderKind::Server, HeaderKind::UserAgent, HeaderKind::Warning];

fn vias_of<'a>(message: &Message<'a>) -> [&'a [u8]; 2] {
    [b"vias", message.call_id()]
}

fn routes_of<'a>(message: &Message<'a>) -> [&'a [u8]; 2] {
    [b"routes", message.call_id()]
}

impl Forwarder {
    /// The parameter of our Via that takes the place of those which `request` of the upstream came with,
    /// the top one stamped; none if nothing is hidden.
    pub(super) fn hidden_vias(
        &self,
        request: &Message<'_>,
        origin: &Flow,
    ) -> Result<Option<String>, RelayRefusal> {
        if !self.hides_inside() {
            return Ok(None);
        }
        let others = request.values(HeaderKind::Via).skip(1).map(|value| on_one_line(value.bytes));
        let vias = std::iter::once(request.top_via().stamped(origin.remote)).chain(others);
        let text = vias.collect::<Vec<_>>().join(&b'\n');
        let sealed = self.sealed(&vias_of(request), &text)?;
        Ok(Some(format!(";v={sealed}")))
    }

    /// The Vias that our own at the top of a response from outside stands for, a line for each.
    pub(super) fn revealed_vias(&self, response: &Message<'_>) -> Option<Vec<u8>> {
        let sealed = response.top_via().param(VIAS)?;
        self.seal().reveal(&vias_of(response), sealed)
    }

    /// Hides what a request of the upstream tells that goes out by `listener`. `token` admits whoever it
    /// is sent to to its dialog, if it makes one.
    pub(super) fn hide_in_request(
        &self,
        rewrite: &mut Rewrite<'_>,
        request: &Message<'_>,
        listener: u8,
        token: Option<&str>,
    ) -> Result<(), RelayRefusal> {
        rewrite.remove_all(HeaderKind::RecordRoute);
        if let Some(token) = token {
            let routes = request.values(HeaderKind::RecordRoute).map(|value| value.bytes);
            let hidden = self.hidden_routes(&routes_of(request), routes)?;
            let uri = self.own_uri(token, listener, &hidden)?;
            rewrite.insert_before_first(HeaderKind::RecordRoute, "Record-Route", uri);
        }
        self.hide_addresses(rewrite, request, listener, HeaderKind::Contact, |_| true)?;
        let is_inside = |uri: &Uri<'_>| self.is_inside_address(uri);
        self.hide_addresses(rewrite, request, listener, HeaderKind::ReferTo, is_inside)?;
        remove_telltales(rewrite);
        Ok(())
    }

    /// Hides what a response of the upstream tells that goes to `to`, if the operator wants that; the routes of a
    /// refusal, which make none, are removed always.
    pub(super) fn hide_in_response(
        &self,
        rewrite: &mut Rewrite<'_>,
        response: &Message<'_>,
        to: &Flow,
    ) -> Result<(), RelayRefusal> {
        let listener = to.listener;
        if !may_make_a_dialog(response) {
            rewrite.remove_all(HeaderKind::RecordRoute);
        }
        if !self.hides_inside() {
            return Ok(());
        }
        self.hide_record_route(rewrite, response, to)?;
        remove_telltales(rewrite);
        if response.cseq().method.is(KnownMethod::Register) {
            // Its Contacts are the phone's own (RFC 3261 §10.3).
            return self.hide_registrars_routes(rewrite, response, listener);
        }
        let is_redirection =
            matches!(response.start_line(), StartLine::Response { status } if status / 100 == 3);
        // Where a redirection leads is not always inside.
        let is_hidden = |uri: &Uri<'_>| !is_redirection || self.is_inside_address(uri);
        self.hide_addresses(rewrite, response, listener, HeaderKind::Contact, is_hidden)
    }

    /// Brings back what was hidden in what a request from outside repeats: where it is for, and its route.
    pub(super) fn reveal_in_request(&self, rewrite: &mut Rewrite<'_>, request: &Message<'_>) {
        if let StartLine::Request { uri, .. } = request.start_line()
            && let Some(target) = self.revealed_uri(&uri)
        {
            rewrite.replace_part(uri.raw, target);
        }
        // We write one, behind another of ours at most; more would only be work for us.
        let own = request.routes().take_while(|route| self.is_own(&route.uri)).take(2);
        let hidden = own.into_iter().find_map(|route| {
            let sealed = route.uri.param(ROUTES)?;
            let of_dialog = self.seal().reveal(&routes_of(request), sealed);
            of_dialog.or_else(|| self.seal().reveal(SERVICE_ROUTE, sealed))
        });
        if let Some(routes) = hidden {
            insert(rewrite, HeaderKind::Route, lines(&routes));
        }
        self.reveal_addresses(rewrite, request, HeaderKind::ReferTo);
    }

    /// Brings back what was hidden in what a response from outside repeats, which arrived on `arrival`.
    pub(super) fn reveal_in_response(
        &self,
        rewrite: &mut Rewrite<'_>,
        response: &Message<'_>,
        arrival: &Flow,
        inside: u8,
    ) -> Result<(), RelayRefusal> {
        self.reveal_addresses(rewrite, response, HeaderKind::Contact);
        let values: Vec<_> = response.values(HeaderKind::RecordRoute).collect();
        let Some((before, ours, behind)) = self.split_at_ours(&values) else { return Ok(()) };
        // A side of us that faces the upstream is seen outside only where nothing was hidden.
        let is_inner = |value: &Value<'_>| {
            self.own_address(value).is_some_and(|it| !self.is_of_outside(&it.uri))
        };
        if values.iter().any(is_inner) {
            return Ok(());
        }
        let token = ours.uri.user.unwrap_or_default();
        let near = self.seal().admitted_callee(response, token).unwrap_or(*arrival);
        let delivery = self.seal().delivery(response.call_id(), &near);
        let token = std::str::from_utf8(token).unwrap_or_default();
        let outer = self.own_uri(token, near.listener, "")?;
        let inner = self.own_uri(&delivery, inside, "")?;
        let hidden = ours.uri.param(ROUTES);
        let hidden = hidden.and_then(|sealed| self.seal().reveal(&routes_of(response), sealed));
        let hidden = hidden.unwrap_or_default();
        let ours = [outer.as_bytes(), inner.as_bytes()].into_iter().chain(lines(&hidden));
        rewrite.remove_all(HeaderKind::RecordRoute);
        let all = before.iter().map(on_its_line).chain(ours.map(<[u8]>::to_vec));
        insert(rewrite, HeaderKind::RecordRoute, all.chain(behind.iter().map(on_its_line)));
        Ok(())
    }

    /// Keeps our outer Record-Route and what is behind it. What is before it is the way inside, which its
    /// requests take from us on, and so in the order of their Routes.
    fn hide_record_route(
        &self,
        rewrite: &mut Rewrite<'_>,
        response: &Message<'_>,
        to: &Flow,
    ) -> Result<(), RelayRefusal> {
        let values: Vec<_> = response.values(HeaderKind::RecordRoute).collect();
        // Those of a refusal are removed already.
        if values.is_empty() || !may_make_a_dialog(response) {
            return Ok(());
        }
        rewrite.remove_all(HeaderKind::RecordRoute);
        // Without one of ours it makes no route: that of a dialog does not change.
        let admitted = |value: &Value<'_>| {
            self.own_address(value)
                .is_some_and(|it| self.seal().admits(response, it.uri.user.unwrap_or_default(), to))
        };
        // The call may have passed us more often: ours is the one that admitted whom this goes to.
        let split = match values.iter().position(admitted) {
            Some(position) => self.split_at(&values, position),
            None => self.split_at_ours(&values),
        };
        let Some((before, ours, behind)) = split else { return Ok(()) };
        let before = match before.split_last() {
            Some((inner, before)) if self.own_address(inner).is_some() => before,
            Some(_) | None => before,
        };
        let routes = before.iter().rev().map(|value| value.bytes);
        let hidden = self.hidden_routes(&routes_of(response), routes)?;
        let token = std::str::from_utf8(ours.uri.user.unwrap_or_default()).unwrap_or_default();
        let ours = self.own_uri(token, to.listener, &hidden)?.into_bytes();
        let all = std::iter::once(ours).chain(behind.iter().map(on_its_line));
        insert(rewrite, HeaderKind::RecordRoute, all);
        Ok(())
    }

    /// In the answer to a registration, our Path names the side of us that the phone sees; what is before it
    /// is inside. A Service-Route leads to us (RFC 3608), and from there where it led.
    fn hide_registrars_routes(
        &self,
        rewrite: &mut Rewrite<'_>,
        response: &Message<'_>,
        listener: u8,
    ) -> Result<(), RelayRefusal> {
        let paths: Vec<_> = response.values(HeaderKind::Path).collect();
        rewrite.remove_all(HeaderKind::Path);
        let ours = paths.iter().position(|value| self.own_address(value).is_some());
        let kept = ours.and_then(|position| paths.get(position..)).unwrap_or_default();
        let mut all = Vec::new();
        for value in kept {
            all.push(match self.own_address(value).map(|address| address.uri) {
                Some(uri) => {
                    let token =
                        std::str::from_utf8(uri.user.unwrap_or_default()).unwrap_or_default();
                    let outbound = if uri.param(b"ob").is_some() { ";ob" } else { "" };
                    self.own_uri(token, listener, outbound)?.into_bytes()
                }
                None => on_its_line(value),
            });
        }
        insert(rewrite, HeaderKind::Path, all);
        let mut routes =
            response.values(HeaderKind::ServiceRoute).map(|value| value.bytes).peekable();
        if routes.peek().is_some() {
            let hidden = self.hidden_routes(SERVICE_ROUTE, routes)?;
            rewrite.remove_all(HeaderKind::ServiceRoute);
            let uri = self.own_uri("route", listener, &hidden)?;
            rewrite.insert_before_first(HeaderKind::ServiceRoute, "Service-Route", uri);
        }
        Ok(())
    }

    /// The parameter of our URI that takes the place of `routes`; empty for none.
    fn hidden_routes<'v>(
        &self,
        headers: &[&[u8]],
        routes: impl Iterator<Item = &'v [u8]>,
    ) -> Result<String, RelayRefusal> {
        let lines: Vec<_> = routes.map(on_one_line).collect();
        if lines.is_empty() {
            return Ok(String::new());
        }
        Ok(format!(";r={}", self.sealed(headers, &lines.join(&b'\n'))?))
    }

    /// Puts addresses of ours in place of those of the upstream.
    fn hide_addresses(
        &self,
        rewrite: &mut Rewrite<'_>,
        message: &Message<'_>,
        listener: u8,
        kind: HeaderKind,
        is_hidden: impl Fn(&Uri<'_>) -> bool,
    ) -> Result<(), RelayRefusal> {
        for address in message.addresses(kind) {
            let uri = address.uri;
            if !uri.is_sip() || self.is_own(&uri) || !is_hidden(&uri) {
                continue;
            }
            let sealed = self.sealed(CONTACT, without_headers(&uri))?;
            let own = self.own_uri(&sealed, listener, "")?.replace(";lr", "");
            let own = own.trim_start_matches('<').trim_end_matches('>');
            let own = match uri.scheme {
                Scheme::Sips => own.replacen("sip:", "sips:", 1),
                Scheme::Sip | Scheme::Tel | Scheme::Other(_) => own.to_owned(),
            };
            // Without brackets its parameters would be those of the header.
            let is_bare = address.raw.starts_with(uri.raw);
            let own = if is_bare { format!("<{own}>") } else { own };
            rewrite.replace_part(without_headers(&uri), own);
        }
        Ok(())
    }

    fn reveal_addresses(&self, rewrite: &mut Rewrite<'_>, message: &Message<'_>, kind: HeaderKind) {
        for address in message.addresses(kind) {
            let uri = address.uri;
            let Some(revealed) = self.revealed_uri(&uri) else { continue };
            let is_bare = address.raw.starts_with(uri.raw);
            let parts: [&[u8]; 3] =
                if is_bare { [b"<", &revealed, b">"] } else { [b"", &revealed, b""] };
            rewrite.replace_part(without_headers(&uri), parts.concat());
        }
    }

    /// Says whether a URI is an address of the upstream as it left sealed.
    #[must_use]
    pub fn has_sealed(&self, uri: &Uri<'_>) -> bool {
        self.revealed_uri(uri).is_some()
    }

    fn revealed_uri(&self, uri: &Uri<'_>) -> Option<Vec<u8>> {
        let token = uri.user.filter(|_| uri.is_sip() && self.is_own(uri))?;
        self.seal().reveal(CONTACT, token)
    }

    fn sealed(&self, headers: &[&[u8]], text: &[u8]) -> Result<String, RelayRefusal> {
        if text.len() > MOST_CONCEALED {
            return Err(RelayRefusal::TooMuchToHide);
        }
        Ok(self.seal().conceal(headers, text))
    }

    /// The last of ours among Record-Routes, with what is before and behind it.
    fn split_at_ours<'v, 'm>(
        &self,
        values: &'v [Value<'m>],
    ) -> Option<(&'v [Value<'m>], NameAddr<'m>, &'v [Value<'m>])> {
        let position = values.iter().rposition(|value| self.own_address(value).is_some())?;
        self.split_at(values, position)
    }

    fn split_at<'v, 'm>(
        &self,
        values: &'v [Value<'m>],
        position: usize,
    ) -> Option<(&'v [Value<'m>], NameAddr<'m>, &'v [Value<'m>])> {
        let (before, rest) = values.split_at_checked(position)?;
        let (ours, behind) = rest.split_first()?;
        Some((before, self.own_address(ours)?, behind))
    }

    fn own_address<'m>(&self, value: &Value<'m>) -> Option<NameAddr<'m>> {
        NameAddr::parse(value.bytes).ok().filter(|address| self.is_own(&address.uri))
    }

    /// Says whether the host is an address that means nothing on the internet, or the upstream.
    fn is_inside_address(&self, uri: &Uri<'_>) -> bool {
        uri.host_ip().is_some_and(|ip| {
            let is_private = match ip.to_canonical() {
                IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
                IpAddr::V6(ip) => {
                    ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback()
                }
            };
            is_private || self.upstream().is_at(ip)
        })
    }
}

fn without_headers<'m>(uri: &Uri<'m>) -> &'m [u8] {
    let end =
        if uri.headers.is_empty() { uri.raw.len() } else { uri.raw.len() - uri.headers.len() - 1 };
    uri.raw.get(..end).unwrap_or(uri.raw)
}

/// Each on a line of its own: some turn the order of lines around, and not that of values.
fn insert(
    rewrite: &mut Rewrite<'_>,
    kind: HeaderKind,
    values: impl IntoIterator<Item = impl AsRef<[u8]>>,
) {
    for value in values {
        rewrite.insert_before_first(kind, kind.name(), value);
    }
}

/// The first of the lines that Vias are kept in.
pub(super) fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn on_its_line(value: &Value<'_>) -> Vec<u8> {
    on_one_line(value.bytes)
}

/// A fold is white space.
fn on_one_line(value: &[u8]) -> Vec<u8> {
    value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}

fn remove_telltales(rewrite: &mut Rewrite<'_>) {
    for kind in TELLTALES {
        rewrite.remove_all(kind);
    }
}
