//! The socket towards the upstream is for the upstream.

use std::net::SocketAddr;

use anyhow::Result;
use sbc_tests::{Family, Setup, UdpCounters};

use crate::{endpoint::Endpoint, expectation::Expect as _, request::Request};

#[test]
fn a_neighbour_of_the_upstream_is_ignored() -> Result<()> {
    for family in Family::ALL {
        let gateway = Setup::new().upstream(family).start()?;
        let intruder = SocketAddr::new(family.intruder(), 5060);
        let intruder = Endpoint::bind(&gateway.inside, intruder)?;
        let upstream = Endpoint::bind(&gateway.inside, gateway.upstream())?;
        for method in ["OPTIONS", "INVITE", "BYE"] {
            intruder.send(family.sip_inside(), &intruder.request(method))?;
        }
        // The upstream itself is answered: it asks whether we are alive.
        upstream.ask(family.sip_inside(), &upstream.request("OPTIONS"), 200)?;
        upstream.ask(family.sip_inside(), &upstream.request("INVITE"), 404)?;
        let status = gateway.expect_outcomes(&[
            ("not-from-upstream", 3),
            ("upstream-options-answered", 1),
            ("no-route", 1),
        ])?;
        assert_eq!(status.received("udp")?, 0, "nothing came from outside");
        assert!(!intruder.has_heard()?);
        // None of it is the filter's business: it came in on the other side.
        assert!(status.verdicts()?.is_empty(), "{status}");
    }
    Ok(())
}

#[test]
fn nobody_outside_reaches_it_not_even_in_the_name_of_the_upstream() -> Result<()> {
    for family in Family::ALL {
        let gateway = Setup::new().upstream(family).start()?;
        let upstream = gateway.upstream();
        let address = upstream.ip().to_string();
        let network = match family {
            Family::V4 => "10.0.0.1/32",
            Family::V6 => "2001:db8:2::1/128",
        };
        gateway.internet.route(network, family.gateway())?;
        gateway.internet.run("ip", ["address", "add", &address, "dev", "lo"])?;
        let before = gateway.edge_udp()?;
        for local in [upstream, SocketAddr::new(family.caller(), 5060)] {
            let stranger = Endpoint::bind(&gateway.internet, local)?;
            stranger.send(family.sip_inside(), &Request::new("OPTIONS", "UDP", local))?;
        }
        let status = gateway.expect_verdicts(&[("inside-service", 2)])?;
        assert!(status.outcomes()?.is_empty(), "{status}");
        assert_eq!(gateway.edge_udp()? - before, UdpCounters::default());
    }
    Ok(())
}
