use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::UnixTime;
use tempfile::TempDir;

use super::verifier::{NOW, verifier_of};
use crate::proof::tls::test_authority::{Authority, Leaf, uri, write};
use crate::proof::tls::{
    ClientCertificate, ExpiredLists, Judge as _, PeerTrust, ShownCertificate, TlsError, TlsFiles,
    server_config,
};

struct Scene {
    directory: TempDir,
    authority: Authority,
}

impl Scene {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), authority: Authority::new("authority") }
    }

    fn files(&self, lists: Vec<PathBuf>) -> TlsFiles {
        let server = self.authority.issue_server();
        let files = self.authority.files(self.directory.path(), &server);
        TlsFiles { revocation_lists: lists, ..files }
    }

    fn list(&self, name: &str, revoked: &[&Leaf], until: i32) -> PathBuf {
        let list = self.authority.revocation_list(revoked, until);
        write(self.directory.path(), name, &list.pem().unwrap(), 0o644)
    }
}

fn verdict(files: &TlsFiles, chain: &[&Leaf]) -> Result<(), CertificateError> {
    verdict_under(files, &[], chain, NOW)
}

fn verdict_under(
    files: &TlsFiles,
    peers: &[PeerTrust],
    chain: &[&Leaf],
    now: UnixTime,
) -> Result<(), CertificateError> {
    let chain: Vec<_> = chain.iter().map(|leaf| leaf.certificate.clone()).collect();
    let shown = ShownCertificate::read(&chain).unwrap();
    match verifier_of(files, peers).judge(&shown, now) {
        Ok(()) => Ok(()),
        Err(rustls::Error::InvalidCertificate(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

fn is_expired(verdict: &Result<(), CertificateError>) -> bool {
    matches!(verdict, Err(CertificateError::ExpiredRevocationListContext { .. }))
}

#[test]
fn what_was_revoked_is_refused_whatever_the_list_is_written_in() {
    let scene = Scene::new();
    let (bad, good) = (scene.authority.issue(|_| ()), scene.authority.issue(|_| ()));
    let pem = scene.list("list.pem", &[&bad], 3000);
    let der = scene.directory.path().join("list.der");
    fs::write(&der, scene.authority.revocation_list(&[&bad], 3000).der()).unwrap();
    for list in [pem, der] {
        let files = scene.files(vec![list]);
        assert_eq!(verdict(&files, &[&bad]), Err(CertificateError::Revoked));
        assert_eq!(verdict(&files, &[&good]), Ok(()));
    }
}

#[test]
fn under_an_expired_list_nobody_is_let_in_unless_the_operator_wants_it() {
    let scene = Scene::new();
    let (bad, good) = (scene.authority.issue(|_| ()), scene.authority.issue(|_| ()));
    let files = scene.files(vec![scene.list("list.pem", &[&bad], 2025)]);
    assert!(is_expired(&verdict(&files, &[&good])));
    assert!(is_expired(&verdict(&files, &[&bad])));
    let files = TlsFiles { expired_lists: ExpiredLists::Warn, ..files };
    assert_eq!(verdict(&files, &[&good]), Ok(()));
    assert_eq!(verdict(&files, &[&bad]), Err(CertificateError::Revoked));
}

#[test]
fn a_list_of_another_authority_says_nothing_and_a_forged_one_refuses() {
    let scene = Scene::new();
    let leaf = scene.authority.issue(|_| ());
    let other = Authority::new("other").revocation_list(&[&leaf], 3000);
    let other = write(scene.directory.path(), "other.pem", &other.pem().unwrap(), 0o644);
    assert_eq!(verdict(&scene.files(vec![other]), &[&leaf]), Ok(()));
    let forged = Authority::new("authority").revocation_list(&[], 3000);
    let forged = write(scene.directory.path(), "forged.pem", &forged.pem().unwrap(), 0o644);
    assert!(verdict(&scene.files(vec![forged]), &[&leaf]).is_err());
}

#[test]
fn the_lists_of_a_peer_stand_before_the_common_ones() {
    let scene = Scene::new();
    let leaf = scene.authority.issue_for(&[uri("sip:carrier.example")]);
    let other = scene.authority.issue_for(&[uri("sip:other.example")]);
    let common = scene.list("common.pem", &[], 3000);
    let own = scene.list("own.pem", &[&leaf, &other], 3000);
    let identities = vec!["carrier.example".parse().unwrap()];
    let peer = PeerTrust { identities, revocation_lists: vec![own], ..PeerTrust::default() };
    let files = scene.files(vec![common]);
    let peers = [peer];
    let revoked = Err(CertificateError::Revoked);
    assert_eq!(verdict_under(&files, &peers, &[&leaf], NOW), revoked);
    assert_eq!(verdict_under(&files, &peers, &[&other], NOW), Ok(()), "another peer's list");
}

#[test]
fn a_damaged_list_and_a_second_one_of_the_same_authority_are_named() {
    let scene = Scene::new();
    let good = scene.list("good.pem", &[], 3000);
    let twin = scene.list("twin.pem", &[], 3001);
    let directory = scene.directory.path();
    let key = write(directory, "key.pem", "-----BEGIN X-----\nAAAA\n-----END X-----\n", 0o644);
    let damaged = write(directory, "damaged.der", "nothing", 0o644);
    for (lists, expected) in [
        (vec![good, twin], "twin.pem are of the same authority"),
        (vec![key], "key.pem holds no revocation list"),
        (vec![damaged], "damaged.der cannot be used"),
        (vec![directory.join("none")], "none: No such file"),
    ] {
        let files = scene.files(lists);
        let error: TlsError =
            server_config(&files, &[], ClientCertificate::default()).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn the_operator_is_told_of_lists_that_are_late_or_stand_beside_the_wrong_authority() {
    let scene = Scene::new();
    let late = scene.list("late.pem", &[], 2025);
    let other = Authority::new("other").revocation_list(&[], 3000);
    let other = write(scene.directory.path(), "other.pem", &other.pem().unwrap(), 0o644);
    let mut files = scene.files(vec![late, other]);
    let told = verifier_of(&files, &[PeerTrust::default()]).warnings(NOW);
    assert_eq!(told.len(), 2, "each once: {told:?}");
    assert!(told[0].contains("late.pem is past its next update: every certificate"), "{told:?}");
    assert!(told[1].contains("other.pem is of none of the authorities"), "{told:?}");
    files.expired_lists = ExpiredLists::Warn;
    let told = verifier_of(&files, &[]).warnings(NOW);
    assert!(told[0].contains("what was revoked since then is let in"), "{told:?}");
}

#[test]
fn a_list_that_is_nearly_over_is_told_of_before_anybody_is_refused() {
    let scene = Scene::new();
    let files = scene.files(vec![scene.list("brief.pem", &[], 2026)]);
    let day_before = UnixTime::since_unix_epoch(Duration::from_hours(490_896 - 30));
    let told = verifier_of(&files, &[]).warnings(day_before);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("brief.pem has to be renewed within 2 days"), "{told:?}");
    let week_before = UnixTime::since_unix_epoch(Duration::from_hours(490_896 - 7 * 24));
    assert!(verifier_of(&files, &[]).warnings(week_before).is_empty());
}
