//! How connections end.

use super::super::{Flow, Limits, ListenSpec, SendFailure, Transport};
use super::{Behaviour, Site, message, read, read_to_end, spec, write};

#[tokio::test]
async fn a_connection_that_the_receiver_does_not_want_is_closed_and_not_reported_again() {
    let mut site = Site::tcp(Limits::default(), Behaviour::RefuseConnections);
    let mut peer = site.connect().await;

    let (flow, _) = site.connected().await;
    assert_eq!(read_to_end(&mut peer).await, b"");
    assert_eq!(site.outbox.send(&flow, message(1)), Err(SendFailure::NoConnection));
    site.ends_quietly().await;
}

#[tokio::test]
async fn a_peer_that_leaves_is_disconnected_once() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Watch);
    let peer = site.connect().await;
    let (flow, _) = site.connected().await;
    drop(peer);

    site.disconnected(flow).await;
    assert_eq!(site.outbox.send(&flow, message(1)), Err(SendFailure::NoConnection));
    site.ends_quietly().await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_disconnected() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Watch);
    let mut peer = site.connect().await;
    let (flow, _) = site.connected().await;

    let failure = loop {
        match site.outbox.send(&flow, vec![b'a'; 65_536]) {
            Ok(()) => tokio::task::yield_now().await,
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure, SendFailure::QueueFull);
    assert_eq!(site.outbox.send(&flow, message(1)), Err(SendFailure::NoConnection));
    site.disconnected(flow).await;
    read_to_end(&mut peer).await;
    site.ends_quietly().await;
}

#[tokio::test]
async fn a_connection_of_the_upstream_outlasts_what_one_sends_for_all() {
    let spec = ListenSpec { feeds_connections: true, ..spec(Transport::Tcp, None) };
    let mut site = Site::start(spec, Limits::default(), Behaviour::Watch);
    let mut peer = site.connect().await;
    let (flow, _) = site.connected().await;

    let all = (100..200).map(message).collect::<Vec<_>>();
    // Nothing is awaited in between, so none of it is written before the last is queued.
    for message in &all {
        assert_eq!(site.outbox.send(&flow, message.clone()), Ok(()));
    }
    let all = all.concat();
    assert_eq!(read(&mut peer, all.len()).await, all);
    site.ends_quietly_after(flow).await;
}

#[tokio::test]
async fn a_message_that_makes_us_panic_ends_its_own_connection_only() {
    let mut site = Site::tcp(Limits::default(), Behaviour::PanicOnMessages);
    let _bystander = site.connect().await;
    let (bystander, _) = site.connected().await;
    let mut peer = site.connect().await;
    let (flow, _) = site.connected().await;
    write(&mut peer, &message(1)).await;

    assert_eq!(site.received().await, (flow, message(1)));
    site.disconnected(flow).await;
    assert_eq!(site.outbox.send(&bystander, message(2)), Ok(()));
}

#[tokio::test]
async fn a_flow_that_is_not_exactly_that_of_a_connection_reaches_nobody() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Watch);
    let _peer = site.connect().await;
    let (flow, _) = site.connected().await;

    let other = Flow { remote: "127.0.0.2:5060".parse().unwrap(), ..flow };
    assert_eq!(site.outbox.send(&other, message(1)), Err(SendFailure::NoConnection));
    assert_eq!(site.outbox.send(&flow, message(1)), Ok(()));
}
