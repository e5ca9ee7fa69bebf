use super::*;

const TRUNK: &str = "[[peer]]\nname = \"trunk\"\nrequire = [\"static\"]\n\
    sources = [\"127.0.0.1\"]\nopens = [\"udp\"]";

fn unreadable(method: &str) -> String {
    request(method, "alice@example.com", "").replace("Max-Forwards: 70", "Max-Forwards: 256")
}

#[tokio::test]
async fn a_listed_source_the_upstream_and_a_connection_hear_what_is_wrong_and_a_stranger_does_not()
{
    let mut scene = Scene::new(TRUNK, MemoryTable::default());
    scene.phone_sends(&unreadable("INVITE"));
    let heard = scene.phone_hears().await;
    assert!(heard.starts_with("SIP/2.0 400 Bad Request\r\n"), "{heard}");
    let warning = "\r\nWarning: 399 sbc \"Max-Forwards is not a number from 0 to 255\"\r\n";
    assert!(heard.contains(warning), "{heard}");
    // What we said ourselves is acknowledged to us.
    let to = heard.lines().find(|line| line.starts_with("To:")).unwrap();
    let ack = request("ACK", "alice@example.com", "");
    scene.phone_sends(&ack.replace("To: <sip:bob@example.com>", to));
    scene.upstream_sends(&unreadable("INVITE"));
    assert!(scene.upstream_hears().await.starts_with("SIP/2.0 400 "));
    let mut answer = Vec::new();
    let stream = tls_flow(7, "198.18.0.1:40000");
    scene.border.received(&stream, unreadable("INVITE").as_bytes(), Load::Calm, &mut answer);
    assert!(answer.starts_with(b"SIP/2.0 400 "));
    scene.counted(&[(Outcome::MalformedAnswered, 3), (Outcome::OwnAck, 1)]);

    let stranger = Flow::udp(OUTSIDE, "198.18.0.1:5060".parse().unwrap());
    let neighbour = Flow::udp(INSIDE, "10.0.0.9:5060".parse().unwrap());
    for flow in [&stranger, &neighbour] {
        let mut answer = Vec::new();
        scene.border.received(flow, unreadable("INVITE").as_bytes(), Load::Calm, &mut answer);
        assert!(answer.is_empty());
    }
    scene.phone_sends(&unreadable("ACK"));
    scene.counted(&[
        (Outcome::Malformed, 3),
        (Outcome::MalformedAnswered, 3),
        (Outcome::OwnAck, 1),
    ]);
}

#[tokio::test]
async fn a_listed_source_hears_no_more_than_it_has_sent() {
    let mut scene = Scene::new(TRUNK, MemoryTable::default());
    let large = unreadable("OPTIONS");
    let mut told = Vec::new();
    for length in 0..200 {
        let small = large.replace("bob@example.com", "b").replace("Subject: ", "s:");
        let small = small.replace(&"x".repeat(500), &"x".repeat(length));
        let mut answer = Vec::new();
        scene.border.received(&scene.phone, small.as_bytes(), Load::Calm, &mut answer);
        assert!(answer.len() <= small.len());
        let has_warning = String::from_utf8(answer.clone()).unwrap().contains("Warning");
        told.push((!answer.is_empty(), has_warning));
    }
    assert!(told.is_sorted(), "{told:?}");
    told.dedup();
    assert_eq!(told, [(false, false), (true, false), (true, true)]);
    scene.phone_sends(&large);
    assert!(scene.phone_hears().await.contains("Warning"));
}

#[tokio::test]
async fn a_question_to_us_is_answered_by_us() {
    let mut scene = Scene::new(TRUNK, MemoryTable::default());
    let own = format!("sip:{}", scene.listeners.addresses()[usize::from(OUTSIDE)]);
    let ping = request("OPTIONS", "anyone@b.example", "").replace(TARGET, &own);
    scene.phone_sends(&ping);
    let heard = scene.phone_hears().await;
    assert!(heard.starts_with("SIP/2.0 200 OK\r\n"), "{heard}");
    for line in ["Allow: INVITE, ACK, ", "Accept: application/sdp\r\n", "Supported: path\r\n"] {
        assert!(heard.contains(&format!("\r\n{line}")), "{heard}");
    }
    let last_hop = request("OPTIONS", "anyone@b.example", "");
    scene.phone_sends(&last_hop.replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert!(scene.phone_hears().await.starts_with("SIP/2.0 200 "));
    scene.counted(&[(Outcome::OptionsAnswered, 2)]);

    // Whose address is listed only may be forged: a short question gets a short answer.
    let short = ping.replace(&"x".repeat(500), "x");
    scene.phone_sends(&short);
    let heard = scene.phone_hears().await;
    assert!(heard.starts_with("SIP/2.0 200 OK\r\n") && !heard.contains("Allow"), "{heard}");

    scene.phone_sends(&last_hop);
    assert!(scene.upstream_hears().await.starts_with("OPTIONS "));
    scene.phone_sends(&ping.replace(">\r\nCall-ID", ">;tag=2\r\nCall-ID"));
    assert!(scene.upstream_hears().await.starts_with("OPTIONS "));
}
