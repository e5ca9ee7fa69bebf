use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::{Limits, Listener, Refusal, Transport};
use super::{DEADLINE, Event, Site, message, read, read_to_end, spec, write};
use crate::proof::tls::test_authority::{Authority, Leaf, dns, uri, write as write_file};
use crate::proof::tls::{ClientCertificate, Live, TlsFiles, server_config};

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// A site with TLS, and the authority that it believes.
struct Secured {
    site: Site,
    authority: Authority,
}

impl Secured {
    fn new(client_certificate: ClientCertificate) -> Self {
        let authority = Authority::new("authority");
        let site = Site::tls(config(&authority, client_certificate), Limits::default());
        Self { site, authority }
    }

    async fn connect(&self, leaf: Option<&Leaf>) -> io::Result<TlsStream<TcpStream>> {
        connect(&self.site, client_config(&self.authority, leaf, BOTH)).await
    }

    /// Expects that a peer with this certificate is let in; returns what it proves.
    async fn identities_of(mut self, leaf: Option<&Leaf>) -> Vec<String> {
        let mut peer = self.connect(leaf).await.unwrap();
        write(&mut peer, &message(1)).await;

        let (flow, identities) = self.site.connected().await;
        assert_eq!(flow.transport, Transport::Tls);
        assert_eq!(self.site.received().await, (flow, message(1)));
        assert_eq!(read(&mut peer, message(1).len()).await, message(1));
        drop(peer);
        self.site.disconnected(flow).await;
        self.site.ends_quietly().await;
        identities
    }

    /// Expects that a peer with this certificate is not let in; returns why.
    async fn refusal_of(mut self, leaf: Option<&Leaf>) -> Refusal {
        // With TLS 1.3 the client is done before its certificate was looked at.
        if let Ok(mut peer) = self.connect(leaf).await {
            assert_eq!(read_to_end(&mut peer).await, b"");
        }
        let refusal = self.site.refused().await;
        self.site.ends_quietly().await;
        refusal
    }

    async fn refusal_of_edited(self, edit: impl FnOnce(&mut CertificateParams)) -> Refusal {
        let leaf = self.authority.issue(edit);
        self.refusal_of(Some(&leaf)).await
    }
}

fn config(authority: &Authority, client_certificate: ClientCertificate) -> Arc<Live<ServerConfig>> {
    let directory = TempDir::new().unwrap();
    let files = authority.files(directory.path(), &authority.issue_server());
    let config = server_config(&files, &[], client_certificate).unwrap();
    Live::of(config)
}

fn client_config(
    authority: &Authority,
    leaf: Option<&Leaf>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(authority.roots());
    Arc::new(match leaf {
        Some(leaf) => {
            config.with_client_auth_cert(vec![leaf.certificate.clone()], leaf.key()).unwrap()
        }
        None => config.with_no_client_auth(),
    })
}

async fn connect(site: &Site, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let name = "sbc.example".try_into().unwrap();
    let stream = site.connect().await;
    let connecting = TlsConnector::from(config).connect(name, stream);
    timeout(DEADLINE, connecting).await.expect("the handshake does not end")
}

#[tokio::test]
async fn a_peer_proves_the_domains_of_its_certificate() {
    let secured = Secured::new(ClientCertificate::Require);
    let leaf = secured.authority.issue_for(&[uri("sip:carrier.example"), dns("web.example")]);
    assert_eq!(secured.identities_of(Some(&leaf)).await, ["carrier.example"]);
}

