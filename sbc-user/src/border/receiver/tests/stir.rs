use std::time::SystemTime;

use super::*;
use crate::border::Stir;
use crate::identity::Attestation;
use crate::identity::test_carrier::{Carrier, PROVIDER};

const OWN: &str = "<tel:+12155551212>";
const VICTIM: &str = "<sip:+13105550000@carrier.example;user=phone>";

fn scene(carrier: &Carrier, policy: &str) -> Scene {
    let scene = Scene::new(
        &format!(
            "[stir]\nauthorities = \"root.pem\"\n[[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\n\
             sources = [\"127.0.0.1\"]\nopens = [\"udp\"]\n\
             may-assert = [\"*@carrier.example\"]\n{policy}"
        ),
        MemoryTable::default(),
    );
    let stir = Stir { verifier: Some(carrier.verifier()), signer: None };
    Scene { border: scene.border.verifying(stir), ..scene }
}

fn invite(from: &str, more: &str) -> String {
    let request = request("INVITE", "alice@carrier.example", more);
    request
        .replace("<sip:alice@carrier.example>", from)
        .replace("To: <sip:bob@example.com>", "To: <tel:+12125551213>")
}

/// The same with the Identity of another call, whose number was signed.
fn with_identity(carrier: &Carrier, caller: &str, request: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let call = invite(caller, "");
    let call = Message::scan(call.as_bytes()).unwrap();
    let signed = carrier.signer().signed(&call, Attestation::A, now).unwrap();
    let signed = String::from_utf8(signed).unwrap();
    let line = signed.split("\r\n").find(|line| line.starts_with("Identity: ")).unwrap();
    request.replace("Max-Forwards", &format!("{line}\r\nMax-Forwards"))
}

#[tokio::test]
async fn what_is_verified_is_what_the_upstream_sees() {
    let carrier = Carrier::new(Some(PROVIDER));
    // The signed number is that of a claim which is removed.
    let removed = format!("P-Asserted-Identity: {OWN}\r\n");
    let exploit = with_identity(&carrier, OWN, &invite(VICTIM, &removed));
    let mut marking = scene(&carrier, "stir = \"mark\"");
    marking.phone_sends(&exploit);
    let told = marking.upstream_hears().await;
    assert!(told.contains("From: <sip:+13105550000;verstat=TN-Validation-Failed@"), "{told}");
    assert!(!told.contains("Attestation-Info") && !told.contains("P-Asserted"), "{told}");
    let mut requiring = scene(&carrier, "stir = \"require\"");
    requiring.phone_sends(&exploit);
    assert!(requiring.phone_hears().await.starts_with("SIP/2.0 438 "));

    // And the other way round.
    let honest = with_identity(&carrier, VICTIM, &invite(VICTIM, &removed));
    requiring.phone_sends(&honest);
    let told = requiring.upstream_hears().await;
    assert!(told.contains("From: <sip:+13105550000;verstat=TN-Validation-Passed@"), "{told}");
    requiring.counted(&[(Outcome::IdentityInvalid, 1), (Outcome::RequestRelayedInwards, 1)]);
}

#[tokio::test]
async fn a_tag_in_to_is_no_way_around_a_signature() {
    let carrier = Carrier::new(Some(PROVIDER));
    let mut scene = scene(&carrier, "stir = \"require\"");
    let tagged = |request: &str| request.replace("\r\nCall-ID", ";tag=2\r\nCall-ID");
    scene.phone_sends(&tagged(&invite(VICTIM, "")));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 428 "));

    scene.phone_sends(&with_identity(&carrier, VICTIM, &invite(VICTIM, "")));
    let begun = scene.upstream_hears().await;
    let routes: Vec<_> = begun
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("Record-Route: "))
        .map(|route| format!("Route: {route}\r\n"))
        .collect();
    // The one nearer to the caller comes first in its Routes.
    let routes: String = routes.into_iter().rev().collect();
    scene.phone_sends(&tagged(&invite(VICTIM, &routes)));
    let again = scene.upstream_hears().await;
    assert!(again.starts_with("INVITE ") && !again.contains("verstat"), "{again}");
}

#[tokio::test]
async fn a_call_that_is_begun_again_keeps_its_signature() {
    let carrier = Carrier::new(Some(PROVIDER));
    let mut scene = scene(&carrier, "stir = \"require\"");
    let call = with_identity(&carrier, VICTIM, &invite(VICTIM, ""));
    for number in 0..4 {
        scene.phone_sends(&call.replace("Call-ID: one", &format!("Call-ID: {number}")));
        let told = scene.upstream_hears().await;
        assert!(told.contains("verstat=TN-Validation-Passed"), "{told}");
    }
    scene.phone_sends(&call.replace("Call-ID: one", "Call-ID: four"));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 438 "));
}

#[tokio::test]
async fn who_has_too_many_bad_signatures_is_asked_to_come_back() {
    let carrier = Carrier::new(Some(PROVIDER));
    let mut scene = scene(&carrier, "stir = \"require\"");
    let good = with_identity(&carrier, VICTIM, &invite(VICTIM, ""));
    let last = good.find(";info=").unwrap() - 10;
    let mut bad = good.clone().into_bytes();
    bad[last] = if bad[last] == b'A' { b'B' } else { b'A' };
    let bad = String::from_utf8(bad).unwrap();
    let mut refused = 0;
    loop {
        scene.phone_sends(&bad);
        let told = scene.phone_hears().await;
        if told.starts_with("SIP/2.0 503 ") {
            assert!(told.contains("\r\nRetry-After: "), "{told}");
            break;
        }
        assert!(told.starts_with("SIP/2.0 438 "), "{told}");
        refused += 1;
        assert!(refused < 100_000, "nothing bounds it");
    }
    assert!(refused >= 100, "{refused}");
}

#[tokio::test]
async fn a_finding_that_cannot_be_told_ends_the_call() {
    let carrier = Carrier::new(Some(PROVIDER));
    let mut scene = scene(&carrier, "stir = \"mark\"");
    let many = |count| {
        let many = vec!["<sip:1@carrier.example>"; count].join(", ");
        invite(VICTIM, &format!("P-Asserted-Identity: {many}\r\n"))
    };
    scene.phone_sends(&many(10));
    assert!(scene.upstream_hears().await.contains("<sip:1;verstat=No-TN-Validation@"));
    scene.phone_sends(&many(1500));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 513 "));
    scene.counted(&[(Outcome::RequestRelayedInwards, 1), (Outcome::MessageTooLarge, 1)]);
}
