use std::fs;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error};
use tempfile::TempDir;
use webpki::EndEntityCert;

use super::verifier::{NOW, verifier_of};
use crate::proof::tls::test_authority::{Authority, Leaf, dns, uri, write};
use crate::proof::tls::{
    CertificateUsage, Judge as _, KeyPin, NotPinned, PeerTrust, ShownCertificate, TlsFiles,
};

/// Two authorities: one that is believed by everybody, and one of one peer alone.
struct Scene {
    directory: TempDir,
    common: Authority,
    own: Authority,
}

impl Scene {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory, common: Authority::new("common"), own: Authority::new("own") }
    }

    fn files(&self) -> TlsFiles {
        let client_ca = write(self.directory.path(), "ca.pem", &self.common.pem(), 0o644);
        TlsFiles { client_ca, ..TlsFiles::default() }
    }

    fn own_authority(&self) -> PeerTrust {
        let authorities = write(self.directory.path(), "own.pem", &self.own.pem(), 0o644);
        PeerTrust { authorities: Some(authorities), ..carrier() }
    }

    fn verdict(&self, peer: PeerTrust, certificate: &CertificateDer<'_>) -> Verdict {
        let shown = ShownCertificate::read(std::slice::from_ref(certificate)).unwrap();
        match verifier_of(&self.files(), &[peer]).judge(&shown, NOW) {
            Ok(()) => Verdict::Good,
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
                if other.0.is::<NotPinned>() =>
            {
                Verdict::NotPinned
            }
            Err(Error::InvalidCertificate(error)) => Verdict::Bad(error),
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Good,
    NotPinned,
    Bad(CertificateError),
}

fn carrier() -> PeerTrust {
    PeerTrust { identities: vec!["carrier.example".parse().unwrap()], ..PeerTrust::default() }
}

fn pin(certificate: &CertificateDer<'_>) -> KeyPin {
    KeyPin::of(&EndEntityCert::try_from(certificate).unwrap())
}

fn leaf(authority: &Authority) -> Leaf {
    authority.issue_for(&[uri("sip:carrier.example")])
}

#[test]
fn the_authority_of_a_peer_speaks_for_that_peer_alone() {
    let scene = Scene::new();
    let own = scene.own_authority();
    assert_eq!(scene.verdict(own.clone(), &leaf(&scene.own).certificate), Verdict::Good);
    // Nor does the common one speak for it.
    let unknown = Verdict::Bad(CertificateError::UnknownIssuer);
    assert_eq!(scene.verdict(own.clone(), &leaf(&scene.common).certificate), unknown);
    let other = scene.own.issue_for(&[uri("sip:other.example")]);
    assert_eq!(scene.verdict(own.clone(), &other.certificate), unknown);
    let both = scene.own.issue_for(&[uri("sip:other.example"), uri("sip:carrier.example")]);
    assert_eq!(scene.verdict(own, &both.certificate), Verdict::Good);
}

#[test]
fn beside_an_authority_a_pinned_key_is_asked_for_as_well() {
    let scene = Scene::new();
    let (good, other) = (leaf(&scene.own), leaf(&scene.own));
    let pins = vec![pin(&good.certificate)];
    let peer = PeerTrust { pins, ..scene.own_authority() };
    assert_eq!(scene.verdict(peer.clone(), &good.certificate), Verdict::Good);
    assert_eq!(scene.verdict(peer.clone(), &other.certificate), Verdict::NotPinned);
    // The key alone is not enough then.
    let peer = PeerTrust { pins: vec![pin(&self_signed(|_| ()))], ..peer };
    assert_eq!(scene.verdict(peer, &good.certificate), Verdict::NotPinned);
}

fn self_signed(edit: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri("sip:carrier.example")];
    edit(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

#[test]
fn without_an_authority_a_pinned_key_is_proof_enough_within_its_time_and_purpose() {
    let scene = Scene::new();
    let code_signing = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let authority = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for (certificate, verdict) in [
        (self_signed(|_| ()), Verdict::Good),
        (self_signed(|params| params.is_ca = authority), Verdict::Good),
        (
            self_signed(|params| params.not_after = date_time_ymd(2020, 1, 1)),
            Verdict::Bad(CertificateError::Expired),
        ),
        (
            self_signed(|params| params.not_before = date_time_ymd(2030, 1, 1)),
            Verdict::Bad(CertificateError::NotValidYet),
        ),
        (
            self_signed(|params| params.extended_key_usages = code_signing),
            Verdict::Bad(CertificateError::InvalidPurpose),
        ),
        (leaf(&scene.common).certificate, Verdict::Good),
    ] {
        let peer = PeerTrust { pins: vec![pin(&certificate)], ..carrier() };
        assert_eq!(scene.verdict(peer.clone(), &certificate), verdict);
        assert_eq!(scene.verdict(peer.clone(), &self_signed(|_| ())), Verdict::NotPinned);
        assert_eq!(scene.verdict(peer, &leaf(&scene.common).certificate), Verdict::NotPinned);
    }
}

#[test]
fn each_policy_takes_the_usages_that_it_names() {
    use CertificateUsage::{Any, ClientAuth, ServerAuthToo, SipDomain};
    let scene = Scene::new();
    let sip_domain = || ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 20]);
    for (usages, accepted) in [
        (vec![], &[ClientAuth, ServerAuthToo, Any][..]),
        (vec![ExtendedKeyUsagePurpose::ClientAuth], &[ClientAuth, ServerAuthToo, Any]),
        (vec![ExtendedKeyUsagePurpose::ServerAuth], &[ServerAuthToo, Any]),
        (vec![sip_domain()], &[ClientAuth, ServerAuthToo, SipDomain, Any]),
        (vec![ExtendedKeyUsagePurpose::Any], &[ClientAuth, ServerAuthToo, SipDomain, Any]),
        (vec![ExtendedKeyUsagePurpose::CodeSigning], &[Any]),
    ] {
        let leaf = scene.common.issue(|params| {
            params.subject_alt_names = vec![uri("sip:carrier.example")];
            params.extended_key_usages = usages.clone();
        });
        for usage in [ClientAuth, ServerAuthToo, SipDomain, Any] {
            let by_authority = PeerTrust { usage, ..carrier() };
            let by_key = PeerTrust { pins: vec![pin(&leaf.certificate)], ..by_authority.clone() };
            for peer in [by_authority, by_key] {
                let verdict = scene.verdict(peer, &leaf.certificate);
                let expected = if accepted.contains(&usage) {
                    Verdict::Good
                } else {
                    Verdict::Bad(CertificateError::InvalidPurpose)
                };
                assert_eq!(verdict, expected, "{usage:?} {usages:?}");
            }
        }
    }
}

