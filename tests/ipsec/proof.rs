//! The daemon, and peers that have to speak to it through IPsec.

use anyhow::Result;
use sbc_tests::{Family, wait_until};

use crate::peer::{BRANCH, BRANCH_HOST, CARRIER, Edge, OTHER};
use crate::wire::SOON;

#[test]
fn what_comes_out_of_an_association_is_proven_and_nothing_else_for_as_long_as_it_lasts()
-> Result<()> {
    let edge = Edge::start()?;
    edge.wait_until_proven(CARRIER, false)?;
    for (family, drops) in Family::ALL.into_iter().zip(1..) {
        edge.call(family, family.caller(), "early")?;
        edge.wait_for("clear-outside-ipsec", drops)?;
    }

    CARRIER.is_expected(&edge)?;
    edge.wait_until_proven(CARRIER, true)?;
    for (family, drops) in Family::ALL.into_iter().zip(3..) {
        edge.call(family, family.caller(), "clear")?;
        edge.wait_for("clear-outside-ipsec", drops)?;
    }
    CARRIER.speaks_from(&edge, Family::caller)?;
    for family in Family::ALL {
        let name = format!("proven-{}", u8::from(family == Family::V6));
        edge.call(family, family.caller(), &name)?;
        assert_eq!(edge.next_call()?, name);
    }
    let status = edge.gateway.status()?;
    assert_eq!(status.verdict("unknown-spi")?, 0, "{status}");
    assert_eq!(status.ipsec_of("198.51.100.7/32")?, (1, None));
    let (count, problem) = status.ipsec_of("198.51.100.8/32")?;
    assert_eq!(count, 0);
    assert!(problem.is_some_and(|problem| problem.contains("no inbound policy")), "{status}");

    for family in Family::ALL {
        CARRIER.delete_state(&edge.gateway.edge, family)?;
    }
    edge.wait_until_proven(CARRIER, false)?;
    for (family, drops) in Family::ALL.into_iter().zip(1..) {
        edge.call(family, family.caller(), "late")?;
        edge.wait_for("unknown-spi", drops)?;
    }
    CARRIER.falls_silent_from(&edge, Family::caller)?;
    for (family, drops) in Family::ALL.into_iter().zip(5..) {
        edge.call(family, family.caller(), "later")?;
        edge.wait_for("clear-outside-ipsec", drops)?;
    }

    // New keys under the same numbers.
    for family in Family::ALL {
        CARRIER.renew(&edge, family)?;
    }
    edge.wait_until_proven(CARRIER, true)?;
    CARRIER.speaks_from(&edge, Family::caller)?;
    edge.call(Family::V4, Family::V4.caller(), "again")?;
    assert_eq!(edge.next_call()?, "again");
    Ok(())
}

#[test]
fn by_another_way_the_network_stack_refuses_what_is_in_clear() -> Result<()> {
    let edge = Edge::start()?;
    edge.take_the_back_door()?;
    for (family, drops) in Family::ALL.into_iter().zip(1..) {
        edge.call(family, family.caller(), "early")?;
        edge.gateway.wait_for_status("a drop at the sockets", |status| {
            Ok(status.verdict_at_sockets("clear-outside-ipsec")? == drops)
        })?;
    }
    CARRIER.is_expected(&edge)?;
    edge.wait_until_proven(CARRIER, true)?;
    for (family, refusals) in Family::ALL.into_iter().zip(1..) {
        edge.call(family, family.caller(), "clear")?;
        wait_until("the refusal", SOON, || Ok(edge.refused()? == refusals))?;
    }
    CARRIER.speaks_from(&edge, Family::caller)?;
    for family in Family::ALL {
        let name = format!("proven-{}", u8::from(family == Family::V6));
        edge.call(family, family.caller(), &name)?;
        assert_eq!(edge.next_call()?, name);
    }
    Ok(())
}

#[test]
fn one_peers_association_does_not_carry_anothers_address() -> Result<()> {
    let edge = Edge::start()?;
    for peer in [CARRIER, OTHER] {
        peer.is_expected(&edge)?;
    }
    for peer in [CARRIER, OTHER] {
        edge.wait_until_proven(peer, true)?;
    }
    OTHER.speaks_from(&edge, Family::caller)?;
    for (family, drops) in Family::ALL.into_iter().zip(1..) {
        edge.call(family, family.caller(), "borrowed")?;
        edge.wait_for("unknown-spi", drops)?;
    }
    edge.take_the_back_door()?;
    for (family, refusals) in Family::ALL.into_iter().zip(1..) {
        edge.call(family, family.caller(), "borrowed")?;
        wait_until("the refusal", SOON, || Ok(edge.refused()? == refusals))?;
    }
    OTHER.falls_silent_from(&edge, Family::caller)?;
    OTHER.speaks_from(&edge, Family::neighbour)?;
    edge.call(Family::V4, Family::V4.neighbour(), "own")?;
    assert_eq!(edge.next_call()?, "own");
    Ok(())
}

#[test]
fn what_comes_out_of_a_tunnel_is_proven_for_whoever_is_behind_the_gateway() -> Result<()> {
    let edge = Edge::start()?;
    let host = BRANCH_HOST.parse()?;
    edge.open_branch()?;
    edge.tunnel("in")?;
    edge.gateway.wait_for_status("a tunnel", |status| {
        Ok(status.ipsec_of(BRANCH)? == (1, None)
            && status.grant(BRANCH)?.is_some_and(|grant| grant.proof == "ipsec"))
    })?;
    edge.call(Family::V4, host, "clear")?;
    edge.wait_for("clear-outside-ipsec", 1)?;
    edge.tunnel("out")?;
    edge.call(Family::V4, host, "tunnelled")?;
    assert_eq!(edge.next_call()?, "tunnelled");
    let status = edge.gateway.status()?;
    assert_eq!(status.verdict_over("trusted-source", "ipsec")?, 1, "{status}");
    Ok(())
}
