//! Names of peers are asked for past the cache.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sbc_user::upstream::{Dns, FreshDns, Names as _};
use tokio::net::UdpSocket;

/// Answers every question for an address with one that holds for an hour, and all others with nothing.
async fn answer(socket: UdpSocket, asked: Arc<AtomicUsize>) {
    let mut query = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut query).await {
        asked.fetch_add(1, Ordering::Relaxed);
        if let Some(answer) = query.get(..length).and_then(answer_to) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// RFC 1035 §4.
fn answer_to(query: &[u8]) -> Option<Vec<u8>> {
    let rest = query.get(12..)?;
    let question = rest.get(..rest.iter().position(|byte| *byte == 0)? + 5)?;
    let is_a = question.ends_with(&[0, 1, 0, 1]);
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x85, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(question);
    if is_a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 192, 0, 2, 1]);
    }
    Some(answer)
}

#[tokio::test]
async fn what_is_asked_afresh_is_asked_each_time_and_of_each_server() {
    let mut servers = Vec::new();
    let mut counts = Vec::new();
    for _ in 0..2 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        servers.push(socket.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        counts.push(Arc::clone(&asked));
        tokio::spawn(answer(socket, asked));
    }
    let told = || counts.iter().map(|it| it.load(Ordering::Relaxed)).collect::<Vec<_>>();
    let afresh = FreshDns::each(&servers).unwrap();
    for (looks, expected) in
        [(&afresh[..1], [2, 0]), (&afresh[..1], [4, 0]), (&afresh[1..], [4, 2])]
    {
        let answer = looks[0].addresses("host.example").await.unwrap();
        assert_eq!(answer.records, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert!(answer.is_whole);
        assert!(answer.until <= Instant::now() + Duration::from_hours(1));
        assert_eq!(told(), expected);
    }
    let remembering = Dns::new(&servers[1..]).unwrap();
    for _ in 0..2 {
        remembering.addresses("host.example").await.unwrap();
    }
    // An absence without SOA is not remembered (RFC 2308 §5).
    assert!(told()[1] < 6, "what the other one remembers it does not ask for");
}
