//! Signed calls, made by [`Carrier`]s and by programs that are not ours.

use std::time::Duration;

use sbc_common::MonotonicNanos;

use super::test_carrier::{Carrier, ORIGID, PROVIDER, URL};
use super::*;
use crate::sip::Message;

const NOW: u64 = 1_800_000_000;
fn call(from: &str, to: &str, more: &str) -> String {
    format!(
        "INVITE {to} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <{from}>;tag=1\r\n\
         To: <{to}>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

const CALLER: &str = "sip:+1-215-555-1212@carrier.example;user=phone";
const CALLEE: &str = "sip:+12125551213@example.com";

fn signed(carrier: &Carrier, request: &str) -> String {
    let request = Message::scan(request.as_bytes()).unwrap();
    let signed = carrier.signer().signed(&request, Attestation::A, NOW).unwrap();
    String::from_utf8(signed).unwrap()
}

/// As it comes from a peer, and goes on if it is good.
fn verified_for(verifier: &Verifier, peer: &str, request: &str, now: u64) -> Finding {
    let monotonic = MonotonicNanos(now * 1_000_000_000);
    let occasion = Occasion { peer, unix_seconds: now, monotonic };
    let found = verifier.verify(&Message::scan(request.as_bytes()).unwrap(), &occasion);
    verifier.passed_on(&found);
    found.finding
}

fn verified(verifier: &Verifier, request: &str, now: u64) -> Finding {
    verified_for(verifier, "carrier", request, now)
}

#[test]
fn what_was_signed_is_verified_and_nothing_else() {
    let carrier = Carrier::new(Some(PROVIDER));
    let verifier = carrier.verifier();
    let good = signed(&carrier, &call(CALLER, CALLEE, ""));
    assert!(good.contains("\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n"), "{good}");
    assert_eq!(verified(&verifier, &good, NOW), Finding::Passed(Attestation::A));
    for (other, failure) in [
        (good.replace("From: <sip:+1-215", "From: <sip:+1-216"), Failure::OtherCaller),
        (good.replace("To: <sip:+1212", "To: <sip:+1213"), Failure::OtherCallee),
        (good.replace("Date:", "P-Asserted-Identity: <tel:+1999>\r\nDate:"), Failure::OtherCaller),
        (good.replace("alg=ES256", "alg=ES384"), Failure::Unsupported),
        (good.replace("info=<https://sti", "info=<https://other"), Failure::Malformed),
        (good.replace("Identity: ", "Identity: ."), Failure::Malformed),
    ] {
        assert_ne!(other, good);
        assert_eq!(verified(&verifier, &other, NOW), Finding::Failed(failure), "{other}");
    }
    // As it comes along another way; and with a From that nobody has signed.
    let same = good.replace("sip:+12125551213@example.com SIP", "sip:+1999@example.com SIP");
    assert_eq!(verified(&verifier, &same, NOW), Finding::Passed(Attestation::A));
    let two = good.replace("Date:", &format!("{}\r\nDate:", line(&good, "Identity")));
    assert_eq!(verified(&verifier, &two, NOW), Finding::Failed(Failure::Malformed));
    let none = call(CALLER, CALLEE, "");
    assert_eq!(verified(&verifier, &none, NOW), Finding::NotValidated(Failure::Missing));
    let other_kind = good.replace("ppt=shaken", "ppt=div");
    assert_eq!(verified(&verifier, &other_kind, NOW), Finding::NotValidated(Failure::Missing));
}

fn line(message: &str, name: &str) -> String {
    let is_it = |line: &&str| line.starts_with(&format!("{name}: "));
    message.split("\r\n").find(is_it).unwrap().to_owned()
}

#[test]
fn a_call_is_begun_again_a_few_times_with_the_same_signature() {
    let carrier = Carrier::new(Some(PROVIDER));
    let verifier = carrier.verifier();
    let good = signed(&carrier, &call(CALLER, CALLEE, ""));
    let again = |call: usize| good.replace("Call-ID: one", &format!("Call-ID: {call}"));
    let passed = Finding::Passed(Attestation::A);
    let replayed = Finding::Failed(Failure::Replayed);
    for number in 0..4 {
        assert_eq!(verified(&verifier, &again(number), NOW), passed, "{number}");
        // Others may not, however often it was used.
        assert_eq!(verified_for(&verifier, "other", &again(9), NOW), replayed);
    }
    assert_eq!(verified(&verifier, &again(4), NOW), replayed);
    assert_eq!(verified(&verifier, &again(2), NOW), passed, "a retransmission");
    assert_eq!(verified(&verifier, &again(4), NOW + 60), replayed);
}

#[test]
fn what_did_not_go_on_is_not_held_against_what_comes_again() {
    let carrier = Carrier::new(Some(PROVIDER));
    let verifier = carrier.verifier();
    let good = signed(&carrier, &call(CALLER, CALLEE, ""));
    let monotonic = MonotonicNanos::default();
    let occasion = Occasion { peer: "carrier", unix_seconds: NOW, monotonic };
    for number in 0..10 {
        let call = good.replace("Call-ID: one", &format!("Call-ID: {number}"));
        let found = verifier.verify(&Message::scan(call.as_bytes()).unwrap(), &occasion);
        assert_eq!(found.finding, Finding::Passed(Attestation::A), "{number}");
    }
}

#[test]
fn bad_signatures_of_a_peer_are_looked_at_until_there_are_too_many() {
    let carrier = Carrier::new(Some(PROVIDER));
    let verifier = carrier.verifier();
    let good = signed(&carrier, &call(CALLER, CALLEE, ""));
    let place = good.find(";info").unwrap() - 10;
    let mut bad = good.clone().into_bytes();
    bad[place] = if bad[place] == b'A' { b'B' } else { b'A' };
    let bad = String::from_utf8(bad).unwrap();
    let passed = Finding::Passed(Attestation::A);
    for _ in 0..100 {
        assert_eq!(verified(&verifier, &bad, NOW), Failure::BadSignature.into());
    }
    let not_looked_at = Finding::NotValidated(Failure::NotLookedAt);
    for call in [&bad, &good] {
        assert_eq!(verified(&verifier, call, NOW), not_looked_at);
    }
    assert_eq!(verified_for(&verifier, "other", &good, NOW), passed, "another's are");
    let verifier = carrier.verifier();
    assert_eq!(verified(&verifier, &good, NOW), passed);
    for _ in 0..100 {
        assert_eq!(verified(&verifier, &bad, NOW), Failure::BadSignature.into());
    }
    assert_eq!(verified(&verifier, &good, NOW), passed, "a call that is known goes on");
    assert_eq!(verified(&verifier, &bad, NOW + 1), Failure::BadSignature.into());
}

#[test]
fn a_signature_is_good_for_a_minute() {
    let carrier = Carrier::new(Some(PROVIDER));
    let good = signed(&carrier, &call(CALLER, CALLEE, ""));
    for (now, is_fresh) in
        [(NOW - 61, false), (NOW - 60, true), (NOW + 60, true), (NOW + 61, false)]
    {
        let finding = verified(&carrier.verifier(), &good, now);
        let expected =
            if is_fresh { Finding::Passed(Attestation::A) } else { Failure::Stale.into() };
        assert_eq!(finding, expected, "{now}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_signed_part_is_noticed() {
    let carrier = Carrier::new(Some(PROVIDER));
    let verifier = carrier.verifier();
    let good = signed(&carrier, &call(CALLER, CALLEE, ""));
    let start = good.find("Identity: ").unwrap() + 10;
    let end = start + good[start..].find(';').unwrap();
    for place in (start..end).step_by(7) {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let finding = verified(&verifier, &changed, NOW);
        assert!(matches!(finding, Finding::Failed(_) | Finding::NotValidated(_)), "{changed}");
    }
}

#[test]
fn a_certificate_has_to_be_at_hand_believed_valid_and_for_the_number() {
    let carrier = Carrier::new(Some(PROVIDER));
    let good = signed(&carrier, &call(CALLER, CALLEE, ""));
    let other = Carrier::new(Some(PROVIDER));
    let finding = |store| verified(&Verifier::new(store, Duration::from_mins(1)), &good, NOW);

    let root = |carrier: &Carrier| carrier.folder.path().join("root.pem");
    let leaf = |carrier: &Carrier| carrier.folder.path().join("leaf.pem");
    let empty = CertificateStore::believing(&root(&carrier)).unwrap();
    assert_eq!(finding(empty), Finding::NotValidated(Failure::NoCertificate));
    let mut unbelieved = CertificateStore::believing(&root(&other)).unwrap();
    unbelieved.add(URL, &leaf(&carrier)).unwrap();
    assert_eq!(finding(unbelieved), Finding::Failed(Failure::Untrusted));
    let mut anothers = CertificateStore::believing(&root(&other)).unwrap();
    anothers.add(URL, &leaf(&other)).unwrap();
    assert_eq!(finding(anothers), Finding::Failed(Failure::BadSignature));

    // From 12155551212 on two numbers, and from 1216 on two.
    for (first, expected) in [
        ("12155551211", Finding::Passed(Attestation::A)),
        ("12165551212", Failure::NotAuthorized.into()),
    ] {
        let range =
            [&[0x30, 20, 0xa1, 18, 0x30, 16, 0x16, 11], first.as_bytes(), &[2, 1, 2]].concat();
        let ranged = Carrier::new(Some(&range));
        let call = signed(&ranged, &call(CALLER, CALLEE, ""));
        assert_eq!(verified(&ranged.verifier(), &call, NOW), expected, "{first}");
    }

    let unlisted = Carrier::new(None);
    let mut store = CertificateStore::believing(&root(&unlisted)).unwrap();
    let refused = store.add(URL, &leaf(&unlisted)).unwrap_err().to_string();
    assert!(refused.contains("leaf.pem: it has no TNAuthList"), "{refused}");
}

#[test]
fn an_expired_certificate_signs_nothing() {
    let mut store = CertificateStore::believing(&vector("root.pem")).unwrap();
    store.add(URL, &vector("leaf.pem")).unwrap();
    let certificate = store.at(URL).unwrap();
    let in_2026 = 1_780_000_000;
    assert!(certificate.leads_to(&store.authorities, in_2026));
    // 2057, and before 2026; what was found out a minute ago is asked again.
    assert!(!certificate.leads_to(&store.authorities, 2_745_000_000));
    assert!(!certificate.leads_to(&store.authorities, 1_700_000_000));
}

fn vector(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/identity/tests/vector").join(name)
}

/// Certificates, TNAuthList and signature were made with Python's `cryptography`.
#[test]
fn what_another_library_has_signed_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("sti.example");
    std::fs::create_dir(&place).unwrap();
    std::fs::copy(vector("leaf.pem"), place.join("709A.pem")).unwrap();
    let mut store = CertificateStore::believing(&vector("root.pem")).unwrap();
    store.add_directory(folder.path()).unwrap();
    assert_eq!(store.len(), 1);
    let verifier = Verifier::new(store, Duration::from_mins(1));
    let identity = std::fs::read_to_string(vector("identity.txt")).unwrap();
    let call = call(CALLER, CALLEE, &format!("Identity: {}\r\n", identity.trim()));
    assert_eq!(verified(&verifier, &call, NOW + 5), Finding::Passed(Attestation::B));
}

/// RFC 8588 §4 and RFC 8225 Appendix A: what is signed there is what we make of the same claims.
#[test]
fn what_is_signed_is_written_as_in_the_rfc() {
    let carrier = Carrier::new(Some(PROVIDER));
    let key = carrier.folder.path().join("key.pem");
    let url = "https://cert.example.org/passport.cer";
    let signer = Signer::load(&key, url, &ORIGID.parse().unwrap()).unwrap();
    let request = call("tel:+12155551212", "tel:+12125551213", "");
    let request = Message::scan(request.as_bytes()).unwrap();
    let message = signer.signed(&request, Attestation::A, 1_443_208_345).unwrap();
    let expected = "\r\nIdentity: eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0c\
        HM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9.eyJhdHRlc3QiOiJBIiwiZGVzdCI6eyJ0biI6WyIxMjEyNTU1MTIxM\
        yJdfSwiaWF0IjoxNDQzMjA4MzQ1LCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifSwib3JpZ2lkIjoiMTIzZTQ1NjctZTg5Yi0xMm\
        QzLWE0NTYtNDI2NjU1NDQwMDAwIn0.";
    let message = String::from_utf8(message).unwrap();
    assert!(message.contains(expected), "{message}");
    assert!(message.contains(&format!(";info=<{url}>;alg=ES256;ppt=shaken\r\n")));
}

#[test]
fn who_calls_without_a_number_or_is_signed_already_is_not_signed() {
    let carrier = Carrier::new(Some(PROVIDER));
    let signs = |request: &str| {
        let request = Message::scan(request.as_bytes()).unwrap();
        carrier.signer().signed(&request, Attestation::C, NOW).is_some()
    };
    assert!(signs(&call(CALLER, CALLEE, "")));
    assert!(signs(&call(
        "sip:anonymous@anonymous.invalid",
        CALLEE,
        "P-Asserted-Identity: <tel:+1>\r\n"
    )));
    assert!(!signs(&call("sip:anonymous@anonymous.invalid", CALLEE, "")));
    assert!(!signs(&call(CALLER, "sip:bob@example.com", "")));
    assert!(!signs(&signed(&carrier, &call(CALLER, CALLEE, ""))));
}

#[test]
fn the_upstream_is_told_at_each_number_what_is_known_of_it() {
    let told = |from: &str, more: &str, finding: Finding| {
        let request = call(CALLER, CALLEE, more).replace(&format!("<{CALLER}>"), from);
        let request = Message::scan(request.as_bytes()).unwrap();
        let told = String::from_utf8(stamped(&request, finding).unwrap()).unwrap();
        Message::scan(told.as_bytes()).unwrap();
        told
    };
    let passed = Finding::Passed(Attestation::B);
    for (from, finding, expected) in [
        ("<tel:+1215>", passed, "<tel:+1215;verstat=TN-Validation-Passed>"),
        ("tel:+1215", passed, "<tel:+1215;verstat=TN-Validation-Passed>"),
        (
            "<sip:+1-2;x=y:pw@a.example;user=phone>",
            passed,
            "<sip:+1-2;verstat=TN-Validation-Passed;x=y:pw@a.example;user=phone>",
        ),
        (
            "<sip:1215@a.example>",
            Failure::Stale.into(),
            "<sip:1215;verstat=TN-Validation-Failed@a.example>",
        ),
        (
            "<sip:1215@a.example>",
            Failure::Missing.into(),
            "<sip:1215;verstat=No-TN-Validation@a.example>",
        ),
        ("<sip:alice@a.example>", Failure::Missing.into(), "<sip:alice@a.example>"),
    ] {
        let told = told(from, "", finding);
        assert!(told.contains(&format!("From: {expected};tag=1\r\n")), "{told}");
        assert_eq!(told.contains("Attestation-Info: B\r\n"), finding == passed);
    }
    let asserted = told("<tel:+1999>", "P-Asserted-Identity: <tel:+1215>, <sip:a@b>\r\n", passed);
    assert!(asserted.contains("From: <tel:+1999;verstat=No-TN-Validation>;tag=1"), "{asserted}");
    assert!(
        asserted.contains(": <tel:+1215;verstat=TN-Validation-Passed>, <sip:a@b>\r\n"),
        "{asserted}"
    );
}

#[test]
fn an_identity_header_is_read_strictly() {
    let token = "eyJhIjoxfQ.eyJiIjoyfQ.AAAA";
    let read =
        |text: &str| IdentityHeader::parse(text.as_bytes()).map(|it| it.kind.map(<[u8]>::to_vec));
    let shaken = Ok(Some(b"shaken".to_vec()));
    for good in [
        format!("{token};info=<https://a>;alg=ES256;ppt=shaken"),
        format!("{token} ; info = <https://a;x=y> ; ppt=\"shaken\";canon=x;flag"),
        format!("{token};PPT=shaken;Info=<https://a>"),
    ] {
        assert_eq!(read(&good), shaken, "{good}");
    }
    for (bad, error) in [
        (String::new(), MalformedIdentity::Token),
        (format!("{token}.x;info=<https://a>"), MalformedIdentity::Token),
        ("a.b;info=<https://a>".to_owned(), MalformedIdentity::Token),
        (format!("{token}=;info=<https://a>"), MalformedIdentity::Token),
        ("..AAAA;info=<https://a>".to_owned(), MalformedIdentity::Compact),
        ("eyJhIjoxfQ..AAAA;info=<https://a>".to_owned(), MalformedIdentity::Token),
        (format!("{token};alg=ES256"), MalformedIdentity::NoInfo),
        (format!("{token};info=<>"), MalformedIdentity::NoInfo),
        (format!("{token};info=<https://a"), MalformedIdentity::Parameter),
        (format!("{token};info=<https://a>;info=<https://b>"), MalformedIdentity::Parameter),
        (format!("{token};info=<https://a>;ppt=shaken;ppt=div"), MalformedIdentity::Parameter),
        (format!("{token};info=<https://a> x"), MalformedIdentity::Parameter),
        (format!("{token};info=<https://a>;;"), MalformedIdentity::Parameter),
        (format!("{token};info=<https://a>;ppt=\"sha\\ken\""), MalformedIdentity::Parameter),
        (format!("{token};info=<{}>", "x".repeat(4096)), MalformedIdentity::TooLong),
    ] {
        assert_eq!(read(&bad), Err(error), "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_in_an_identity_header_is_judged(value in "[ -~]{0,200}", parts in "[A-Za-z0-9_.-]{0,60}") {
        let verifier = VERIFIER.with(std::rc::Rc::clone);
        for value in [format!("x{value}"), format!("{parts};info=<https://a>;ppt=shaken")] {
            let _ = IdentityHeader::parse(value.as_bytes());
            let request = call(CALLER, CALLEE, &format!("Identity: {value}\r\n"));
            if let Ok(request) = Message::scan(request.as_bytes()) {
                let occasion = Occasion {
                    peer: "carrier",
                    unix_seconds: NOW,
                    monotonic: MonotonicNanos::default(),
                };
                let finding = verifier.verify(&request, &occasion).finding;
                proptest::prop_assert!(!matches!(finding, Finding::Passed(_)));
            }
        }
    }
}

thread_local! {
    static VERIFIER: std::rc::Rc<Verifier> = std::rc::Rc::new(Carrier::new(Some(PROVIDER)).verifier());
}
