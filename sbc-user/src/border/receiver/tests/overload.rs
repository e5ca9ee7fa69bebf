use super::*;

/// A phone that has answered a challenge, and its INVITE as the upstream got it.
async fn with_a_proven_phone() -> (Scene, String) {
    let mut scene = Scene::new("", MemoryTable::default());
    scene.phone_sends(&request("INVITE", "alice@example.com", ""));
    let challenge = scene.phone_hears().await;
    let credentials = test_client::answer(&challenge, "alice", "ecila", ("INVITE", TARGET));
    let line = format!("Proxy-Authorization: {credentials}\r\n");
    scene.phone_sends(&request("INVITE", "alice@example.com", &line));
    let invite = scene.upstream_hears().await;
    (scene, invite)
}

fn seconds_of(reply: &str) -> u8 {
    let line = reply.lines().find_map(|line| line.strip_prefix("Retry-After: "));
    line.expect(reply).parse().expect(reply)
}

#[tokio::test]
async fn strangers_are_shed_first_and_hear_nothing() {
    let scene = Scene::new("", MemoryTable::default());
    let invite = request("INVITE", "alice@example.com", "");
    let mut answer = Vec::new();
    for load in [Load::Busy, Load::Heavy, Load::Critical] {
        scene.border.received(&scene.phone, invite.as_bytes(), load, &mut answer);
        assert_eq!(answer, b"");
    }
    scene.border.received(&scene.phone, b"no SIP at all", Load::Busy, &mut answer);
    scene.counted(&[(Outcome::ShedStranger, 4)]);
}

#[tokio::test]
async fn who_has_proved_himself_is_asked_to_come_back_when_the_load_asks_for_it() {
    let (mut scene, _) = with_a_proven_phone().await;
    let phone = scene.phone;
    let another =
        |method| request(method, "alice@example.com", "").replace("Call-ID: one", "Call-ID: two");
    let (invite, register) = (another("INVITE"), another("REGISTER"));

    scene.arrives_under(Load::Busy, &phone, &register);
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 401 "), "busy is no reason");
    scene.arrives_under(Load::Heavy, &phone, &register);
    let later = scene.phone_hears().await;
    assert!(later.starts_with("SIP/2.0 503 "), "{later}");
    assert!((10..20).contains(&seconds_of(&later)), "{later}");

    scene.arrives_under(Load::Heavy, &phone, &invite);
    assert!(
        scene.phone_hears().await.starts_with("SIP/2.0 407 "),
        "calls come after registrations"
    );
    scene.arrives_under(Load::Critical, &phone, &invite);
    let later = scene.phone_hears().await;
    assert!(later.starts_with("SIP/2.0 503 "), "{later}");
    let to = later.lines().find(|line| line.starts_with("To: ")).unwrap();
    let ack = another("ACK").replace("To: <sip:bob@example.com>", to);
    scene.arrives_under(Load::Critical, &phone, &ack);
    scene.counted(&[
        (Outcome::Challenged, 3),
        (Outcome::RequestRelayedInwards, 1),
        (Outcome::Overloaded, 2),
        (Outcome::OwnAck, 1),
    ]);
}

#[tokio::test]
async fn who_is_only_near_to_somebody_proven_is_a_stranger_and_hears_nothing() {
    let (scene, _) = with_a_proven_phone().await;
    let neighbour = SocketAddr::new(scene.phone.remote.ip(), 1);
    let neighbour = Flow::udp(OUTSIDE, neighbour);
    let mut answer = Vec::new();
    let register = request("REGISTER", "alice@example.com", "");
    scene.border.received(&neighbour, register.as_bytes(), Load::Critical, &mut answer);
    assert_eq!(answer, b"");
    scene.counted(&[
        (Outcome::Challenged, 1),
        (Outcome::RequestRelayedInwards, 1),
        (Outcome::ShedStranger, 1),
    ]);
}

#[tokio::test]
async fn an_established_call_goes_on_under_any_load_in_both_directions() {
    let (mut scene, invite) = with_a_proven_phone().await;
    let (phone, upstream) = (scene.phone, scene.upstream);

    scene.arrives_under(Load::Critical, &upstream, &answer(&invite, "200 OK"));
    let ok = scene.phone_hears().await;
    assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
    let lines = ok.lines().filter_map(|line| line.strip_prefix("Record-Route: "));
    let mut routes: Vec<_> = lines.map(|route| format!("Route: {route}\r\n")).collect();
    routes.reverse();
    let bye = request("BYE", "alice@example.com", &routes.concat())
        .replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=2");
    scene.arrives_under(Load::Critical, &phone, &bye);
    let bye = scene.upstream_hears().await;
    assert!(bye.starts_with("BYE "), "{bye}");
}

#[tokio::test]
async fn who_repeats_a_request_that_went_in_is_not_put_off() {
    let (mut scene, _) = with_a_proven_phone().await;
    let phone = scene.phone;
    scene.arrives_under(Load::Critical, &phone, &request("INVITE", "alice@example.com", ""));
    let challenge = scene.phone_hears().await;
    assert!(challenge.starts_with("SIP/2.0 407 "), "it is judged as ever: {challenge}");
}

#[tokio::test]
async fn the_upstream_is_asked_to_come_back_too_but_not_with_calls() {
    let mut scene = Scene::new("", MemoryTable::default());
    let upstream = scene.upstream;
    scene.arrives_under(Load::Critical, &upstream, &request("MESSAGE", "bob@example.com", ""));
    let later = scene.upstream_hears().await;
    assert!(later.starts_with("SIP/2.0 503 "), "{later}");
    scene.arrives_under(Load::Critical, &upstream, &request("INVITE", "bob@example.com", ""));
    let nowhere = scene.upstream_hears().await;
    assert!(nowhere.starts_with("SIP/2.0 404 "), "{nowhere}");
    scene.counted(&[(Outcome::Overloaded, 1), (Outcome::NoRoute, 1)]);
}
