use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use tempfile::TempDir;

use super::*;
use crate::proof::tls::{ShownCertificate, TlsFiles, server_config};

const DAY: Duration = Duration::from_hours(24);

fn authority() -> (TempDir, Authority) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("pki");
    let (authority, ..) = Authority::init(&path, "Test", DAY).unwrap();
    (directory, authority)
}

fn peer(name: &str) -> Subject {
    Subject::Peer(name.parse().unwrap())
}

fn shown(made: &Made) -> ShownCertificate {
    let chain = CertificateDer::pem_file_iter(&made.certificate).unwrap();
    ShownCertificate::read(&chain.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
}

/// What a listener with our certificate says to a peer with this one.
fn judged(authority: &mut Authority, made: &Made) -> Result<(), rustls::Error> {
    let names = vec!["sbc.example".parse().unwrap(), "192.0.2.1".parse().unwrap()];
    let own = authority.issue(&Subject::Server(names), DAY, true).unwrap();
    let [client_ca, list] = authority.files();
    let files = TlsFiles {
        certificate: own.certificate,
        key: own.key.unwrap(),
        client_ca,
        revocation_lists: vec![list],
        ..TlsFiles::default()
    };
    let loaded = server_config(&files, &[], crate::proof::tls::ClientCertificate::Require).unwrap();
    loaded.judge.judge(&shown(made), UnixTime::now())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_it_issues_is_good_until_it_is_revoked() {
    let (_directory, mut authority) = authority();
    let made = authority.issue(&peer("carrier.example"), DAY, false).unwrap();
    let other = authority.issue(&peer("other.example"), DAY, false).unwrap();
    assert_eq!(shown(&made).identities()[0].as_str(), "carrier.example");
    assert_eq!(judged(&mut authority, &made), Ok(()));
    let kept = Made { certificate: made.certificate.with_extension("copy"), ..made.clone() };
    fs::copy(&made.certificate, &kept.certificate).unwrap();

    let (count, _) = authority.revoke("carrier.example", DAY).unwrap();
    assert_eq!(count, 1);
    let revoked = rustls::CertificateError::Revoked.into();
    assert_eq!(judged(&mut authority, &kept), Err(revoked));
    assert_eq!(judged(&mut authority, &other), Ok(()));
    let again = authority.revoke("carrier.example", DAY).unwrap_err().to_string();
    assert_eq!(again, "no certificate of carrier.example that is not revoked yet");
    // A new one under the same name is another one.
    let made = authority.issue(&peer("carrier.example"), DAY, false).unwrap();
    assert_eq!(judged(&mut authority, &made), Ok(()));
}

#[test]
fn keys_are_for_their_owner_alone_and_nothing_is_overwritten() {
    let (directory, mut authority) = authority();
    let path = directory.path().join("pki");
    let made = authority.issue(&peer("carrier.example"), DAY, false).unwrap();
    assert_eq!(mode(&path.join("ca.key")), 0o600);
    assert_eq!(mode(made.key.as_ref().unwrap()), 0o600);
    for file in ["ca.pem", "crl.pem", "peers/carrier.example.pem"] {
        assert_eq!(mode(&path.join(file)), 0o644, "{file}");
    }
    let before = fs::read(&made.certificate).unwrap();
    let error = authority.issue(&peer("carrier.example"), DAY, false).unwrap_err().to_string();
    assert!(error.contains("carrier.example.pem is there already"), "{error}");
    assert_eq!(fs::read(&made.certificate).unwrap(), before);
    authority.issue(&peer("carrier.example"), DAY, true).unwrap();
    assert_eq!(fs::read(path.join("peers/carrier.example.pem.old-1")).unwrap(), before);
    assert_eq!(mode(&path.join("peers/carrier.example.key.old-1")), 0o600);
    // Both of them are revoked with their name.
    assert_eq!(authority.revoke("carrier.example", DAY).unwrap().0, 2);
    drop(authority);

    let error = Authority::init(&path, "Another", DAY).err().unwrap().to_string();
    assert!(error.contains("ca.key is there already"), "{error}");
}

#[test]
fn an_authority_is_opened_only_as_it_was_left() {
    let (directory, authority) = authority();
    drop(authority);
    let path = directory.path().join("pki");
    let issue = || Authority::open(&path)?.issue(&peer("a.example"), DAY, false);
    fs::set_permissions(path.join("ca.key"), Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(issue(), Err(PkiError::KeyOpenToOthers { .. })));
    fs::set_permissions(path.join("ca.key"), Permissions::from_mode(0o600)).unwrap();
    issue().unwrap();
    fs::write(path.join("index.txt"), "this is no line of it\n").unwrap();
    assert!(matches!(issue(), Err(PkiError::Damaged { file: "index.txt" })));
    let none = Authority::open(directory.path()).err().unwrap().to_string();
    assert!(none.contains("holds no authority; make one with: sbc pki init --dir"), "{none}");
}

#[test]
fn no_certificate_outlives_the_authority() {
    let (_directory, mut authority) = authority();
    let made = authority.issue(&peer("a.example"), LIFE_OF_AUTHORITY * 2, false).unwrap();
    let [certificate, _] = authority.files();
    let end = directory::end_of(&fs::read_to_string(certificate).unwrap()).unwrap();
    assert_eq!(made.until, end);
}

#[test]
fn what_is_no_name_of_a_server_is_refused() {
    for text in ["", "*.example", "a/b", "..", "a b"] {
        assert!(text.parse::<ServerName>().is_err(), "{text}");
    }
    assert_eq!("2001:db8::1".parse(), Ok(ServerName::Address("2001:db8::1".parse().unwrap())));
}
