//! Who says what of whom, and who is told.

use anyhow::Result;
use sbc_tests::{Family, Setup};

use crate::{
    endpoint::ends,
    expectation::Expect as _,
    listed_peer::{of_the_peer, trusting},
};

/// A peer of [`Family::SOURCES`] with these lines.
fn peer(lines: &str) -> Setup {
    let sources = Family::SOURCES;
    Setup::new().table(&format!(
        "[[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\nsources = {sources}\n\
         opens = [\"udp\"]\nmay-assert = [\"*@carrier.example\", \"+1212*@pstn.example\"]\n{lines}"
    ))
}

#[test]
fn a_peer_calls_whom_it_may_from_where_it_is_as_who_it_is() -> Result<()> {
    let lines = "may-call = [\"*@example.com\"]\ncontact-hosts = [\"198.51.100.0/24\"]\n\
                 may-divert = [\"tel:+1212*\"]\nfalse-claims = \"refuse\"";
    let gateway = peer(lines).start()?;
    let (phone, upstream) = ends(&gateway)?;
    let sip = Family::V4.sip();

    let mut diverted = of_the_peer(&phone, "INVITE").header("Diversion: <tel:+1-212-555-0100>");
    diverted.from =
        diverted.from.replace("alice@carrier.example", "+1-310@pstn.example;user=phone");
    phone.ask(sip, &diverted, 403)?;
    let marked = "<sip:+12125550100@pstn.example;user=phone>;tag=1";
    diverted.from = marked.to_owned();
    phone.send(sip, &diverted)?;
    assert_eq!(upstream.hear()?.headers("Diversion"), ["<tel:+1-212-555-0100>"]);

    for claim in ["Diversion: <tel:+1-310-555-0100>", "P-Asserted-Identity: <sip:boss@example.com>"]
    {
        phone.ask(sip, &of_the_peer(&phone, "INVITE").header(claim), 403)?;
    }
    let mut elsewhere = of_the_peer(&phone, "INVITE");
    elsewhere.uri = "sip:premium@example.net".to_owned();
    phone.ask(sip, &elsewhere, 403)?;
    let mut reflecting = of_the_peer(&phone, "INVITE");
    reflecting.headers = vec!["Contact: <sip:victim@203.0.113.9>".to_owned()];
    phone.ask(sip, &reflecting, 403)?;
    assert!(!upstream.has_heard()?);
    gateway.expect_outcomes(&[
        ("request-relayed-inwards", 1),
        ("identity-not-allowed", 3),
        ("destination-not-allowed", 1),
        ("contact-not-allowed", 1),
    ])?;
    Ok(())
}

#[test]
fn what_others_found_out_about_a_number_is_not_passed_on() -> Result<()> {
    let gateway = trusting().start()?;
    let (phone, upstream) = ends(&gateway)?;
    let mut request = of_the_peer(&phone, "INVITE")
        .header("P-Asserted-Identity: <tel:+12125550100;verstat=TN-Validation-Passed>");
    request.from = request.from.replace('@', ";verstat=TN-Validation-Passed@");
    phone.send(Family::V4.sip(), &request)?;
    let arrived = upstream.hear()?;
    assert_eq!(arrived.headers("P-Asserted-Identity"), ["<tel:+12125550100>"]);
    assert!(!arrived.text.contains("verstat"), "{}", arrived.text);
    Ok(())
}

#[test]
fn a_name_that_is_to_stay_private_is_told_in_the_trust_domain_alone() -> Result<()> {
    for (lines, is_told) in [("trust-domain = true", true), ("", false)] {
        let gateway = peer(lines).start()?;
        let (phone, upstream) = ends(&gateway)?;
        phone.send(Family::V4.sip(), &of_the_peer(&phone, "INVITE"))?;
        let arrived = upstream.hear()?;
        for (privacy, expected) in [("id", is_told), ("none", true)] {
            let lines = ["P-Asserted-Identity: <tel:+1>", &format!("Privacy: {privacy}")];
            upstream.send(arrived.from, &arrived.answer("180 Ringing", &lines))?;
            let heard = phone.hear()?;
            assert_eq!(heard.headers("Privacy"), [privacy]);
            assert_eq!(!heard.headers("P-Asserted-Identity").is_empty(), expected, "{lines:?}");
        }
    }
    Ok(())
}
