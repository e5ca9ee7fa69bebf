use std::net::{Ipv6Addr, UdpSocket as StdUdpSocket};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::super::{
    BindError, Flow, Limits, Listener, Listeners, SendFailure, Transport, UdpListener,
};
use super::{Behaviour, DEADLINE, Site, message, spec};

async fn peer(site: &Site) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(site.address()).await.unwrap();
    socket
}

async fn read(peer: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_535];
    let size = timeout(DEADLINE, peer.recv(&mut buffer)).await.expect("no answer").unwrap();
    buffer.truncate(size);
    buffer
}

#[tokio::test]
async fn a_datagram_is_received_and_answered_where_it_came_from() {
    let mut site = Site::udp(Behaviour::Echo);
    let peer = peer(&site).await;
    peer.send(&message(1)).await.unwrap();

    let (flow, received) = site.received().await;
    assert_eq!(flow, Flow::udp(0, peer.local_addr().unwrap()));
    assert_eq!(received, message(1));
    assert_eq!(read(&peer).await, message(1));
    site.ends_quietly().await;
}

#[tokio::test]
async fn a_socket_that_feeds_connections_is_served_too() {
    for behaviour in [Behaviour::Echo, Behaviour::Forward] {
        let feeding =
            super::super::ListenSpec { feeds_connections: true, ..spec(Transport::Udp, None) };
        let mut site = Site::start(feeding, Limits::default(), behaviour);
        let peer = peer(&site).await;
        peer.send(&message(1)).await.unwrap();

        assert_eq!(site.received().await.1, message(1));
        assert_eq!(read(&peer).await, message(1));
        site.ends_quietly().await;
    }
}

#[tokio::test]
async fn many_phones_at_once_are_each_answered_from_the_one_address_and_in_order() {
    const PHONES: usize = 40;
    const MESSAGES: usize = 25;
    let site = Site::udp(Behaviour::Echo);
    let mut phones = Vec::new();
    for _ in 0..PHONES {
        phones.push(peer(&site).await);
    }
    for call in 0..MESSAGES {
        for phone in &phones {
            phone.send(&message(call)).await.unwrap();
        }
    }
    for phone in &phones {
        for call in 0..MESSAGES {
            assert_eq!(read(phone).await, message(call));
        }
    }
}

#[tokio::test]
async fn an_address_is_shared_by_the_workers_and_with_nobody_else() {
    let ours = UdpListener::bind_shared(([127, 0, 0, 1], 0).into(), None, 3).unwrap();
    let again = UdpListener::bind_shared(ours.address(), None, 3);
    assert!(matches!(again.unwrap_err(), BindError::AddressInUse { .. }));

    let six = UdpListener::bind_shared((Ipv6Addr::LOCALHOST, 0).into(), None, 3).unwrap();
    assert!(UdpListener::bind(([127, 0, 0, 1], six.address().port()).into(), None).is_ok());
}

#[tokio::test]
async fn over_ipv6_a_datagram_is_answered_too() {
    let address = (Ipv6Addr::LOCALHOST, 0).into();
    let six = super::super::ListenSpec { address, ..spec(Transport::Udp, None) };
    let mut site = Site::start(six, Limits::default(), Behaviour::Echo);
    let peer = UdpSocket::bind("[::1]:0").await.unwrap();
    peer.connect(site.address()).await.unwrap();
    peer.send(&message(1)).await.unwrap();

    assert_eq!(site.received().await.0, Flow::udp(0, peer.local_addr().unwrap()));
    assert_eq!(read(&peer).await, message(1));
}

#[tokio::test]
async fn the_largest_datagram_is_received_whole() {
    let mut site = Site::udp(Behaviour::Echo);
    let peer = peer(&site).await;
    let largest = vec![b'a'; 65_507];
    peer.send(&largest).await.unwrap();

    assert_eq!(site.received().await.1, largest);
    assert_eq!(read(&peer).await, largest);
}

