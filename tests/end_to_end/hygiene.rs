//! What a message looks like on the other side, and which ones never get there.

use anyhow::Result;
use sbc_tests::{Family, Setup};

use crate::{
    calls::ALICE,
    digest::Login,
    endpoint::{Heard, ends},
    expectation::Expect as _,
    listed_peer::{of_the_peer, trusting},
    request::Request,
};

#[test]
fn a_users_claims_and_its_credentials_for_us_stay_outside() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let gateway = setup.users("algorithms = [\"SHA-256\"]", &[ALICE]).start()?;
    let (phone, upstream) = ends(&gateway)?;
    let foreign = "Digest username=\"alice\", realm=\"elsewhere.example\", nonce=\"n\", \
                   uri=\"sip:callee@example.com\", response=\"0123456789abcdef0123456789abcdef\"";
    let invite = phone
        .request("INVITE")
        .with_body()
        .header("P-Asserted-Identity: <sip:boss@example.com>, <tel:+12125550100>")
        .header("P-Preferred-Identity: <sip:boss@example.com>")
        .header("Remote-Party-ID: <sip:boss@example.com>;party=calling")
        .header("Subject: for us")
        .header(format!("Proxy-Authorization: {foreign}"));
    let refusal = phone.ask(Family::V4.sip(), &invite, 407)?;
    let answered = Login("alice", "secret").answer(&invite, &refusal)?;
    phone.send(Family::V4.sip(), &answered)?;
    let arrived = upstream.hear()?;
    for claim in ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"] {
        assert!(arrived.headers(claim).is_empty(), "{}", arrived.text);
    }
    assert_eq!(arrived.headers("Proxy-Authorization"), [foreign]);
    assert_eq!(arrived.headers("Subject"), ["for us"]);
    assert_eq!(arrived.body(), invite.body);
    gateway.expect_outcomes(&[("challenged", 1), ("request-relayed-inwards", 1)])?;
    Ok(())
}

#[test]
fn a_peers_claims_pass_as_far_as_its_policy_goes() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    for (claim, is_allowed) in [
        ("<sip:anyone@carrier.example>", true),
        ("\"Boss\" <tel:+12125550100>", true),
        ("<sip:boss@example.com>", false),
        ("<tel:+13105550100>", false),
        // One false claim makes the whole header worthless.
        ("<sip:anyone@carrier.example>, <tel:+13105550100>", false),
    ] {
        let request = of_the_peer(&phone, "INVITE");
        phone.send(Family::V4.sip(), &request.header(format!("P-Asserted-Identity: {claim}")))?;
        let arrived = upstream.hear()?;
        let expected: &[&str] = if is_allowed { &[claim] } else { &[] };
        assert_eq!(arrived.headers("P-Asserted-Identity"), expected, "{claim}");
    }
    phone.ask(Family::V4.sip(), &phone.request("INVITE"), 403)?;
    gateway.expect_outcomes(&[("request-relayed-inwards", 5), ("identity-not-allowed", 1)])?;
    Ok(())
}

