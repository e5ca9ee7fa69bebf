use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, Error};
use tempfile::TempDir;

use crate::proof::tls::test_authority::{Authority, write};
use crate::proof::tls::{ClientCertificate, PeerTrust, PeerVerifier, TlsFiles};

/// 2026-01-01.
pub(super) const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_hours(490_896));

fn verifier(authority: &Authority) -> PeerVerifier {
    let directory = TempDir::new().unwrap();
    let client_ca = write(directory.path(), "ca.pem", &authority.pem(), 0o644);
    let files = TlsFiles { client_ca, ..TlsFiles::default() };
    verifier_of(&files, &[])
}

pub(super) fn verifier_of(files: &TlsFiles, peers: &[PeerTrust]) -> PeerVerifier {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    PeerVerifier::read(files, peers, ClientCertificate::Require, algorithms).unwrap()
}

fn verify(
    authority: &Authority,
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), CertificateError> {
    match verifier(authority).verify_client_cert(certificate, intermediates, NOW) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(error)) => Err(error),
        Err(error) => panic!("unexpected error {error}"),
    }
}

fn verdict(edit: impl FnOnce(&mut CertificateParams)) -> Result<(), CertificateError> {
    let authority = Authority::new("authority");
    verify(&authority, &authority.issue(edit).certificate, &[])
}

#[test]
fn every_usage_that_a_sip_peer_comes_with_is_accepted() {
    let sip_domain = ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 20]);
    for usages in [
        vec![],
        vec![ExtendedKeyUsagePurpose::ClientAuth],
        vec![ExtendedKeyUsagePurpose::ServerAuth],
        vec![sip_domain],
        vec![ExtendedKeyUsagePurpose::CodeSigning, ExtendedKeyUsagePurpose::ServerAuth],
    ] {
        assert_eq!(verdict(|params| params.extended_key_usages = usages), Ok(()));
    }
}

#[test]
fn a_certificate_for_another_purpose_is_refused() {
    let usages = vec![ExtendedKeyUsagePurpose::CodeSigning, ExtendedKeyUsagePurpose::TimeStamping];
    let verdict = verdict(|params| params.extended_key_usages = usages);
    assert_eq!(verdict, Err(CertificateError::InvalidPurpose));
}

#[test]
fn a_certificate_out_of_its_time_is_refused() {
    let expired = verdict(|params| params.not_after = date_time_ymd(2025, 12, 31));
    assert!(matches!(expired, Err(CertificateError::ExpiredContext { .. })), "{expired:?}");

    let not_yet_valid = verdict(|params| params.not_before = date_time_ymd(2026, 1, 2));
    assert!(
        matches!(not_yet_valid, Err(CertificateError::NotValidYetContext { .. })),
        "{not_yet_valid:?}"
    );
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let authority = Authority::new("authority");
    let stranger = Authority::new("stranger").issue(|_| ());
    let verdict = verify(&authority, &stranger.certificate, &[]);
    assert_eq!(verdict, Err(CertificateError::UnknownIssuer));

    let impostor = Authority::new("authority").issue(|_| ());
    let verdict = verify(&authority, &impostor.certificate, &[]);
    assert_eq!(verdict, Err(CertificateError::BadSignature));
}

#[test]
fn a_chain_through_an_intermediate_authority_is_accepted() {
    let authority = Authority::new("authority");
    let intermediate = authority.intermediate("intermediate");
    let leaf = intermediate.issue(|_| ());

    assert_eq!(verify(&authority, &leaf.certificate, &[intermediate.certificate()]), Ok(()));
    let verdict = verify(&authority, &leaf.certificate, &[]);
    assert_eq!(verdict, Err(CertificateError::UnknownIssuer));
}

#[test]
fn a_peer_cannot_act_as_an_authority() {
    let authority = Authority::new("authority");
    let peer = authority.issue(|_| ());
    let verdict = verify(&authority, &authority.certificate(), &[peer.certificate]);
    assert!(verdict.is_err());
}

#[test]
fn garbage_is_refused() {
    let authority = Authority::new("authority");
    let verdict = verify(&authority, &vec![0x30, 0x03].into(), &[]);
    assert_eq!(verdict, Err(CertificateError::BadEncoding));
}
