//! What an operator can ask the filter.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Setup};
use serde_json::Value;

use crate::{endpoint::Endpoint, expectation::Expect as _, listed_peer};

fn ask(gateway: &Gateway, arguments: &[&str]) -> Result<Value> {
    let (status, said) = gateway.sbc(arguments)?;
    ensure!(status.success(), "sbc {arguments:?}: {status}: {said}");
    serde_json::from_str(&said).with_context(|| said)
}

fn explain(gateway: &Gateway, source: &str) -> Result<Value> {
    ask(gateway, &["explain", source, "--json"])
}

/// Question, action, reasons, lane of each answer.
fn answers(explanation: &Value) -> Vec<String> {
    let text = |answer: &Value, name: &str| answer[name].as_str().unwrap_or("-").to_owned();
    let each = |answer: &Value| {
        let reasons = answer["reasons"].as_array().into_iter().flatten();
        let reasons: Vec<_> = reasons.filter_map(Value::as_str).collect();
        let [question, action, lane] =
            ["question", "action", "lane"].map(|name| text(answer, name));
        format!("{question}: {action} {} {lane}", reasons.join("|"))
    };
    explanation["now"].as_array().into_iter().flatten().map(each).collect()
}

#[test]
fn a_listed_peer_is_explained_by_its_network_and_by_the_program() -> Result<()> {
    let gateway = listed_peer::trusting().start()?;
    for (family, network) in [(Family::V4, "198.51.100.0/28"), (Family::V6, "2001:db8:1::/124")] {
        let explanation = explain(&gateway, &family.caller().to_string())?;
        let entry = &explanation["entries"][0];
        assert_eq!(entry["place"], network);
        assert_eq!(entry["proof"], "static");
        assert_eq!(entry["peer"], "carrier");
        assert_eq!(entry["opens"], serde_json::json!(["udp", "tcp"]));
        assert!(entry["expires-in-seconds"].is_null());
        let passes = ["udp invite", "tcp syn"]
            .map(|question| format!("{question}: pass trusted-source static"));
        assert_eq!(answers(&explanation), passes);
    }
    // They were counted, and no socket saw them.
    let status = gateway.expect_verdicts(&[("trusted-source", 4)])?;
    assert_eq!(status.received("udp")?, 0);
    Ok(())
}

#[test]
fn strangers_and_the_denied_are_explained_alike_in_both_families() -> Result<()> {
    let denied = Family::ALL.map(|family| format!("\"{}\"", family.elsewhere())).join(", ");
    let setup = Setup::new().tls("require").table(&format!("[denied]\nsources = [{denied}]"));
    let gateway = setup.start()?;
    for family in Family::ALL {
        let source = SocketAddr::new(family.caller(), 5070).to_string();
        let explanation = explain(&gateway, &source)?;
        assert_eq!(explanation["entries"], serde_json::json!([]));
        let expected = [
            "udp invite: drop unknown-source -",
            "tcp syn: drop unknown-source -",
            "tls syn: pass tls-reachable -",
        ];
        assert_eq!(answers(&explanation), expected);

        let explanation = explain(&gateway, &family.elsewhere().to_string())?;
        assert_eq!(explanation["entries"][0]["proof"], "denied");
        let drops = ["udp invite", "tcp syn", "tls syn"]
            .map(|question| format!("{question}: drop denied-source denied"));
        assert_eq!(answers(&explanation), drops);
    }
    Ok(())
}

#[test]
fn status_tells_verdicts_by_lane_family_and_carrier() -> Result<()> {
    let gateway = Setup::new().start()?;
    for family in Family::ALL {
        let phone = Endpoint::bind(&gateway.internet, SocketAddr::new(family.caller(), 5070))?;
        phone.send(family.sip(), &phone.request("INVITE").with_body())?;
    }
    gateway.expect_verdicts(&[("unknown-source", 2)])?;
    let status = ask(&gateway, &["status", "--json"])?;
    for family in ["ipv4", "ipv6"] {
        let rows = status["kernel"]["counters"].as_array().context("no counters")?;
        let row = rows.iter().find(|row| {
            row["reason"] == "unknown-source" && row["family"] == family && row["carrier"] == "udp"
        });
        let row = row.with_context(|| format!("{family}: {rows:?}"))?;
        assert_eq!(row["packets"], 1);
        assert!(row["lane"].is_null());
    }
    Ok(())
}
