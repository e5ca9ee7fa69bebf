//! Connections that we make, and who is at the other end of them.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::super::{Destination, DialTls, Flow, Refusal, SendFailure, Transport};
use super::{Behaviour, DEADLINE, Event, Site, message, read, write};
use crate::proof::tls::test_authority::{Authority, Leaf, dns, uri};
use crate::proof::tls::{
    ClientCertificate, Expected, Live, PeerTrust, TlsFiles, client_config, server_config,
};

/// A site that can connect to `remote`.
fn leading_to(remote: SocketAddr, tls: Option<DialTls>) -> (Site, Flow) {
    let site = Site::udp(Behaviour::Watch);
    let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
    let flow = Flow { transport, listener: 0, remote, connection: 0 };
    let from = [127, 0, 0, 1].into();
    site.outbox.lead_to(vec![Destination { flow, from, interface: None, tls }]);
    (site, flow)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn what_is_sent_to_a_destination_connects_once_and_again_when_that_has_ended() {
    let (listener, address) = listener().await;
    let (mut site, to) = leading_to(address, None);
    for call in [1, 2] {
        site.outbox.send(&to, message(call)).unwrap();
    }
    let (mut peer, from) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    assert_eq!(from.ip(), address.ip());
    assert_eq!(read(&mut peer, message(1).len()).await, message(1));
    assert_eq!(read(&mut peer, message(2).len()).await, message(2));
    let (flow, _, nobody) = site.dialed().await;
    assert_eq!(nobody, None);
    assert_eq!(Flow { connection: 0, ..flow }, to);
    write(&mut peer, &message(3)).await;
    assert_eq!(site.received().await, (flow, message(3)));
    site.outbox.send(&flow, message(4)).unwrap();
    assert_eq!(read(&mut peer, message(4).len()).await, message(4));
    drop(peer);
    site.disconnected(flow).await;
    assert_eq!(site.next().await, Event::Undeliverable(to, Vec::new()), "it ended at once");
    // So there is a pause before the next.
    let sent = async {
        while site.outbox.send(&flow, message(5)).is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, sent).await.unwrap();
    let (mut peer, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    assert_eq!(read(&mut peer, message(5).len()).await, message(5));
    let (anew, ..) = site.dialed().await;
    assert_ne!(anew.connection, flow.connection);
    site.ends_quietly_after(anew).await;
}

#[tokio::test]
async fn what_waited_for_a_connection_that_cannot_be_made_comes_back() {
    let (listener, address) = listener().await;
    drop(listener);
    let (mut site, to) = leading_to(address, None);
    for call in [1, 2] {
        site.outbox.send(&to, message(call)).unwrap();
    }
    let event = site.next().await;
    assert_eq!(event, Event::Undeliverable(to, vec![message(1), message(2)]));
    assert_eq!(site.outbox.send(&to, message(3)), Err(SendFailure::Unreachable));
    site.ends_quietly().await;
}

#[tokio::test]
async fn nobody_is_connected_to_because_a_flow_says_so() {
    let (_listener, address) = listener().await;
    let (site, to) = leading_to(address, None);
    let elsewhere = Flow { remote: "127.0.0.1:9".parse().unwrap(), ..to };
    assert_eq!(site.outbox.send(&elsewhere, message(1)), Err(SendFailure::NoConnection));
    assert_eq!(site.outbox.open(&elsewhere), Err(SendFailure::NoConnection));
    site.ends_quietly().await;
}

/// A server with a certificate, and what connects to it.
struct Server {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    site: Site,
    to: Flow,
}

impl Server {
    /// Our authority has signed our certificate; `shown` is that of the server.
    async fn new(ours: &Authority, shown: &Leaf, expected: Expected) -> Self {
        let (listener, address) = listener().await;
        let directory = TempDir::new().unwrap();
        let own = ours.issue_for(&[uri("sip:sbc.example")]);
        let config = client_config(
            &ours.files(directory.path(), &own),
            &PeerTrust::default(),
            expected.clone(),
        )
        .unwrap();
        let tls = DialTls {
            config: Live::of(config),
            name: expected.name().unwrap(),
            peer: Some("carrier".into()),
        };
        let (site, to) = leading_to(address, Some(tls));
        let files = ours.files(directory.path(), shown);
        let config = server_config(&files, &[], ClientCertificate::Require).unwrap().config;
        Self { listener, config, site, to }
    }

    async fn expect_refusal(mut self) {
        self.site.outbox.send(&self.to, message(1)).unwrap();
        let (stream, _) = timeout(DEADLINE, self.listener.accept()).await.unwrap().unwrap();
        let shaken =
            timeout(DEADLINE, TlsAcceptor::from(self.config).accept(stream)).await.unwrap();
        if let Ok(mut stream) = shaken {
            let mut bytes = Vec::new();
            let _ = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.unwrap();
            assert_eq!(bytes, b"", "nothing is told to who is not expected");
        }
        let event = self.site.next().await;
        assert_eq!(event, Event::Undeliverable(self.to, vec![message(1)]));
        self.site.ends_quietly().await;
    }
}

fn expected(name: &str) -> Expected {
    Expected::Identities(vec![name.parse().unwrap()])
}

#[tokio::test]
async fn over_tls_both_ends_prove_who_they_are() {
    let authority = Authority::new("authority");
    let shown = authority.issue_for(&[uri("sip:carrier.example"), dns("host.example")]);
    let mut server = Server::new(&authority, &shown, expected("carrier.example")).await;
    server.site.outbox.send(&server.to, message(1)).unwrap();
    let (stream, _) = timeout(DEADLINE, server.listener.accept()).await.unwrap().unwrap();
    let acceptor = TlsAcceptor::from(server.config);
    let mut peer = timeout(DEADLINE, acceptor.accept(stream)).await.unwrap().unwrap();
    let ours = peer.get_ref().1.peer_certificates().unwrap();
    assert_eq!(crate::proof::tls::identities(&ours[0])[0].as_str(), "sbc.example");
    assert_eq!(read(&mut peer, message(1).len()).await, message(1));
    let (flow, identities, peer) = server.site.dialed().await;
    assert_eq!((identities, peer), (vec!["carrier.example".to_owned()], Some("carrier".into())));
    server.site.ends_quietly_after(flow).await;
}

#[tokio::test]
async fn a_certificate_for_an_address_is_good_where_an_address_is_expected() {
    let authority = Authority::new("authority");
    let shown = authority.issue_for(&[rcgen::SanType::IpAddress([127, 0, 0, 1].into())]);
    let address = Expected::Address([127, 0, 0, 1].into());
    let mut server = Server::new(&authority, &shown, address).await;
    server.site.outbox.send(&server.to, message(1)).unwrap();
    let (stream, _) = timeout(DEADLINE, server.listener.accept()).await.unwrap().unwrap();
    let acceptor = TlsAcceptor::from(server.config);
    let mut peer = timeout(DEADLINE, acceptor.accept(stream)).await.unwrap().unwrap();
    assert_eq!(read(&mut peer, message(1).len()).await, message(1));
    let (flow, ..) = server.site.dialed().await;
    server.site.ends_quietly_after(flow).await;
}

#[tokio::test]
async fn who_is_somebody_else_hears_nothing_from_us() {
    let authority = Authority::new("authority");
    let names = [uri("sip:other.example"), dns("carrier.example")];
    let wrong_name = authority.issue_for(&names);
    Server::new(&authority, &wrong_name, expected("carrier.example")).await.expect_refusal().await;
    let wildcard = authority.issue_for(&[dns("*.example")]);
    Server::new(&authority, &wildcard, expected("carrier.example")).await.expect_refusal().await;
    let no_address = Expected::Address([127, 0, 0, 1].into());
    Server::new(&authority, &wildcard, no_address).await.expect_refusal().await;
    let stranger = Authority::new("stranger").issue_for(&[uri("sip:carrier.example")]);
    Server::new(&authority, &stranger, expected("carrier.example")).await.expect_refusal().await;
}

#[tokio::test]
async fn who_is_revoked_hears_nothing_from_us_and_loses_the_connection_that_there_is() {
    let authority = Authority::new("authority");
    let shown = authority.issue_for(&[uri("sip:carrier.example")]);
    let directory = TempDir::new().unwrap();
    let list = directory.path().join("list.pem");
    let revoke = |leaves: &[&Leaf]| {
        let pem = authority.revocation_list(leaves, 3000).pem().unwrap();
        std::fs::write(&list, pem).unwrap();
    };
    revoke(&[]);
    let own = authority.issue_for(&[uri("sip:sbc.example")]);
    let files = TlsFiles {
        revocation_lists: vec![list.clone()],
        ..authority.files(directory.path(), &own)
    };
    let expected = expected("carrier.example");
    let name = expected.name().unwrap();
    let anew = move || client_config(&files, &PeerTrust::default(), expected.clone());
    let live = Live::of(anew().unwrap());

    let (listener, address) = listener().await;
    let (mut site, to) =
        leading_to(address, Some(DialTls { config: Arc::clone(&live), name, peer: None }));
    let theirs = TempDir::new().unwrap();
    let files = authority.files(theirs.path(), &shown);
    let config = server_config(&files, &[], ClientCertificate::Require).unwrap().config;
    let acceptor = TlsAcceptor::from(config);
    site.outbox.send(&to, message(1)).unwrap();
    let (stream, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    let mut peer = timeout(DEADLINE, acceptor.accept(stream)).await.unwrap().unwrap();
    assert_eq!(read(&mut peer, message(1).len()).await, message(1));
    let (flow, ..) = site.dialed().await;

    revoke(&[&shown]);
    live.become_like(&Live::of(anew().unwrap()));
    assert_eq!(site.next().await, Event::Refused(flow, Refusal::CertificateRevoked));
    site.disconnected(flow).await;
    let mut rest = Vec::new();
    let _ = timeout(DEADLINE, peer.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
    // It was there too briefly for another to be made at once.
    assert_eq!(site.next().await, Event::Undeliverable(to, Vec::new()));
    site.ends_quietly().await;
}
