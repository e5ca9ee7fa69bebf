//! Several targets of the upstream, and which of them a request goes to.

use std::num::NonZeroU8;
use std::sync::Arc;

use super::scene::*;
use crate::session::{Forwarder, RelayRefusal};
use crate::sip::{HeaderKind, Message};
use crate::transport::{Flow, Transport};
use crate::upstream::{Place, Pool};

struct Pair {
    forwarder: Forwarder,
    pool: Arc<Pool>,
}

impl Pair {
    fn new() -> Self {
        let place = |remote: &str, listener, priority| {
            let flow = Flow::udp(listener, remote.parse().unwrap());
            Place { flow, name: remote.into(), rank: (priority, 0), weight: 1 }
        };
        let places = vec![place("10.0.0.5:5060", 3, 1), place("[2001:db8:2::6]:5060", 4, 2)];
        let pool = Arc::new(Pool::new(places, 64));
        let listeners = vec![
            (Transport::Udp, "203.0.113.1:5060".parse().unwrap()),
            (Transport::Tcp, "203.0.113.1:5060".parse().unwrap()),
            (Transport::Tls, "203.0.113.1:5061".parse().unwrap()),
            (Transport::Udp, "10.0.0.1:5060".parse().unwrap()),
            (Transport::Udp, "[2001:db8:2::1]:5060".parse().unwrap()),
        ];
        let forwarder = Forwarder::new(seal(), listeners, INSIDE, Arc::clone(&pool));
        Self { forwarder, pool }
    }

    fn inwards(&self, request: &str) -> Result<(String, String), RelayRefusal> {
        let request = Message::scan(request.as_bytes()).unwrap();
        let forwarded = self.forwarder.request_inwards(&request, &phone(), None, None, None)?;
        let message = String::from_utf8(forwarded.message).unwrap();
        Ok((forwarded.to.remote.to_string(), message))
    }

    fn kill(&self, position: usize) {
        self.pool.targets()[position].health.failed(NonZeroU8::MIN);
    }
}

#[test]
fn the_requests_of_a_dialog_go_to_the_target_that_has_it_living_or_not() {
    let pair = Pair::new();
    pair.kill(0);
    let (to, invite) = pair.inwards(INVITE).unwrap();
    assert_eq!(to, "[2001:db8:2::6]:5060");
    let via = values(&invite, HeaderKind::Via).remove(0);
    assert!(via.starts_with("SIP/2.0/UDP [2001:db8:2::1]:5060;"), "by the address of that family");
    let mut routes = values(&invite, HeaderKind::RecordRoute);
    assert!(routes[0].ends_with("@[2001:db8:2::1]:5060;lr>"), "{routes:?}");
    routes.reverse();

    pair.pool.targets()[0].health.succeeded(NonZeroU8::MIN);
    pair.kill(1);
    for method in ["ACK", "INVITE", "BYE"] {
        let (to, _) = pair.inwards(&in_dialog(method, 9, true, &routes)).unwrap();
        assert_eq!(to, "[2001:db8:2::6]:5060", "{method}");
    }
    let another = INVITE.replace("Call-ID: one", "Call-ID: two");
    assert_eq!(pair.inwards(&another).unwrap().0, "10.0.0.5:5060");
}

#[test]
fn a_callee_reaches_the_target_that_called() {
    let pair = Pair::new();
    let callers = Flow::udp(4, "[2001:db8:2::6]:40000".parse().unwrap());
    let (_, routes) = route_sets(&phone());
    let routes: Vec<_> = routes.into_iter().take(1).collect();
    let request =
        in_dialog("INVITE", 9, false, &routes).replace(";tag=1\r\nCall-ID", "\r\nCall-ID");
    let request = Message::scan(request.as_bytes()).unwrap();
    let way = pair.forwarder.way_out(&request).unwrap();
    let forwarded = pair.forwarder.request_outwards(&request, &callers, &way).unwrap();
    let invite = String::from_utf8(forwarded.message).unwrap();

    let routes = values(&invite, HeaderKind::RecordRoute);
    let bye = in_dialog("BYE", 10, true, &routes);
    assert_eq!(pair.inwards(&bye).unwrap().0, "[2001:db8:2::6]:5060");
}

#[test]
fn a_target_that_is_no_more_is_asked_for_nothing() {
    let pair = Pair::new();
    let (to, invite) = pair.inwards(INVITE).unwrap();
    assert_eq!(to, "10.0.0.5:5060");
    let mut routes = values(&invite, HeaderKind::RecordRoute);
    routes.reverse();
    let staying = pair.pool.targets()[1].clone();
    let place = Place { flow: staying.flow, name: staying.name, rank: (2, 0), weight: 1 };
    pair.pool.replace(vec![place]);
    let (to, _) = pair.inwards(&in_dialog("BYE", 9, true, &routes)).unwrap();
    assert_eq!(to, "[2001:db8:2::6]:5060");
    pair.pool.replace(Vec::new());
    assert_eq!(pair.inwards(INVITE), Err(RelayRefusal::NoTarget));
}
