use std::net::UdpSocket;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::super::{
    Flow, Limits, Listener, Listeners, SEND_QUEUE_BYTES, SendFailure, StreamListener,
};
use super::{Behaviour, DEADLINE, Event, Site, message, read_to_end};

#[tokio::test]
async fn a_shutdown_writes_what_is_queued_and_reports_every_connection() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Watch);
    let mut peers = [site.connect().await, site.connect().await];
    let mut flows = [site.connected().await.0, site.connected().await.0];
    flows.sort_by_key(|flow| flow.connection);
    for flow in &flows {
        site.outbox.send(flow, message(1)).unwrap();
    }
    let address = site.address();

    site.running.shutdown(DEADLINE).await.unwrap();

    let mut gone = Vec::new();
    while let Some(event) = site.events.recv().await {
        let Event::Disconnected(flow) = event else {
            panic!("{event:?} instead of an end");
        };
        gone.push(flow);
    }
    gone.sort_by_key(|flow| flow.connection);
    assert_eq!(gone, flows);
    for peer in &mut peers {
        assert_eq!(read_to_end(peer).await, message(1));
    }
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(site.outbox.send(&flows[0], message(2)), Err(SendFailure::NoConnection));
}

#[tokio::test]
async fn connections_that_do_not_end_in_time_are_cut_off_and_reported() {
    let mut site = site_with_small_buffers();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let _peer = socket.connect(site.address()).await.unwrap();
    let (flow, _) = site.connected().await;
    site.outbox.send(&flow, vec![b'a'; SEND_QUEUE_BYTES]).unwrap();

    let shutdown = site.running.shutdown(Duration::ZERO).await;

    assert_eq!(shutdown.unwrap_err().connections, 1);
    assert_eq!(site.events.recv().await, Some(Event::Disconnected(flow)));
    assert_eq!(site.events.recv().await, None);
}

#[tokio::test]
async fn dropping_everything_reports_every_connection() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Watch);
    let _peer = site.connect().await;
    let (flow, _) = site.connected().await;
    drop(site.running);

    assert_eq!(site.events.recv().await, Some(Event::Disconnected(flow)));
    assert_eq!(site.events.recv().await, None);
}

#[tokio::test]
async fn after_a_shutdown_the_udp_port_is_free_although_an_outbox_is_left() {
    let site = Site::udp(Behaviour::Watch);
    let address = site.address();
    let flow = Flow::udp(0, address);
    site.running.shutdown(DEADLINE).await.unwrap();

    assert!(UdpSocket::bind(address).is_ok());
    assert_eq!(site.outbox.send(&flow, message(1)), Err(SendFailure::NoListener));
}

/// A site whose kernel takes but little off the send queues.
fn site_with_small_buffers() -> Site {
    let listener = StreamListener::bind(([127, 0, 0, 1], 0).into(), None, None).unwrap();
    // Connections inherit it.
    socket2::SockRef::from(&listener.socket).set_send_buffer_size(4096).unwrap();
    let listeners = Listeners::from_bound(vec![Listener::Stream(listener)], Limits::default());
    Site::listen(listeners.unwrap(), Behaviour::Watch)
}
