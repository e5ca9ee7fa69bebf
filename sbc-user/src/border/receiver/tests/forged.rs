//! What somebody sends in another's name.

use super::*;

const HOUR: u64 = 60;

/// What a phone that registers each minute, and is called each minute, lives through.
async fn an_hour(tail: &str, is_forged: bool) -> Vec<String> {
    let mut scene = Scene::new(tail, MemoryTable::default());
    let mut lived = Vec::new();
    for minute in 0..HOUR {
        scene.border.clock.advance(Duration::from_mins(1));
        scene.border.sweep();
        if is_forged {
            forge(&scene, minute);
        }
        let call_id = format!("{minute}@phone");
        let register = |number: u32, more: &str| {
            let lines = format!("Contact: <sip:alice@192.168.1.2>\r\n{more}");
            request("REGISTER", "alice@example.com", &lines)
                .replace("To: <sip:bob@example.com>", "To: <sip:alice@example.com>")
                .replace("Call-ID: one", &format!("Call-ID: {call_id}"))
                .replace("CSeq: 1", &format!("CSeq: {number}"))
        };
        scene.phone_sends(&register(1, ""));
        let challenge = next(&mut scene, 0, &call_id).await;
        lived.push(start_line(&challenge));
        let credentials = test_client::answer(&challenge, "alice", "ecila", ("REGISTER", TARGET));
        scene.phone_sends(&register(2, &format!("Authorization: {credentials}\r\n")));
        let relayed = next(&mut scene, 1, &call_id).await;
        lived.push(start_line(&relayed));
        let ok = answer(&relayed, "200 OK").replace(
            "Content-Length",
            "Contact: <sip:alice@192.168.1.2>;expires=120\r\nContent-Length",
        );
        scene.upstream_sends(&ok);
        lived.push(start_line(&next(&mut scene, 0, &call_id).await));
        if is_forged {
            forge(&scene, minute);
        }
        let path = relayed.split("\r\n").find_map(|line| line.strip_prefix("Path: ")).unwrap();
        let call = request("INVITE", "carol@example.com", &format!("Route: {path}\r\n"))
            .replace(&format!("INVITE {TARGET} SIP/2.0"), "INVITE sip:alice@192.168.1.2 SIP/2.0")
            .replace("Call-ID: one", &format!("Call-ID: {call_id}"));
        scene.upstream_sends(&call);
        let invite = next(&mut scene, 0, &call_id).await;
        lived.push(start_line(&invite));
        scene.phone_sends(&answer(&invite, "486 Busy Here"));
        lived.push(start_line(&next(&mut scene, 1, &call_id).await));
        let ledger = scene.border.ledger();
        let held = ledger.grant_for(scene.phone.remote, None).unwrap();
        lived.push(format!("{} {:?}", held.lane.name(), held.transports));
    }
    assert_eq!(scene.border.counters().bans(), [0, 0]);
    lived
}

const BANS: &str = "[trust]\nban = \"enforce\"\nban-after = \"3 in 5m\"";

/// Everything that a forger who knows the phone's address, port and user can think of, twenty times each, and
/// the same from other ports of the address. What is answered goes to the phone, which did not ask.
fn forge(scene: &Scene, minute: u64) {
    let guess = "Authorization: Digest username=\"alice\", realm=\"example.com\", \
        nonce=\"AAABi8-WgAAAAAAAAAAAAAAAAAAAAAAAAAAA\", uri=\"sip:bob@example.com\", algorithm=MD5, \
        response=\"00000000000000000000000000000000\", cnonce=\"c0ffee\", qop=auth, nc=00000001\r\n";
    let from = "alice@example.com";
    for number in 0..20 {
        let forged = [
            request("REGISTER", from, "Contact: *\r\nExpires: 0\r\n"),
            request("REGISTER", from, guess),
            request("INVITE", from, &guess.replace("Authorization", "Proxy-Authorization")),
            request("BYE", from, "Route: <sip:AAAAAAAAAAAAAAAAAAAA@127.0.0.1;lr>\r\n"),
            request("ACK", from, ""),
            request("CANCEL", from, ""),
            request("OPTIONS", from, ""),
            answer(&request("INVITE", from, ""), "200 OK"),
            "REGISTER\r\n\r\n".to_owned(),
            "\0".repeat(64),
            request("INVITE", from, "Content-Length: 7\r\n"),
        ];
        for message in forged {
            let message = message.replace("Call-ID: one", &format!("Call-ID: {minute}-{number}"));
            let port = scene.phone.remote.port();
            for port in [port, port.wrapping_add(1).max(1), 5060] {
                let remote = SocketAddr::new(scene.phone.remote.ip(), port);
                let flow = Flow { remote, ..scene.phone };
                scene.border.received(&flow, message.as_bytes(), Load::Calm, &mut Vec::new());
            }
        }
    }
}