#[test]
fn the_common_name_counts_only_where_it_is_to_and_there_is_no_other_name() {
    let authority = Authority::new("authority");
    let name = ["common-name.example".parse().unwrap()];
    let read =
        |leaf: &Leaf| ShownCertificate::read(std::slice::from_ref(&leaf.certificate)).unwrap();
    let shown = read(&authority.issue(|_| ()));
    assert!(shown.is_for(&name, true) && !shown.is_for(&name, false));
    assert!(shown.identities().is_empty());

    let named = read(&authority.issue_for(&[dns("other.example")]));
    assert!(!named.is_for(&name, true));
    // Whatever the alternative name is.
    let address = read(&authority.issue_for(&[rcgen::SanType::IpAddress([192, 0, 2, 1].into())]));
    assert!(!address.is_for(&name, true));
    let twofold = authority.issue(|params| {
        params
            .distinguished_name
            .push(rcgen::DnType::CustomDnType(vec![2, 5, 4, 3]), "second.example");
    });
    let either = [name[0].clone(), "second.example".parse().unwrap()];
    assert!(!read(&twofold).is_for(&either, true), "which of the two?");
}

#[test]
fn a_certificate_is_good_until_the_first_of_its_chain_is_not() {
    let authority = Authority::new("authority");
    let between = authority.intermediate("between");
    let leaf = between.issue(|params| params.not_after = date_time_ymd(2030, 1, 1));
    let shown = |chain: &[CertificateDer<'static>]| ShownCertificate::read(chain).unwrap();
    let of_2030 = 1_893_456_000;
    assert_eq!(shown(std::slice::from_ref(&leaf.certificate)).not_after(), of_2030);
    let longer = [leaf.certificate.clone(), between.certificate(), authority.certificate()];
    assert_eq!(shown(&longer).not_after(), of_2030, "the others live longer");

    let leaf = between.issue(|params| params.not_after = date_time_ymd(4999, 1, 1));
    let until = shown(&[between.certificate()]).not_after();
    assert_eq!(shown(&[leaf.certificate, between.certificate()]).not_after(), until);
}

#[test]
fn authorities_that_are_asked_for_include_those_of_peers_and_are_none_beside_a_pinned_key() {
    use rustls::server::danger::ClientCertVerifier as _;
    let scene = Scene::new();
    let verifier = verifier_of(&scene.files(), &[scene.own_authority(), carrier()]);
    assert_eq!(verifier.root_hint_subjects().len(), 2);
    let pinned = PeerTrust { pins: vec![pin(&self_signed(|_| ()))], ..carrier() };
    assert!(verifier_of(&scene.files(), &[pinned]).root_hint_subjects().is_empty());
    assert!(fs::exists(scene.directory.path().join("own.pem")).unwrap());
}

#[test]
fn a_certificate_that_is_cut_or_changed_anywhere_is_refused_or_read_and_never_more() {
    let scene = Scene::new();
    let pinned = self_signed(|params| params.subject_alt_names = vec![]);
    let pins = vec![pin(&pinned)];
    let verifier = verifier_of(&scene.files(), &[PeerTrust { pins, ..carrier() }]);
    for good in [leaf(&scene.common).certificate, pinned] {
        let mut judged = 0;
        let mut judge = |bytes: Vec<u8>| {
            let chain = [CertificateDer::from(bytes)];
            let Some(shown) = ShownCertificate::read(&chain) else { return };
            judged += 1;
            let is_good = verifier.judge(&shown, NOW).is_ok();
            assert!(!is_good || chain[0].len() >= good.len(), "a part of it is good");
        };
        for end in 0..good.len() {
            judge(good[..end].to_vec());
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = good.to_vec();
                changed[end] = byte;
                judge(changed);
            }
        }
        assert!(judged > 100, "{judged} were read at all");
    }
}

#[test]
fn of_an_endless_chain_no_more_than_a_few_are_kept() {
    let authority = Authority::new("authority");
    let leaf = authority.issue(|_| ());
    let mut chain = vec![leaf.certificate];
    chain.extend((0..100).map(|_| authority.certificate()));
    let shown = ShownCertificate::read(&chain).unwrap();
    assert_eq!(shown.split().unwrap().1.len(), 8);
    assert!(ShownCertificate::read(&[]).is_none());
}
