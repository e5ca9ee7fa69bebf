//! Nobody can be flooded by us.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Setup, UdpCounters, udp_counters};

use crate::{calls::ALICE, endpoint::Endpoint, expectation::Expect as _, request::Request};

#[test]
fn over_udp_a_challenge_is_never_larger_than_the_request() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let gateway = setup.users("algorithms = [\"SHA-256\", \"MD5\"]", &[ALICE]).start()?;
    for family in Family::ALL {
        let phone = SocketAddr::new(family.caller(), 5070);
        let phone = Endpoint::bind(&gateway.internet, phone)?;
        let minimal = |method| Request { headers: Vec::new(), ..phone.request(method) };
        for method in ["OPTIONS", "INVITE", "REGISTER"] {
            phone.send(family.sip(), &minimal(method))?;
        }

        // With every byte that a request grows, there is room for nothing, then for one algorithm,
        // then for both; and nothing was heard before.
        let mut challenges = Vec::new();
        for padding in (0..=400).step_by(20) {
            let request = minimal("OPTIONS").header(format!("Subject: {:x<padding$}", ""));
            phone.send(family.sip(), &request)?;
            let large = phone.request("OPTIONS").with_body();
            phone.send(family.sip(), &large)?;
            let mut heard = phone.hear()?;
            if heard.header("Call-ID") == Some(&large.call_id) {
                challenges.push(0);
            } else {
                assert_eq!(heard.header("Call-ID"), Some(request.call_id.as_str()));
                assert!(heard.text.len() <= request.to_string().len(), "{request}\n{}", heard.text);
                challenges.push(heard.headers("Proxy-Authenticate").len());
                heard = phone.hear()?;
            }
            assert_eq!(heard.header("Call-ID"), Some(large.call_id.as_str()));
        }
        assert!(challenges.is_sorted(), "{challenges:?}");
        assert!([0, 1, 2].iter().all(|count| challenges.contains(count)), "{challenges:?}");
    }
    let status = gateway.status()?;
    let (challenged, silent) = (status.outcome("challenged")?, status.outcome("would-amplify")?);
    assert_eq!(challenged + silent, 2 * (3 + 2 * 21), "{status}");
    assert!(silent > 6, "{status}");
    assert_eq!(status.received("udp")?, challenged + silent);
    assert_eq!(udp_counters(&gateway.inside)?, UdpCounters::default());
    Ok(())
}

#[test]
fn the_trickle_of_strangers_is_bounded_in_the_kernel() -> Result<()> {
    let table = "[unknown]\naction = \"challenge\"\nbudget = \"1/s burst 5\"";
    let setup = Setup::new().table(table).users("algorithms = [\"MD5\"]", &[ALICE]);
    let gateway = setup.start()?;
    let phone = SocketAddr::new(Family::V4.caller(), 5070);
    let phone = Endpoint::bind(&gateway.internet, phone)?;
    for _ in 0..200 {
        phone.send(Family::V4.sip(), &phone.request("INVITE").with_body())?;
    }
    let status = gateway.wait_for_status("200 verdicts", |status| {
        let passed = status.verdict("unknown-within-budget")?;
        Ok(passed + status.verdict("unknown-budget-spent")? == 200)
    })?;
    let passed = status.verdict("unknown-within-budget")?;
    // A burst, and a few that came in while they were sent.
    assert!((5..50).contains(&passed), "{status}");
    gateway.expect_outcomes(&[("challenged", passed)])?;
    Ok(())
}
