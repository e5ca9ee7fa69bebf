use super::scene::*;
use crate::session::RelayRefusal;
use crate::sip::HeaderKind;
use crate::transport::{Flow, Transport};

#[test]
fn each_end_reaches_the_side_of_us_that_is_nearer_to_it() {
    let (calling, answering) = route_sets(&phone());
    assert_eq!(calling.len(), 2);
    assert!(calling[0].ends_with("@203.0.113.1:5060;lr>"), "{calling:?}");
    assert!(answering[0].ends_with("@10.0.0.1:5060;lr>"), "{answering:?}");

    let (calling, _) = route_sets(&tls_phone());
    assert!(calling[0].ends_with("@203.0.113.1:5061;transport=tls;lr>"), "{calling:?}");
}

#[test]
fn the_callers_requests_are_admitted_and_leave_without_our_routes() {
    let (mut routes, _) = route_sets(&phone());
    routes.push("<sip:10.0.0.9;lr>".to_owned());
    let bye = in_dialog("BYE", 8, true, &routes);

    assert!(is_admitted(&bye, &phone()));
    let bye = inwards(&bye, &phone()).unwrap();
    assert_eq!(values(&bye, HeaderKind::Route), ["<sip:10.0.0.9;lr>"]);
    assert!(values(&bye, HeaderKind::RecordRoute).is_empty());
}

#[test]
fn the_callees_requests_find_the_caller_and_leave_without_our_routes() {
    for origin in [phone(), tls_phone()] {
        let (_, routes) = route_sets(&origin);
        let (to, bye) = outwards(&in_dialog("BYE", 9, false, &routes)).unwrap();
        assert_eq!(to, origin);
        assert!(values(&bye, HeaderKind::Route).is_empty());

        let (to, ok) = response(&answer(&bye, "200 OK"), &origin).unwrap();
        assert_eq!(to, upstream());
        assert_eq!(values(&ok, HeaderKind::Via).len(), 1);
    }
}

#[test]
fn an_admission_is_for_its_own_caller_dialog_and_source_and_nothing_else() {
    let (routes, answering) = route_sets(&phone());
    let invite = in_dialog("INVITE", 8, true, &routes);
    assert!(is_admitted(&invite, &phone()));

    for (what, part, other) in [
        ("another caller", "sip:alice@example.com", "sip:ceo@example.com"),
        ("another call of the caller", ";tag=1", ";tag=77"),
        ("a new call under the same Call-ID", ";tag=2", ""),
        ("another Call-ID", "one@", "two@"),
    ] {
        let request = invite.replace(part, other);
        assert_ne!(request, invite);
        assert!(!is_admitted(&request, &phone()), "{what}");
    }
    for (what, source) in [
        ("another port", Flow::udp(0, "198.51.100.7:5063".parse().unwrap())),
        ("another address", Flow::udp(0, "198.51.100.8:5062".parse().unwrap())),
        ("another transport", Flow { transport: Transport::Tcp, listener: 1, ..phone() }),
    ] {
        assert!(!is_admitted(&invite, &source), "{what}");
    }
    assert!(!is_admitted(&in_dialog("REGISTER", 8, true, &routes), &phone()), "a binding");
    assert!(!is_admitted(&in_dialog("BYE", 8, true, &answering[..1]), &phone()), "the other token");
    assert!(!is_admitted(&in_dialog("BYE", 8, true, &[]), &phone()), "no token");
}

#[test]
fn an_admission_outlives_a_stream_but_not_the_move_to_another_address() {
    let (routes, _) = route_sets(&tls_phone());
    let bye = in_dialog("BYE", 8, true, &routes);
    let anew =
        Flow { remote: "198.51.100.7:40001".parse().unwrap(), connection: 10, ..tls_phone() };
    assert!(is_admitted(&bye, &anew));
    let moved = Flow { remote: "198.51.100.8:40000".parse().unwrap(), ..tls_phone() };
    assert!(!is_admitted(&bye, &moved));
}

#[test]
fn tokens_beyond_the_two_that_we_write_are_not_looked_at() {
    let (routes, _) = route_sets(&phone());
    let own = "<sip:AAAA@203.0.113.1:5060;lr>".to_owned();
    let bye = in_dialog("BYE", 8, true, &[&[own.clone(), own], &routes[..]].concat());
    assert!(!is_admitted(&bye, &phone()));
    assert_eq!(values(&inwards(&bye, &phone()).unwrap(), HeaderKind::Route), [""; 0]);
}

#[test]
fn own_routes_are_removed_however_they_are_spread_over_lines() {
    let (routes, _) = route_sets(&phone());
    let next = "<sip:10.0.0.9;lr>".to_owned();
    let last = "<sip:203.0.113.1:5060;lr>".to_owned();
    for spread in [
        vec![routes.join(", "), next.clone(), last.clone()],
        vec![routes[0].clone(), format!("{},\r\n {next}", routes[1]), last.clone()],
        vec![format!("{} ,{}, {next},{last}", routes[0], routes[1])],
    ] {
        let bye = inwards(&in_dialog("BYE", 8, true, &spread), &phone()).unwrap();
        assert_eq!(values(&bye, HeaderKind::Route), [next.clone(), last.clone()], "{spread:?}");
    }
}

#[test]
fn a_request_of_the_upstream_goes_nowhere_without_a_token_of_this_call() {
    let (calling, answering) = route_sets(&phone());
    let bye = in_dialog("BYE", 9, false, &answering);
    assert_eq!(outwards(&bye.replace("one@", "two@")), Err(RelayRefusal::ForgedRoute));
    assert_eq!(outwards(&in_dialog("BYE", 9, false, &[])), Err(RelayRefusal::NoRoute));
    let nobody = ["<sip:10.0.0.1:5060;lr>".to_owned()];
    assert_eq!(outwards(&in_dialog("BYE", 9, false, &nobody)), Err(RelayRefusal::NoRoute));
    let other_purpose = in_dialog("BYE", 9, false, &calling[..1]);
    assert_eq!(outwards(&other_purpose), Err(RelayRefusal::ForgedRoute));
}

#[test]
fn a_token_does_not_lead_inside_nor_to_a_listener_that_speaks_something_else_now() {
    let inside = Flow::udp(INSIDE, "198.51.100.7:5062".parse().unwrap());
    let changed = Flow { listener: 1, ..phone() };
    let gone = Flow { listener: 99, ..phone() };
    for flow in [inside, changed, gone] {
        let token = seal().delivery(b"one@192.168.1.2", &flow);
        let route = format!("<sip:{token}@10.0.0.1:5060;lr>");
        let bye = in_dialog("BYE", 9, false, &[route]);
        assert_eq!(outwards(&bye), Err(RelayRefusal::ForgedRoute));
    }
}

#[test]
fn a_message_that_is_no_call_leaves_no_route_behind() {
    let message = INVITE.replace("INVITE", "MESSAGE");
    let message = inwards(&message, &phone()).unwrap();
    assert!(values(&message, HeaderKind::RecordRoute).is_empty());
}
