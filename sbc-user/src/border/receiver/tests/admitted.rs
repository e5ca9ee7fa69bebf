//! Who is let in over a connection, and as whom.

use super::*;
use crate::transport::Dialed;

/// Two who have one provider, and his certificate.
const PAIR: &str = r#"
[[peer]]
name = "first"
require = ["tls"]
identities = ["first.example"]
sources = ["198.51.100.0/24"]
opens = ["udp"]

[[peer]]
name = "second"
require = ["tls"]
identities = ["second.example"]
sources = ["127.0.0.0/8"]
opens = ["udp"]
target = "sips:127.0.0.1:5061"
"#;

const FIRST: usize = 0;
const SECOND: usize = 1;

fn dialed<'s>(shown: &'s Arc<ShownCertificate>, dialed: &'s Dialed) -> Party<'s> {
    Party { dialed: Some(dialed), ..showing(shown) }
}

fn to_second() -> Dialed {
    Dialed { peer: Some("second".into()) }
}

fn is_connected_as(scene: &Scene, flow: &Flow) -> Option<usize> {
    scene.border.evidence(flow).tls_connection
}

#[tokio::test]
async fn whom_we_connect_to_is_no_other_peer_that_the_certificate_names() {
    let of_both = shown(&["first.example", "second.example"]);
    let flow = tls_flow(7, "127.0.0.1:5061");
    // Whether the first may be anywhere or only elsewhere.
    for sources in ["", "sources = [\"198.51.100.0/24\"]"] {
        let peers = PAIR.replacen("sources = [\"198.51.100.0/24\"]", sources, 1);
        let scene = Scene::new(&peers, MemoryTable::default());
        let admission = scene.border.connected(&flow, dialed(&of_both, &to_second()));
        assert_eq!(admission, Admission::Keep, "{sources}");
        assert_eq!(is_connected_as(&scene, &flow), Some(SECOND), "{sources}");
    }
}

#[tokio::test]
async fn whom_we_connect_to_has_to_show_a_certificate_for_himself() {
    let scene = Scene::new(PAIR, MemoryTable::default());
    let flow = tls_flow(7, "198.51.100.1:5061");
    let of_another = shown(&["first.example"]);
    assert_eq!(scene.border.connected(&flow, dialed(&of_another, &to_second())), Admission::Close);
    assert_eq!(is_connected_as(&scene, &flow), None);

    // The same, from somebody who connects to us.
    assert_eq!(scene.border.connected(&flow, showing(&of_another)), Admission::Keep);
    assert_eq!(is_connected_as(&scene, &flow), Some(FIRST));
}

#[tokio::test]
async fn a_common_name_that_counts_for_nobody_makes_nobody_known() {
    let common_name = Arc::new(ShownCertificate::of_common_name("first.example"));
    let counting = "certificate = { common-name = true }\n";
    let peer =
        |more: &str| PAIR.replacen("opens = [\"udp\"]", &format!("opens = [\"udp\"]\n{more}"), 1);
    for (peers, admission) in
        [(peer(""), Admission::KeepStranger), (peer(counting), Admission::Keep)]
    {
        let scene = Scene::new(&peers, MemoryTable::default());
        let flow = tls_flow(7, "198.51.100.1:40000");
        assert_eq!(scene.border.connected(&flow, showing(&common_name)), admission, "{peers}");
    }
}

#[tokio::test]
async fn whom_we_connect_to_and_the_upstream_may_be_silent_and_a_stranger_may_not() {
    let scene = Scene::new(PAIR, MemoryTable::default());
    let over_tcp = |listener, remote: &str| Flow {
        transport: Transport::Tcp,
        ..Flow { listener, ..tls_flow(7, remote) }
    };
    let outside = over_tcp(OUTSIDE, "198.51.100.1:5060");
    let to_nobody_known = Dialed { peer: None };
    let dialed = Party { dialed: Some(&to_nobody_known), ..Party::default() };
    assert_eq!(scene.border.connected(&outside, dialed), Admission::Keep);
    assert_eq!(scene.border.connected(&outside, Party::default()), Admission::KeepStranger);
    let upstream = over_tcp(INSIDE, "127.0.0.1:40000");
    assert_eq!(scene.border.connected(&upstream, Party::default()), Admission::Keep);
}
