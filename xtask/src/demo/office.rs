//! Steps 2 and 3: a phone of the office, which has to know a password.

use anyhow::Result;
use sbc_tests::Scenario;

use super::{
    actors,
    address::OFFICE,
    dialogue::Dialogue,
    gateway::Gateway,
    narrator::Narrator,
    stage::{PASSWORD, Stage},
};

pub(super) fn call_without_credentials(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &Gateway<'_>,
) -> Result<()> {
    narrator.step("The office calls, and is asked for its password");
    narrator.say(
        "The office's address is listed, so the filter lets its packets up to the daemon. But a \
         UDP packet's source address can be forged by anybody, so an address alone opens no \
         call: the daemon challenges the INVITE, and the telephone system hears nothing of it.",
    );
    let before = gateway.read()?;
    let calls = actors::office(stage, Scenario::ChallengedInvite, "")?;
    let dialogue = Dialogue::of(&calls);
    narrator.show(&dialogue.ladder("phone"));
    narrator.say("The challenge:");
    narrator.show(&dialogue.essence("SIP/2.0 407", "Proxy-Authenticate"));
    let invites = dialogue.count("INVITE ");
    let seen = gateway.count(&before, |seen| Ok(seen.outcome("own-ack")? >= 1))?;
    narrator.check(
        "phone: challenged (407), for each INVITE once",
        invites,
        dialogue.count("SIP/2.0 407"),
    )?;
    narrator.check(
        "kernel: passed, as many as the daemon read over UDP",
        seen.received_over_udp()?,
        seen.verdict("trusted-source")?,
    )?;
    narrator.check("sbc: challenged", invites, seen.outcome("challenged")?)?;
    narrator.check("inside: datagrams that got as far as its sockets", 0, seen.reached_inside())
}

pub(super) fn call_with_credentials(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &Gateway<'_>,
) -> Result<()> {
    narrator.step("The office answers the challenge");
    narrator.say(
        "First with a wrong password. It is told the same as before, and so would be an unknown \
         user: the answer gives nothing away.",
    );
    let before = gateway.read()?;
    let calls = actors::office(stage, Scenario::RefusedCall, "wrong horse")?;
    let seen = gateway.count(&before, |seen| Ok(seen.outcome("own-ack")? >= 2))?;
    narrator.check("phone: calls answered", 0, Dialogue::of(&calls).count("SIP/2.0 200"))?;
    narrator.check_at_least("sbc: wrong credentials", 1, seen.outcome("wrong-credentials")?)?;
    narrator.check("inside: datagrams that got as far as its sockets", 0, seen.reached_inside())?;
    narrator.check("sbc: addresses trusted because of a password", 0, seen.grants("digest"))?;

    narrator.say(
        "Now with the right one. The call is relayed, rings, is answered, and is ended after a \
         moment.",
    );
    let before = gateway.read()?;
    let calls = actors::office(stage, Scenario::CallWithDigest, PASSWORD)?;
    let seen =
        gateway.count(&before, |seen| Ok(seen.outcome("response-relayed-outwards")? >= 3))?;
    narrator.show(&Dialogue::of(&calls).ladder("phone"));
    narrator.check("phone: successful calls", 1, calls.successful)?;
    narrator.check("phone: failed calls", 0, calls.failed)?;
    narrator.check_at_least(
        "sbc: requests relayed inwards (INVITE, ACK, BYE)",
        3,
        seen.outcome("request-relayed-inwards")?,
    )?;
    narrator.check_at_least(
        "sbc: responses relayed outwards (180, 200, 200)",
        3,
        seen.outcome("response-relayed-outwards")?,
    )?;
    narrator.check_at_least(
        "inside: datagrams that got as far as its sockets",
        3,
        seen.reached_inside(),
    )?;
    narrator.say(
        "A correct answer to a challenge that was sent to this very address also shows that the \
         address is not forged. So the daemon tells the kernel:",
    );
    narrator.show(&gateway.trust_table()?);
    let granted = seen.grant("digest").map_or("nothing", |grant| &grant.source);
    narrator.check("sbc: trusted because of a password", OFFICE, granted)
}
