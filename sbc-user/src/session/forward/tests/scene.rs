use std::sync::Arc;

use crate::session::{Forwarded, Forwarder, RelayRefusal, RoutingKey, TokenSeal};
use crate::sip::{HeaderKind, Message, NameAddr};
use crate::transport::{Flow, Transport};
use crate::upstream::Pool;

pub(super) const INSIDE: u8 = 3;

/// A request of a phone behind a NAT, with all that a proxy has to touch and much that it must not.
pub(super) const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 192.168.1.2:5062;branch=z9hG4bKabc;rport\r\n\
    max-forwards:  70\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: one@192.168.1.2\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:alice@192.168.1.2:5062>\r\n\
    X-Strange:   kept,\r\n   folded and all \r\n\
    Content-Length: 4\r\n\
    \r\n\
    v=0\n";

pub(super) fn forwarder() -> Forwarder {
    let listeners = vec![
        (Transport::Udp, "203.0.113.1:5060".parse().unwrap()),
        (Transport::Tcp, "203.0.113.1:5060".parse().unwrap()),
        (Transport::Tls, "203.0.113.1:5061".parse().unwrap()),
        (Transport::Udp, "10.0.0.1:5060".parse().unwrap()),
    ];
    Forwarder::new(seal(), listeners, INSIDE, Arc::new(Pool::of(upstream())))
}

pub(super) fn seal() -> TokenSeal {
    TokenSeal::new(RoutingKey::new([7; 32]))
}

pub(super) fn phone() -> Flow {
    Flow::udp(0, "198.51.100.7:5062".parse().unwrap())
}

pub(super) fn tls_phone() -> Flow {
    Flow {
        transport: Transport::Tls,
        listener: 2,
        remote: "198.51.100.7:40000".parse().unwrap(),
        connection: 9,
    }
}

pub(super) fn upstream() -> Flow {
    Flow::udp(INSIDE, "10.0.0.5:5060".parse().unwrap())
}

pub(super) fn inwards(request: &str, origin: &Flow) -> Result<String, RelayRefusal> {
    let request = Message::scan(request.as_bytes()).unwrap();
    let forwarded = forwarder().request_inwards(&request, origin, None, None, None)?;
    assert_eq!(forwarded.to, upstream());
    Ok(text(&forwarded))
}

pub(super) fn outwards(request: &str) -> Result<(Flow, String), RelayRefusal> {
    let request = Message::scan(request.as_bytes()).unwrap();
    let way = forwarder().way_out(&request)?;
    let forwarded = forwarder().request_outwards(&request, &upstream(), &way)?;
    Ok((forwarded.to, text(&forwarded)))
}

pub(super) fn response(text_: &str, arrival: &Flow) -> Result<(Flow, String), RelayRefusal> {
    let response = Message::scan(text_.as_bytes()).unwrap();
    let forwarded = forwarder().response(&response, arrival, None)?;
    Ok((forwarded.to, text(&forwarded)))
}

pub(super) fn is_admitted(request: &str, near: &Flow) -> bool {
    forwarder().is_admitted(&Message::scan(request.as_bytes()).unwrap(), near)
}

/// What is written is what every reader reads: it is scanned again.
pub(super) fn text(forwarded: &Forwarded) -> String {
    Message::scan(&forwarded.message).unwrap();
    String::from_utf8(forwarded.message.clone()).unwrap()
}

/// The values of a header that a message has.
pub(super) fn values(message: &str, kind: HeaderKind) -> Vec<String> {
    let message = Message::scan(message.as_bytes()).unwrap();
    message.values(kind).map(|value| String::from_utf8_lossy(value.bytes).into_owned()).collect()
}

pub(super) fn branch(request: &str) -> String {
    let message = Message::scan(request.as_bytes()).unwrap();
    String::from_utf8_lossy(message.top_via().branch.unwrap()).into_owned()
}

/// The user part of the address in a header value: where our tokens are.
pub(super) fn token(value: &str) -> String {
    let address = NameAddr::parse(value.as_bytes()).unwrap();
    String::from_utf8_lossy(address.uri.user.unwrap()).into_owned()
}

/// A response as a user agent server makes it (RFC 3261 §8.2.6.2, §12.1.1), with a tag of its own.
pub(super) fn answer(request: &str, status: &str) -> String {
    let request = Message::scan(request.as_bytes()).unwrap();
    let copied = [
        HeaderKind::Via,
        HeaderKind::RecordRoute,
        HeaderKind::From,
        HeaderKind::To,
        HeaderKind::CallId,
        HeaderKind::CSeq,
    ];
    let kept = request.headers().filter(|header| copied.contains(&header.kind)).map(|header| {
        let value = String::from_utf8_lossy(header.value);
        let is_untagged = header.kind == HeaderKind::To && request.to().tag.is_none();
        let tag = if is_untagged { ";tag=2" } else { "" };
        format!("{}: {value}{tag}\r\n", header.kind.name())
    });
    let kept: Vec<_> = kept.collect();
    format!("SIP/2.0 {status}\r\n{}Content-Length: 0\r\n\r\n", kept.concat())
}

/// A request of the dialog that the phone's INVITE made, from one end of it to the other, along
/// `routes`; `number` makes its transaction.
pub(super) fn in_dialog(method: &str, number: u32, from_caller: bool, routes: &[String]) -> String {
    let alice = "\"Alice\" <sip:alice@example.com>;tag=1";
    let bob = "<sip:bob@example.com>;tag=2";
    let ((from, to), uri, sent_by) = if from_caller {
        ((alice, bob), "sip:bob@10.0.0.9", "192.168.1.2:5062")
    } else {
        ((bob, alice), "sip:alice@192.168.1.2:5062", "10.0.0.5:5060")
    };
    let routes: Vec<_> = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
    let routes = routes.concat();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch=z9hG4bK{number};rport\r\n\
         {routes}From: {from}\r\nTo: {to}\r\nCall-ID: one@192.168.1.2\r\nCSeq: {number} {method}\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The routes of a call, as the caller (RFC 3261 §12.1.2: in reverse) and as the callee (§12.1.1: as
/// they stand) build them.
pub(super) fn route_sets(origin: &Flow) -> (Vec<String>, Vec<String>) {
    let invite = inwards(INVITE, origin).unwrap();
    let answering = values(&invite, HeaderKind::RecordRoute);
    let (_, ok) = response(&answer(&invite, "200 OK"), &upstream()).unwrap();
    let mut calling = values(&ok, HeaderKind::RecordRoute);
    calling.reverse();
    (calling, answering)
}