#[test]
fn a_request_is_passed_on_as_a_proxy_must() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let request = of_the_peer(&phone, "INVITE");
    phone.send(Family::V4.sip(), &request)?;
    let arrived = upstream.hear()?;
    assert_eq!(arrived.from, Family::V4.sip_inside());
    let [ours, theirs] = arrived.headers("Via").try_into().unwrap();
    assert!(ours.starts_with("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK"), "{ours}");
    // RFC 3581 §4: where it really came from.
    let branch = request.via.split(';').nth(1).unwrap();
    assert!(theirs.contains(branch) && theirs.contains("received=198.51.100.7"), "{theirs}");
    assert!(theirs.contains("rport=5070"), "{theirs}");
    assert_eq!(arrived.headers("Max-Forwards"), ["69"]);
    // RFC 5658 §3.4: the upstream reaches our inner side first, the phone our outer one.
    let [inner, outer] = arrived.headers("Record-Route").try_into().unwrap();
    assert!(inner.starts_with("<sip:") && inner.ends_with("@10.0.0.1:5060;lr>"), "{inner}");
    assert!(outer.starts_with("<sip:") && outer.ends_with("@198.51.100.1:5060;lr>"), "{outer}");

    // The answer comes back by its Via alone, which is ours no more.
    upstream
        .send(arrived.from, &arrived.answer("180 Ringing", &["Contact: <sip:pbx@10.0.0.5>"]))?;
    let answer = phone.hear()?;
    assert_eq!((answer.from, answer.start_line()), (Family::V4.sip(), "SIP/2.0 180 Ringing"));
    assert_eq!(answer.headers("Via"), [theirs]);

    // RFC 3261 §16.11: a retransmission takes the same way, under the same branch.
    phone.send(Family::V4.sip(), &request)?;
    assert_eq!(upstream.hear()?.text, arrived.text);
    let outcomes = [("request-relayed-inwards", 2), ("response-relayed-outwards", 1)];
    gateway.expect_outcomes(&outcomes)?;
    Ok(())
}

#[test]
fn hops_are_counted_and_required_extensions_are_refused() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let with = |headers: &[&str]| {
        let headers = headers.iter().map(|line| (*line).to_owned()).collect();
        Request { headers, ..of_the_peer(&phone, "MESSAGE") }
    };
    phone.ask(Family::V4.sip(), &with(&["Max-Forwards: 0"]), 483)?;
    phone.send(Family::V4.sip(), &with(&["Max-Forwards: 1"]))?;
    assert_eq!(upstream.hear()?.headers("Max-Forwards"), ["0"]);
    phone.send(Family::V4.sip(), &with(&[]))?;
    assert_eq!(upstream.hear()?.headers("Max-Forwards"), ["70"]);
    let demanding = with(&["Proxy-Require: teleportation", "Proxy-Require: magic, luck"]);
    let refusal = phone.ask(Family::V4.sip(), &demanding, 420)?;
    assert_eq!(refusal.headers("Unsupported"), ["teleportation", "magic, luck"]);
    gateway.expect_outcomes(&[
        ("too-many-hops", 1),
        ("request-relayed-inwards", 2),
        ("bad-extension", 1),
    ])?;
    Ok(())
}

