//! A call that rings at two phones: each answers under a tag of its own, and only one talks.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Result;
use sbc_tests::{Calls, Family, Host, Kamailio, Scenario, Sipp};

use crate::{
    called_phone::inside,
    calls::{caller, challenging},
    expectation::expect_calls,
    listed_peer::trusting_to_be,
};

#[test]
fn a_caller_outside_talks_to_the_phone_that_answers_first() -> Result<()> {
    for family in Family::ALL {
        let gateway = trusting_to_be(r#"["*@example.com"]"#).upstream(family).start()?;
        let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
        let phones = Phones::at(family.intruder());
        for place in phones.places() {
            let contact = format!("sip:callee@{place}");
            kamailio.add_contact("callee", &contact)?;
        }
        phones.are_called(&gateway.inside, || {
            caller(Scenario::Call, family).run(&gateway.internet)
        })?;
    }
    Ok(())
}

#[test]
fn a_caller_inside_talks_to_the_registered_phone_that_answers_first() -> Result<()> {
    for family in Family::ALL {
        let gateway = challenging("").upstream(family).start()?;
        let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
        let phones = Phones::at(family.caller());
        for place in phones.places() {
            let registering = Sipp::calling(Scenario::Registration, place, family.sip());
            let registering = registering.credentials("alice", "secret");
            expect_calls(&registering.run(&gateway.internet)?, 1);
        }
        assert_eq!(kamailio.contacts("alice")?.len(), 2);
        phones.are_called(&gateway.internet, || {
            let calling = Sipp::calling(Scenario::Call, inside(family), gateway.upstream());
            calling.to("alice").run(&gateway.inside)
        })?;
    }
    Ok(())
}

/// Two phones of one callee.
struct Phones {
    ringing: SocketAddr,
    answering: SocketAddr,
}

impl Phones {
    fn at(address: IpAddr) -> Self {
        let [ringing, answering] = [5071, 5072].map(|port| SocketAddr::new(address, port));
        Self { ringing, answering }
    }

    fn places(&self) -> [SocketAddr; 2] {
        [self.ringing, self.answering]
    }

    /// Both ring; one answers, gets ACK and BYE, and the other hears that the call was given up.
    fn are_called(&self, host: &Host, call: impl FnOnce() -> Result<Calls>) -> Result<()> {
        let ringing = Sipp::answering(Scenario::Ring, self.ringing).start(host)?;
        let answering = Sipp::answering(Scenario::AnswerAfterRinging, self.answering);
        let answering = answering.pausing(Duration::from_millis(500)).start(host)?;
        let calls = call()?;
        expect_calls(&calls, 1);
        expect_calls(&ringing.stop()?, 1);
        expect_calls(&answering.stop()?, 1);
        let tags = |status: &str| -> Vec<String> {
            let answers = calls.messages.split("SIP/2.0 ").filter(|it| it.starts_with(status));
            let tos = answers.filter_map(|answer| answer.split("\nTo: ").nth(1)?.lines().next());
            let tags = tos.filter_map(|to| Some(to.split(";tag=").nth(1)?.trim().to_owned()));
            tags.collect()
        };
        let (mut early, talking) = (tags("180 "), tags("200 "));
        early.sort();
        early.dedup();
        assert_eq!(early.len(), 2, "{}", calls.messages);
        assert!(talking.first().is_some_and(|tag| early.contains(tag)), "{}", calls.messages);
        Ok(())
    }
}
