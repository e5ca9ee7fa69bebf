//! Steps 4 to 7: a carrier, whose certificate opens the kernel for its addresses.

use std::time::{Duration, Instant};

use anyhow::Result;
use sbc_tests::{Scenario, wait_until};

use super::{
    actors::{self, TlsClient},
    address::{CARRIER_TLS, IMPOSTOR},
    dialogue::Dialogue,
    gateway::Gateway,
    narrator::Narrator,
    stage::Stage,
};

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn call_before_proof(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &Gateway<'_>,
) -> Result<()> {
    narrator.step("The carrier calls before it has proved anything");
    narrator.say(
        "The carrier's network stands in the configuration, but only a certificate opens it. \
         Until then it may do nothing but show one: the INVITE is dropped in the kernel, and the \
         carrier hears nothing.",
    );
    expect_silence(narrator, stage, gateway)
}

pub(super) fn prove(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &Gateway<'_>,
) -> Result<TlsClient> {
    narrator.step("The carrier proves who it is, with mutual TLS");
    narrator.say(
        "The TLS port is the one door where the filter lets strangers knock. First comes an \
         impostor: its certificate says carrier.example too, but another authority has signed it.",
    );
    let before = gateway.read()?;
    let mut impostor = TlsClient::connect(stage, IMPOSTOR, &stage.impostor)?;
    let ending = impostor.wait_until_refused()?;
    let refused = "certificate-unknown-issuer";
    let seen = gateway.count(&before, |seen| Ok(seen.refused_connections(refused)? >= 1))?;
    narrator.check(
        "impostor: what openssl was told",
        "unknown ca",
        if ending.contains("alert unknown ca") { "unknown ca" } else { &ending },
    )?;
    narrator.check(
        "sbc: refused, certificate-unknown-issuer",
        1,
        seen.refused_connections(refused)?,
    )?;
    narrator.check("sbc: networks trusted because of a certificate", 0, seen.grants("tls"))?;

    narrator.say("Then the carrier, with the certificate that it was really given:");
    let before = gateway.read()?;
    let mut carrier = TlsClient::connect(stage, CARRIER_TLS, &stage.carrier)?;
    let seen = gateway.count(&before, |seen| Ok(seen.grants("tls") > 0))?;
    let elapsed = carrier.started().elapsed();
    carrier.wait_until_verified()?;
    narrator.show(&gateway.trust_table()?);
    let granted = seen.grant("tls").map_or("nothing", |grant| &grant.source);
    narrator.check("sbc: trusted because of a certificate", "192.0.2.0/28", granted)?;
    narrator.check_at_least(
        "kernel: passed as trusted-source, over TLS",
        4,
        seen.verdict_over("trusted-source", "tls")?,
    )?;
    narrator.say(&format!(
        "One handshake, and the kernel was open for the carrier: seen {} ms after the start of \
         its TLS client. While the connection stands, the daemon renews the row every second.",
        elapsed.as_millis()
    ));
    Ok(carrier)
}

pub(super) fn call_after_proof(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &Gateway<'_>,
) -> Result<()> {
    narrator.step("The carrier calls again");
    narrator.say(
        "The same INVITE, from the same address, over the same UDP. While the TLS connection \
         stands, it passes, and nobody asks for a password: the certificate has said enough.",
    );
    let before = gateway.read()?;
    let calls = actors::carrier(stage, Scenario::Call)?;
    let seen =
        gateway.count(&before, |seen| Ok(seen.outcome("response-relayed-outwards")? >= 3))?;
    narrator.show(&Dialogue::of(&calls).ladder("carrier"));
    narrator.check("carrier: successful calls", 1, calls.successful)?;
    narrator.check("carrier: failed calls", 0, calls.failed)?;
    narrator.check_at_least(
        "kernel: passed as trusted-source, over UDP",
        3,
        seen.verdict_over("trusted-source", "udp")?,
    )?;
    narrator.check(
        "sbc: read over UDP, as many",
        seen.verdict_over("trusted-source", "udp")?,
        seen.received_over_udp()?,
    )?;
    narrator.check("sbc: challenged", 0, seen.outcome("challenged")?)?;
    narrator.check_at_least(
        "inside: datagrams that got as far as its sockets",
        3,
        seen.reached_inside(),
    )
}

pub(super) fn leave(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &Gateway<'_>,
    mut connection: TlsClient,
) -> Result<()> {
    narrator.step("The carrier leaves, and its trust expires");
    narrator.say(
        "Trust has a lifetime: here two seconds from the end of the connection, so that a \
         reconnect loses no call. The kernel looks at the clock itself; it would also stop \
         trusting if the daemon had crashed meanwhile.",
    );
    connection.disconnect()?;
    let disconnected = Instant::now();
    let is_gone = || Ok(gateway.read()?.status.grants("tls") == 0);
    wait_until("the end of the carrier's trust", PATIENCE, is_gone)?;
    let seconds = disconnected.elapsed().as_secs_f32();
    narrator.say(&format!("After {seconds:.1} s its row opens nothing but TLS again:"));
    narrator.show(&gateway.trust_table()?);
    narrator.say("And its UDP is dropped again:");
    expect_silence(narrator, stage, gateway)
}

/// The carrier sends one INVITE over UDP, and it is dropped.
fn expect_silence(narrator: &mut Narrator, stage: &Stage, gateway: &Gateway<'_>) -> Result<()> {
    let before = gateway.read()?;
    let calls = actors::carrier(stage, Scenario::InviteWithoutAnswer)?;
    let dropped = "transport-not-opened";
    let seen = gateway.count(&before, |seen| Ok(seen.verdict(dropped)? >= 1))?;
    let dialogue = Dialogue::of(&calls);
    narrator.check("carrier: INVITEs sent", 1, dialogue.count("INVITE "))?;
    narrator.check("carrier: answers within two seconds", 0, dialogue.count("SIP/2.0 "))?;
    narrator.check("kernel: dropped as transport-not-opened", 1, seen.verdict(dropped)?)?;
    narrator.check("edge: datagrams that got as far as its sockets", 0, seen.reached_edge())
}
