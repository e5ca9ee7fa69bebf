use std::sync::Arc;

use sbc_user::session::{
    Forwarded, Forwarder, Registrant, RelayRefusal, RoutingKey, TokenSeal, WayOut,
};
use sbc_user::sip::{
    HeaderKind, MAX_HEADERS, MAX_MESSAGE, Message, RewriteError, Scheme, StartLine,
};
use sbc_user::transport::{Flow, Transport};
use sbc_user::upstream::Pool;

use crate::Choices;

const INSIDE: u8 = 2;
/// The most header lines that are added: Via, two Record-Routes, Max-Forwards, Path, Supported and
/// Content-Length.
const ADDED: usize = 7;
/// More than all of them have bytes.
const ADDED_BYTES: usize = 2048;
/// What the relay writes or removes itself; everything else is not its own to change.
const TOUCHED: [HeaderKind; 10] = [
    HeaderKind::Via,
    HeaderKind::Route,
    HeaderKind::RecordRoute,
    HeaderKind::MaxForwards,
    HeaderKind::Path,
    HeaderKind::Contact,
    HeaderKind::ContentLength,
    HeaderKind::Supported,
    HeaderKind::ReferTo,
    HeaderKind::ServiceRoute,
];
/// What it removes where the inside is hidden.
const TELLTALES: [&[u8]; 3] = [b"server", b"user-agent", b"warning"];
/// The most that is hidden at one place, in bytes.
const HIDDEN: usize = 1024;
/// A Via of fewer bytes is none.
const SHORTEST_VIA: usize = "SIP/2.0/UDP a".len();
/// By how much what is hidden grows at most: the shortest address becomes one of ours.
const GROWTH: usize = 16;

/// A message that the relay takes leaves it with the same body, whatever that is, under the same length, and can be
/// read by another like us; the answer to a request comes back to where the request came from, and is passed as well.
pub fn relay(bytes: &[u8]) {
    let Ok(message) = Message::scan(bytes) else { return };
    let mut choices = Choices::of(bytes);
    let phone = if choices.flip() { udp_phone() } else { tcp_phone() };
    let forwarder = forwarder().hiding_inside(choices.flip());
    match message.start_line() {
        StartLine::Request { .. } => {
            check_request_inwards(&forwarder, &message, &phone, choices.flip());
            check_request_outwards(&forwarder, &message, &phone);
        }
        StartLine::Response { .. } => {
            let refused = forwarder.response(&message, &upstream(), None);
            assert_eq!(refused, Err(RelayRefusal::NotOurs), "nobody can make our branch");
        }
    }
}

fn forwarder() -> Forwarder {
    let address = |text: &str| text.parse().expect("it is an address");
    let listeners = vec![
        (Transport::Udp, address("203.0.113.1:5060")),
        (Transport::Tcp, address("203.0.113.1:5060")),
        (Transport::Udp, address("10.0.0.1:5060")),
    ];
    let seal = TokenSeal::new(RoutingKey::new([7; 32]));
    Forwarder::new(seal, listeners, INSIDE, Arc::new(Pool::of(upstream())))
}

fn udp_phone() -> Flow {
    Flow::udp(0, "198.51.100.7:5062".parse().expect("it is an address"))
}

fn tcp_phone() -> Flow {
    let remote = "198.51.100.7:40000".parse().expect("it is an address");
    Flow { transport: Transport::Tcp, listener: 1, remote, connection: 9 }
}

fn upstream() -> Flow {
    Flow::udp(INSIDE, "10.0.0.5:5060".parse().expect("it is an address"))
}

fn check_request_inwards(
    forwarder: &Forwarder,
    request: &Message<'_>,
    phone: &Flow,
    is_registered: bool,
) {
    let registrant = is_registered.then_some(Registrant::User("alice"));
    let passed = forwarder.request_inwards(request, phone, None, None, registrant);
    let Some(Forwarded { to, message }) = taken(request, passed) else { return };
    assert_eq!(to, upstream());
    check_passed(request, &message, &to);
    check_answer(forwarder, &message, &upstream(), phone);
}

