use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use super::super::{Limits, ListenSpec, Listeners, Refusal, Transport};
use super::{Behaviour, Event, Site, message, read_to_end, spec, write};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_source_with_all_its_connections_gets_no_other_until_one_ends() {
    let limits = Limits { connections_per_source: 1, ..Limits::default() };
    let mut site = Site::tcp(limits, Behaviour::Watch);
    let first = site.connect().await;
    let (flow, _) = site.connected().await;

    let second = TcpStream::connect(site.address()).await;
    assert_eq!(site.refused().await, Refusal::TooManyConnectionsOfSource);
    sees_a_reset(second).await;

    drop(first);
    site.disconnected(flow).await;
    // The place is given back a moment after the receiver is told.
    loop {
        let _third = TcpStream::connect(site.address()).await;
        let event = site.next().await;
        if matches!(event, Event::Connected(..)) {
            break;
        }
        assert!(matches!(event, Event::Refused(..)), "{event:?}");
    }
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed_in_total() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let mut site = Site::tcp(limits, Behaviour::Watch);
    let _peers = [site.connect().await, site.connect().await];
    site.connected().await;
    site.connected().await;

    let third = TcpStream::connect(site.address()).await;
    assert_eq!(site.refused().await, Refusal::TooManyConnections);
    sees_a_reset(third).await;
}

#[tokio::test]
async fn strangers_with_all_their_connections_leave_the_upstream_its_own() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let outside = spec(Transport::Tcp, None);
    let inside = ListenSpec { feeds_connections: true, ..outside.clone() };
    let listeners = Listeners::bind(&[outside, inside], limits).unwrap();
    let inside = listeners.addresses()[1];
    let mut site = Site::listen(listeners, Behaviour::Watch);
    let _stranger = site.connect().await;
    assert_eq!(site.connected().await.0.listener, 0);

    let _upstream = TcpStream::connect(inside).await.unwrap();
    assert_eq!(site.connected().await.0.listener, 1);
    let _second = TcpStream::connect(inside).await;
    assert_eq!(site.refused().await, Refusal::TooManyConnections);
}

#[tokio::test]
async fn a_stranger_that_says_nothing_is_refused() {
    let limits = Limits { first_message: SHORT, ..Limits::default() };
    let mut site = Site::tcp(limits, Behaviour::Watch);
    let mut peer = site.connect().await;
    write(&mut peer, b"\r\n\r\n").await;

    let (flow, _) = site.connected().await;
    assert_eq!(site.refused().await, Refusal::FirstMessageTimeout);
    site.disconnected(flow).await;
    assert_eq!(read_to_end(&mut peer).await, b"\r\n");
    drop(peer);
    site.ends_quietly().await;
}

#[tokio::test]
async fn a_message_that_does_not_end_is_refused() {
    let limits = Limits { partial_message: SHORT, ..Limits::default() };
    let mut site = Site::tcp(limits, Behaviour::Watch);
    let mut peer = site.connect().await;
    write(&mut peer, &[message(1), b"OPTIONS ".to_vec()].concat()).await;

    let (flow, _) = site.connected().await;
    assert_eq!(site.received().await, (flow, message(1)));
    assert_eq!(site.refused().await, Refusal::PartialMessageTimeout);
    site.disconnected(flow).await;
    read_to_end(&mut peer).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_blame() {
    let limits = Limits { idle: SHORT, ..Limits::default() };
    let mut site = Site::tcp(limits, Behaviour::Watch);
    let mut peer = site.connect().await;
    let (flow, _) = site.connected().await;

    site.disconnected(flow).await;
    assert_eq!(read_to_end(&mut peer).await, b"");
    drop(peer);
    site.ends_quietly().await;
}

/// The reset may be there before the peer knows that it was connected.
async fn sees_a_reset(connected: io::Result<TcpStream>) {
    match connected {
        Ok(mut peer) => assert_eq!(read_to_end(&mut peer).await, b""),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}
