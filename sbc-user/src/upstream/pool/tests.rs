use std::num::NonZeroU8;

use super::*;
use crate::transport::Transport;

const ONCE: NonZeroU8 = NonZeroU8::MIN;

fn flow(remote: &str) -> Flow {
    Flow::udp(3, remote.parse().unwrap())
}

fn place(remote: &str, priority: u16, weight: u32) -> Place {
    Place { flow: flow(remote), name: remote.into(), rank: (priority, 0), weight }
}

fn pool(places: &[(&str, u16, u32)]) -> Pool {
    Pool::new(
        places.iter().map(|(remote, rank, weight)| place(remote, *rank, *weight)).collect(),
        4096,
    )
}

fn message(method: &str, call_id: &str) -> String {
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
         From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn chosen(pool: &Pool, method: &str, call_id: &str, now: Instant) -> Option<String> {
    let message = message(method, call_id);
    let message = Message::scan(message.as_bytes()).unwrap();
    pool.choose(&message, now).map(|flow| flow.remote.to_string())
}

fn shares(pool: &Pool, calls: usize) -> Vec<usize> {
    let now = Instant::now();
    let chosen: Vec<_> =
        (0..calls).map(|call| chosen(pool, "INVITE", &call.to_string(), now).unwrap()).collect();
    let targets = pool.targets();
    let share =
        |target: &Target| chosen.iter().filter(|it| **it == target.flow.remote.to_string()).count();
    targets.iter().map(share).collect()
}

fn kill(pool: &Pool, position: usize) {
    pool.targets()[position].health.failed(ONCE);
}

fn revive(pool: &Pool, position: usize) {
    pool.targets()[position].health.succeeded(ONCE);
}

const A: &str = "10.0.0.5:5060";
const B: &str = "10.0.0.6:5060";
const C: &str = "10.0.0.7:5060";

#[test]
fn calls_are_spread_by_weight_among_the_best_that_live() {
    let pool = pool(&[(A, 1, 3), (B, 1, 1), (C, 2, 1)]);
    let [a, b, c] = shares(&pool, 4000)[..] else { panic!() };
    assert!((2850..3150).contains(&a) && b == 4000 - a && c == 0, "{a} {b} {c}");
    kill(&pool, 0);
    assert_eq!(shares(&pool, 100), [0, 100, 0]);
    kill(&pool, 1);
    assert_eq!(shares(&pool, 100), [0, 0, 100]);
    kill(&pool, 2);
    assert_eq!(chosen(&pool, "INVITE", "new", Instant::now()), None);
}

#[test]
fn a_restart_and_another_node_choose_the_same() {
    let now = Instant::now();
    let pools = [pool(&[(A, 1, 1), (B, 1, 1)]), pool(&[(B, 1, 1), (A, 1, 1)])];
    for call in 0..100 {
        let [one, other] = pools.each_ref().map(|it| chosen(it, "INVITE", &call.to_string(), now));
        assert_eq!(one, other);
    }
}

#[test]
fn a_target_that_dies_moves_no_calls_but_its_own() {
    let now = Instant::now();
    let [before, after] = [(); 2].map(|()| pool(&[(A, 1, 1), (B, 1, 1), (C, 1, 1)]));
    kill(&after, 1);
    for call in 0..100 {
        let call = call.to_string();
        let was = chosen(&before, "INVITE", &call, now).unwrap();
        let is = chosen(&after, "INVITE", &call, now).unwrap();
        assert!(was == is || was == B, "{was} {is}");
    }
}

#[test]
fn what_ends_a_call_goes_where_the_call_went_though_another_would_be_chosen_by_now() {
    let pool = pool(&[(A, 1, 1), (B, 2, 1)]);
    let now = Instant::now();
    assert_eq!(chosen(&pool, "INVITE", "one", now).unwrap(), A);
    kill(&pool, 0);
    for method in ["CANCEL", "ACK"] {
        assert_eq!(chosen(&pool, method, "one", now).unwrap(), A);
        assert_eq!(chosen(&pool, method, "forgotten", now).unwrap(), B);
    }
    assert_eq!(chosen(&pool, "INVITE", "two", now).unwrap(), B);
    revive(&pool, 0);
    for method in ["CANCEL", "ACK", "INVITE"] {
        assert_eq!(chosen(&pool, method, "two", now).unwrap(), B, "{method}");
    }
    assert_eq!(chosen(&pool, "INVITE", "three", now).unwrap(), A);
}

#[test]
fn a_retransmission_goes_elsewhere_only_once_its_target_is_known_dead() {
    let pool = pool(&[(A, 1, 1), (B, 2, 1)]);
    let now = Instant::now();
    assert_eq!(chosen(&pool, "INVITE", "one", now).unwrap(), A);
    assert_eq!(chosen(&pool, "INVITE", "one", now).unwrap(), A);
    kill(&pool, 0);
    assert_eq!(chosen(&pool, "INVITE", "one", now).unwrap(), B);
    revive(&pool, 0);
    assert_eq!(chosen(&pool, "INVITE", "one", now).unwrap(), B, "who has it now keeps it");
    assert_eq!(chosen(&pool, "CANCEL", "one", now).unwrap(), B);
}

#[test]
fn who_stays_keeps_its_health_and_who_leaves_is_nobody() {
    let pool = pool(&[(A, 1, 1), (B, 1, 1)]);
    kill(&pool, 1);
    pool.replace(vec![place(B, 1, 1), place(C, 1, 1)]);
    assert_eq!(shares(&pool, 10), [0, 10]);
    assert!(!pool.is_at("10.0.0.5".parse().unwrap()));
    assert!(pool.is_at("10.0.0.6".parse().unwrap()));
    assert!(pool.leads_to(&flow(C)) && !pool.leads_to(&flow(A)));
}

#[test]
fn a_target_is_known_by_its_address_and_its_transport_counts_more_than_its_port() {
    let stream = Flow { transport: Transport::Tcp, listener: 4, ..flow("10.0.0.5:5070") };
    let places = vec![place(A, 1, 1), Place { flow: stream, ..place(A, 1, 1) }];
    let pool = Pool::new(places, 1);
    assert_eq!(pool.behind(&flow("10.0.0.5:40000")), Some(flow(A)));
    let arrived = Flow { connection: 9, remote: "10.0.0.5:5060".parse().unwrap(), ..stream };
    assert_eq!(pool.behind(&arrived), Some(stream));
    assert_eq!(pool.behind(&flow("10.0.0.9:5060")), None);
}

#[test]
fn a_large_request_goes_over_tcp_with_its_cancel_and_ack_and_the_next_by_its_own_size() {
    let over_tcp = Flow { transport: Transport::Tcp, ..flow(A) };
    let large = Place { flow: over_tcp, ..place(A, 1, 0) };
    let pool = Pool::new(vec![place(A, 1, 1), large], 4096);
    let now = Instant::now();
    let way = |method: &str| {
        let message = message(method, "one");
        pool.choose(&Message::scan(message.as_bytes()).unwrap(), now)
    };
    let send_large = || {
        let invite = message("INVITE", "one");
        pool.instead_of_udp(&flow(A), &Message::scan(invite.as_bytes()).unwrap(), now)
    };
    revive(&pool, 1);
    assert_eq!(way("INVITE"), Some(flow(A)));
    assert_eq!(send_large(), Some(over_tcp));
    assert_eq!([way("CANCEL"), way("ACK")], [Some(over_tcp); 2]);
    assert_eq!(way("INVITE"), Some(flow(A)), "its own size decides again");
    assert_eq!([way("CANCEL"), way("ACK")], [Some(flow(A)); 2], "it was small");
    assert_eq!(send_large(), Some(over_tcp));
    kill(&pool, 0);
    assert_eq!(way("INVITE"), Some(over_tcp), "who answers there has it");
}