#[tokio::test]
async fn keepalives_are_neither_received_nor_answered() {
    let mut site = Site::udp(Behaviour::Echo);
    let peer = peer(&site).await;
    let stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl".as_slice();
    for keepalive in [b"".as_slice(), b"\r\n", b"\r\n\r\n", stun] {
        peer.send(keepalive).await.unwrap();
    }
    peer.send(&message(1)).await.unwrap();

    assert_eq!(site.received().await.1, message(1));
    assert_eq!(read(&peer).await, message(1));
    site.ends_quietly().await;
}

#[tokio::test]
async fn a_datagram_that_makes_us_panic_does_not_silence_the_listener() {
    let mut site = Site::udp(Behaviour::PanicOnMessages);
    let peer = peer(&site).await;
    for call in 1..=2 {
        peer.send(&message(call)).await.unwrap();
        assert_eq!(site.received().await.1, message(call));
    }
}

#[tokio::test]
async fn a_message_too_large_for_a_datagram_is_not_sent() {
    let site = Site::udp(Behaviour::Watch);
    let flow = Flow::udp(0, site.address());
    assert_eq!(site.outbox.send(&flow, vec![0; 65_508]), Err(SendFailure::TooLarge));

    let elsewhere = Flow::udp(1, site.address());
    assert_eq!(site.outbox.send(&elsewhere, message(1)), Err(SendFailure::NoListener));
}

#[tokio::test]
async fn a_message_can_be_sent_before_anything_was_received() {
    let site = Site::udp(Behaviour::Watch);
    let peer = peer(&site).await;
    let flow = Flow::udp(0, peer.local_addr().unwrap());

    assert_eq!(site.outbox.send(&flow, message(1)), Ok(()));
    assert_eq!(read(&peer).await, message(1));
}

#[tokio::test]
async fn an_ipv6_listener_leaves_the_port_to_ipv4() {
    let six = UdpListener::bind((Ipv6Addr::UNSPECIFIED, 0).into(), None).unwrap();
    assert!(UdpListener::bind(([0, 0, 0, 0], six.address().port()).into(), None).is_ok());
}

#[tokio::test]
async fn a_taken_address_is_named_with_the_way_to_its_holder() {
    let holder = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let error = UdpListener::bind(address, None).unwrap_err();

    assert!(matches!(error, BindError::AddressInUse { .. }));
    let text = error.to_string();
    assert!(text.contains(&format!("UDP {address}: address already in use")), "{text}");
    assert!(text.contains(&format!("ss -Hlnpu 'sport = :{}'", address.port())), "{text}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    let mut elsewhere = spec(Transport::Tcp, None);
    elsewhere.address = "192.0.2.1:5060".parse().unwrap();
    let error = Listener::bind(&elsewhere).err().unwrap();

    assert!(matches!(error, BindError::AddressNotAvailable { .. }));
    assert!(error.to_string().contains("TCP 192.0.2.1:5060: not an address of this machine"));
}

#[tokio::test]
async fn when_one_address_is_taken_none_is_bound() {
    let holder = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    let free = StdUdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = |address| super::super::ListenSpec { address, ..spec(Transport::Udp, None) };
    let specs = [at(free), at(holder.local_addr().unwrap())];

    assert!(Listeners::bind(&specs, Limits::default()).is_err());
    assert!(StdUdpSocket::bind(free).is_ok());
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    let address = ([127, 0, 0, 1], 0).into();
    let error = UdpListener::bind(address, Some("nowhere0")).unwrap_err();

    assert!(matches!(error, BindError::NoSuchInterface { .. }), "{error}");
    assert!(error.to_string().contains("\"nowhere0\""), "{error}");
}

#[test]
fn a_socket_is_bound_to_the_interface_that_is_named() {
    let socket = UdpListener::bind(([127, 0, 0, 1], 0).into(), Some("lo")).unwrap();

    let device = socket2::SockRef::from(&**socket.sockets.first().unwrap()).device().unwrap();
    assert_eq!(device.as_deref(), Some(&b"lo"[..]));
}
