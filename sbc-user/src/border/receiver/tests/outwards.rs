//! Requests of the upstream to peers, by routes.

use sbc_common::Transports;

use super::*;
use crate::proof::ipsec::IpsecProof;

const WITHHELD: &str = "P-Asserted-Identity: <sip:+12125550100@pbx.example>\r\nPrivacy: id\r\n";

/// A peer whom requests are sent to where the phone is, with a route to him.
struct Outwards {
    scene: Scene,
}

impl Outwards {
    fn new(require: &str, place: &str) -> Self {
        let tail = format!(
            "[[peer]]\nname = \"trunk\"\nrequire = [{require:?}]\nsources = [{place:?}]\n\
             opens = [\"udp\"]\ntrust-domain = true\ntarget = \"sip:{place}:5060\"\n\
             [[route]]\npeer = \"trunk\"\n"
        );
        let mut scene = Scene::new(&tail, MemoryTable::default());
        let pool = Arc::new(Pool::of(scene.phone));
        scene.border = scene.border.reaching(vec![Some(pool)]);
        Self { scene }
    }

    fn calls(&self) {
        self.scene.upstream_sends(&request("INVITE", "pbx@10.0.0.5", WITHHELD));
    }

    fn ipsec_is(&self, transports: Transports) {
        let network = "127.0.0.1".parse::<crate::config::Network>().unwrap().prefix();
        let proof = IpsecProof { peer: 0, network, transports, associations: 1, problem: None };
        let now = self.scene.border.now();
        let peers = &self.scene.border.config.peers;
        self.scene.border.ledger().ipsec_proven(&[proof], peers, now).unwrap();
    }
}

#[tokio::test]
async fn nothing_leaves_in_clear_for_who_requires_ipsec_while_it_does_not_guard_him() {
    let mut outwards = Outwards::new("ipsec", "127.0.0.1");
    for unguarded in [Transports::NONE, Transports::TCP] {
        outwards.ipsec_is(unguarded);
        outwards.calls();
        let refusal = outwards.scene.upstream_hears().await;
        assert!(refusal.starts_with("SIP/2.0 500 "), "{refusal}");
    }
    outwards.ipsec_is(Transports::UDP);
    outwards.calls();
    let invite = outwards.scene.phone_hears().await;
    assert!(invite.contains("P-Asserted-Identity: <sip:+12125550100@pbx.example>"), "{invite}");
    outwards.scene.border.clock.advance(crate::trust::IPSEC_LIFETIME);
    outwards.calls();
    assert!(outwards.scene.upstream_hears().await.starts_with("SIP/2.0 500 "));
    outwards.scene.counted(&[(Outcome::PeerUnprotected, 3), (Outcome::RequestRelayedOutwards, 1)]);
}

#[tokio::test]
async fn who_withholds_an_identity_withholds_it_from_a_peer_who_is_not_proven_now() {
    // Its pool has led to the phone by mistake, and what comes from there is not the peer's.
    for (place, is_told) in [("198.51.100.1", false), ("127.0.0.1", true)] {
        let mut outwards = Outwards::new("static", place);
        outwards.calls();
        let invite = outwards.scene.phone_hears().await;
        assert_eq!(invite.contains("P-Asserted-Identity"), is_told, "{invite}");
        outwards.scene.counted(&[(Outcome::RequestRelayedOutwards, 1)]);
    }
}