#[test]
fn a_request_that_comes_back_unchanged_is_a_loop() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let request = of_the_peer(&phone, "MESSAGE");
    phone.send(Family::V4.sip(), &request)?;
    let arrived = upstream.hear()?;
    // As if what is behind the upstream had sent it to the peer, and the peer back to us.
    let via = format!("Via: SIP/2.0/UDP {};branch=z9hG4bKagain\r\nVia: ", phone.local);
    let returned = arrived.text.replacen("Via: ", &via, 1);
    phone.send(Family::V4.sip(), &returned)?;
    assert!(phone.hear()?.start_line().starts_with("SIP/2.0 482 "));
    let elsewhere = returned.replacen("callee@example.com", "another@example.com", 1);
    phone.send(Family::V4.sip(), &elsewhere)?;
    assert!(upstream.hear()?.start_line().contains("another@example.com"));
    gateway.expect_outcomes(&[("loop-detected", 1), ("request-relayed-inwards", 2)])?;
    Ok(())
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let good = of_the_peer(&phone, "INVITE").to_string();
    let instead = |old: &str, new: &str| {
        assert!(good.contains(old), "{old:?} is not in {good}");
        good.replacen(old, new, 1)
    };
    // Who sent it is told so, unless what an answer repeats could itself be read differently.
    let ambiguous = [
        (false, instead("From: ", "From: <sip:x@carrier.example>;tag=2\r\nFrom: ")),
        (false, instead("From: ", "f: <sip:x@carrier.example>;tag=2\r\nFrom: ")),
        (false, instead("From: <sip:", "From: \"unclosed <sip:")),
        (false, instead("From: <sip:", "From: <sip:victim@example.com>,<sip:")),
        (false, instead("To: <sip:callee@", "To: <sip:callee@example.com>@")),
        (true, instead("Content-Length: 0", "Content-Length: 0\r\nl: 10")),
        (true, instead("Content-Length: 0", "Content-Length: 10")),
        (true, instead("Content-Length: 0", "Content-Length: -1")),
        (false, instead("\r\nCall-ID", "\nCall-ID")),
        (false, instead("\r\nCall-ID", "\rCall-ID")),
        (false, instead("Call-ID: ", "Call-ID: one two")),
        (true, instead("CSeq: 1 INVITE", "CSeq: 1 OPTIONS")),
        (false, instead("CSeq: 1 INVITE", "CSeq: 99999999999 INVITE")),
        (true, instead("Max-Forwards: 70", "Max-Forwards: 70\0")),
        (true, instead("Max-Forwards: 70", "Max-Forwards: 70\r\nMax-Forwards: 0")),
        (true, instead(" SIP/2.0\r\n", " SIP/2.0 SIP/2.0\r\n")),
        (true, instead("callee@example.com", "callee@example.com?P-Asserted-Identity=x")),
        (false, instead("\r\nVia:", "\r\n Via:")),
        (true, good.trim_end().to_owned()),
    ];
    for (is_answered, message) in &ambiguous {
        phone.send(Family::V4.sip(), &message)?;
        if *is_answered {
            let heard = phone.hear()?;
            assert!(heard.start_line().starts_with("SIP/2.0 400 "), "{message}\n{}", heard.text);
            assert!(heard.text.len() <= message.len(), "{message}\n{}", heard.text);
        }
    }
    phone.send(Family::V4.sip(), &good)?;
    let arrived = upstream.hear()?;
    assert_eq!(arrived.start_line(), "INVITE sip:callee@example.com SIP/2.0");
    let count = u64::try_from(ambiguous.len())?;
    let answered = u64::try_from(ambiguous.iter().filter(|(is_answered, _)| *is_answered).count())?;
    gateway.expect_outcomes(&[
        ("malformed", count - answered),
        ("malformed-answered", answered),
        ("request-relayed-inwards", 1),
    ])?;
    assert!(!phone.has_heard()?);
    gateway.expect_verdicts(&[("trusted-source", count + 1)])?;
    assert!(!upstream.has_heard()?);
    Ok(())
}

#[test]
fn options_to_the_border_itself_are_answered_by_it() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    // As carriers ask: nobody, of nobody.
    let uri = format!("sip:{}", Family::V4.sip());
    let ping = Request { uri, ..phone.request("OPTIONS") };
    // A listed address may be forged: what we can do is told to who asks at length.
    let ping = ping.header(format!("User-Agent: {}", "x".repeat(300)));
    let answer = phone.ask(Family::V4.sip(), &ping, 200)?;
    assert!(answer.header("Allow").is_some_and(|methods| methods.contains("REFER")));
    gateway.expect_outcomes(&[("options-answered", 1)])?;
    assert!(!upstream.has_heard()?);
    Ok(())
}

#[test]
fn a_response_that_nobody_waits_for_goes_nowhere() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let answer = |via: &str| {
        let request = Request { via: via.to_owned(), ..of_the_peer(&phone, "INVITE") };
        Heard { text: request.to_string(), from: phone.local }.answer("200 OK", &[])
    };
    let forged = "z9hG4bKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for via in [
        "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK1".to_owned(),
        format!("SIP/2.0/UDP 198.51.100.1:5060;branch={forged}, SIP/2.0/UDP 10.0.0.5:5060"),
        "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1".to_owned(),
        "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK1".to_owned(),
    ] {
        phone.send(Family::V4.sip(), &answer(&via))?;
        upstream.send(Family::V4.sip_inside(), &answer(&via))?;
    }
    let status = gateway.expect_outcomes(&[("response-not-ours", 8)])?;
    assert_eq!(status.received("udp")?, 4);
    assert!(!upstream.has_heard()? && !phone.has_heard()?);
    Ok(())
}
