//! What waited for a connection to the upstream in vain.

use super::*;
use crate::identity::{Failure, Finding, stamped};

const TRUNK: &str = "[[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\n\
    sources = [\"127.0.0.1\"]\nopens = [\"udp\"]";

#[tokio::test]
async fn a_caller_does_not_hear_what_the_upstream_was_told_of_his_number() {
    let mut scene = Scene::new(TRUNK, MemoryTable::default());
    let call = request("INVITE", "+12125550100@carrier.example;user=phone", "");
    scene.phone_sends(&call);
    let relayed = scene.upstream_hears().await;
    let to = scene.upstream;
    let told = Finding::NotValidated(Failure::Missing);
    let waiting = stamped(&Message::scan(relayed.as_bytes()).unwrap(), told).unwrap();
    let text = String::from_utf8(waiting.clone()).unwrap();
    assert!(text.contains("sip:+12125550100;verstat="), "{text}");

    for message in [waiting, relayed.into_bytes()] {
        scene.border.undeliverable(&to, vec![message]);
        let heard = scene.phone_hears().await;
        assert!(heard.starts_with("SIP/2.0 500 "), "{heard}");
        let from = "\r\nFrom: <sip:+12125550100@carrier.example;user=phone>;tag=1\r\n";
        assert!(heard.contains(from), "{heard}");
        assert!(!heard.contains("verstat"), "{heard}");
    }
    scene.counted(&[(Outcome::RequestRelayedInwards, 1), (Outcome::Undeliverable, 2)]);
}
