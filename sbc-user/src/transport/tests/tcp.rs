use tokio::io::AsyncWriteExt;

use super::super::{Limits, Refusal, Transport};
use super::{Behaviour, Event, Site, message, read, read_to_end, write};

#[tokio::test]
async fn two_messages_in_one_segment_are_two_messages() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Echo);
    let mut peer = site.connect().await;
    let both = [message(1), message(2)].concat();
    write(&mut peer, &both).await;

    let (flow, identities) = site.connected().await;
    assert_eq!((flow.transport, flow.listener), (Transport::Tcp, 0));
    assert_eq!(flow.remote, peer.local_addr().unwrap());
    assert_ne!(flow.connection, 0);
    assert!(identities.is_empty());
    assert_eq!(site.received().await, (flow, message(1)));
    assert_eq!(site.received().await, (flow, message(2)));
    assert_eq!(read(&mut peer, both.len()).await, both);
}

#[tokio::test]
async fn a_message_in_many_segments_is_one_message() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Echo);
    let mut peer = site.connect().await;
    peer.set_nodelay(true).unwrap();
    let (flow, _) = site.connected().await;
    for byte in message(1) {
        write(&mut peer, &[byte]).await;
    }

    assert_eq!(site.received().await, (flow, message(1)));
}

#[tokio::test]
async fn pipelined_requests_are_all_answered() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Echo);
    let mut peer = site.connect().await;
    let all = (1000..3000).flat_map(message).collect::<Vec<_>>();
    let (mut read_half, mut write_half) = peer.split();
    let (echoed, ()) = tokio::join!(read(&mut read_half, all.len()), write(&mut write_half, &all));

    assert!(echoed == all);
    let (flow, _) = site.connected().await;
    for call in 1000..3000 {
        assert_eq!(site.received().await, (flow, message(call)));
    }
    site.ends_quietly_after(flow).await;
}

#[tokio::test]
async fn a_ping_is_answered() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Watch);
    let mut peer = site.connect().await;
    write(&mut peer, b"\r\n\r\n").await;

    assert_eq!(read(&mut peer, 2).await, b"\r\n");
    let (flow, _) = site.connected().await;
    site.ends_quietly_after(flow).await;
}

#[tokio::test]
async fn a_peer_that_closes_its_half_still_gets_the_answer() {
    let site = Site::tcp(Limits::default(), Behaviour::Echo);
    let mut peer = site.connect().await;
    write(&mut peer, &message(1)).await;
    peer.shutdown().await.unwrap();

    assert_eq!(read_to_end(&mut peer).await, message(1));
}

#[tokio::test]
async fn what_is_no_sip_is_refused() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Watch);
    let mut peer = site.connect().await;
    write(&mut peer, b"GET / HTTP/1.1\r\nHost: sbc.example\r\n\r\n").await;

    let (flow, _) = site.connected().await;
    assert_eq!(site.next().await, Event::Refused(flow, Refusal::MalformedStream));
    site.disconnected(flow).await;
    assert_eq!(read_to_end(&mut peer).await, b"");
}

#[tokio::test]
async fn who_is_cut_off_hears_the_answer_to_what_it_sent() {
    let mut site = Site::tcp(Limits::default(), Behaviour::Echo);
    let mut peer = site.connect().await;
    let endless = [&message(1)[..], b"X".repeat(20_000).as_slice()].concat();
    write(&mut peer, &endless).await;

    let (flow, _) = site.connected().await;
    assert_eq!(site.received().await, (flow, message(1)));
    let heard = read_to_end(&mut peer).await;
    assert_eq!(heard[..message(1).len()], message(1));
    let refused = &heard[message(1).len()..];
    assert!(!refused.is_empty() && refused.len() <= 16 * 1024, "{}", refused.len());
    assert!(refused.iter().all(|byte| *byte == b'X'));
}