/// A request of the upstream for the phone, as it would be if the token of its dialog were in it.
fn check_request_outwards(forwarder: &Forwarder, request: &Message<'_>, phone: &Flow) {
    let token = forwarder.seal().delivery(request.call_id(), phone);
    let route = format!("Route: <sip:{token}@10.0.0.1:5060;lr>\r\n");
    let at = request.headers().next().map_or(0, |header| header.line.start);
    let (start, rest) = request.bytes().split_at(at);
    let bytes = [start, route.as_bytes(), rest].concat();
    // With one line more it may be one that we do not read.
    let Ok(routed) = Message::scan(&bytes) else { return };
    let way = forwarder.way_out(&routed);
    assert_eq!(
        way,
        Ok(WayOut { to: *phone, registered: None, is_outbound: false, is_trusted: false })
    );
    let Ok(way) = way else { return };
    let passed = forwarder.request_outwards(&routed, &upstream(), &way);
    let Some(Forwarded { to, message }) = taken(request, passed) else { return };
    assert_eq!(to, *phone);
    check_passed(&routed, &message, &to);
    check_answer(forwarder, &message, phone, &upstream());
}

/// The other end answers with what it got, which is more than any answer holds.
fn check_answer(forwarder: &Forwarder, request: &[u8], from: &Flow, asker: &Flow) {
    let end = request.windows(2).position(|pair| pair == b"\r\n").unwrap_or_default();
    let answer = [b"SIP/2.0 200 OK", request.get(end..).unwrap_or_default()].concat();
    let answer = Message::scan(&answer).expect("what was read as a request is read as an answer");
    let passed = forwarder.response(&answer, from, None);
    let Some(Forwarded { to, message }) = taken(&answer, passed) else { return };
    assert_eq!(to, *asker);
    check_passed(&answer, &message, &to);
}

/// What is forwarded; `None` if it is refused for a reason that the message has.
fn taken(message: &Message<'_>, forwarded: Result<Forwarded, RelayRefusal>) -> Option<Forwarded> {
    let is_reason = match forwarded {
        Ok(forwarded) => return Some(forwarded),
        Err(RelayRefusal::TooManyHops) => message.max_forwards() == Some(0),
        Err(RelayRefusal::UnknownScheme) => matches!(message.start_line(),
            StartLine::Request { uri, .. } if matches!(uri.scheme, Scheme::Other(_))),
        Err(RelayRefusal::BadExtension) => message.header(HeaderKind::ProxyRequire).is_some(),
        // Of what is hidden or was, each value is on its own line.
        Err(RelayRefusal::Unwritable(RewriteError::TooManyHeaders)) => {
            let values = |kind| message.values(kind).count();
            let values: usize = TOUCHED.into_iter().map(values).sum();
            let sealed = message.top_via().raw.windows(3).any(|part| part == b";v=");
            let hidden = if sealed { HIDDEN / SHORTEST_VIA } else { 0 };
            message.headers().count() + values + hidden + ADDED > MAX_HEADERS
        }
        Err(RelayRefusal::TooMuchToHide) => message.bytes().len() > HIDDEN,
        Err(RelayRefusal::Unwritable(RewriteError::TooLarge)) => {
            message.bytes().len() * GROWTH + ADDED_BYTES > MAX_MESSAGE
        }
        Err(_) => false,
    };
    assert!(is_reason, "{forwarded:?}: {}", message.bytes().escape_ascii());
    None
}

fn check_passed(before: &Message<'_>, written: &[u8], to: &Flow) {
    let after = match Message::scan(written) {
        Ok(after) => after,
        Err(error) => panic!("{error}: {}", written.escape_ascii()),
    };
    assert_eq!(after.bytes(), written, "nothing follows the body");
    assert_eq!(after.body(), before.body());
    let length = |message: &Message<'_>| {
        message.header(HeaderKind::ContentLength).map(|header| header.value.to_vec())
    };
    let own = to.transport.is_stream().then(|| before.body().len().to_string().into_bytes());
    assert_eq!(length(&after), length(before).or(own));
    assert_eq!(untouched(&after), untouched(before));
    assert_eq!(after.from().raw, before.from().raw);
    assert_eq!(after.call_id(), before.call_id());
    assert_eq!(after.cseq(), before.cseq());
}

fn untouched(message: &Message<'_>) -> Vec<String> {
    let tells = |name: &[u8]| TELLTALES.iter().any(|tale| name.eq_ignore_ascii_case(tale));
    let others = message.headers();
    let others = others.filter(|header| !TOUCHED.contains(&header.kind) && !tells(header.name));
    let lines = others.map(|it| message.bytes().get(it.line).unwrap_or_default());
    lines.map(|line| line.escape_ascii().to_string()).collect()
}