#[tokio::test]
async fn a_certificate_for_servers_is_accepted() {
    let secured = Secured::new(ClientCertificate::Require);
    let leaf = secured.authority.issue(|params| {
        params.subject_alt_names = vec![dns("carrier.example")];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert_eq!(secured.identities_of(Some(&leaf)).await, ["carrier.example"]);
}

#[tokio::test]
async fn a_wildcard_lets_the_peer_in_without_identity() {
    let secured = Secured::new(ClientCertificate::Require);
    let leaf = secured.authority.issue_for(&[dns("*.carrier.example")]);
    assert!(secured.identities_of(Some(&leaf)).await.is_empty());
}

#[tokio::test]
async fn a_peer_without_certificate_is_let_in_only_where_none_is_required() {
    let secured = Secured::new(ClientCertificate::Request);
    assert!(secured.identities_of(None).await.is_empty());

    let secured = Secured::new(ClientCertificate::Require);
    assert_eq!(secured.refusal_of(None).await, Refusal::CertificateMissing);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_even_where_none_is_required() {
    for client_certificate in [ClientCertificate::Require, ClientCertificate::Request] {
        let secured = Secured::new(client_certificate);
        let leaf = Authority::new("stranger").issue_for(&[dns("carrier.example")]);
        let refusal = secured.refusal_of(Some(&leaf)).await;
        assert_eq!(refusal, Refusal::CertificateUnknownIssuer);
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let secured = Secured::new(ClientCertificate::Require);
    let refusal = secured.refusal_of_edited(|params| params.not_after = date_time_ymd(2001, 1, 1));
    assert_eq!(refusal.await, Refusal::CertificateExpired);
}

#[tokio::test]
async fn a_certificate_that_is_not_yet_valid_is_refused() {
    let secured = Secured::new(ClientCertificate::Require);
    let refusal = secured.refusal_of_edited(|params| params.not_before = date_time_ymd(3999, 1, 1));
    assert_eq!(refusal.await, Refusal::CertificateNotYetValid);
}

#[tokio::test]
async fn a_certificate_for_another_purpose_is_refused() {
    let secured = Secured::new(ClientCertificate::Require);
    let refusal = secured.refusal_of_edited(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    });
    assert_eq!(refusal.await, Refusal::CertificatePurpose);
}

#[tokio::test]
async fn a_session_is_never_resumed() {
    for version in [&TLS12, &TLS13] {
        let secured = Secured::new(ClientCertificate::Require);
        let leaf = secured.authority.issue(|_| ());
        let config = client_config(&secured.authority, Some(&leaf), &[version]);
        for _ in 0..3 {
            let mut peer = connect(&secured.site, Arc::clone(&config)).await.unwrap();
            write(&mut peer, &message(1)).await;
            // Tickets would come before the answer.
            read(&mut peer, message(1).len()).await;
            assert_eq!(peer.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let mut secured = Secured::new(ClientCertificate::Request);
    let mut peer = secured.site.connect().await;
    write(&mut peer, &message(1)).await;

    assert_eq!(secured.site.refused().await, Refusal::HandshakeFailed);
    read_to_end(&mut peer).await;
    secured.site.ends_quietly().await;
}

#[tokio::test]
async fn a_peer_that_leaves_during_the_handshake_is_refused_as_such() {
    let mut secured = Secured::new(ClientCertificate::Request);
    drop(secured.site.connect().await);

    assert_eq!(secured.site.refused().await, Refusal::HandshakeAbandoned);
    secured.site.ends_quietly().await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_refused() {
    let authority = Authority::new("authority");
    let limits = Limits { handshake: Duration::from_millis(50), ..Limits::default() };
    let mut site = Site::tls(config(&authority, ClientCertificate::Request), limits);
    let mut peer = site.connect().await;

    assert_eq!(site.refused().await, Refusal::HandshakeTimeout);
    assert_eq!(read_to_end(&mut peer).await, b"");
}

#[tokio::test]
async fn an_identified_peer_may_be_silent_and_a_stranger_may_not() {
    let authority = Authority::new("authority");
    let limits = Limits { first_message: Duration::from_millis(50), ..Limits::default() };
    let mut site = Site::tls(config(&authority, ClientCertificate::Request), limits);
    let leaf = authority.issue_for(&[dns("carrier.example")]);
    let identified = client_config(&authority, Some(&leaf), BOTH);
    let mut identified = connect(&site, identified).await.unwrap();
    let (known, _) = site.connected().await;

    let mut stranger = connect(&site, client_config(&authority, None, BOTH)).await.unwrap();
    let (flow, _) = site.connected().await;
    assert_eq!(site.next().await, Event::Refused(flow, Refusal::FirstMessageTimeout));
    site.disconnected(flow).await;
    read_to_end(&mut stranger).await;

    write(&mut identified, &message(1)).await;
    assert_eq!(site.received().await, (known, message(1)));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_handshake() {
    let mut secured = Secured::new(ClientCertificate::Request);
    let mut peer = secured.site.connect().await;
    // Accepted in order, so the first is in its handshake when the second is done with it.
    let _other = secured.connect(None).await.unwrap();
    let (flow, _) = secured.site.connected().await;

    secured.site.ends_quietly_after(flow).await;
    assert_eq!(read_to_end(&mut peer).await, b"");
}

#[tokio::test]
async fn tls_without_configuration_is_not_listened_on() {
    let error = Listener::bind(&spec(Transport::Tls, None)).err().unwrap();
    assert!(error.to_string().contains("no TLS configuration"), "{error}");
}

/// A site whose files can be changed, and who is connected to it.
struct Renewed {
    directory: TempDir,
    files: TlsFiles,
    live: Arc<Live<ServerConfig>>,
    secured: Secured,
}

impl Renewed {
    fn new() -> Self {
        let authority = Authority::new("authority");
        let directory = TempDir::new().unwrap();
        let list = authority.revocation_list(&[], 3000).pem().unwrap();
        let list = write_file(directory.path(), "list.pem", &list, 0o644);
        let files = authority.files(directory.path(), &authority.issue_server());
        let files = TlsFiles { revocation_lists: vec![list], ..files };
        let live = Live::of(server_config(&files, &[], ClientCertificate::Require).unwrap());
        let site = Site::tls(Arc::clone(&live), Limits::default());
        Self { directory, files, live, secured: Secured { site, authority } }
    }

    fn revoke(&self, leaf: &Leaf) {
        let list = self.secured.authority.revocation_list(&[leaf], 3000).pem().unwrap();
        write_file(self.directory.path(), "list.pem", &list, 0o644);
        let read = server_config(&self.files, &[], ClientCertificate::Require).unwrap();
        self.live.become_like(&Live::of(read));
    }
}

#[tokio::test]
async fn who_is_revoked_loses_the_connection_at_the_reload_and_the_others_keep_theirs() {
    let mut renewed = Renewed::new();
    let (bad, good) = (
        renewed.secured.authority.issue_for(&[dns("bad.example")]),
        renewed.secured.authority.issue_for(&[dns("good.example")]),
    );
    for version in [&TLS12, &TLS13] {
        let connecting = |leaf| client_config(&renewed.secured.authority, Some(leaf), &[version]);
        let mut revoked = connect(&renewed.secured.site, connecting(&bad)).await.unwrap();
        let (flow, _) = renewed.secured.site.connected().await;
        let mut kept = connect(&renewed.secured.site, connecting(&good)).await.unwrap();
        let (other, _) = renewed.secured.site.connected().await;

        renewed.revoke(&bad);
        let event = renewed.secured.site.next().await;
        assert_eq!(event, Event::Refused(flow, Refusal::CertificateRevoked));
        renewed.secured.site.disconnected(flow).await;
        assert_eq!(read_to_end(&mut revoked).await, b"");
        write(&mut kept, &message(1)).await;
        assert_eq!(renewed.secured.site.received().await, (other, message(1)));
        assert_eq!(read(&mut kept, message(1).len()).await, message(1));
        drop(kept);
        renewed.secured.site.disconnected(other).await;

        // Nor is it let in again.
        if let Ok(mut again) = connect(&renewed.secured.site, connecting(&bad)).await {
            assert_eq!(read_to_end(&mut again).await, b"");
        }
        assert_eq!(renewed.secured.site.refused().await, Refusal::CertificateRevoked);
        renewed.revoke(&renewed.secured.authority.issue(|_| ()));
    }
}

#[tokio::test]
async fn a_connection_ends_with_the_time_of_its_certificate() {
    let mut secured = Secured::new(ClientCertificate::Require);
    let leaf = secured.authority.issue(|params| {
        params.subject_alt_names = vec![dns("brief.example")];
        params.not_after = (SystemTime::now() + Duration::from_secs(2)).into();
    });
    let mut peer = secured.connect(Some(&leaf)).await.unwrap();
    let (flow, _) = secured.site.connected().await;
    let event = secured.site.next().await;
    assert_eq!(event, Event::Refused(flow, Refusal::CertificateExpired));
    secured.site.disconnected(flow).await;
    assert_eq!(read_to_end(&mut peer).await, b"");
}
