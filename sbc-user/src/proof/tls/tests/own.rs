//! Which of our own certificates is shown, and how they are read anew.

use std::sync::Arc;

use rcgen::{PKCS_ECDSA_P384_SHA384, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, ServerConnection,
    SignatureScheme,
};
use tempfile::TempDir;

use super::verifier::NOW;
use crate::proof::tls::test_authority::{Authority, Leaf, dns, uri, write};
use crate::proof::tls::{
    CertificateFiles, ClientCertificate, Live, ShownCertificate, TlsFiles, server_config,
};

struct Scene {
    directory: TempDir,
    authority: Authority,
}

impl Scene {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), authority: Authority::new("authority") }
    }

    fn files(&self, shown: &Leaf, further: &[&Leaf]) -> TlsFiles {
        let directory = self.directory.path();
        let further = further.iter().enumerate().map(|(number, leaf)| CertificateFiles {
            certificate: write(directory, &format!("{number}.pem"), &leaf.pem, 0o644),
            key: write(directory, &format!("{number}.key"), &leaf.key_pem(), 0o600),
        });
        TlsFiles { further: further.collect(), ..self.authority.files(directory, shown) }
    }

    /// The certificate that is shown to who asks for `name`.
    fn shown(server: &Arc<ServerConfig>, name: &str) -> CertificateDer<'static> {
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        while client.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut &*bytes).unwrap();
            server.process_new_packets().unwrap();
            bytes.clear();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            let mut rest = &*bytes;
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        let shown = client.peer_certificates().map(|chain| chain[0].clone().into_owned());
        shown.expect("no certificate was shown")
    }
}

/// Whether the name is right is what the tests look at.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn config(files: &TlsFiles) -> Arc<ServerConfig> {
    server_config(files, &[], ClientCertificate::Request).unwrap().config
}

#[test]
fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let scene = Scene::new();
    let server = |names: Vec<rcgen::SanType>| {
        scene.authority.issue(|params| {
            params.subject_alt_names = names;
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        })
    };
    let first = server(vec![dns("one.example")]);
    let second = server(vec![dns("two.example"), dns("three.example")]);
    let third = server(vec![uri("sip:four.example"), dns("five.example")]);
    let config = config(&scene.files(&first, &[&second, &third]));
    for (name, leaf) in [
        ("one.example", &first),
        ("two.example", &second),
        ("THREE.example", &second),
        ("four.example", &third),
        ("five.example", &third),
        ("other.example", &first),
        ("192.0.2.1", &first),
    ] {
        assert!(Scene::shown(&config, name) == leaf.certificate, "{name}");
    }
}

#[test]
fn what_is_in_use_is_what_was_read_last_until_it_is_given_up() {
    let scene = Scene::new();
    let (old, new) = (scene.authority.issue_server(), scene.authority.issue_server());
    let live = |own: &Leaf| {
        let files = scene.files(own, &[]);
        Live::of(server_config(&files, &[], ClientCertificate::Request).unwrap())
    };
    let used = live(&old);
    let shown = |live: &Live<ServerConfig>| Scene::shown(&live.current().config, "sbc.example");
    assert!(shown(&used) == old.certificate);
    used.become_like(&live(&new));
    assert!(shown(&used) == new.certificate);

    let client = scene.authority.issue_for(&[uri("sip:carrier.example")]);
    let client = ShownCertificate::read(&[client.certificate]).unwrap();
    let judge = |live: &Live<ServerConfig>| live.current().judge.judge(&client, NOW).is_ok();
    assert!(judge(&used));
    used.give_up();
    assert!(!judge(&used));
}

#[test]
fn the_operator_is_told_of_our_own_certificates_that_are_over_or_nearly() {
    let scene = Scene::new();
    let until = |year, month, day| {
        scene.authority.issue(|params| params.not_after = date_time_ymd(year, month, day))
    };
    let files = scene.files(&until(2025, 12, 31), &[&until(2026, 1, 8), &until(2026, 3, 1)]);
    let told = files.own_warnings(NOW).unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("server.pem has expired: peers will refuse it"), "{told:?}");
    assert!(told[1].ends_with("0.pem expires in 7 days"), "{told:?}");
}

#[test]
fn every_kind_of_key_that_tools_make_can_be_ours() {
    let scene = Scene::new();
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
    {
        let leaf = scene.authority.issue_with(algorithm, |params| {
            params.subject_alt_names = vec![dns("sbc.example")];
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        });
        let config = config(&scene.files(&leaf, &[]));
        assert!(Scene::shown(&config, "sbc.example") == leaf.certificate);
    }
}
