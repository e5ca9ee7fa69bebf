//! Step 1: a scanner.

use anyhow::Result;

use super::{gateway::Gateway, narrator::Narrator, scanner::Scanner, stage::Stage};

/// How many come over each version of IP.
const REQUESTS: u64 = 500;

/// A virtual interface queues 256 packets; more at once could be lost before the filter.
const AT_ONCE: u64 = 100;

pub(super) fn scan(narrator: &mut Narrator, stage: &Stage, gateway: &Gateway<'_>) -> Result<()> {
    narrator.step("A scanner finds the address");
    narrator.say(
        "Every SIP port on the internet is knocked at all day long. The scanner sends 1,000 \
         requests, INVITE and OPTIONS, half of them over IPv6. Nobody has vouched for its \
         addresses, and the filter drops every single packet. No socket wakes up, nothing is \
         parsed, nothing is answered: the scanner cannot even tell that there is a telephone \
         system.",
    );
    let before = gateway.read()?;
    for mut scanner in Scanner::pair(&stage.internet)? {
        let dropped = dropped_of(&mut scanner, gateway)?;
        let what = format!("kernel: dropped as unknown-source, over {}", scanner.family());
        narrator.check(&what, REQUESTS, dropped)?;
    }
    let seen = gateway.count(&before, |_| Ok(true))?;
    narrator.check("edge: datagrams that got as far as its sockets", 0, seen.reached_edge())?;
    narrator.check("sbc: messages read over UDP", 0, seen.received_over_udp()?)?;
    narrator.check("inside: datagrams that got as far as its sockets", 0, seen.reached_inside())
}

/// Lets it send everything, and returns how much of it the kernel says to have dropped.
fn dropped_of(scanner: &mut Scanner, gateway: &Gateway<'_>) -> Result<u64> {
    let before = gateway.read()?;
    let mut sent = 0;
    let mut dropped = 0;
    while sent < REQUESTS && dropped == sent {
        scanner.send(AT_ONCE)?;
        sent += AT_ONCE;
        let seen = gateway.count(&before, |seen| Ok(seen.verdict("unknown-source")? >= sent))?;
        dropped = seen.verdict("unknown-source")?;
    }
    Ok(dropped)
}