/// The next message of a call that somebody hears: ACK and CANCEL, which cannot be challenged, are
/// relayed for whoever sends from where a phone has answered.
async fn next(scene: &mut Scene, who: u8, call_id: &str) -> String {
    let call_id = format!("Call-ID: {call_id}\r\n");
    loop {
        let (heard_by, message) = scene.hear().await;
        if message.contains(&call_id) {
            assert_eq!(heard_by, who, "{message}");
            return message;
        }
        assert!(["ACK ", "CANCEL "].iter().any(|method| message.starts_with(method)), "{message}");
    }
}

fn start_line(message: &str) -> String {
    let line = message.split("\r\n").next().unwrap_or_default();
    // The port of the phone is another in each scene.
    line.split('@').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_hour_of_forged_packets_gets_their_victim_neither_blocked_nor_challenged_more() {
    let alone = an_hour("", false).await;
    assert_eq!(alone.len() as u64, 6 * HOUR);
    for tail in ["", BANS] {
        assert_eq!(alone, an_hour(tail, true).await);
    }
}

#[tokio::test]
async fn who_comes_after_an_hour_of_packets_in_his_name_is_challenged_and_let_in_like_anybody() {
    let mut scene = Scene::new(BANS, MemoryTable::default());
    for minute in 0..HOUR {
        scene.border.clock.advance(Duration::from_mins(1));
        scene.border.sweep();
        forge(&scene, minute);
    }
    assert_eq!(scene.border.ledger().grants().count(), 0);
    let invite = request("INVITE", "alice@example.com", "").replace("Call-ID: one", "Call-ID: own");
    scene.phone_sends(&invite);
    let challenge = next(&mut scene, 0, "own").await;
    assert!(challenge.starts_with("SIP/2.0 407 ") && !challenge.contains("stale"), "{challenge}");
    let credentials = test_client::answer(&challenge, "alice", "ecila", ("INVITE", TARGET));
    let line = format!("CSeq: 1 INVITE\r\nProxy-Authorization: {credentials}\r\n");
    scene.phone_sends(&invite.replace("CSeq: 1 INVITE\r\n", &line));
    assert!(next(&mut scene, 1, "own").await.starts_with("INVITE "));
    assert!(scene.border.ledger().has_answered(&scene.phone, scene.border.now()));
}

/// An insider gets a nonce where he is and sends his answer in another's name, or a listener carries an answer
/// elsewhere: the request is its user's, and the place is nobody's.
#[tokio::test]
async fn a_nonce_that_is_bound_to_nothing_opens_only_where_it_was_issued() {
    use crate::proof::digest::{Algorithm, DigestSettings, NonceBinding};
    let mut scene = Scene::new("", MemoryTable::default());
    let started = scene.border.clock.wall();
    let settings = DigestSettings {
        nonce_binding: NonceBinding::None,
        ..test_client::settings(&[Algorithm::SHA_256], started)
    };
    scene.border.digest = Some(DigestCheck::new(settings, test_client::users(), started));
    scene.phone_sends(&request("INVITE", "alice@example.com", ""));
    let challenge = scene.phone_hears().await;
    let credentials = test_client::answer(&challenge, "alice", "ecila", ("INVITE", TARGET));
    let invite =
        request("INVITE", "alice@example.com", &format!("Proxy-Authorization: {credentials}\r\n"));

    let elsewhere = |transport| Flow {
        transport,
        remote: "198.51.100.66:5060".parse().unwrap(),
        ..scene.phone
    };
    let others = [elsewhere(Transport::Udp), elsewhere(Transport::Tcp)];
    for flow in &others {
        scene.arrives(flow, &invite);
        assert!(scene.upstream_hears().await.starts_with("INVITE "));
        assert!(!scene.border.ledger().has_answered(flow, scene.border.now()));
        assert!(scene.border.ledger().grant_for(flow.remote, None).is_none());
    }
    scene.phone_sends(&invite);
    assert!(scene.upstream_hears().await.starts_with("INVITE "));
    assert!(scene.border.ledger().has_answered(&scene.phone, scene.border.now()));
}
