//! Step 0: who is who, and the gateway starts.

use std::time::Duration;

use anyhow::{Error, Result};
use sbc_tests::{udp_counters, wait_until};

use super::{
    gateway::{Gateway, sbc},
    narrator::Narrator,
    readings::reached,
    scanner::Scanner,
    stage::{CONFIGURATION, PICTURE, Stage},
};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn show_the_stage(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    narrator.say(
        "Three hosts, made of Linux network namespaces: each has its own interfaces, routes and \
         sockets, and real packets go between them. The machine's own network is not touched.",
    );
    narrator.show(PICTURE.trim_start_matches('\n'));
    narrator.say(
        "sbc is a session border controller: it lets SIP through to the telephone system only \
         from those who have proved who they are. It has two halves. The daemon speaks SIP. The \
         filter is a small program that the daemon loads into the Linux kernel (eBPF), at the \
         place where packets come in from the network card (XDP): what it drops costs next to \
         nothing, and no socket ever sees it. The daemon tells it whom to trust.",
    );
    narrator.say(
        "Certificates have been made on the spot, and a user who knows a password. This is the \
         whole configuration:",
    );
    narrator.show(CONFIGURATION);
    let verdict = sbc(stage, &["check"])?;
    narrator.say("The gateway reads it before anything depends on it:");
    narrator.show(&format!("$ sbc check\n{}", without_folder(&verdict, stage)));
    narrator.check("sbc check finds nothing wrong or doubtful", 1, verdict.lines().count())
}

/// That nothing was counted proves nothing, unless the same packets are counted without the filter.
pub(super) fn check_the_counters_count(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    const PROBES: u64 = 4;
    narrator.say(
        "Before sbc runs: a scanner's first four requests. They must reach the edge, so that it \
         means something when later ones do not.",
    );
    let before = udp_counters(&stage.edge)?;
    for mut scanner in Scanner::pair(&stage.internet)? {
        scanner.send(PROBES / 2)?;
    }
    let arrived = || Ok::<_, Error>(reached(udp_counters(&stage.edge)? - before));
    let waited = wait_until("the requests", PATIENCE, || Ok(arrived()? >= PROBES));
    if sbc_tests::is_interrupted() {
        return waited;
    }
    narrator.check("edge: datagrams that got as far as its sockets", PROBES, arrived()?)
}

pub(super) fn show_the_gateway(
    narrator: &mut Narrator,
    stage: &Stage,
    gateway: &Gateway<'_>,
) -> Result<()> {
    narrator.say("Now the gateway starts, and with it the filter. Who is trusted so far?");
    narrator.show(&format!("$ sbc status\n{}", gateway.trust_table()?));
    narrator.check("kernel: the filter on the outside interface", "attached", filter(stage)?)?;
    let readings = gateway.read()?;
    let grants = readings.status.daemon.trust;
    narrator.check("sbc: sources that the operator's word lists", 2, grants.len())
}

/// Whether an XDP program sits on the outside interface, as `ip` sees it.
pub(super) fn filter(stage: &Stage) -> Result<&'static str> {
    let interface = stage.edge.run("ip", ["-details", "link", "show", "outside"])?;
    Ok(if interface.contains("prog/xdp") { "attached" } else { "none" })
}

fn without_folder(text: &str, stage: &Stage) -> String {
    let folder = stage.configuration.parent().unwrap_or(&stage.configuration);
    text.replace(&format!("{}/", folder.display()), "")
}
